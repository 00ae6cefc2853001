/** Security settings (セキュリティ設定): 目視確認で本人認証, codes for operators; one's own passkey and password. */

import { call, type Schemas } from "../../api";
import { attempt, show, toast } from "../../frame";
import { type Child, h } from "../../kit/dom";
import { button, field } from "../../kit/parts";
import { canUsePasskey, enrolPasskey } from "../../passkey";
import { changePassword } from "../password";
import { loaded } from "./part";

type Settings = Schemas["SecuritySettings"];

export function security(): Child {
  return [
    loaded("セキュリティ設定", () => call<Settings>("GET", "/v1/settings/security"), (now, reload) => {
      const place = h("div", {});
      const change = async (next: Settings) => {
        await attempt(place, () => call<Settings>("PUT", "/v1/settings/security", next));
        toast("設定を変更しました。");
        await reload();
      };
      return [
        place,
        toggle("目視確認で本人認証", "有効にすると、顔写真の目視による確認を選べます。無効のときは暗証番号による確認だけです。", now.visual_confirmation, (on) => change({ ...now, visual_confirmation: on })),
        toggle("資格確認担当者にも認証アプリの数字を求める", "管理者とレセコンには、いつも求めます。", now.operators_need_code, (on) => change({ ...now, operators_need_code: on })),
      ];
    }),
    own(),
  ];
}

function toggle(name: string, help: string, on: boolean, change: (on: boolean) => Promise<void>): HTMLElement {
  return h(
    "label",
    { class: "toggle" },
    h("input", { type: "checkbox", role: "switch", checked: on, onchange: (event) => void change((event.currentTarget as HTMLInputElement).checked) }),
    h("span", { class: "toggle-text" }, h("span", { class: "toggle-name" }, name, h("span", { class: "toggle-word" }, on ? "有効" : "無効")), h("span", { class: "field-help" }, help)),
  );
}

function own(): HTMLElement {
  const place = h("div", {});
  const password = field("現在のパスワード", { type: "password", autocomplete: "current-password" });
  const label = field("パスキーの名前", { maxlength: "64", value: "この端末" });
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "自分のログイン"),
    place,
    button("パスワードを変更する", () => show(changePassword(false))),
    canUsePasskey() && [
      h("h3", {}, "パスキー（生体認証）を登録"),
      label.row,
      password.row,
      button("この端末のパスキーを登録する", async () => {
        if (await enrolPasskey(place, label.input.value.trim(), password.input.value)) toast("パスキーを登録しました。");
        password.input.value = "";
      }),
    ],
  );
}
