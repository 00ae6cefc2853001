/** Help: questions and answers, what can be confirmed online, whom to ask (manual chapters 2 to 4). */

import type { Screen } from "../frame";
import { h } from "../kit/dom";
import { fold, heading } from "../kit/parts";
import { CONTACTS, QUESTIONS } from "../text/manual";
import { alternatives, cases, certificates } from "./tables";

export function help(): Screen {
  return {
    title: "ヘルプ",
    body: [
      heading("ヘルプ"),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "困った時には"),
        QUESTIONS.map(([question, answers]) => fold(question, answers.map((answer) => h("p", {}, answer)))),
        fold("何らかの事情により、マイナンバーカードによる資格確認ができない。", alternatives()),
      ),
      h("section", { class: "panel" }, h("h2", {}, "有効な資格が存在しない場合の照会結果"), cases()),
      h("section", { class: "panel" }, h("h2", {}, "資格証類等におけるオンライン資格確認可否一覧"), certificates()),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "お問い合わせ"),
        h("dl", { class: "contacts" }, CONTACTS.map(({ name, lines }) => h("div", {}, h("dt", {}, name), lines.map((line) => h("dd", {}, line))))),
      ),
    ],
  };
}
