/** The PIN pad (暗証番号), facing the patient: on the screen and by a USB numeric keypad. Never shows a digit; goes on by itself after the fourth. */

import { fill, h } from "../kit/dom";
import { quiet } from "../kit/parts";

const LENGTH = 4;

export interface PinPad {
  readonly element: HTMLElement;
  /** Ends listening to the keyboard and forgets what was typed. */
  close(): void;
}

/** Hands over four digits once. */
export function pinPad(title: string, hint: string, entered: (pin: string) => void, cancel: () => void): PinPad {
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

  function keys(event: KeyboardEvent): void {
    if (/^[0-9]$/.test(event.key)) press(event.key);
    else if (event.key === "Backspace" || event.key === "Delete") undo();
    else if (event.key === "Escape") cancel();
    else return;
    event.preventDefault();
  }

  const key = (digit: string) => h("button", { type: "button", class: "pin-key", onclick: () => press(digit) }, digit);
  draw();
  document.addEventListener("keydown", keys);
  return {
    element: h(
      "section",
      { class: "pin", "aria-labelledby": "pin-title" },
      h("h1", { id: "pin-title", class: "pin-title", tabindex: "-1", "data-focus": "" }, title),
      h("p", { class: "pin-hint" }, hint),
      dots,
      h(
        "div",
        { class: "pin-keys", role: "group", "aria-label": "数字" },
        ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(key),
        h("button", { type: "button", class: "pin-key pin-key-word", onclick: undo }, "1字消す"),
        key("0"),
      ),
      quiet("中止する（Esc）", cancel, { class: "button pin-cancel" }),
    ),
    close() {
      document.removeEventListener("keydown", keys);
      digits = [];
      handedOver = true;
    },
  };
}
