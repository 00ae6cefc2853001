/** モバイル端末等の安全管理に関するチェックリスト, recorded with date and person. */

import { call, type Schemas } from "../../api";
import { attempt, toast } from "../../frame";
import { type Child, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { CHECKLIST } from "../../text/manual";
import { loaded } from "./part";

export function checklist(): Child {
  return loaded("端末の安全管理チェックリスト", () => call<Schemas["Checklist"]>("GET", "/v1/checklist"), (now, reload) => {
    const place = h("div", {});
    const ticks = new Map(CHECKLIST.flatMap(({ items }) => items.map(([id]) => [id, h("input", { type: "checkbox" })] as const)));
    return [
      h("p", {}, now.recorded_at === undefined ? "まだ記録がありません。" : `前回の記録：${moment(now.recorded_at)}　担当者：${now.recorded_by ?? ""}`),
      place,
      h(
        "form",
        {
          novalidate: true,
          onsubmit: (event) => {
            event.preventDefault();
            const done = [...ticks].filter(([, tick]) => tick.checked).map(([id]) => id);
            void attempt(place, async () => {
              await call("PUT", "/v1/checklist", { done });
              toast("記録しました。");
              await reload();
            });
          },
        },
        CHECKLIST.map(({ group, items }) => [h("h3", {}, group), items.map(([id, text]) => h("label", { class: "tick" }, ticks.get(id), h("span", {}, text)))]),
        h("button", { type: "submit", class: "button button-primary" }, "今日の日付で記録する"),
      ),
    ];
  });
}
