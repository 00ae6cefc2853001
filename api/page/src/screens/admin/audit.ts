/** Audit log (監査ログ), the newest first. Holds no patient's data: results stand there by number. */

import { address, call, type Schemas } from "../../api";
import { attempt } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { button } from "../../kit/parts";
import { table } from "./part";

type Page = Schemas["AuditPage"];

export function audit(): Child {
  const place = h("div", {});
  const rows = h("div", {});
  const more = h("div", { class: "actions" });

  async function page(cursor: string | undefined): Promise<void> {
    const found = await attempt(place, () => call<Page>("GET", address("/v1/audit", { limit: 50, cursor })));
    if (!found) return;
    rows.append(
      table(
        "監査ログ",
        ["日時", "だれが", "何を", "結果の番号", "結果"],
        found.entries.map((entry) => [moment(entry.at), entry.actor, entry.action, entry.results.join("、"), entry.outcome]),
      ),
    );
    fill(more, found.next_cursor !== undefined && button("さらに表示する", () => page(found.next_cursor)));
  }

  void page(undefined);
  return h("section", { class: "panel" }, h("h2", { tabindex: "-1" }, "監査ログ"), place, rows, more);
}
