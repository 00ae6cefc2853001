/** 200 names that would be scripts if anything took them for markup: none runs, each is shown as it stands. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { browser, clear, Desk } from "./support/desk.mjs";
import { figure } from "./support/figures.mjs";
import * as sandbox from "./support/sandbox.mjs";

let chrome;
let receipt;

before(async () => {
  receipt = await sandbox.fresh();
  chrome = await browser();
});

afterEach(clear);

after(() => chrome?.close());

const RUN = "ran()";
const SHAPES = [
  (run) => `<script>${run}</script>`,
  (run) => `<img src=x onerror=${run}>`,
  (run) => `<svg onload=${run}>`,
  (run) => `<svg><script>${run}</script></svg>`,
  (run) => `<iframe srcdoc="<script>parent.${run}</script>">`,
  (run) => `<body onpageshow=${run}>`,
  (run) => `<input autofocus onfocus=${run}>`,
  (run) => `<details open ontoggle=${run}>`,
  (run) => `<video><source onerror=${run}>`,
  (run) => `<a href="javascript:${run}">資格</a>`,
  (run) => `<object data="javascript:${run}">`,
  (run) => `<math><mtext><table><mglyph><style><img src onerror=${run}>`,
  (run) => `<template><script>${run}</script></template>`,
  (run) => `<meta http-equiv=refresh content="0;url=javascript:${run}">`,
  (run) => `<form action="javascript:${run}"><button>`,
  (run) => `{{constructor.constructor('${run}')()}}`,
  (run) => `\${${run}}`,
  (run) => `javascript:${run}`,
  (run) => `"onfocus=${run} autofocus x="`,
  (run) => `'-${run}-'`,
];
const AROUND = [(it) => it, (it) => `"${it}`, (it) => `'>${it}`, (it) => `">${it}`, (it) => `</title>${it}`, (it) => `</textarea>${it}`, (it) => `--!>${it}`, (it) => `]]>${it}`, (it) => `資格${it}太郎`, (it) => `\u202e${it}`];

const PAYLOADS = AROUND.flatMap((around) => SHAPES.map((shape) => around(shape(RUN))));

/** Where a result holds text that people wrote. */
const TEXTS = ["name", "name_kana", "name_of_other", "name_of_other_kana", "insured_name", "insurer_name", "insured_card_symbol", "insured_identification_number", "insured_branch_number", "reference_number"];

test("200 payloads as names, insurers, numbers and announcements", async () => {
  assert.equal(PAYLOADS.length, 200);
  const desk = await Desk.open(chrome);
  const { page } = desk;
  let runs = 0;
  await page.exposeFunction("ran", () => (runs += 1));
  page.on("dialog", (dialog) => {
    runs += 1;
    void dialog.dismiss();
  });
  await sandbox.withNews(desk, "operator", receipt, ["N1", { title: PAYLOADS[1], body: PAYLOADS.slice(0, 20).join("\n") }]);
  await page.getByRole("heading", { name: PAYLOADS[1] }).waitFor();
  await desk.press("資格確認へ");

  // A real result, with payloads in the place of its texts.
  await desk.begin("visual");
  await desk.heading(/かざしてください/);
  let left = [...PAYLOADS];
  const put = [];
  await page.route(/\/v1\/results\/\d+$/, async (route) => {
    const result = await (await route.fetch()).json();
    const person = result.eligibilities[0];
    put.length = 0;
    for (const text of TEXTS) {
      person[text] = left.shift() ?? RUN;
      put.push(person[text]);
    }
    person.warnings = [{ code: "back_of_card", message: put[0] }];
    await route.fulfill({ json: { ...result, terminal: put[1], inquiry_number: put[2], note: { code: put[3], message: put[4] } } });
  });
  await page.route("**/v1/results/search", async (route) => {
    const found = await (await route.fetch()).json();
    await route.fulfill({ json: { results: PAYLOADS.map((name, index) => ({ ...found.results[0], id: found.results[0].id, eligibilities: [{ name }], position: index })) } });
  });
  await sandbox.tap("taro");
  await desk.verdict();
  await desk.press(/閉じる/);
  await desk.go("過去の結果");
  await page.locator(".past").nth(PAYLOADS.length - 1).waitFor();
  assert.deepEqual(await page.locator(".past-name").allTextContents(), PAYLOADS);
  while (left.length > 0) {
    await page.locator(".past").first().click();
    await desk.verdict();
    const words = await page.locator("#main").textContent();
    for (const text of put) assert.ok(words.includes(text), text);
    await page.keyboard.press("Escape");
    await page.locator(".past").first().waitFor();
  }
  assert.equal(await page.locator("script:not([src]), iframe, object, embed, main img, base, meta[http-equiv]").count(), 0);
  figure("script_runs", runs);
  assert.equal(runs, 0);
  assert.deepEqual(desk.complaints, []);
});
