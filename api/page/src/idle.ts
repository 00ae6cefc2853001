/** Clears and locks the screen: after some minutes without a touch, and at once by one key. Blurs it while the window is not in front. */

const LOCK_KEY = "F9";
const GESTURES = ["pointerdown", "keydown", "wheel", "touchstart"] as const;
/** How often it is looked whether the time is over. A timer alone would sleep with the PC and run late. */
const LOOK_EVERY = 5000;

let timer: number | undefined;
let limit = 0;
let touched = 0;
let lock: () => void = () => {};

function again(): void {
  touched = Date.now();
}

function look(): void {
  if (Date.now() - touched >= limit) lock();
}

function pressed(event: KeyboardEvent): void {
  if (event.key !== LOCK_KEY) return;
  event.preventDefault();
  lock();
}

const away = (): void => document.documentElement.classList.add("is-away");

function back(): void {
  document.documentElement.classList.remove("is-away");
  if (timer !== undefined) look();
}

/** Watches from now on; `locked` clears whatever is on the screen. */
export function watch(seconds: number, locked: () => void): void {
  stop();
  limit = seconds * 1000;
  lock = locked;
  for (const gesture of GESTURES) document.addEventListener(gesture, again, { passive: true });
  document.addEventListener("keydown", pressed);
  window.addEventListener("blur", away);
  window.addEventListener("focus", back);
  again();
  timer = window.setInterval(look, LOOK_EVERY);
}

/** Stops watching. */
export function stop(): void {
  window.clearInterval(timer);
  timer = undefined;
  for (const gesture of GESTURES) document.removeEventListener(gesture, again);
  document.removeEventListener("keydown", pressed);
  window.removeEventListener("blur", away);
  window.removeEventListener("focus", back);
  back();
}
