/** What the page does by itself and what it never does: idle, lock, back, reload, several desks, sleep, a lost connection. */

import assert from "node:assert/strict";
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

async function atWork(options) {
  const desk = await Desk.open(chrome, options);
  await desk.signIn("operator");
  await desk.page.locator("[data-method=card_pin]").waitFor();
  return desk;
}

/** A check up to its result. */
async function check(desk, persona = "taro") {
  await sandbox.remove();
  await desk.begin("visual");
  await desk.heading(/かざしてください/);
  await sandbox.tap(persona);
  return desk.verdict();
}

const body = (desk) => desk.page.locator("body").textContent();

test("idle and one key clear the screen and end the session", async () => {
  const desk = await Desk.open(chrome);
  await desk.page.clock.install();
  await desk.page.reload();
  await desk.signIn("operator");
  await desk.page.locator("[data-method=card_pin]").waitFor();
  await check(desk);
  await desk.page.clock.fastForward(14 * 60_000);
  await desk.page.mouse.move(10, 10);
  await desk.page.mouse.down();
  await desk.page.mouse.up();
  await desk.page.clock.fastForward(14 * 60_000);
  assert.equal(await desk.verdict(), "資格有効", "a touch counts");
  await desk.page.clock.fastForward(2 * 60_000);
  await desk.heading("ログイン");
  assert.ok(!(await body(desk)).includes("資格 太郎"));

  await desk.signIn("operator");
  await desk.page.locator("[data-method=card_pin]").waitFor();
  await check(desk);
  const ended = desk.page.waitForResponse((response) => response.request().method() === "DELETE" && response.url().endsWith("/v1/sessions/current"));
  await desk.page.keyboard.press("F9");
  await desk.heading("ログイン");
  assert.ok(!(await body(desk)).includes("資格 太郎"));
  assert.equal((await ended).status(), 204);
  await desk.page.reload();
  await desk.heading("ログイン");
});

test("a window that is not in front shows nothing readable", async () => {
  const desk = await atWork();
  await check(desk);
  // Waited for: with reduced motion a style settles a moment later.
  const blurred = (wanted) =>
    desk.page.waitForFunction((wanted) => getComputedStyle(document.querySelector("#main")).filter.includes("blur") === wanted, wanted);
  // A browser without a screen has no window that could be in front.
  await desk.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await blurred(false);
  await desk.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  await blurred(true);
  await desk.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await blurred(false);
});

test("back and reload repeat no check and show no patient", async () => {
  const desk = await atWork();
  const { page } = desk;
  const begun = [];
  page.on("request", (request) => request.method() === "POST" && request.url().endsWith("/v1/checks") && begun.push(request.url()));
  await check(desk);
  await page.reload();
  await desk.heading("本人確認の方法を選んでください");
  assert.ok(!(await body(desk)).includes("資格 太郎"));
  await check(desk, "hanako");
  await page.goto("about:blank");
  await page.goBack();
  await desk.heading("本人確認の方法を選んでください");
  assert.ok(!/資格 (太郎|花子)/.test(await body(desk)));
  assert.equal(begun.length, 2);
  // Leaving in the middle of a check frees the reader.
  await sandbox.remove();
  await page.locator("[data-method=card_pin]").waitFor();
  await desk.begin("card_pin");
  await desk.heading("暗証番号を入力してください");
  await page.reload();
  await desk.heading("本人確認の方法を選んでください");
  await page.locator("[data-method=card_pin]").waitFor();
  assert.equal(begun.length, 3);
  assert.equal(await check(desk), "資格有効");
});

test("nothing about a patient is in the address, the title, the browser's stores or its cache", async () => {
  const desk = await atWork();
  const { page } = desk;
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  const cached = [];
  page.on("response", (response) => response.url().includes("/v1/") && !/no-store/.test(response.headers()["cache-control"] ?? "") && cached.push(response.url()));
  const before = page.url();
  await check(desk);
  await desk.press(/閉じる/);
  await desk.go("過去の結果");
  await page.getByLabel(/氏名・フリガナ/).fill("資格");
  await desk.press("検索");
  await page.getByText("資格 太郎").click();
  await desk.verdict();
  assert.equal(page.url(), before);
  assert.equal(await page.title(), "資格ブリッジ");
  assert.deepEqual(
    await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await caches.keys()).length, (await indexedDB.databases()).length, history.state]),
    [0, 0, 0, 0, null],
  );
  assert.deepEqual(cached, []);
  assert.deepEqual(addresses.filter((address) => /資格|シカク|taro|%E8%B3%87/.test(address)), []);
});

test("several desks: one reader serves one check, and the list tells of another desk's result", async () => {
  const [first, second] = [await atWork(), await atWork()];
  await second.go("過去の結果");
  await second.page.getByText("総件数：0件").waitFor();
  await check(first);
  await second.press("新しい結果があります。表示を更新する");
  await second.page.getByText("総件数：1件").waitFor();
  await first.press(/閉じる/);
  await sandbox.remove();
  await first.begin("card_pin");
  await first.heading("暗証番号を入力してください");
  await second.go("資格確認");
  await second.begin("card_pin");
  await second.heading(/別の資格確認で使用中です/);
  await first.page.keyboard.press("Escape");
  await first.heading("本人確認の方法を選んでください");
  await second.press("もう一度行う");
  await second.pin("1234");
  await second.heading("カードをかざしてください");
  await sandbox.tap("taro");
  assert.equal(await second.verdict(), "資格有効");
});

test("a lost connection is told, and comes back by itself in the middle of a check", async () => {
  const desk = await atWork();
  await sandbox.remove();
  await desk.begin("visual");
  await desk.heading(/かざしてください/);
  await desk.context.setOffline(true);
  const lost = desk.page.getByText("自動でつなぎ直しています");
  await lost.waitFor();
  await sandbox.tap("taro");
  await desk.context.setOffline(false);
  assert.equal(await desk.verdict(), "資格有効");
  await lost.waitFor({ state: "detached" });
});

test("a session that ended elsewhere leads to the sign-in", async () => {
  const desk = await atWork();
  await check(desk);
  await sandbox.advance(13 * 3600);
  await desk.press(/閉じる/);
  await desk.heading("ログイン");
  await desk.page.getByText("ログインの有効期間が終わりました").waitFor();
});

test("digits that are typed while the challenge is on its way count", async () => {
  const desk = await atWork();
  await sandbox.fault("challenge", "slow 1500", 1);
  await desk.begin("card_pin");
  await desk.heading("暗証番号を入力してください");
  await desk.page.keyboard.type("12");
  await desk.page.waitForResponse((response) => response.url().includes("after_revision=1"));
  await desk.page.getByText("4桁のうち2桁を入力しました").waitFor({ state: "attached" });
  await desk.page.keyboard.type("34");
  await desk.heading("カードをかざしてください");
  await sandbox.tap("taro");
  assert.equal(await desk.verdict(), "資格有効");
});

test("copying gives the receipt computer's text", async () => {
  const desk = await atWork({ permissions: ["clipboard-read", "clipboard-write"] });
  await check(desk, "kokuho");
  await desk.press("コピー");
  await desk.page.getByText("コピーしました。").waitFor();
  const copied = await desk.page.evaluate(() => navigator.clipboard.readText());
  assert.deepEqual(
    // The sandbox adds a line that says so.
    copied
      .split(/\r?\n/)
      .map((line) => line.split("\t"))
      .filter(([label]) => label !== "備考")
      .slice(0, 6),
    [["資格情報"], ["確認日 : ", "2026年07月08日"], ["保険者番号", "138990"], ["保険者名", "架空市"], ["記号", "架国・０１２３"], ["番号", "0045678"]],
  );
});

test("at 200 % nothing has to be scrolled sideways, and forced colours keep what colours say", async () => {
  const desk = await atWork({ viewport: { width: 683, height: 384 }, forcedColors: "active" });
  const { page } = desk;
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await wide(), 0);
  await desk.begin("card_pin");
  await desk.heading("暗証番号を入力してください");
  await page.keyboard.press("1");
  const [full, empty] = await page.locator(".pin-dot").evaluateAll((dots) => [dots[0], dots[1]].map((dot) => getComputedStyle(dot).backgroundColor));
  assert.notEqual(full, empty);
  assert.equal(await wide(), 0);
  await page.keyboard.press("Escape");
  await page.locator("[data-method=visual]").waitFor();
  await check(desk);
  assert.equal(await wide(), 0);
});

test("reduced motion is respected, and nothing moves without reason", async () => {
  const desk = await atWork({ reducedMotion: "no-preference" });
  await sandbox.fault("challenge", "slow 8000", 1);
  const longest = () => desk.page.evaluate(() => Math.max(0, ...document.getAnimations().map((animation) => animation.effect.getComputedTiming().duration)));
  await desk.begin("card_pin");
  await desk.pin("1234");
  await desk.heading("準備しています");
  assert.ok((await longest()) > 100, "something shows that the wait goes on");
  await desk.page.emulateMedia({ reducedMotion: "reduce" });
  assert.ok((await longest()) < 1);
  await desk.page.keyboard.press("Escape");
});

test("every numbered item of the manual is there, and every note of it opens", async () => {
  const desk = await atWork();
  const { page } = desk;
  await check(desk, "elderly-recipient");
  const labels = await page.locator(".item dt").evaluateAll((terms) => terms.map((term) => [term.firstChild.textContent, term.lastChild.textContent]));
  const numbers = new Set(labels.map(([number]) => number).filter((number) => number !== "－").map(Number));
  assert.deepEqual([...numbers].sort((a, b) => a - b), Array.from({ length: 15 }, (_, index) => index + 1));
  for (const own of ["資格取得年月日", "未就学区分", "資格喪失事由", "照会番号"]) assert.ok(labels.some(([number, label]) => number === "－" && label === own), own);
  for (const toggle of await page.locator(".item-info").all()) {
    await toggle.click();
    assert.equal(await toggle.getAttribute("aria-expanded"), "true");
  }
  const notes = (await page.locator(".item-notes:visible").allTextContents()).join("\n");
  for (const words of ["「●」が含まれる", "空欄になっている", "小文字が大文字", "通称等の理由", "資格確認書の表面記載の性別", "裏面記載の戸籍上の性別", "1900-01-01", "令和6年12月2日", "後期高齢者医療制度の場合、空欄", "「家族」の場合", "医療扶助の場合、空欄", "発効期日", "年次の更新日", "75歳到達日前日", "自治体・福祉事務所", "提供されません", "一部負担金割合", "生活保護が開始", "義務教育就学前", "喪失していない段階", "診察券番号"]) assert.ok(notes.includes(words), words);
  assert.equal(await page.locator(".item-notes:visible").count(), await page.locator(".item-info").count());
});

test("a screen reader hears the verdict with the button that has the focus, and whatever changes by itself", async () => {
  const desk = await atWork();
  await check(desk);
  const session = await desk.context.newCDPSession(desk.page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const focused = nodes.find(({ role, properties }) => role?.value === "button" && properties?.some(({ name, value }) => name === "focused" && value.value));
  assert.ok(focused.name.value.startsWith("閉じる"));
  assert.ok(focused.description.value.includes("資格有効") && focused.description.value.includes("資格 太郎"), focused.description.value);
  await desk.press(/閉じる/);
  const spoken = async (part) => assert.ok(await desk.page.locator(part).evaluate((node) => node.closest("[role=status], [role=alert], [aria-live]") !== null), part);
  await desk.page.locator(".reader-state").waitFor();
  await spoken(".reader-state");
  await sandbox.remove();
  await desk.begin("card_pin");
  await desk.heading("暗証番号を入力してください");
  await spoken(".pin-dots");
  await desk.pin("1234");
  await desk.heading("カードをかざしてください");
  await spoken(".hold .reader");
});

test("past results are limited by period", async () => {
  const desk = await atWork();
  const { page } = desk;
  await check(desk);
  await desk.press(/閉じる/);
  await desk.go("過去の結果");
  await page.getByText("総件数：1件").waitFor();
  for (const [from, to, found] of [["2026-07-08", "2026-07-08", 1], ["2026-07-01", "2026-07-07", 0], ["2026-07-01", "", 1]]) {
    await page.getByLabel("開始").fill(from);
    await page.getByLabel("終了").fill(to);
    await desk.press("検索");
    await page.getByText(`総件数：${found}件`).waitFor();
    await page.locator(found > 0 ? ".past" : ".past-none").waitFor();
  }
});

test("the answer to an older search never stands in the list of a newer one", async () => {
  const desk = await atWork();
  const { page } = desk;
  await check(desk);
  await desk.press(/閉じる/);
  const late = [];
  const both = new Promise((resolve) => page.route(/\/v1\/results\/search(\/count)?$/, (route) => (late.length < 2 ? late.push(route) === 2 && resolve() : route.continue())));
  await desk.go("過去の結果");
  await both;
  await page.getByLabel(/氏名・フリガナ/).fill("別人");
  await desk.press("検索");
  await page.locator(".past-none").waitFor();
  await page.getByText("総件数：0件").waitFor();
  for (const route of late) {
    const answered = page.waitForResponse((response) => response.request() === route.request());
    await route.continue();
    await (await answered).finished();
  }
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.equal(await page.locator(".past").count(), 0);
  assert.equal(await page.locator(".past-none").count(), 1);
  assert.equal(await page.locator(".total").textContent(), "総件数：0件");
});

test("the sheet of the other ways is printed without the navigation", async () => {
  const desk = await atWork();
  const { page } = desk;
  await desk.go("代わりの確認方法");
  await desk.heading("オンライン資格確認ができないとき");
  await page.emulateMedia({ media: "print" });
  assert.ok(await page.getByText("マイナポータルにログインし").first().isVisible(), "who has only a phone");
  assert.ok(await page.getByRole("heading", { name: "初検のとき" }).isVisible());
  for (const hidden of [".header", ".no-print"]) assert.equal(await page.locator(hidden).first().isVisible(), false, hidden);
  assert.ok((await page.pdf({ format: "A4" })).subarray(0, 5).equals(Buffer.from("%PDF-")));
});

test("after the PC's sleep the stream is opened anew, and a daemon that was opened anew leads to the sign-in", async () => {
  const desk = await Desk.open(chrome);
  const { page } = desk;
  await page.clock.install();
  await page.reload();
  await desk.signIn("operator");
  await page.locator("[data-method=card_pin]").waitFor();
  const again = page.waitForRequest(/\/v1\/events$/);
  await page.clock.fastForward(60_000);
  await again;
  await page.clock.resume();
  await sandbox.fresh();
  await desk.heading("ログイン");
  await page.getByText("ログインの有効期間が終わりました").waitFor();
});

test("a page that does not come whole says so at the sign-in", async () => {
  const context = await chrome.newContext({ locale: "ja-JP", timezoneId: "Asia/Tokyo" });
  const page = await context.newPage();
  await page.route(/\/assets\/work-.*\.js$/, (route) => route.abort());
  const desk = new Desk(context, page);
  await page.goto(sandbox.PAGE);
  await desk.fillSignIn(await sandbox.account("operator"));
  await desk.press("ログイン");
  await page.getByText("受付ページの続きを読み込めません。").waitFor();
  await page.unroute(/\/assets\/work-.*\.js$/);
  await page.reload();
  await desk.signIn("operator");
  await context.close();
});
