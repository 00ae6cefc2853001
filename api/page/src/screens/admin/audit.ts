/** Audit log (監査ログ), a day or a period of it. Holds no patient's data: results stand there by number. */

import { address, call, type Schemas } from "../../api";
import { attempt, newest } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { banner, button, field, form } from "../../kit/parts";
import { ACTIONS, ACTORS } from "../../text/actions";
import { table } from "./part";

type Page = Schemas["AuditPage"];

const AT_ONCE = 100;

export function audit(): Child {
  const place = h("div", {});
  const rows = h("div", { class: "audit" });
  const more = h("div", { class: "actions" });
  const from = field("開始", { type: "date" });
  const to = field("終了", { type: "date" });
  const ask = newest();

  async function page(period: { from: string; to: string }, after: number | undefined, counts: () => boolean): Promise<void> {
    const found = await attempt(place, () => call<Page>("GET", address("/v1/audit", { ...period, after, limit: AT_ONCE })), counts);
    if (!found) return;
    if (after === undefined && found.rows.length === 0) fill(rows, h("p", {}, "この期間の記録はありません。"));
    else rows.append(table("監査ログ", ["日時", "だれが", "何を", "結果の番号", "結末", "どこから"], found.rows.map(cells)));
    fill(more, found.next_after !== undefined && button("続きを表示する", () => page(period, found.next_after, counts)));
  }

  async function search(): Promise<void> {
    for (const part of [place, rows, more]) fill(part);
    await page({ from: from.input.value, to: to.input.value }, undefined, ask());
  }

  /** Begins with today, as the daemon's clock has it, unless somebody was faster with a period of their own. */
  async function today(): Promise<void> {
    const now = await attempt(place, () => call<Schemas["RetentionStatus"]>("GET", "/v1/retention"), ask());
    if (!now) return;
    from.input.value = to.input.value = now.now.slice(0, 10);
    await search();
  }

  void today();
  return h(
    "section",
    { class: "panel" },
    h("h2", { tabindex: "-1" }, "監査ログ"),
    h("p", {}, "古い順に表示します。参照したことも記録されます。患者の情報は含みません。"),
    form("filter", "表示する", search, h("fieldset", { class: "period" }, h("legend", {}, "期間"), from.row, h("span", { "aria-hidden": "true" }, "～"), to.row)),
    place,
    rows,
    more,
    banner("info", "漏えいのおそれがあるとき", h("p", {}, "対象者の氏名付きの一覧は、資格ブリッジのパソコンで shikakud audit affected を実行して作ります。")),
  );
}

const PLACES: Record<string, string> = { loopback: "資格ブリッジのパソコン", network: "ほかの機器" };

const cells = (row: Schemas["AuditRow"]): Child[] => [moment(row.at), ACTORS[row.actor] ?? row.actor, ACTIONS[row.action] ?? row.action, row.results.join("、"), row.outcome === "ok" ? "完了" : row.outcome, row.terminal ?? PLACES[row.source.split("/")[0] ?? ""] ?? row.source];
