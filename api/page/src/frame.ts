/** The frame around every screen, and which screen stands in it. Screens are kept in memory only: the address never changes. */

import { Refused } from "./api";
import { type Child, fill, h } from "./kit/dom";
import { banner } from "./kit/parts";

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
/** Where it is said that the daemon is not heard. */
export const lost = h("div", { class: "lost", role: "status" });
let above: (screen: Screen) => Child = () => false;
let current: Screen | undefined;
let toastTimer: number | undefined;

/** What stands above every screen from now on: the navigation of whoever is signed in. */
export function crown(header: (screen: Screen) => Child): void {
  above = header;
}

/** Shows a screen in the place of the one before. */
export function show(screen: Screen): void {
  void current?.leave?.();
  current = screen;
  draw(screen);
}

/** Ends the screen without another in its place; the promise ends what it began. */
export function leaveScreen(): void | Promise<void> {
  const ended = current?.leave?.();
  current = undefined;
  return ended;
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

/** Runs what may be refused, and shows the refusal where it belongs. An answer that no longer counts when it comes is dropped. */
export async function attempt<T>(place: Element, work: () => Promise<T>, counts = () => true): Promise<T | undefined> {
  try {
    const found = await work();
    return counts() ? found : undefined;
  } catch (error) {
    const said = problem(error);
    if (counts()) fill(place, said);
    return undefined;
  }
}

/** Questions of which only the newest counts: each gets a function that says whether none was asked after it. */
export function newest(): () => () => boolean {
  let asked = 0;
  return () => {
    asked += 1;
    const mine = asked;
    return () => mine === asked;
  };
}

function draw(screen: Screen): void {
  const main = h("main", { id: "main", class: "screen", tabindex: "-1" }, screen.body);
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  document.documentElement.classList.toggle("is-alone", screen.alone === true);
  fill(app(), !screen.alone && above(screen), lost, main, notice);
  const focus = main.querySelector<HTMLElement>("[data-focus]") ?? main.querySelector<HTMLElement>("h1") ?? main;
  focus.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Nothing of a screen is left where the browser could find it again. */
export function guardBack(): void {
  // A page that the browser kept for its back button would show what was on it.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  window.addEventListener("pagehide", () => {
    void current?.leave?.();
    fill(app());
  });
}
