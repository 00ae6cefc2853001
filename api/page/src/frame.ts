/** The frame around every screen, and which screen stands in it. Screens are kept in memory only: the address never changes. */

import { call, onSignedOut, Refused, type Schemas } from "./api";
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

/** A screen: what it shows, and what ends with it. */
export interface Screen {
  readonly title: string;
  readonly body: Child;
  /** Called when another screen takes its place. */
  readonly leave?: () => void;
  /** Whether the navigation is hidden: the patient is using the screen. */
  readonly alone?: boolean;
}

const app = () => document.getElementById("app") as HTMLElement;
const notice = h("div", { class: "toast", role: "status" });
let current: Screen | undefined;
let toastTimer: number | undefined;

/** Shows a screen in the place of the one before. */
export function show(screen: Screen): void {
  current?.leave?.();
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
  fill(app(), signedIn && !screen.alone && header(screen), main, notice);
  document.documentElement.classList.toggle("is-alone", screen.alone === true);
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
  return h(
    "header",
    { class: "header" },
    h("a", { class: "skip", href: "#main" }, "本文へ"),
    h("p", { class: "brand" }, drawn("card", 28), "資格ブリッジ"),
    h(
      "nav",
      { "aria-label": "画面" },
      h(
        "ul",
        { class: "places" },
        places.map(([name, open]) =>
          h(
            "li",
            {},
            button([name, name === "お知らせ" && unread > 0 && h("span", { class: "badge" }, `新着${unread}`)], () => show(open()), {
              class: "place",
              ...(name === screen.title ? { "aria-current": "page" } : {}),
            }),
          ),
        ),
      ),
    ),
    h("p", { class: "who" }, desk.person?.account),
    quiet([drawn("lock", 20), "画面を隠す（F9）"], lock),
    quiet("ログアウト", signOut),
  );
}

async function signOut(): Promise<void> {
  // Whatever the daemon says, the screen is cleared.
  await call("DELETE", "/v1/sessions/current").catch(() => undefined);
  leave("ログアウトしました。");
}

function leave(why?: string): void {
  idle.stop();
  live.end();
  forget();
  show(signIn(why));
}

/** Clears the screen and asks for a sign-in; the session is ended. */
function lock(): void {
  void call("DELETE", "/v1/sessions/current").catch(() => undefined);
  leave("画面を隠し、ログアウトしました。続けるにはログインしてください。");
}

/** Somebody signed in: what they see first. */
export async function welcome(session: Pick<Schemas["SessionInfo"], "account" | "role" | "idle_timeout_s" | "password_change_required">, news?: Schemas["AnnouncementList"]): Promise<void> {
  desk.person = { account: session.account, role: session.role, idleSeconds: session.idle_timeout_s };
  desk.announcements = news;
  idle.watch(session.idle_timeout_s, lock);
  if (session.password_change_required) {
    show(changePassword(true));
    return;
  }
  live.begin();
  show(news && news.new_count > 0 ? announcements() : home());
}

/** Begins: with the session that is still there, or with a sign-in. */
export function start(): void {
  onSignedOut(() => desk.person && leave("ログインの有効期間が終わりました。もう一度ログインしてください。"));
  // A page that the browser kept for its back button would show what was on it.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  window.addEventListener("pagehide", () => fill(app()));
  call<Schemas["SessionInfo"]>("GET", "/v1/sessions/current").then(
    (session) => welcome(session),
    () => show(signIn()),
  );
}
