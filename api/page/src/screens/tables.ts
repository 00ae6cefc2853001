/** What the manual tells in lists and tables, in the places where it is needed. */

import { h } from "../kit/dom";
import { ALTERNATIVES, CASES, CERTIFICATES } from "../text/manual";

/** The ways to confirm eligibility without the card. */
export function alternatives(): HTMLElement {
  return h("div", { class: "ways" }, ALTERNATIVES.map(({ when, ways }) => h("section", {}, h("h3", {}, when), h("ul", { class: "boxes" }, ways.map((way) => h("li", {}, way))))));
}

/** 資格証類等におけるオンライン資格確認可否一覧. */
export function certificates(): HTMLElement {
  return h(
    "table",
    { class: "certificates" },
    h("thead", {}, h("tr", {}, ["No.", "資格証類", "オンライン資格確認"].map((name) => h("th", { scope: "col" }, name)))),
    h(
      "tbody",
      {},
      CERTIFICATES.map(([name, possible], index) => h("tr", {}, h("td", {}, String(index + 1)), h("th", { scope: "row" }, name), h("td", { class: possible ? "yes" : "no" }, possible ? "○ 可能" : "× 不可"))),
    ),
  );
}

/** 有効な資格が存在しない場合の照会結果 and 想定されるケース. */
export function cases(): HTMLElement {
  const rows = [
    ["資格を喪失している（資格が無効）と表示される", CASES.invalid],
    ["該当する資格がないと表示される", CASES.notFound],
    ["資格情報の全て又は一部が非表示となっている", CASES.withheld],
  ] as const;
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "照会結果"), h("th", { scope: "col" }, "想定されるケース"))),
    h("tbody", {}, rows.map(([shown, why]) => h("tr", {}, h("th", { scope: "row" }, shown), h("td", {}, why)))),
  );
}
