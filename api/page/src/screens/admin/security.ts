/** Security settings (セキュリティ設定): 目視確認で本人認証, codes for operators. */

import { call, type Schemas } from "../../api";
import { attempt, toast } from "../../frame";
import { type Child, h } from "../../kit/dom";
import { loaded } from "./part";

type Settings = Schemas["SecuritySettings"];

export function security(): Child {
  return loaded("セキュリティ設定", () => call<Settings>("GET", "/v1/settings/security"), (now, reload) => {
      const place = h("div", {});
      const change = async (next: Settings) => {
        const done = await attempt(place, () => call<Settings>("PUT", "/v1/settings/security", next));
        if (done) toast("設定を変更しました。");
        await reload();
      };
      return [
        place,
        toggle("目視確認で本人認証", "有効にすると、顔写真の目視による確認を選べます。無効のときは暗証番号による確認だけです。", now.visual_confirmation, (on) => change({ ...now, visual_confirmation: on })),
        toggle("資格確認担当者にも認証アプリの数字を求める", "管理者とレセコンには、いつも求めます。", now.operators_need_code !== false, (on) => change({ ...now, operators_need_code: on })),
      ];
    });
}

function toggle(name: string, help: string, on: boolean, change: (on: boolean) => Promise<void>): HTMLElement {
  return h(
    "label",
    { class: "toggle" },
    h("input", { type: "checkbox", role: "switch", checked: on, onchange: (event) => void change((event.currentTarget as HTMLInputElement).checked) }),
    h("span", { class: "toggle-text" }, h("span", { class: "toggle-name" }, name, h("span", { class: "toggle-word" }, on ? "有効" : "無効")), h("span", { class: "field-help" }, help)),
  );
}
