/** The frame around every screen, and which screen stands in it. Screens are kept in memory only: the address never changes. */

import { call, maybeSignedIn, onSignedOut, Refused, type Schemas } from "./api";
import * as idle from "./idle";
import { type Child, fill, h } from "./kit/dom";
import { banner, button, quiet } from "./kit/parts";
import { drawn } from "./kit/pictures";
import * as live from "./live";
import { desk, forget, isAdministrator } from "./state";
import { home } from "./screens/home";
import { past } from "./screens/past";
import { fallback } from "./screens/fallback";
import { help } from "./screens/help";
import { announcements } from "./screens/announcements";
import { administration } from "./screens/admin";
import { signIn } from "./screens/sign-in";
import { changePassword } from "./screens/password";
import { own } from "./screens/own";

/** A screen: what it shows, and what ends with it. */
export interface Screen {
  readonly title: string;
  readonly body: Child;
  /** Called when another screen takes its place, or the page goes away; the promise ends what must not outlive the session. */
  readonly leave?: () => void | Promise<void>;
  /** Whether the navigation is hidden: the patient is using the screen. */
  readonly alone?: boolean;
}

const app = () => document.getElementById("app") as HTMLElement;
const notice = h("div", { class: "toast", role: "status" });
const lost = h("div", { class: "lost", role: "status" });
let current: Screen | undefined;
let toastTimer: number | undefined;

/** Shows a screen in the place of the one before. */
export function show(screen: Screen): void {
  void current?.leave?.();
  current = screen;
  draw(screen);
}

/** Shows a short word that goes away by itself. */
export function toast(text: string): void {
  notice.textContent = text;
  window.clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => notice.replaceChildren(), 5000);
}

/** What a failure says to staff. */
export function problem(error: unknown): HTMLElement {
  if (!(error instanceof Refused)) throw error;
  const { title, guidance, detail } = error.problem;
  return banner("error", title, detail && h("p", {}, detail), h("p", {}, guidance));
}

/** Runs what may be refused, and shows the refusal where it belongs. */
export async function attempt<T>(place: Element, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    fill(place, problem(error));
    return undefined;
  }
}

function draw(screen: Screen): void {
  const main = h("main", { id: "main", class: "screen", tabindex: "-1" }, screen.body);
  const signedIn = desk.person !== undefined;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  document.documentElement.classList.toggle("is-alone", screen.alone === true);
  fill(app(), signedIn && !screen.alone && header(screen), lost, main, notice);
  const focus = main.querySelector<HTMLElement>("[data-focus]") ?? main.querySelector<HTMLElement>("h1") ?? main;
  focus.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

const PLACES: readonly (readonly [string, () => Screen])[] = [
  ["資格確認", home],
  ["過去の結果", past],
  ["お知らせ", announcements],
  ["代わりの確認方法", fallback],
  ["ヘルプ", help],
];

function header(screen: Screen): HTMLElement {
  const places = isAdministrator() ? [...PLACES, ["管理", administration] as const] : PLACES;
  const unread = desk.announcements?.new_count ?? 0;
  const mark = (name: string) => (name === screen.title ? { "aria-current": "page" as const } : {});
  return h(
    "header",
    { class: "header" },
    button("本文へ", () => document.getElementById("main")?.focus(), { class: "button skip" }),
    h("p", { class: "brand" }, drawn("card", 28), "資格ブリッジ"),
    h(
      "nav",
      { "aria-label": "画面" },
      h(
        "ul",
        { class: "places" },
        places.map(([name, open]) =>
          h("li", {}, button([name, name === "お知らせ" && unread > 0 && h("span", { class: "badge" }, `新着${unread}`)], () => show(open()), { class: "place", ...mark(name) })),
        ),
      ),
    ),
    h(
      "div",
      { class: "me" },
      button([drawn("person", 20), desk.person?.account], () => show(own()), { class: "place", "aria-label": `自分のログイン（${desk.person?.account ?? ""}）`, ...mark("自分のログイン") }),
      quiet([drawn("lock", 20), "画面を隠す", h("kbd", {}, "F9")], lock, { class: "place" }),
      quiet("ログアウト", () => leave("ログアウトしました。"), { class: "place" }),
    ),
  );
}

/** Clears the screen at once, ends what the screen began and the session, and asks for a sign-in. */
async function leave(why: string): Promise<void> {
  idle.stop();
  live.end();
  const ended = current?.leave?.();
  current = undefined;
  forget();
  fill(lost);
  show(signIn(why));
  await ended;
  // Whatever the daemon says, the screen is cleared.
  await call("DELETE", "/v1/sessions/current").catch(() => undefined);
}

function lock(): void {
  void leave("画面を隠し、ログアウトしました。続けるにはログインしてください。");
}

/** Somebody signed in: what they see first. */
export async function welcome(session: Pick<Schemas["SessionInfo"], "account" | "role" | "idle_timeout_s" | "password_change_required">, news?: Schemas["AnnouncementList"]): Promise<void> {
  desk.person = { account: session.account, role: session.role };
  desk.announcements = news;
  idle.watch(session.idle_timeout_s, lock);
  if (session.password_change_required) {
    show(changePassword(true));
    return;
  }
  await begin();
}

/** Begins the work: the stream of events, then announcements if some are new, otherwise the choice of the method. */
export async function begin(): Promise<void> {
  const session = await call<Schemas["SessionInfo"]>("GET", "/v1/sessions/current");
  desk.terminal = session.terminal;
  live.begin();
  show((desk.announcements?.new_count ?? 0) > 0 ? announcements() : home());
}

/** Starts the page: with the session that is still there, or with a sign-in. */
export function start(): void {
  onSignedOut(() => desk.person && void leave("ログインの有効期間が終わりました。もう一度ログインしてください。"));
  live.listen("connection", (heard) => {
    fill(lost, !heard && desk.person !== undefined && [drawn("alert", 20), "資格ブリッジとの接続が切れています。自動でつなぎ直しています…"]);
  });
  // A page that the browser kept for its back button would show what was on it.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  window.addEventListener("pagehide", () => {
    void current?.leave?.();
    fill(app());
  });
  if (!maybeSignedIn()) {
    show(signIn());
    return;
  }
  call<Schemas["SessionInfo"]>("GET", "/v1/sessions/current").then(
    (session) => welcome(session),
    () => show(signIn()),
  );
}
