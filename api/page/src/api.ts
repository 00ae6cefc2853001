/**
 * The API as this page uses it: same origin, session in a cookie that scripts cannot read, a CSRF token on whatever changes something.
 * Nothing personal ever stands in an address.
 */

import type { components } from "./contract";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];

/** What a refusal tells: by the daemon in the words of the contract, or by the page itself. */
type Told = Pick<Problem, "title" | "guidance"> & Partial<Omit<Problem, "code">> & { readonly code: string };

/** A refusal or failure, with the texts that staff can use. */
export class Refused extends Error {
  constructor(
    readonly problem: Told,
    readonly status: number,
    readonly retryAfter: number | undefined,
  ) {
    super(problem.code);
  }
}

/** The daemon did not answer at all. */
const UNREACHABLE = {
  code: "page_unreachable",
  title: "資格ブリッジに接続できません。",
  guidance: "資格ブリッジを動かしているパソコンの電源とネットワークを確認してください。復旧すると自動で再接続します。",
} as const;

/** What the contract says to programmers, said to staff. */
const FOR_STAFF: Record<string, string> = {
  check_not_found: "資格ブリッジが再起動したか、時間が過ぎました。もう一度資格確認を始めてください。",
  wrong_phase: "資格確認が先に進んだか、終わっています。もう一度資格確認を始めてください。",
  result_not_found: "保存期間（資格確認を行った日の翌月末まで）を過ぎたか、番号が違います。",
};

type Method = "GET" | "POST" | "PUT" | "DELETE";

let signedOut: () => void = () => {};

/** Told when the session has ended. */
export function onSignedOut(told: () => void): void {
  signedOut = told;
}

/** The token beside the session's cookie. On plain loopback the cookie has no prefix. */
function csrf(): string {
  return /(?:^|; )(?:__Host-)?shikaku-csrf=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

/** Whether there may be a session from before a reload: its cookie is not readable, the one beside it is. */
export const maybeSignedIn = (): boolean => csrf() !== "";

async function send(method: Method, path: string, body: unknown, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (signal) init.signal = signal;
  if (method !== "GET") headers["X-Shikaku-CSRF"] = csrf();
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(UNREACHABLE, 0, undefined);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<Refused> {
  const after = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const told = (await response.json().catch(() => undefined)) as Problem | undefined;
  const problem = told && { ...told, guidance: FOR_STAFF[told.code] ?? told.guidance };
  const refused = new Refused(problem ?? { ...UNREACHABLE, code: "page_no_answer" }, response.status, Number.isFinite(after) ? after : undefined);
  if (refused.problem.code === "session_required") signedOut();
  return refused;
}

/** Asks and reads a JSON answer. */
export async function call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send(method, path, body, { Accept: "application/json" }, signal);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Ends something although the page may be going away: the browser sends it even then. */
export async function abandon(path: string): Promise<void> {
  const headers = { "X-Shikaku-CSRF": csrf() };
  // Whether it still could be ended is the daemon's to know; nobody is left to be told.
  await fetch(path, { method: "DELETE", headers, credentials: "same-origin", cache: "no-store", keepalive: true }).catch(() => undefined);
}

/** Asks and reads text of a media type. */
export async function text(path: string, accept: string): Promise<string> {
  const response = await send("GET", path, undefined, { Accept: accept });
  return response.text();
}

/** An address with query values; none of them may name a person. */
export function address(path: string, query: Record<string, string | number | boolean | undefined>): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") values.set(name, String(value));
  const text = values.toString();
  return text ? `${path}?${text}` : path;
}
