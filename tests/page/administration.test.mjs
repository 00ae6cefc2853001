/** What an administrator does at the page, and what comes of it at the desk. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { browser, clear, Desk } from "./support/desk.mjs";
import * as sandbox from "./support/sandbox.mjs";

let chrome;

before(async () => {
  chrome = await browser();
});

beforeEach(() => sandbox.fresh());

afterEach(clear);

after(() => chrome?.close());

async function administrator() {
  const desk = await Desk.open(chrome);
  await desk.signIn("administrator");
  await desk.go("管理");
  return desk;
}

async function part(desk, name) {
  await desk.page.getByRole("navigation", { name: "管理の項目" }).getByRole("button", { name }).click();
  await desk.page.locator(".admin-part [aria-busy=true]").first().waitFor({ state: "detached" });
}

/** The six digits of an authenticator app at an instant (RFC 6238). */
function totp(otpauth, now) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...new URL(otpauth).searchParams.get("secret")].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((octet) => Number.parseInt(octet, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(now / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const at = digest.at(-1) & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

test("an account that is made here signs in, and has to choose a password of its own first", async () => {
  const boss = await administrator();
  await part(boss, "アカウント");
  const made = boss.page.waitForResponse((response) => response.request().method() === "POST" && response.url().endsWith("/v1/accounts"));
  await boss.page.getByLabel("アカウント名").fill("hanako");
  await boss.press("追加する");
  const { totp: offered } = await (await made).json();
  await boss.page.getByRole("img", { name: /二次元コード/ }).waitFor();
  const password = await boss.page.locator(".secret").textContent();
  await boss.page.getByRole("rowheader", { name: "hanako" }).waitFor();

  const desk = await Desk.open(chrome);
  const { page } = desk;
  const { institution_code } = await sandbox.account("operator");
  await page.getByLabel(/機関コード/).fill(institution_code);
  await page.getByLabel("アカウント名").fill("hanako");
  await page.getByLabel("パスワード", { exact: true }).fill(password);
  await page.getByLabel("認証アプリの6桁の数字").fill(totp(offered.otpauth, Date.parse(await sandbox.now())));
  await desk.press("ログイン");
  await desk.heading("パスワードの変更");
  await page.getByLabel("現在のパスワード").fill(password);
  await page.getByLabel("新しいパスワード", { exact: true }).fill("hanako no yama 39");
  await page.getByLabel("新しいパスワード（もう一度）").fill("hanako no yama 38");
  await desk.press("変更する");
  await page.getByText("新しいパスワードと同じものを入力してください。").waitFor();
  await page.getByLabel("新しいパスワード（もう一度）").fill("hanako no yama 39");
  await desk.press("変更する");
  await desk.heading("本人確認の方法を選んでください");
  assert.equal(await page.getByRole("button", { name: "管理", exact: true }).count(), 0, "an operator administers nothing");
});

test("the desk offers only the methods that the settings allow", async () => {
  const desk = await Desk.open(chrome);
  await desk.signIn("operator");
  const methods = () => desk.page.locator(".method").evaluateAll((all) => all.map((one) => one.dataset.method));
  await desk.page.locator("[data-method=visual]").waitFor();
  assert.deepEqual(await methods(), ["visual", "card_pin", "iphone", "android_pin"]);
  const boss = await administrator();
  await part(boss, "セキュリティ設定");
  await boss.page.getByRole("switch", { name: /目視確認で本人認証/ }).click();
  await boss.page.getByText("設定を変更しました。").waitFor();
  await desk.go("ヘルプ");
  await desk.go("資格確認");
  await desk.page.locator("[data-method=visual]").waitFor({ state: "detached" });
  assert.deepEqual(await methods(), ["card_pin", "iphone", "android_pin"]);
  // After a lock the photo may be looked at all the same.
  await desk.begin("card_pin");
  await desk.pin("1234");
  await desk.heading("カードをかざしてください");
  await sandbox.tap("pin-locked");
  await desk.page.getByRole("button", { name: "目視による確認に切り替える" }).waitFor();
  // A card that is left lying is read at once, before anybody could see what the screen asks for.
  await sandbox.remove();
  await desk.press("目視による確認に切り替える");
  await desk.heading(/かざしてください/);
  await sandbox.tap("pin-locked");
  assert.equal(await desk.verdict(), "資格有効");
});

test("a PC becomes a terminal by a code, and the list can be limited to it", async () => {
  const boss = await administrator();
  const { page } = boss;
  await part(boss, "端末とカードリーダー");
  await page.getByLabel("端末の名前").fill("uketsuke-1");
  await boss.press("登録の番号を発行する");
  const code = await page.locator(".secret").textContent();
  await page.getByLabel("登録の番号").fill(code);
  await boss.press("この端末を登録する");
  await page.getByRole("rowheader", { name: "uketsuke-1" }).waitFor();
  const cookie = (await boss.context.cookies()).find(({ name }) => name === "__Host-shikaku-terminal");
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict");
  await boss.press("ログアウト");
  await boss.signIn("operator");
  await boss.page.locator("[data-method=visual]").waitFor();
  await boss.begin("visual");
  await boss.heading(/かざしてください/);
  await sandbox.tap("taro");
  await boss.verdict();
  await boss.press(/閉じる/);
  await boss.go("過去の結果");
  await page.getByText("総件数：1件").waitFor();
  await page.getByLabel("この端末で資格確認した結果のみ対象とする").check();
  const searched = page.waitForRequest((request) => request.url().endsWith("/v1/results/search"));
  await boss.press("検索");
  assert.equal((await searched).postDataJSON().terminal, "uketsuke-1");
  await page.getByText("総件数：1件").waitFor();
});

test("a passkey is enrolled at this PC and signs in without anything typed", async () => {
  const desk = await Desk.open(chrome);
  const { page } = desk;
  const session = await desk.context.newCDPSession(page);
  await session.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await session.send("WebAuthn.addVirtualAuthenticator", { options });
  const who = await desk.signIn("operator");
  await desk.press(/自分のログイン/);
  const form = page.locator("form", { hasText: "この端末のパスキーを登録する" });
  await form.getByLabel("現在のパスワード").fill(who.password);
  // The code of the sign-in is used up.
  await sandbox.advance(60);
  await form.getByLabel("認証アプリの6桁の数字").fill(await sandbox.code(who.account));
  await desk.press("この端末のパスキーを登録する");
  await page.getByRole("rowheader", { name: "受付のパソコン" }).waitFor();
  await desk.press("ログアウト");
  await desk.heading("ログイン");
  await desk.press("パスキー（生体認証）でログイン");
  await desk.heading("本人確認の方法を選んでください");
  assert.ok((await page.locator(".me").textContent()).includes(who.account));
});

test("the checklist and what happened at the desk are on record with date and person", async () => {
  const desk = await Desk.open(chrome);
  await desk.signIn("operator");
  await desk.page.locator("[data-method=visual]").waitFor();
  await desk.begin("visual");
  await desk.heading(/かざしてください/);
  await sandbox.tap("taro");
  await desk.verdict();
  await desk.page.locator("summary", { hasText: "別の方の情報" }).click();
  await desk.press("別の方の情報が表示されたことを記録する");
  await desk.page.getByLabel("オンライン資格確認等コールセンターに連絡した").check();
  await desk.press("記録する");
  await desk.page.getByText("0800-080-4583").first().waitFor();
  await desk.page.getByText("記録しました。").waitFor();

  const boss = await administrator();
  await part(boss, "窓口で起きたこと");
  await boss.page.getByText("別の方の情報が表示された", { exact: true }).waitFor();
  await boss.page.getByText("オンライン資格確認等コールセンターに連絡した").waitFor();
  await part(boss, "安全管理チェックリスト");
  await boss.page.getByText("まだ記録がありません。").waitFor();
  for (const tick of await boss.page.getByRole("checkbox").all()) await tick.check();
  await boss.press("今日の日付と自分の名前で記録する");
  await boss.page.getByText(/前回の記録：2026年07月08日 12時\d\d分　担当者：sandbox-/).waitFor();
});
