/** Past results (資格確認結果検索): newest first, total, filter by period, terminal and name. Search values travel in a body, never in an address. */

import { call, type Schemas } from "../api";
import { attempt, newest, type Screen } from "../frame";
import { fill, h } from "../kit/dom";
import { moment } from "../kit/era";
import { button, field, form, heading } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { listen } from "../live";
import { type Conditions, desk } from "../state";
import { resultById, verdictWord } from "./result";

type Row = Schemas["SelectedResult"];

/** What a row of the list needs, and no more. */
const FIELDS = ["id", "checked_at", "validity", "withheld", "eligibilities.name"];
const AT_ONCE = 50;

const KANA = /^[\u3040-\u30ff\uff66-\uff9f\s]+$/;

export function past(): Screen {
  // Coming back from a detail finds the same list.
  const before = desk.search;
  const place = h("div", {});
  const total = h("p", { class: "total", role: "status" });
  const list = h("ul", { class: "past-list" });
  const more = h("div", { class: "actions" });
  const news = h("div", { role: "status" });
  const from = field("開始", { type: "date", value: before.from ?? "" });
  const to = field("終了", { type: "date", value: before.to ?? "" });
  const name = field("氏名・フリガナ（前方一致）", { value: before.name ?? before.kana ?? "", maxlength: "50" });
  const terminal = desk.terminal;
  const own = h("input", { type: "checkbox", checked: before.terminal !== undefined });
  // The list that opens the screen may still be on its way when the first search is asked for.
  const ask = newest();
  let shown = 0;

  async function search(): Promise<void> {
    const asked: Conditions = {};
    const text = name.input.value.trim();
    if (from.input.value) asked.from = from.input.value;
    if (to.input.value) asked.to = to.input.value;
    if (text !== "") asked[KANA.test(text) ? "kana" : "name"] = text;
    if (own.checked && terminal !== undefined) asked.terminal = terminal;
    desk.search = asked;
    shown = 0;
    for (const part of [list, news, place, total, more]) fill(part);
    const counts = ask();
    await Promise.all([page(asked, undefined, counts), count(asked, counts)]);
  }

  async function count(asked: Conditions, counts: () => boolean): Promise<void> {
    const found = await attempt(place, () => call<Schemas["ResultCount"]>("POST", "/v1/results/search/count", asked), counts);
    if (found) fill(total, `総件数：${found.count}件`);
  }

  async function page(asked: Conditions, cursor: string | undefined, counts: () => boolean): Promise<void> {
    const found = await attempt(place, () => call<Schemas["SelectedPage"]>("POST", "/v1/results/search", { ...asked, fields: FIELDS, limit: AT_ONCE, ...(cursor ? { cursor } : {}) }), counts);
    if (!found) return;
    list.append(...found.results.map(entry));
    shown += found.results.length;
    const next = found.next_cursor;
    // What is opened at once has a limit: a page may be short although there is more.
    if (next !== undefined && shown < AT_ONCE) return page(asked, next, counts);
    fill(more, next !== undefined && button("さらに表示する", () => page(asked, next, counts)));
    if (shown === 0) fill(list, h("li", { class: "past-none" }, "条件に合う結果はありません。資格情報が表示された結果だけが対象です。"));
  }

  const end = listen("results", () => fill(news, button("新しい結果があります。表示を更新する", search)));
  void search();
  return {
    title: "過去の結果",
    body: [
      heading("過去の資格確認結果"),
      h("p", {}, "資格確認を行った日から翌月末まで確認できます。該当する資格がない場合等は表示されません。"),
      form(
        "panel filter",
        [drawn("search", 20), "検索"],
        search,
        h("fieldset", { class: "period" }, h("legend", {}, "資格確認日"), from.row, h("span", { "aria-hidden": "true" }, "～"), to.row),
        name.row,
        terminal !== undefined && h("label", { class: "tick" }, own, h("span", {}, "この端末で資格確認した結果のみ対象とする")),
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

function entry(found: Row): HTMLElement {
  const name = found.eligibilities?.[0]?.name ?? "（非表示）";
  const validity = found.validity;
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: `past past-${validity?.code ?? "unknown"}`, onclick: () => void resultById(found.id, past) },
      h("span", { class: "past-when" }, found.checked_at && moment(found.checked_at)),
      h("span", { class: "past-name" }, name),
      validity && h("span", { class: "past-word" }, drawn(validity.code === "valid" ? "check" : "cross", 20), verdictWord(validity)),
    ),
  );
}
