/** The sheet for when checks are impossible (代わりの確認方法); printable. */

import type { Screen } from "../frame";
import { h } from "../kit/dom";
import { button, heading } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { ALTERNATIVES, CONTACTS } from "../text/manual";

export function fallback(): Screen {
  return {
    title: "代わりの確認方法",
    body: h(
      "article",
      { class: "panel sheet" },
      heading("オンライン資格確認ができないとき"),
      h("p", {}, "下記の方法のうち、患者に確認可能な方法で資格確認を行ってください。"),
      ALTERNATIVES.map(({ when, ways }) => h("section", {}, h("h2", {}, when), h("ul", { class: "boxes" }, ways.map((way) => h("li", {}, way))))),
      h("h2", {}, "お問い合わせ"),
      CONTACTS.slice(0, 1).map(({ name, lines }) => h("p", {}, name, h("br"), lines.join(" "))),
      h("div", { class: "actions no-print" }, button([drawn("printer", 20), "印刷する"], () => window.print())),
    ),
  };
}
