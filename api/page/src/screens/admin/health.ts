/** Health (稼働状態) and retention (保存期間): what works, what does not, what to do. */

import { call, type Schemas } from "../../api";
import { type Child, h } from "../../kit/dom";
import { lastDayBefore, moment } from "../../kit/era";
import { banner, button } from "../../kit/parts";
import { drawn } from "../../kit/pictures";
import { loaded, table } from "./part";

type Health = Schemas["Health"];
type State = Schemas["HealthState"];

const WORDS: Record<State, string> = { ok: "正常", unknown: "未確認", degraded: "注意", failed: "異常" };
const CLOCKS: Record<Schemas["ClockState"], string> = {
  synchronised: "時刻は同期しています",
  confirmed: "時刻は確認されています",
  unknown: "時刻はまだ確認されていません",
  unsynchronised: "時刻が同期していません",
  wrong: "時刻が正しくありません",
};

interface Part {
  readonly state: State;
  readonly title?: string;
  readonly guidance?: string;
}

export function health(): Child {
  return [state(), retention()];
}

function state(): HTMLElement {
  return loaded(
    "稼働状態",
    () => call<Health>("GET", "/v1/health"),
    (now, reload) => [
      now.sandbox && banner("warning", "サンドボックス（模擬）で動いています。"),
      h(
        "ul",
        { class: "health" },
        part("カードリーダー", now.card),
        part("オンライン資格確認等システム", now.upstream),
        part("保存領域", now.store),
        part("照会番号の送信待ち", { ...now.queue.part, title: now.queue.part.title ?? `${now.queue.depth}件` }),
        part("保存期間の管理", { ...now.retention, title: now.retention.title ?? CLOCKS[now.retention.clock] }),
      ),
      now.notices.map((notice) => banner("warning", notice.title, h("p", {}, notice.guidance))),
      h("p", { class: "small" }, `資格ブリッジ ${now.version}`, now.link.days_left !== undefined && `　クライアント証明書の残り：${now.link.days_left}日`),
      h("div", { class: "actions" }, button("もう一度確認する", reload)),
    ],
  );
}

/** What is kept of which month, and until when. */
function retention(): HTMLElement {
  return loaded("保存期間", () => call<Schemas["RetentionStatus"]>("GET", "/v1/retention"), (now) => [
    h("p", {}, "結果は、資格確認を行った日の翌月末まで保存します。過ぎるとすぐに表示されなくなり、日時を確認できしだい消去します。"),
    now.months.length === 0
      ? h("p", {}, "保存している結果はありません。")
      : table("月ごとの保存", ["資格確認を行った月", "結果", "確認できる期間"], now.months.map(({ month, results, expires_at, hidden }) => [month.replace("-", "年") + "月", `${results}件`, hidden ? "消去を待っています" : `${lastDayBefore(expires_at)}まで`])),
    now.last_purge && h("p", { class: "small" }, `最後の消去：${moment(now.last_purge.at)}　${now.last_purge.results}件`),
    !now.room && banner("error", "新しい資格確認を保存する空きがありません。"),
  ]);
}

function part(name: string, { state, title, guidance }: Part): HTMLElement {
  return h(
    "li",
    { class: `health-part health-${state}` },
    drawn(state === "ok" ? "check" : state === "unknown" ? "clock" : "alert", 24),
    h("div", {}, h("p", { class: "health-name" }, name, h("span", { class: "health-word" }, WORDS[state])), title && h("p", {}, title), guidance && h("p", {}, guidance)),
  );
}
