/**
 * The work of whoever is signed in: the way between the screens, what ends a session. Fetched as a part of its own once the sign-in is
 * on the screen, so that an old PC has less to read before the first key can be pressed.
 */

import "./styles/check.css";
import "./styles/result.css";
import "./styles/lists.css";

import { call, onSignedOut, type Schemas } from "./api";
import { crown, leaveScreen, lost, type Screen, show } from "./frame";
import * as idle from "./idle";
import { fill, h } from "./kit/dom";
import { button, quiet } from "./kit/parts";
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

const PLACES: readonly (readonly [string, () => Screen])[] = [
  ["資格確認", home],
  ["過去の結果", past],
  ["お知らせ", announcements],
  ["代わりの確認方法", fallback],
  ["ヘルプ", help],
];

function header(screen: Screen): HTMLElement | false {
  if (desk.person === undefined) return false;
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
      button([drawn("person", 20), desk.person.account], () => show(own()), { class: "place", "aria-label": `自分のログイン（${desk.person.account}）`, ...mark("自分のログイン") }),
      quiet([drawn("lock", 20), "画面を隠す", h("kbd", {}, "F9")], lock, { class: "place" }),
      quiet("ログアウト", () => leave("ログアウトしました。"), { class: "place" }),
    ),
  );
}

/** Clears the screen at once, ends what the screen began and the session, and asks for a sign-in. */
async function leave(why: string): Promise<void> {
  idle.stop();
  live.end();
  const ended = leaveScreen();
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

crown(header);
onSignedOut(() => desk.person && void leave("ログインの有効期間が終わりました。もう一度ログインしてください。"));
live.listen("connection", (heard) => {
  fill(lost, !heard && desk.person !== undefined && [drawn("alert", 20), "資格ブリッジとの接続が切れています。自動でつなぎ直しています…"]);
});
