/** The sandbox's control listener: plays patient, central system and time. `docs/en/sandbox.md` is its manual. */

const CONTROL = process.env.SHIKAKU_SANDBOX;
const API = process.env.SHIKAKU_API;
/** Where the front-desk page is. */
export const PAGE = process.env.SHIKAKU_PAGE;
/** Noon of a day in July: what the screens show is the same every day. */
export const NOON = "2026-07-08T12:00:00+09:00";

if (!CONTROL || !PAGE || !API) throw new Error("run by tests/page/run, which starts the sandbox");

async function ask(method, path, body) {
  const response = await fetch(CONTROL + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/** A clinic as on its first day, its clock standing still at an instant unless told otherwise. */
export async function fresh({ now = NOON, running = false } = {}) {
  const receipt = await ask("POST", "/v1/reset", { now });
  await ask("PUT", "/v1/clock", { running });
  await remove();
  return receipt;
}

/** Lets the daemon fetch results and announcements now, as its receipt computer would ask. */
export async function collect({ institution_code, account, password }) {
  const post = async (path, token, body) => {
    const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(API + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const { token } = await post("/v1/sessions", undefined, { institution_code, account, password, code: await code(account) });
  await post("/v1/results/collect", token, {});
}

/** Somebody who has been here before, and for whom there is something new since. */
export async function withNews(desk, role, receipt, ...news) {
  const who = await desk.signIn(role);
  await desk.press("ログアウト");
  await desk.heading("ログイン");
  for (const [id, announcement] of news) await announce(id, announcement);
  await collect(receipt);
  // A code is good once.
  await advance(60);
  await desk.signIn(who);
  await desk.heading("運営からのお知らせ");
}

export const tap = (persona, again = false) => ask("PUT", "/v1/card", { persona, again });
export const remove = () => ask("DELETE", "/v1/card");
export const reader = (state) => ask("PUT", "/v1/reader", { state });
export const upstream = (state) => ask("PUT", "/v1/upstream", { state });
export const fault = (endpoint, kind, times) => ask("POST", "/v1/upstream/faults", { endpoint, fault: kind, times });
export const announce = (id, announcement) => ask("PUT", `/v1/upstream/announcements/${id}`, announcement);
export const personas = () => ask("GET", "/v1/personas");
export const addResult = (persona, terminal, at) => ask("POST", "/v1/upstream/results", { persona, terminal, at });
export const now = async () => (await ask("GET", "/v1/clock")).now;
export const advance = (seconds) => ask("POST", "/v1/clock/advance", { seconds });
export const account = (role) => ask("POST", "/v1/accounts", { role });
export const code = async (name) => (await ask("GET", `/v1/accounts/${encodeURIComponent(name)}/code`)).code;
