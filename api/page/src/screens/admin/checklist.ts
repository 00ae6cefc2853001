/** モバイル端末等の安全管理に関するチェックリスト, in the manual's words as the daemon has them; recorded with date and person. */

import { call, type Schemas } from "../../api";
import { attempt, toast } from "../../frame";
import { type Child, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { fold, form } from "../../kit/parts";
import { loaded, table } from "./part";

type Checklist = Schemas["Checklist"];
type Item = Schemas["ChecklistItem"];

const GROUPS: readonly (readonly [Schemas["ChecklistGroup"], string])[] = [
  ["on_the_device", "端末上の対策"],
  ["in_the_facility", "管理上の対策"],
];

export function checklist(): Child {
  const place = h("div", {});
  return loaded(
    "端末の安全管理チェックリスト",
    () => call<Checklist>("GET", "/v1/checklist"),
    ({ items, records }, reload) => {
      const ticks = new Map(items.map(({ item }) => [item, h("input", { type: "checkbox" })]));
      const record = () =>
        attempt(place, async () => {
          await call("PUT", "/v1/checklist", { done: items.map(({ item }) => item).filter((item) => ticks.get(item)?.checked) });
          toast("記録しました。");
          await reload();
        });
      const tick = ({ item, text }: Item) => h("label", { class: "tick tick-long" }, ticks.get(item), h("span", {}, text));
      const [latest] = records;
      return [
        h("p", {}, latest ? `前回の記録：${moment(latest.recorded_at)}　担当者：${latest.recorded_by}` : "まだ記録がありません。"),
        form("", "今日の日付と自分の名前で記録する", record, GROUPS.map(([group, name]) => [h("h3", {}, name), items.filter((item) => item.group === group).map(tick)])),
        records.length > 0 &&
          fold("これまでの記録", table("これまでの記録", ["日時", "担当者", "端末", "行っている項目"], records.map((each) => [moment(each.recorded_at), each.recorded_by, each.terminal, `${each.done.length}／${items.length}`]))),
      ];
    },
    place,
  );
}
