/** The passkeys of the person who is signed in: what is enrolled, enrolling this device, removing one. */

import { call, type Schemas } from "../api";
import { attempt, toast } from "../frame";
import { h } from "../kit/dom";
import { moment } from "../kit/era";
import { button, field, form } from "../kit/parts";
import { canUsePasskey, enrolPasskey } from "../passkey";
import { loaded, table } from "./admin/part";

export function passkeys(): HTMLElement {
  return loaded("パスキー（生体認証）", () => call<Schemas["Passkeys"]>("GET", "/v1/accounts/me/passkeys"), ({ passkeys: all }, reload) => {
    const place = h("div", {});
    const label = field("パスキーの名前", { maxlength: "64", value: "受付のパソコン" });
    const password = field("現在のパスワード", { type: "password", autocomplete: "current-password", required: true });
    const remove = (id: number) => async () => {
      await attempt(place, () => call("DELETE", `/v1/accounts/me/passkeys/${id}`));
      await reload();
    };
    const enrol = async () => {
      if (!(await enrolPasskey(place, label.input.value.trim(), password.input.value))) return;
      toast("パスキーを登録しました。");
      await reload();
    };
    return [
      h("p", {}, "この端末の指紋・顔・PINでログインできます。パスワードと数字は要りません。"),
      all.length > 0 && table("登録したパスキー", ["名前", "登録日時", "操作"], all.map((passkey) => [passkey.label, moment(passkey.registered_at), button("削除する", remove(passkey.id))])),
      place,
      canUsePasskey() ? form("sub-form", "この端末のパスキーを登録する", enrol, label.row, password.row) : h("p", {}, "このブラウザ、またはこのアドレスでは使えません。名前（例：shikaku.local）で開いてください。"),
    ];
  });
}
