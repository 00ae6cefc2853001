/** Past results (資格確認結果検索): newest first, total, filter by period, terminal and name. Search values travel in a body, never in an address. */

import { call, type Schemas } from "../api";
import { attempt, type Screen } from "../frame";
import { fill, h } from "../kit/dom";
import { moment } from "../kit/era";
import { button, field, heading } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { listen } from "../live";
import { resultById, verdictWord } from "./result";

type Result = Schemas["EligibilityResult"];

/** What a row of the list needs, and no more. */
const FIELDS = ["id", "checked_at", "validity", "withheld", "eligibilities.name"];

interface Found {
  readonly results: readonly Result[];
  readonly next_cursor?: string;
}

interface Conditions {
  from?: string;
  to?: string;
  this_terminal?: boolean;
  name?: string;
}

/** The conditions used last, so that coming back from a detail finds the same list. */
let conditions: Conditions = {};

export function past(): Screen {
  const place = h("div", {});
  const total = h("p", { class: "total", role: "status" });
  const list = h("ul", { class: "past-list" });
  const more = h("div", { class: "actions" });
  const news = h("div", {});
  const from = field("開始", { type: "date", value: conditions.from ?? "" });
  const to = field("終了", { type: "date", value: conditions.to ?? "" });
  const name = field("氏名（前方一致）", { value: conditions.name ?? "", maxlength: "50" });
  const own = h("input", { type: "checkbox", checked: conditions.this_terminal === true });

  async function search(): Promise<void> {
    conditions = {};
    if (from.input.value) conditions.from = from.input.value;
    if (to.input.value) conditions.to = to.input.value;
    if (name.input.value.trim()) conditions.name = name.input.value.trim();
    if (own.checked) conditions.this_terminal = true;
    fill(list);
    fill(news);
    fill(place);
    await Promise.all([page(undefined), count()]);
  }

  async function count(): Promise<void> {
    const found = await attempt(place, () => call<Schemas["ResultCount"]>("POST", "/v1/results/search/count", conditions));
    if (found) fill(total, `総件数：${found.count}件`);
  }

  async function page(cursor: string | undefined): Promise<void> {
    const found = await attempt(place, () => call<Found>("POST", "/v1/results/search", { ...conditions, fields: FIELDS, limit: 50, ...(cursor ? { cursor } : {}) }));
    if (!found) return;
    list.append(...found.results.map(entry));
    const next = found.next_cursor;
    fill(more, next !== undefined && button("さらに表示する", () => page(next)));
    if (list.childElementCount === 0) list.append(h("li", { class: "past-none" }, "条件に合う結果はありません。資格情報が表示された結果だけが対象です。"));
  }

  const end = listen("results", () => fill(news, button("新しい結果があります。表示を更新する", search)));
  void search();
  return {
    title: "過去の結果",
    body: [
      heading("過去の資格確認結果"),
      h("p", {}, "資格確認を行った日から翌月末まで確認できます。該当する資格がない場合等は表示されません。"),
      h(
        "form",
        {
          class: "panel filter",
          novalidate: true,
          onsubmit: (event) => {
            event.preventDefault();
            void search();
          },
        },
        h("fieldset", { class: "period" }, h("legend", {}, "資格確認日"), from.row, h("span", { "aria-hidden": "true" }, "～"), to.row),
        name.row,
        h("label", { class: "tick" }, own, h("span", {}, "この端末で資格確認した結果のみ対象とする")),
        h("button", { type: "submit", class: "button button-primary" }, drawn("search", 20), "検索"),
      ),
      place,
      news,
      total,
      list,
      more,
    ],
    leave: end,
  };
}

function entry(found: Result): HTMLElement {
  const name = found.eligibilities[0]?.name ?? "（非表示）";
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: `past past-${found.validity.code}`, onclick: () => void resultById(found.id, undefined, past) },
      h("span", { class: "past-when" }, moment(found.checked_at)),
      h("span", { class: "past-name" }, name),
      h("span", { class: "past-word" }, drawn(found.validity.code === "valid" ? "check" : "cross", 20), verdictWord(found.validity)),
    ),
  );
}
