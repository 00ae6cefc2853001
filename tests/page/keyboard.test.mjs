/** The keyboard alone, from the sign-in to the next patient; and the steps of a check beside the manual's. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { browser, clear, Desk } from "./support/desk.mjs";
import { figure } from "./support/figures.mjs";
import * as sandbox from "./support/sandbox.mjs";

let chrome;

before(async () => {
  await sandbox.fresh();
  chrome = await browser();
});

afterEach(clear);

after(() => chrome?.close());

/**
 * The manual's procedure (chapter 2, 【B】②–④), the setting being right: 「マイナンバーカード（暗証番号）」, OK in the popup, four digits, 「次へ」.
 */
const MANUAL_STEPS = 1 + 1 + 4 + 1;

/** A key of the numeric keypad, which the driver has without NumLock. */
const NUMPAD = "Shift+Numpad";

const focused = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    return at === document.body ? "" : at.textContent || at.getAttribute("aria-label") || at.getAttribute("name") || "";
  });

/** Presses Tab until something that says this has the focus; every stop on the way has to be visible as such. */
async function tabTo(page, words) {
  for (let stop = 0; stop < 60; stop += 1) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const at = document.activeElement;
      // Inside a date field the browser marks the part.
      return at === document.body || at.type === "date" || getComputedStyle(at).outlineStyle !== "none";
    });
    assert.ok(seen, `the focus shows at ${await focused(page)}`);
    if ((await focused(page)).startsWith(words)) return;
  }
  assert.fail(`${words} is not reached by Tab`);
}

test("a whole visit with the keyboard alone", async () => {
  const desk = await Desk.open(chrome);
  const { page } = desk;
  const { keyboard } = page;
  const who = await sandbox.account("operator");
  await desk.heading("ログイン");
  await keyboard.type(who.institution_code);
  for (const value of [who.account, who.password, await sandbox.code(who.account)]) {
    await keyboard.press("Tab");
    await keyboard.type(value);
  }
  await keyboard.press("Enter");
  await desk.heading("本人確認の方法を選んでください");
  await page.locator("[data-method=card_pin]").waitFor();

  let steps = 0;
  const press = async (key) => {
    steps += 1;
    await keyboard.press(key);
  };
  await press("2");
  await desk.heading("暗証番号を入力してください");
  for (const digit of "1234") await press(NUMPAD + digit);
  await desk.heading("カードをかざしてください");
  await sandbox.tap("taro");
  assert.equal(await desk.verdict(), "資格有効");
  figure("steps_pin", steps);
  assert.ok(steps < MANUAL_STEPS, `${steps} steps, the manual has ${MANUAL_STEPS}`);

  await tabTo(page, "氏名の説明");
  await keyboard.press("Enter");
  await page.getByText("「●」が含まれる：").first().waitFor();
  await tabTo(page, "照会番号とは");
  await keyboard.press("Shift+Tab");
  await keyboard.press("Shift+Tab");
  await keyboard.type("K-000123");
  await keyboard.press("Enter");
  await page.getByText("登録しました。").waitFor();
  await keyboard.press("Escape");
  await desk.heading("本人確認の方法を選んでください");

  await tabTo(page, "過去の結果");
  await keyboard.press("Enter");
  await page.locator(".past").waitFor();
  await tabTo(page, "2026年07月08日 12時00分資格 太郎");
  await keyboard.press("Enter");
  assert.equal(await desk.verdict(), "資格有効");
  assert.equal(await page.getByLabel("照会番号", { exact: true }).inputValue(), "K-000123");
  // Back to the list, and no farther.
  await keyboard.press("Escape");
  await desk.heading("過去の資格確認結果");
  await tabTo(page, "資格確認");
  await keyboard.press("Enter");
  await desk.heading("本人確認の方法を選んでください");
  // Escape ends a check wherever it still can be ended, and the reader is free for the next.
  for (let times = 0; times < 2; times += 1) {
    await page.locator("[data-method=card_pin]").waitFor();
    await keyboard.press("2");
    await desk.heading("暗証番号を入力してください");
    await keyboard.press("Escape");
    await desk.heading("本人確認の方法を選んでください");
  }
  assert.deepEqual(desk.complaints, []);
});

test("what the patient touches never begins a check, and a key that is held down counts once", async () => {
  const desk = await Desk.open(chrome);
  const { page } = desk;
  await desk.signIn("operator");
  await page.locator("[data-method=card_pin]").waitFor();
  await page.keyboard.press(`${NUMPAD}2`);
  await page.evaluate(() => document.dispatchEvent(new KeyboardEvent("keydown", { key: "2", code: "Digit2", repeat: true })));
  await desk.heading("本人確認の方法を選んでください");
  await page.keyboard.press("2");
  await desk.heading("暗証番号を入力してください");
  // The key of the method is still down.
  await page.evaluate(() => [1, 2, 3].forEach(() => document.dispatchEvent(new KeyboardEvent("keydown", { key: "2", code: "Digit2", repeat: true }))));
  await page.getByText("4桁のうち0桁を入力しました").waitFor({ state: "attached" });
  await page.keyboard.press("7");
  await page.getByText("4桁のうち1桁を入力しました").waitFor({ state: "attached" });
  assert.ok(!(await page.locator("#main").textContent()).includes("7桁"), "no digit is echoed");
  await page.keyboard.press("Escape");
  await desk.heading("本人確認の方法を選んでください");
});
