/** The sheet for when checks are impossible (代わりの確認方法); printable. */

import type { Screen } from "../frame";
import { h } from "../kit/dom";
import { heading, primary } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { CONTACTS } from "../text/manual";
import { alternatives } from "./tables";

export function fallback(): Screen {
  const [callCentre] = CONTACTS;
  return {
    title: "代わりの確認方法",
    body: h(
      "article",
      { class: "panel sheet" },
      h("div", { class: "sheet-head" }, heading("オンライン資格確認ができないとき"), primary([drawn("printer", 20), "印刷する"], () => window.print(), { class: "button button-primary no-print" })),
      h("p", { class: "lead" }, "下記の方法のうち、患者に確認可能な方法で資格確認を行い、使った方法に印を付けてください。"),
      alternatives(),
      h("h2", {}, "控え"),
      h("dl", { class: "blanks" }, ["確認した日時", "患者の氏名", "担当者", "できなかった理由"].map((name) => h("div", {}, h("dt", {}, name), h("dd", {})))),
      h("h2", {}, "お問い合わせ"),
      callCentre && h("p", {}, h("strong", {}, callCentre.name), h("br"), callCentre.lines.join("　")),
    ),
  };
}
