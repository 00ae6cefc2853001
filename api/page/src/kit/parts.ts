/** Our few components, in the manner of the デジタル庁デザインシステム: buttons, banners, fields, dialogs. */

import { type Attributes, type Child, h, unique } from "./dom";
import { drawn, type PictureName } from "./pictures";

export type Press = () => void | Promise<void>;

/** A button. While its work runs it cannot be pressed again. */
export function button(label: Child, press: Press, attributes: Attributes = {}): HTMLButtonElement {
  const element = h("button", { type: "button", class: "button", ...attributes }, label);
  element.addEventListener("click", () => {
    if (element.getAttribute("aria-disabled") === "true") return;
    const work = press();
    if (!(work instanceof Promise)) return;
    element.setAttribute("aria-disabled", "true");
    void work.finally(() => element.removeAttribute("aria-disabled"));
  });
  return element;
}

export const primary = (label: Child, press: Press, attributes: Attributes = {}) => button(label, press, { class: "button button-primary", ...attributes });
export const quiet = (label: Child, press: Press, attributes: Attributes = {}) => button(label, press, { class: "button button-quiet", ...attributes });

export type Tone = "success" | "error" | "warning" | "info";

const TONES: Record<Tone, PictureName> = { success: "check", error: "cross", warning: "alert", info: "info" };

/** A notice with a shape, a word and a colour; errors are announced at once. */
export function banner(tone: Tone, title: Child, ...body: Child[]): HTMLElement {
  return h(
    "div",
    { class: `banner banner-${tone}`, role: tone === "error" ? "alert" : "status" },
    drawn(TONES[tone], 28),
    h("div", { class: "banner-text" }, h("p", { class: "banner-title" }, title), body),
  );
}

export interface Field {
  readonly row: HTMLElement;
  readonly input: HTMLInputElement;
  fail(message: string): void;
  clear(): void;
}

/** A labelled input with room for help and for what is wrong with it. */
export function field(label: string, attributes: Attributes = {}, help?: string): Field {
  const id = unique("field");
  const error = h("p", { id: `${id}-error`, class: "field-error" });
  const described = [help ? `${id}-help` : "", `${id}-error`].filter(Boolean).join(" ");
  const input = h("input", { id, class: "input", autocomplete: "off", spellcheck: "false", ...attributes, "aria-describedby": described });
  const row = h("div", { class: "field" }, h("label", { htmlFor: id, class: "field-label" }, label), help && h("p", { id: `${id}-help`, class: "field-help" }, help), input, error);
  return {
    row,
    input,
    fail(message) {
      error.textContent = message;
      input.setAttribute("aria-invalid", "true");
      input.focus();
    },
    clear() {
      error.textContent = "";
      input.removeAttribute("aria-invalid");
    },
  };
}

/** A form with its button; `send` runs once at a time, by the button or by Enter. */
export function form(kind: string, label: Child, send: () => Promise<unknown>, ...rows: Child[]): HTMLFormElement {
  const submit = h("button", { type: "submit", class: "button button-primary" }, label);
  return h(
    "form",
    {
      class: kind,
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        if (submit.getAttribute("aria-disabled") === "true") return;
        submit.setAttribute("aria-disabled", "true");
        void send().finally(() => submit.removeAttribute("aria-disabled"));
      },
    },
    rows,
    submit,
  );
}

/** Where one stands on the way: the steps by name, the present one marked. */
export function steps(names: readonly string[], now: number): HTMLElement {
  return h(
    "ol",
    { class: "steps", "aria-label": "進みぐあい" },
    names.map((name, index) =>
      h("li", { class: index < now ? "step step-done" : "step", ...(index === now ? { "aria-current": "step" } : {}) }, h("span", { class: "step-mark", "aria-hidden": "true" }, index < now ? drawn("check", 16) : String(index + 1)), name),
    ),
  );
}

/** A choice of one among few. Its label names the group: Chromium keeps a record of every name that a group ever had. */
export function choice<T extends string>(label: string, options: readonly (readonly [T, string])[], chosen: T, change: (value: T) => void): HTMLElement {
  return h(
    "fieldset",
    { class: "choice" },
    h("legend", {}, label),
    options.map(([value, text]) =>
      h("label", { class: "choice-option" }, h("input", { type: "radio", name: label, value, checked: value === chosen, onchange: () => change(value) }), h("span", {}, text)),
    ),
  );
}

/** Asks a question in a modal dialog; resolves with the answer, or `undefined` when it is dismissed. */
export function ask<T>(title: string, body: Child, answers: readonly (readonly [label: string, value: T, tone?: "primary"])[]): Promise<T | undefined> {
  return new Promise((resolve) => {
    const id = unique("dialog");
    let answer: T | undefined;
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id });
    const buttons = answers.map(([label, value, tone]) =>
      button(
        label,
        () => {
          answer = value;
          dialog.close();
        },
        { class: tone === "primary" ? "button button-primary" : "button" },
      ),
    );
    dialog.append(h("h2", { id, class: "dialog-title" }, title), h("div", { class: "dialog-body" }, body), h("div", { class: "dialog-actions" }, buttons));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.appendChild(dialog);
    dialog.showModal();
  });
}

/** Words that fold open, for notes that only some readers need. */
export function fold(summary: Child, ...body: Child[]): HTMLDetailsElement {
  return h("details", { class: "fold" }, h("summary", {}, summary), h("div", { class: "fold-body" }, body));
}

/** The heading of a screen; takes the focus when the screen is shown, so that a screen reader begins there. */
export function heading(text: string): HTMLHeadingElement {
  return h("h1", { class: "screen-title", tabindex: "-1" }, text);
}
