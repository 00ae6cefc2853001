/** The passkeys of the person who is signed in: what is enrolled, enrolling this device, removing one. */

import { call, type Schemas } from "../api";
import { attempt, toast } from "../frame";
import { h } from "../kit/dom";
import { moment } from "../kit/era";
import { button, field, form } from "../kit/parts";
import { canUsePasskey, enrolPasskey } from "../passkey";
import { loaded, table } from "./admin/part";

export function passkeys(): HTMLElement {
  const place = h("div", {});
  return loaded(
    "パスキー（生体認証）",
    () => call<Schemas["Passkeys"]>("GET", "/v1/accounts/me/passkeys"),
    ({ passkeys: all }, reload) => {
      const remove = (id: number) => async () => {
        await attempt(place, () => call("DELETE", `/v1/accounts/me/passkeys/${id}`));
        await reload();
      };
      const used = (at: string | undefined) => (at === undefined ? "まだ使っていません" : moment(at));
      return [
        all.length > 0 && table("登録したパスキー", ["名前", "登録日時", "最後のログイン", "操作"], all.map((passkey) => [passkey.name, moment(passkey.created_at), used(passkey.last_used_at), button("削除する", remove(passkey.id))])),
        canUsePasskey() ? enrolment(place, reload) : h("p", {}, "このブラウザ、またはこのアドレスでは登録できません。パソコンの名前で開いてください。"),
      ];
    },
    h("p", {}, "この端末の指紋・顔・PINでログインできるようになります。パスワードと数字の入力は要りません。"),
    place,
  );
}

function enrolment(place: HTMLElement, reload: () => Promise<void>): HTMLElement {
  const name = field("パスキーの名前", { maxlength: "64", value: "受付のパソコン" });
  const password = field("現在のパスワード", { type: "password", autocomplete: "current-password", required: true });
  const code = field("認証アプリの6桁の数字", { inputmode: "numeric", maxlength: "64", autocomplete: "one-time-code", class: "input input-code" }, "ログインに使った数字は使えません。");
  const enrol = async () => {
    const proof: Schemas["PasskeyProof"] = { password: password.input.value };
    if (code.input.value.trim() !== "") proof.code = code.input.value.trim();
    if (!(await enrolPasskey(place, name.input.value.trim(), proof))) return;
    toast("パスキーを登録しました。");
    await reload();
  };
  return form("sub-form", "この端末のパスキーを登録する", enrol, h("h3", {}, "この端末を登録"), name.row, password.row, code.row);
}
