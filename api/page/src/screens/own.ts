/** One's own sign-in: password, authenticator app, recovery codes, passkeys of the person who is signed in. */

import { call, type Schemas } from "../api";
import { attempt, type Screen, show, toast } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, button, field, form, heading } from "../kit/parts";
import { qr } from "../kit/qr";
import { desk } from "../state";
import { passkeys } from "./passkeys";
import { changePassword } from "./password";

export function own(): Screen {
  return {
    title: "自分のログイン",
    body: [
      heading("自分のログイン"),
      h("section", { class: "panel" }, h("h2", {}, "パスワード"), h("p", {}, `アカウント：${desk.person?.account ?? ""}`), h("div", { class: "actions" }, button("パスワードを変更する", () => show(changePassword(false))))),
      passkeys(),
      authenticator(),
      recoveryCodes(),
    ],
  };
}

function authenticator(): HTMLElement {
  const place = h("div", { "aria-live": "polite" });
  const password = field("現在のパスワード", { type: "password", autocomplete: "current-password", required: true });

  async function offer(): Promise<void> {
    const offered = await attempt(place, () => call<Schemas["TotpOffer"]>("POST", "/v1/accounts/me/totp", { password: password.input.value }));
    password.input.value = "";
    if (!offered) return;
    const code = field("認証アプリに表示された6桁の数字", { inputmode: "numeric", maxlength: "6", autocomplete: "one-time-code", class: "input input-code" });
    const problems = h("div", {});
    const confirm = async () => {
      const done = await attempt(problems, async () => {
        await call("POST", "/v1/accounts/me/totp/confirm", { code: code.input.value.trim() });
        return true;
      });
      if (!done) return;
      fill(place);
      toast("認証アプリを登録しました。");
    };
    fill(place, banner("info", "認証アプリでこの二次元コードを読み取ってください。", h("p", {}, "数字を確認するまでは、これまでの登録が使われます。")), qr(offered.qr_svg, "認証アプリに登録する二次元コード"), problems, form("sub-form", "登録を終える", confirm, code.row));
    code.input.focus();
  }

  return h("section", { class: "panel" }, h("h2", {}, "認証アプリ"), place, form("inline-form", "登録し直す", offer, password.row));
}

function recoveryCodes(): HTMLElement {
  const place = h("div", { "aria-live": "polite" });
  const password = field("現在のパスワード", { type: "password", autocomplete: "current-password", required: true });

  async function renew(): Promise<void> {
    const fresh = await attempt(place, () => call<Schemas["RecoveryCodes"]>("POST", "/v1/accounts/me/recovery-codes", { password: password.input.value }));
    password.input.value = "";
    if (!fresh) return;
    fill(place, banner("info", "回復コード。この画面でしか見られません。", h("p", {}, "紙に書き、鍵のかかる場所に保管してください。以前の回復コードは使えなくなりました。")), h("ul", { class: "codes" }, fresh.recovery_codes.map((code) => h("li", {}, h("code", { class: "secret" }, code)))));
  }

  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "回復コード"),
    h("p", {}, "認証アプリが使えないとき、6桁の数字の代わりに1回ずつ使えます。"),
    place,
    form("inline-form", "新しく作る", renew, password.row),
  );
}
