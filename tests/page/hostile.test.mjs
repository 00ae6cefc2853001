/**
 * Foreign pages in the browser of somebody who is signed in: whatever a web page can do without being asked, from another site, from
 * another port of the same host (which gets the same cookies) and from a name that was rebound to this machine. Nothing may change,
 * nothing may be read.
 */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";

import { browser, clear, Desk } from "./support/desk.mjs";
import { figure } from "./support/figures.mjs";
import * as sandbox from "./support/sandbox.mjs";

const API = process.env.SHIKAKU_API;
const { origin: PAGE, port: PAGE_PORT } = new URL(sandbox.PAGE);

/** Chromium's own protection of local networks is off: older browsers have none, and the daemon must not need it. */
const OPEN = ["--host-resolver-rules=MAP evil.test 127.0.0.1", "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights,BlockInsecurePrivateNetworkRequests"];

/** What changes something or tells something, whoever it is for. */
const TARGETS = [
  ["GET", "/v1/sessions/current"],
  ["GET", "/v1/sessions?scope=all"],
  ["GET", "/v1/readers"],
  ["GET", "/v1/results/1"],
  ["GET", "/v1/accounts"],
  ["GET", "/v1/terminals"],
  ["GET", "/v1/audit"],
  ["GET", "/v1/health"],
  ["GET", "/healthz"],
  ["GET", "/openapi.yaml"],
  ["GET", "/"],
  ["GET", "/trust"],
  ["DELETE", "/v1/sessions/current"],
  ["DELETE", "/v1/sessions"],
  ["POST", "/v1/checks", { method: "card_pin" }],
  ["POST", "/v1/results/search", {}],
  ["POST", "/v1/results/collect", {}],
  ["POST", "/v1/terminals/enrolment-codes", { name: "evil" }],
  ["POST", "/v1/accounts", { account: "evil", role: "administrator" }],
  ["PUT", "/v1/settings/security", { visual_confirmation: false, operators_need_code: false }],
  ["PUT", "/v1/results/1/inquiry-number", { inquiry_number: "evil" }],
];

/** Runs in the foreign page; returns what it could read, as texts. */
async function attack({ daemon, targets }) {
  const read = [];
  const soon = (work, patience = 1500) => Promise.race([work, new Promise((done) => setTimeout(done, patience))]).catch(() => undefined);
  const grown = (node) => new Promise((done) => { node.onload = node.onerror = () => done(); document.body.append(node); });
  const framed = async (src) => {
    const frame = document.createElement("iframe");
    frame.src = src;
    await soon(grown(frame));
    try { read.push(frame.contentDocument?.documentElement?.textContent ?? ""); } catch { /* another origin */ }
  };
  const submitted = async (method, path, body, enctype) => {
    const frame = document.createElement("iframe");
    frame.name = `f${Math.random()}`;
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: daemon + path, target: frame.name, enctype });
    const field = document.createElement("input");
    // A JSON body out of a form of plain text: the value ends what the name begins.
    field.name = JSON.stringify({ ...body, x: "" }).slice(0, -2);
    field.value = '"}';
    form.append(field);
    document.body.append(form);
    const loaded = new Promise((done) => { frame.onload = () => done(); });
    form.submit();
    await soon(loaded);
    try { read.push(frame.contentDocument?.documentElement?.textContent ?? ""); } catch { /* another origin */ }
  };
  const asked = async (method, path, body, mode, headers, type) => {
    const init = { method, mode, credentials: "include", redirect: "follow", headers };
    if (body !== undefined && method !== "GET") init.body = new Blob([JSON.stringify(body)], { type });
    await soon(fetch(daemon + path, init).then((response) => response.text()).then((text) => read.push(text)));
  };
  const works = [];
  for (const [method, path, body] of targets) {
    for (const mode of ["cors", "no-cors"]) works.push(asked(method, path, body, mode, {}, "text/plain"));
    works.push(asked(method, path, body, "cors", { "X-Shikaku-CSRF": "" }, "application/json"));
    works.push(soon(new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open(method, daemon + path);
      request.withCredentials = true;
      request.onloadend = () => { try { read.push(request.responseText); } catch { /* not for us */ } done(); };
      request.send(body === undefined ? null : JSON.stringify(body));
    })));
    if (method === "GET") {
      for (const [name, source] of [["img", "src"], ["script", "src"], ["embed", "src"], ["object", "data"]]) {
        const node = document.createElement(name);
        node[source] = daemon + path;
        works.push(soon(grown(node)));
      }
      for (const rel of ["stylesheet", "prefetch", "preload"]) {
        const link = document.createElement("link");
        Object.assign(link, { rel, href: daemon + path, as: "fetch" });
        works.push(soon(grown(link)));
      }
      works.push(framed(daemon + path));
    } else {
      for (const enctype of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) works.push(submitted(method, path, body ?? {}, enctype));
      navigator.sendBeacon(daemon + path, JSON.stringify(body ?? {}));
      try { navigator.sendBeacon(daemon + path, new Blob([JSON.stringify(body ?? {})], { type: "application/json" })); } catch { /* refused by the browser */ }
    }
  }
  works.push(soon(new Promise((done) => {
    const stream = new EventSource(`${daemon}/v1/events`, { withCredentials: true });
    for (const name of ["message", "ready", "readers", "result"]) stream.addEventListener(name, (event) => read.push(event.data));
    stream.onerror = () => { stream.close(); done(); };
  })));
  for (const path of ["/v1/events", "/v1/checks", "/"]) {
    works.push(soon(new Promise((done) => {
      const socket = new WebSocket(daemon.replace("http", "ws") + path);
      socket.onmessage = (event) => read.push(String(event.data));
      socket.onopen = () => { read.push("open"); done(); };
      socket.onerror = () => done();
    })));
  }
  await Promise.all(works);
  const opened = window.open(`${daemon}/`);
  await new Promise((done) => setTimeout(done, 300));
  try { read.push(opened.document.documentElement.textContent); } catch { /* another origin */ }
  opened?.close();
  return read;
}

/** What a refusal says is the same for everybody and for every request. */
const REFUSALS = new Set(["host_not_allowed", "origin_not_allowed"]);

function bytesOf(read) {
  const telling = read.filter((text) => {
    try { return !REFUSALS.has(JSON.parse(text).code); } catch { return text !== ""; }
  });
  return telling.reduce((sum, text) => sum + text.length, 0);
}

/** The state of the clinic, but for what looking at it leaves behind. */
async function standing(watcher) {
  return watcher.page.evaluate(async () => {
    const get = async (path) => {
      const response = await fetch(path);
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return response.json();
    };
    const me = (await get("/v1/sessions/current")).account;
    const [sessions, accounts, terminals, settings, readers] = await Promise.all(["/v1/sessions?scope=all", "/v1/accounts", "/v1/terminals", "/v1/settings/security", "/v1/readers"].map(get));
    const rows = [];
    for (let after; ; ) {
      const page = await get(`/v1/audit?limit=200${after === undefined ? "" : `&after=${after}`}`);
      rows.push(...page.rows.filter((row) => row.actor !== me));
      if (page.next_after === undefined) break;
      after = page.next_after;
    }
    const live = sessions.sessions.filter((session) => session.account !== me).map(({ id, account }) => [id, account]);
    return JSON.stringify({ live, accounts, terminals, settings, readers, rows });
  });
}

let chrome;
let foreign;

before(async () => {
  chrome = await browser(OPEN);
  foreign = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>x</title><body></body>"));
  await new Promise((done) => foreign.listen(0, "127.0.0.1", done));
});

afterEach(clear);

after(async () => {
  await chrome?.close();
  foreign?.close();
});

const totals = { changes: 0, bytes: 0 };

/** The foreign page, in a tab beside the victim's. */
async function besides(victim, address) {
  const page = await victim.context.newPage();
  // A rebound name: the first answer was the attacker's, every later one is the daemon's.
  await page.route("**/attack", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>x</title><body></body>" }));
  await page.goto(address);
  return page;
}

for (const role of ["administrator", "operator"]) {
  test(`foreign pages beside a signed-in ${role} change nothing and read nothing`, async () => {
    await sandbox.fresh();
    await sandbox.tap("taro", true);
    const victim = await Desk.open(chrome);
    await victim.signIn(role);
    const watcher = await Desk.open(chrome);
    await watcher.signIn("administrator");
    const reached = await victim.page.evaluate(() => fetch("/v1/sessions/current").then((response) => response.status));
    assert.equal(reached, 200, "the page itself gets its answers");
    const before = await standing(watcher);
    const port = foreign.address().port;
    const places = [`http://evil.test:${port}/`, `http://127.0.0.1:${port}/`, `http://localhost:${port}/`, `http://evil.test:${PAGE_PORT}/attack`];
    for (const place of places) {
      const rebound = place.endsWith("/attack");
      // The API knows no cookies: who is signed in makes no difference there.
      const both = role === "administrator" ? [PAGE, API] : [PAGE];
      const daemons = rebound ? [`http://evil.test:${PAGE_PORT}`] : both;
      for (const daemon of daemons) {
        const page = await besides(victim, place);
        const read = await page.evaluate(attack, { daemon, targets: TARGETS });
        const bytes = bytesOf(read);
        totals.bytes += bytes;
        assert.equal(bytes, 0, `${place} read from ${daemon}: ${read.filter((text) => bytesOf([text]) > 0).map((text) => text.slice(0, 80)).join(" | ")}`);
        await page.close();
      }
    }
    const afterwards = await standing(watcher);
    if (afterwards !== before) totals.changes += 1;
    assert.equal(afterwards, before);
    assert.equal(await victim.page.evaluate(() => fetch("/v1/sessions/current").then((response) => response.status)), 200, "the session lives");
  });
}

test("the figures of hostile pages", () => {
  figure("hostile_state_changes", totals.changes);
  figure("hostile_bytes_read", totals.bytes);
});
