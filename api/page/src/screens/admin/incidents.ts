/** What was written down at the desk: another person's data shown, identity in doubt. Names no patient. */

import { address, call, type Schemas } from "../../api";
import { attempt } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { button } from "../../kit/parts";
import { INCIDENTS, MEASURES } from "../../text/incidents";
import { table } from "./part";

type Page = Schemas["IncidentPage"];

export function incidents(): Child {
  const place = h("div", { "aria-busy": "true" });
  const rows = h("div", {});
  const more = h("div", { class: "actions" });

  async function page(before: number | undefined): Promise<void> {
    const found = await attempt(place, () => call<Page>("GET", address("/v1/incidents", { before })));
    place.removeAttribute("aria-busy");
    if (!found) return;
    if (before === undefined && found.incidents.length === 0) fill(rows, h("p", {}, "記録はありません。"));
    else rows.append(table("窓口で起きたこと", ["日時", "担当者", "起きたこと", "結果の番号", "行ったこと"], found.incidents.map(cells)));
    fill(more, found.next_before !== undefined && button("続きを表示する", () => page(found.next_before)));
  }

  void page(undefined);
  return h("section", { class: "panel" }, h("h2", { tabindex: "-1" }, "窓口で起きたこと"), h("p", {}, "結果の画面の「本人か疑わしいとき」「別の方の情報が表示されたとき」で記録されたものです。新しい順に表示します。"), place, rows, more);
}

const cells = (each: Schemas["Incident"]): Child[] => [
  moment(each.recorded_at),
  each.recorded_by,
  INCIDENTS[each.kind],
  each.result,
  h("ul", {}, each.measures.map((measure) => h("li", {}, MEASURES[measure]))),
];
