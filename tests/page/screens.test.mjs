/** Every screen of the page, as somebody comes to see it: accessible, and looking as its kept picture. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { browser, clear, Desk } from "./support/desk.mjs";
import { figure } from "./support/figures.mjs";
import { Looker } from "./support/look.mjs";
import { FONTS, Gallery } from "./support/pictures.mjs";
import * as sandbox from "./support/sandbox.mjs";

let chrome;
let look;
const credentials = {};

before(async () => {
  chrome = await browser();
  look = new Looker(await Gallery.open(chrome));
  await sandbox.fresh();
  for (const role of ["operator", "administrator"]) credentials[role] = await sandbox.account(role);
});

afterEach(clear);

after(async () => {
  look?.gallery.close();
  await chrome?.close();
});

/** A desk where somebody is signed in. */
async function desk(role) {
  const desk = await Desk.open(chrome);
  // A code is good once: whoever comes back is somebody new.
  await desk.signIn(credentials[role] ?? role);
  delete credentials[role];
  return desk;
}

test("sign-in", async () => {
  const desk = await Desk.open(chrome);
  await desk.heading("ログイン");
  await look.at(desk, "sign-in");
  await desk.fillSignIn({ institution_code: "1399900001", account: credentials.operator.account, password: "not-the-password-of-anybody" });
  await desk.press("ログイン");
  await desk.page.getByRole("alert").waitFor();
  await look.at(desk, "sign-in-refused");
  assert.deepEqual(desk.complaints.filter((said) => !said.includes("401")), []);
});

/** Pages without scripts; the authority's is shown as the daemon fills it in, since the sandbox needs none. */
test("how a PC comes to trust the daemon, and what is told whoever comes by an address", async () => {
  const desk = await Desk.open(chrome);
  const { page } = desk;
  const template = readFileSync(fileURLToPath(new URL("../../api/src/page/trust.html", import.meta.url)), "utf8");
  const filled = template.replaceAll("{{address}}", "https://uketsuke.local:8443/").replaceAll("{{certificate}}", "/trust/shikaku-ca.crt").replaceAll("{{fingerprint}}", "0123456789abcdef".repeat(4));
  assert.ok(!filled.includes("{{"));
  await page.route("**/trust", (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: filled }));
  await page.goto(new URL("/trust", sandbox.PAGE).href);
  await desk.heading("このパソコンで資格ブリッジを使う準備");
  await look.at(desk, "trust");
  await page.goto(sandbox.PAGE.replace("localhost", "127.0.0.1"));
  await desk.heading("受付ページは名前で開いてください");
  // The port is another one every time.
  await look.at(desk, "by-address", [".address"]);
  assert.deepEqual(desk.complaints, []);
});

test("a check with PIN", async () => {
  const staff = await desk("operator");
  await staff.heading("本人確認の方法を選んでください");
  await staff.page.locator(".method").first().waitFor();
  await look.at(staff, "methods");
  for (const name of [/代理の方/, /初検のとき/, /資格証類/]) await staff.page.locator("summary", { hasText: name }).click();
  await look.at(staff, "methods-details");

  await staff.begin("card_pin");
  await staff.heading("暗証番号を入力してください");
  await staff.page.keyboard.press("1");
  await look.at(staff, "pin");
  await staff.page.keyboard.press("Backspace");
  await staff.pin("1234");
  await staff.heading("カードをかざしてください");
  await look.at(staff, "hold-card");
  await sandbox.fault("confirm", "slow 12000", 1);
  await sandbox.tap("taro");
  await staff.heading("資格を確認しています");
  await look.at(staff, "asking");
  assert.equal(await staff.verdict(), "資格有効");
  await look.at(staff, "result");
  for (const name of ["氏名の説明", "有効開始日の説明", "枝番の説明"]) await staff.page.getByRole("button", { name }).first().click();
  await look.at(staff, "result-notes");
  await staff.press(/閉じる/);

  await check(staff, "card_pin", "taro", "9999");
  await staff.heading("暗証番号が違います。");
  await look.at(staff, "failure-wrong-pin");
  await staff.press("もう一度行う");
  await staff.heading("暗証番号を入力してください");
  await staff.page.getByText("残りの入力回数：2回").waitFor();
  await look.at(staff, "pin-again");
  await staff.press(/中止する/);
  await check(staff, "card_pin", "pin-locked", "1234");
  await staff.heading(/ロックされているか/);
  await look.at(staff, "failure-locked");
  await staff.press("最初に戻る");
  await check(staff, "card_pin", "pin-last-try", "1234");
  await staff.heading("暗証番号の残りはあと1回です");
  await look.at(staff, "last-try");
  await staff.press("照合せずに中止する");
  await staff.heading("本人確認の方法を選んでください");
});

/** A check up to the tap. */
async function check(staff, method, persona, pin) {
  await sandbox.remove();
  await staff.heading("本人確認の方法を選んでください");
  await staff.begin(method);
  if (pin) await staff.pin(pin);
  await staff.heading(/かざしてください/);
  await sandbox.tap(persona);
}

test("the other methods, and a card that is not registered", async () => {
  const staff = await desk("operator");
  for (const [method, title] of [["visual", "hold-visual"], ["iphone", "hold-iphone"]]) {
    await sandbox.remove();
    await staff.begin(method);
    await staff.heading(/かざしてください/);
    await look.at(staff, title);
    await staff.press(/中止する/);
  }
  await staff.begin("android_pin");
  await staff.pin("1234");
  await staff.heading(/かざしてください/);
  await look.at(staff, "hold-android");
  await sandbox.tap("taro");
  await staff.heading("選んだ方法と、かざされたものが違います。");
  await look.at(staff, "failure-wrong-token");
  await staff.press("最初に戻る");

  await sandbox.fault("card-use-registration", "slow 12000", 1);
  await check(staff, "visual", "unregistered");
  await staff.heading("健康保険証としての利用登録がされていません");
  await look.at(staff, "registration");
  await staff.press("患者本人が同意した。登録する");
  await staff.heading("利用登録をしています");
  await look.at(staff, "registering");
  assert.equal(await staff.verdict(), "資格有効");
  await staff.press(/閉じる/);

  await sandbox.upstream("down");
  await staff.begin("card_pin");
  await staff.heading(/接続できません/);
  await look.at(staff, "failure-upstream");
  await sandbox.upstream("up");
  await sandbox.advance(120);
});

test("results of every kind", async () => {
  await sandbox.fresh();
  const staff = await desk("operator");
  const kinds = { invalid: "資格無効", "invalid-new": "資格無効（新しい資格あり）", "not-found": "該当資格なし", multiple: "複数該当", "withheld-part": "資格有効", "withheld-full": "資格有効", assistance: "資格有効", alias: "資格有効", "elderly-recipient": "資格有効", "expires-soon": "資格有効" };
  for (const [persona, word] of Object.entries(kinds)) {
    await check(staff, "visual", persona);
    assert.equal(await staff.verdict(), word, persona);
    await look.at(staff, `result-${persona}`);
    await staff.press(/閉じる/);
  }
  await staff.go("過去の結果");
  await staff.page.getByText("総件数：9件").waitFor();
  await look.at(staff, "past-results");
  await staff.go("代わりの確認方法");
  await look.at(staff, "alternatives");
  await staff.go("ヘルプ");
  await look.at(staff, "help");
  await staff.page.locator("summary", { hasText: "3回連続で失敗" }).click();
  await look.at(staff, "help-answer");

  await staff.context.setOffline(true);
  await staff.page.getByText("自動でつなぎ直しています").waitFor();
  await look.at(staff, "connection-lost");
  await staff.context.setOffline(false);
  await staff.page.keyboard.press("F9");
  await staff.page.getByText("画面を隠し、ログアウトしました").waitFor();
  await look.at(staff, "locked");
});

test("announcements", async () => {
  const closes = { from: "2026-07-12T01:00:00+09:00", until: "2026-07-12T05:00:00+09:00" };
  const receipt = await sandbox.fresh();
  const staff = await Desk.open(chrome);
  await sandbox.withNews(
    staff,
    "operator",
    receipt,
    ["N1", { title: "よくある質問を更新しました", body: "電子証明書の更新について、質問と回答を追加しました。" }],
    ["N2", { title: "システムメンテナンスのお知らせ", body: "下記の日時に、システムメンテナンスを行います。\nその間は資格確認をご利用いただけません。", url: "https://iryohokenjyoho.service-now.com/omf", closes }],
  );
  await staff.page.getByText("システムメンテナンスのお知らせ").waitFor();
  await look.at(staff, "announcements");
});

test("administration", async () => {
  await sandbox.fresh();
  // The accounts of before are gone.
  for (const role of Object.keys(credentials)) delete credentials[role];
  const administrator = await desk("administrator");
  const { page } = administrator;
  const part = (name) => page.getByRole("navigation", { name: "管理の項目" }).getByRole("button", { name }).click();
  const settled = () => page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
  await administrator.go("管理");
  await settled();
  await look.at(administrator, "admin-health");
  await part("アカウント");
  await settled();
  await page.getByLabel("アカウント名").fill("hanako");
  await administrator.press("追加する");
  await page.getByRole("img", { name: /二次元コード/ }).waitFor();
  await look.at(administrator, "admin-accounts", [".secret", ".qr"]);
  const password = await page.locator(".secret").textContent();
  await part("端末とカードリーダー");
  await settled();
  await page.getByLabel("端末の名前").fill("uketsuke-2");
  await administrator.press("登録の番号を発行する");
  await page.locator(".secret").waitFor();
  await look.at(administrator, "admin-terminals", [".secret"]);
  await part("セキュリティ設定");
  await settled();
  await look.at(administrator, "admin-security");
  await part("監査ログ");
  await page.getByRole("region", { name: "監査ログ" }).waitFor();
  await look.at(administrator, "admin-audit");
  await part("安全管理チェックリスト");
  await settled();
  for (const tick of await page.getByRole("checkbox").all()) await tick.check();
  await look.at(administrator, "admin-checklist");
  await part("窓口で起きたこと");
  await settled();
  await look.at(administrator, "admin-incidents");
  await administrator.press(/自分のログイン/);
  await settled();
  await look.at(administrator, "own-sign-in");
  assert.ok(password.length > 12);
});

test("the pictures are as they were, and axe finds nothing", () => {
  figure("screens", look.screens);
  figure("axe_violations", look.violations.length);
  assert.deepEqual(look.violations, []);
  assert.deepEqual(look.misfits, []);
  const fonts = execFileSync("dpkg-query", ["-W", "-f", "${Package} ${Version}", "fonts-noto-cjk"], { encoding: "utf8" });
  assert.equal(fonts, FONTS, "the kept pictures were made with these fonts");
  assert.deepEqual(look.gallery.problems, [], `look at ${look.gallery.found}; UPDATE_SCREENS=1 keeps them`);
});
