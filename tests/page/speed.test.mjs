/** How light and fast the page is, and that it does not grow. Times are figures, beside what the browser itself needs; no test fails by a clock. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";

import { browser, clear, Desk } from "./support/desk.mjs";
import { figure } from "./support/figures.mjs";
import * as sandbox from "./support/sandbox.mjs";

/** The figures are measured on a quiet machine with a release build; elsewhere it is seen, once, that there is something to measure. */
const MEASURED = process.env.SHIKAKU_FIGURES !== undefined;
/** How often something is measured. */
const times = (often, once) => (MEASURED ? often : once);

let chrome;

before(async () => {
  await sandbox.fresh();
  chrome = await browser();
});

afterEach(clear);

after(() => chrome?.close());

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

test("the whole page is small on the wire", async () => {
  const context = await chrome.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(process.env.SHIKAKU_PAGE, { waitUntil: "networkidle" });
  const kilobytes = bytes / 1024;
  figure("gzip_kb", kilobytes.toFixed(1));
  assert.ok(kilobytes <= 60, `${kilobytes} KB`);
  await context.close();
});

/** Milliseconds from the navigation until the first field takes input, on a PC four times as slow. */
async function interactive(url) {
  const context = await chrome.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await page.addInitScript(() => {
    const look = () => {
      if (document.activeElement?.getAttribute("name") === "institution") window.interactiveAt = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await page.goto(url);
  const at = await (await page.waitForFunction(() => window.interactiveAt)).jsonValue();
  await context.close();
  return at;
}

/** A page with nothing but one field: what this browser on this machine needs in any case. */
const BARE = '<!doctype html><html lang="ja"><meta charset="utf-8"><title>x</title><input name="institution"><script type="module">document.querySelector("input").focus()</script>';

test("the first screen takes input soon on an old PC", async (t) => {
  const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html; charset=utf-8").end(BARE));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const [ours, bare] = [[], []];
  for (let round = 0; round < times(9, 1); round += 1) {
    ours.push(await interactive(process.env.SHIKAKU_PAGE));
    bare.push(await interactive(`http://127.0.0.1:${server.address().port}/`));
  }
  figure("interactive_ms", Math.round(median(ours)));
  figure("interactive_bare_ms", Math.round(median(bare)));
  figure("interactive_vs_bare", median(ours.map((our, round) => our / bare[round])).toFixed(2));
});

test("a result is on the screen as soon as the daemon has it", async () => {
  const desk = await Desk.open(chrome);
  const { page } = desk;
  await page.addInitScript(() => {
    // The first task after the frame that the verdict came in: it has been painted.
    const painted = new MessageChannel();
    painted.port1.onmessage = () => (window.shownAt = performance.now());
    new MutationObserver(() => {
      if (!document.querySelector(".verdict-word")) window.shownAt = undefined;
      else if (window.shownAt === undefined) {
        window.shownAt = null;
        requestAnimationFrame(() => painted.port2.postMessage(0));
      }
    }).observe(document, { childList: true, subtree: true });
  });
  await page.reload();
  await desk.signIn("operator");
  const took = [];
  for (let round = 0; round < times(9, 1); round += 1) {
    await sandbox.remove();
    await page.evaluate(() => performance.clearResourceTimings());
    await desk.begin("visual");
    await desk.heading(/かざしてください/);
    await sandbox.tap("taro");
    await page.waitForFunction(() => typeof window.shownAt === "number");
    took.push(
      await page.evaluate(() => {
        const told = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/v1/checks/")).at(-1);
        return window.shownAt - told.responseStart;
      }),
    );
    await desk.press(/閉じる/);
  }
  figure("result_ms", median(took).toFixed(1));
});

test("checks leave nothing behind", async (t) => {
  // Code that is compiled anew while it runs would be counted as growth: it is not compiled at all.
  const interpreting = await browser(["--js-flags=--jitless"]);
  t.after(() => interpreting.close());
  const desk = await Desk.open(interpreting);
  const { page } = desk;
  await desk.signIn("operator");
  // One real check; then its answers again and again, so that nothing but the page is at work.
  const heard = page.waitForResponse(/\/v1\/results\/\d+$/);
  await desk.begin("visual");
  await desk.heading(/かざしてください/);
  await sandbox.tap("taro");
  const result = await (await heard).json();
  await desk.verdict();
  await desk.press(/閉じる/);
  const first = { id: "k2wetz7ac5xdeh722sicgo55vy", revision: 1, method: "visual", phase: "fetching_challenge", terminal: result.terminal, reader: "Simulated Reader 00 00", created_at: result.checked_at };
  await page.route("**/v1/checks", (route) => route.fulfill({ status: 201, json: first }));
  await page.route("**/v1/checks/*", (route) => route.fulfill({ json: { ...first, revision: 2, phase: "done", result_id: result.id } }));
  await page.route(/\/v1\/results\/\d+$/, (route) => route.fulfill({ json: result }));
  const session = await desk.context.newCDPSession(page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.enable");
  const held = async () => {
    // Once more for what the first collection only made collectable.
    for (let times = 0; times < 3; times += 1) await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const of = (wanted) => metrics.find(({ name }) => name === wanted).value;
    return { kilobytes: of("JSHeapUsedSize") / 1024, nodes: of("Nodes"), listeners: of("JSEventListeners") };
  };
  const checks = (count) =>
    page.evaluate(async (count) => {
      const until = async (look) => {
        for (;;) {
          const found = look();
          if (found) return found;
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      };
      for (let done = 0; done < count; done += 1) {
        (await until(() => document.querySelector("[data-method=visual]"))).click();
        const close = await until(() => [...document.querySelectorAll(".result-actions button")].at(-1));
        close.click();
      }
      await until(() => document.querySelector("[data-method=visual]"));
    }, count);
  // The first hundred fill the browser's own record of the last 250 requests.
  await checks(times(100, 10));
  const before = await held();
  await checks(times(500, 30));
  const after = await held();
  figure("heap_growth_kb", Math.round(after.kilobytes - before.kilobytes));
  // A screen that is left holds some 100 KB, 300 nodes and 20 listeners.
  if (MEASURED) assert.ok(after.kilobytes - before.kilobytes < 100, `${before.kilobytes} KB → ${after.kilobytes} KB`);
  assert.ok(after.nodes - before.nodes < 300, `${before.nodes} → ${after.nodes} nodes`);
  assert.ok(after.listeners - before.listeners < 20, `${before.listeners} → ${after.listeners} listeners`);
});
