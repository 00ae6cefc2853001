/** Administration (管理): accounts, terminals and readers, security settings, audit log, retention, health, checklist, incidents. */

import type { Screen } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";
import { button, heading } from "../../kit/parts";
import { accounts } from "./accounts";
import { audit } from "./audit";
import { checklist } from "./checklist";
import { health } from "./health";
import { incidents } from "./incidents";
import { security } from "./security";
import { terminals } from "./terminals";

const PARTS: readonly (readonly [name: string, show: () => Child])[] = [
  ["稼働状態", health],
  ["アカウント", accounts],
  ["端末とカードリーダー", terminals],
  ["セキュリティ設定", security],
  ["監査ログ", audit],
  ["安全管理チェックリスト", checklist],
  ["窓口で起きたこと", incidents],
];

export function administration(): Screen {
  const place = h("div", { class: "admin-part" });
  const tabs = PARTS.map(([name, part]) => {
    const tab = button(
      name,
      () => {
        for (const other of tabs) other.removeAttribute("aria-current");
        tab.setAttribute("aria-current", "true");
        fill(place, part());
        place.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
      },
      { class: "place" },
    );
    return tab;
  });
  tabs[0]?.setAttribute("aria-current", "true");
  fill(place, health());
  return { title: "管理", body: [heading("管理"), h("nav", { "aria-label": "管理の項目", class: "admin-tabs" }, h("ul", { class: "places" }, tabs.map((tab) => h("li", {}, tab)))), place] };
}
