/** Every invented person at the desk: each result shows what the daemon has, item by item; each failure says what the manual foresees. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { browser, Desk } from "./support/desk.mjs";
import * as sandbox from "./support/sandbox.mjs";

let chrome;
let staff;

before(async () => {
  await sandbox.fresh();
  chrome = await browser();
  staff = await Desk.open(chrome);
  await staff.signIn("operator");
});



after(() => chrome?.close());

/** Who does not come to a result by PIN, and what the screen says then. */
const FAILURES = {
  "past-grace": "カードの電子証明書の有効期限が切れています。",
  "pin-locked": "暗証番号がロックされているか、顔認証マイナンバーカードです。",
  "face-card": "暗証番号がロックされているか、顔認証マイナンバーカードです。",
  "android-expired": "スマートフォンの電子証明書の有効期限が切れています。",
  refused: "オンライン資格確認等システムがエラーを返しました。",
};

const METHODS = { plastic: "card_pin", android: "android_pin", iphone: "iphone" };

const date = (text) => `${text.slice(0, 4)}年${text.slice(4, 6)}月${text.slice(6)}日`;
const SEX = { 1: "男", 2: "女", 3: "未設定" };

/** Labels of the manual and what stands beside them, from the fields of the API. 医療扶助 shows six of them. */
function expected(person) {
  const assistance = person.classification?.code === "A1";
  const always = { フリガナ: person.name_kana, 区分: person.classification?.label };
  if (assistance) return { ...always, 福祉事務所名: person.insurer_name };
  return {
    ...always,
    保険者番号: person.insurer_number?.trim(),
    保険者名: person.insurer_name,
    記号: person.insured_card_symbol,
    番号: person.insured_identification_number,
    枝番: person.insured_branch_number,
    被保険者氏名: person.insured_name,
    資格取得年月日: person.qualification_date && date(person.qualification_date),
    資格喪失年月日: person.disqualification_date && date(person.disqualification_date),
    未就学区分: person.preschool_classification && "未就学該当",
    "本人・家族の別": { 1: "本人", 2: "家族" }[person.personal_family_classification],
  };
}

test("everybody's result is on the screen, and every failure says what to do", async (t) => {
  for (const { persona, token, pin } of await sandbox.personas()) await t.test(persona, () => visit(persona, METHODS[token], pin));
});

async function visit(persona, method, pin) {
  await staff.heading("本人確認の方法を選んでください");
  await sandbox.remove();
  await staff.begin(method);
  if (method !== "iphone") await staff.pin(pin);
  await staff.heading(/かざしてください/);
  const answered = staff.page.waitForResponse(/\/v1\/results\/\d+$/).catch(() => undefined);
  await sandbox.tap(persona);
  if (persona in FAILURES) {
    await staff.heading(FAILURES[persona]);
    assert.ok((await staff.page.locator(".failure-guidance").textContent()).length > 10);
    await staff.press("最初に戻る");
    return;
  }
  if (persona === "pin-last-try") await staff.press("患者に確認した。照合する");
  if (persona === "unregistered") await staff.press("患者本人が同意した。登録する");
  const result = await (await answered).json();
  await staff.verdict();
  for (const [index, person] of result.eligibilities.entries()) await shown(index, person);
  const words = await staff.page.locator("#main").textContent();
  for (const { message } of result.eligibilities.flatMap(({ warnings }) => warnings)) assert.ok(words.includes(message), message);
  if (result.note) assert.ok(words.includes(result.note.message));
  await staff.press(/閉じる/);
}

async function shown(index, person) {
  const panel = staff.page.locator("section.panel").nth(index);
  const items = await panel.locator(".item").evaluateAll((rows) => rows.map((row) => [row.querySelector("dt").lastChild.textContent, row.querySelector("dd > span").textContent]));
  const beside = (label) => items.filter(([name]) => name === label).map(([, value]) => value);
  for (const [label, value] of Object.entries(expected(person))) assert.deepEqual(beside(label), [value || "（空欄）"], label);
  // Front and back of the 資格確認書, in this order.
  assert.deepEqual(beside("氏名"), [person.name || "（空欄）", person.name_of_other || "（空欄）"]);
  assert.deepEqual(beside("性別"), [SEX[person.sex1] ?? "（空欄）", SEX[person.sex2] ?? "（空欄）"]);
}
