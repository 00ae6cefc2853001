/** What the parts of the administration have in common: a titled panel that loads itself. */

import { attempt, newest } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";

/** A panel whose content is asked for when it is shown; `reload` asks again. */
export function loaded<T>(title: string, ask: () => Promise<T>, draw: (value: T, reload: () => Promise<void>) => Child, ...before: Child[]): HTMLElement {
  const place = h("div", { "aria-busy": "true" }, h("p", {}, "読み込んでいます…"));
  const question = newest();
  async function reload(): Promise<void> {
    const value = await attempt(place, ask, question());
    place.removeAttribute("aria-busy");
    if (value !== undefined) fill(place, draw(value, reload));
  }
  void reload();
  return h("section", { class: "panel" }, h("h2", { tabindex: "-1" }, title), before, place);
}

/** A table with a head. */
export function table(caption: string, heads: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  return h(
    "div",
    { class: "table-frame", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, caption),
      h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, index) => (index === 0 ? h("th", { scope: "row" }, cell) : h("td", {}, cell)))))),
    ),
  );
}
