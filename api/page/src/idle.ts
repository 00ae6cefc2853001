/** Clears and locks the screen: after some minutes without a touch, and at once by one key. Blurs it while the window is not in front. */

const LOCK_KEY = "F9";
const GESTURES = ["pointerdown", "keydown", "wheel"] as const;

let timer: number | undefined;
let limit = 15 * 60;
let lock: () => void = () => {};

function again(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => lock(), limit * 1000);
}

function pressed(event: KeyboardEvent): void {
  if (event.key !== LOCK_KEY) return;
  event.preventDefault();
  lock();
}

const away = (): void => document.documentElement.classList.add("is-away");
const back = (): void => document.documentElement.classList.remove("is-away");

/** Watches from now on; `locked` clears whatever is on the screen. */
export function watch(seconds: number, locked: () => void): void {
  stop();
  limit = Math.min(seconds, 15 * 60);
  lock = locked;
  for (const gesture of GESTURES) document.addEventListener(gesture, again, { passive: true });
  document.addEventListener("keydown", pressed);
  window.addEventListener("blur", away);
  window.addEventListener("focus", back);
  again();
}

/** Stops watching. */
export function stop(): void {
  window.clearTimeout(timer);
  for (const gesture of GESTURES) document.removeEventListener(gesture, again);
  document.removeEventListener("keydown", pressed);
  window.removeEventListener("blur", away);
  window.removeEventListener("focus", back);
  back();
}
