/** Help: questions and answers, what can be confirmed online, whom to ask (manual chapters 2 to 4). */

import type { Screen } from "../frame";
import { h } from "../kit/dom";
import { fold, heading } from "../kit/parts";
import { CASES, CERTIFICATES, CONTACTS, QUESTIONS } from "../text/manual";

export function help(): Screen {
  return {
    title: "ヘルプ",
    body: [
      heading("ヘルプ"),
      h("section", { class: "panel" }, h("h2", {}, "困った時には"), QUESTIONS.map(([question, answer]) => fold(question, h("p", {}, answer)))),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "有効な資格が存在しない場合の照会結果"),
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "照会結果"), h("th", { scope: "col" }, "想定されるケース"))),
          h(
            "tbody",
            {},
            [
              ["資格を喪失している（資格が無効）と表示される", CASES.invalid],
              ["該当する資格がないと表示される", CASES.notFound],
              ["資格情報の全て又は一部が非表示となっている", CASES.withheld],
            ].map(([shown, why]) => h("tr", {}, h("th", { scope: "row" }, shown), h("td", {}, why))),
          ),
        ),
      ),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "資格証類等におけるオンライン資格確認可否一覧"),
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ["No.", "資格証類", "可否"].map((name) => h("th", { scope: "col" }, name)))),
          h(
            "tbody",
            {},
            CERTIFICATES.map(([name, possible], index) => h("tr", {}, h("td", {}, String(index + 1)), h("th", { scope: "row" }, name), h("td", { class: possible ? "yes" : "no" }, possible ? "○ 可能" : "× 不可"))),
          ),
        ),
      ),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "お問い合わせ"),
        h("dl", { class: "contacts" }, CONTACTS.map(({ name, lines }) => h("div", {}, h("dt", {}, name), lines.map((line) => h("dd", {}, line))))),
      ),
    ],
  };
}
