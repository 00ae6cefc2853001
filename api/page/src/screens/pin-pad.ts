/** The PIN pad (暗証番号), facing the patient: on the screen and by a USB numeric keypad. Never shows a digit; goes on by itself after the fourth. */

import type { Schemas } from "../api";
import { fill, h } from "../kit/dom";
import { type Press, quiet } from "../kit/parts";

const LENGTH = 4;

const HINTS: Partial<Record<Schemas["Method"], string>> = {
  card_pin: "カードの受け取りのときに設定した、利用者証明用電子証明書の数字4桁",
  android_pin: "スマートフォンに追加したときに設定した、スマホ用利用者証明用電子証明書の数字4桁",
};

export interface PinPad {
  readonly element: HTMLElement;
  /** Ends listening to the keyboard and forgets what was typed. */
  close(): void;
}

/** Hands over four digits once. `triesLeft`: what the card said after a wrong PIN, for whoever enters it again. */
export function pinPad(method: Schemas["Method"], triesLeft: number | undefined, entered: (pin: string) => void, cancel: Press): PinPad {
  let digits: string[] = [];
  let handedOver = false;
  const dots = h("p", { class: "pin-dots", "aria-live": "polite" });

  function draw(): void {
    fill(
      dots,
      h("span", { class: "visually-hidden" }, `${LENGTH}桁のうち${digits.length}桁を入力しました`),
      Array.from({ length: LENGTH }, (_, index) => h("span", { class: index < digits.length ? "pin-dot pin-dot-full" : "pin-dot", "aria-hidden": "true" })),
    );
  }

  function press(digit: string): void {
    if (handedOver || digits.length >= LENGTH) return;
    digits.push(digit);
    draw();
    if (digits.length < LENGTH) return;
    handedOver = true;
    const pin = digits.join("");
    digits = [];
    entered(pin);
  }

  function undo(): void {
    if (handedOver) return;
    digits.pop();
    draw();
  }

  /** A key that is held down counts once: four times the same digit would be a wrong PIN. */
  function keys(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const digit = /^[0-9]$/.test(event.key);
    const back = event.key === "Backspace" || event.key === "Delete";
    if (!digit && !back) return;
    event.preventDefault();
    if (event.repeat) return;
    if (digit) press(event.key);
    else undo();
  }

  const key = (digit: string) => h("button", { type: "button", class: "pin-key", onclick: () => press(digit) }, digit);
  draw();
  document.addEventListener("keydown", keys);
  return {
    element: h(
      "section",
      { class: "pin", "aria-labelledby": "pin-title" },
      h("h1", { id: "pin-title", class: "pin-title", tabindex: "-1", "data-focus": "" }, "暗証番号を入力してください"),
      h("p", { class: "pin-hint" }, HINTS[method]),
      triesLeft !== undefined && h("p", { class: "tries" }, "残りの入力回数：", h("strong", {}, `${triesLeft}回`)),
      dots,
      h(
        "div",
        { class: "pin-keys", role: "group", "aria-label": "数字" },
        ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(key),
        h("button", { type: "button", class: "pin-key pin-key-word", onclick: undo }, "1字消す"),
        key("0"),
      ),
      quiet(["中止する", h("kbd", {}, "Esc")], cancel, { class: "button button-quiet pin-cancel" }),
    ),
    close() {
      document.removeEventListener("keydown", keys);
      digits = [];
      handedOver = true;
    },
  };
}
