/** Sign-in (ログイン): password and six-digit code, or a passkey as the manual's 生体認証. */

import { call, Refused, type Schemas } from "../api";
import { problem, type Screen } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, button, field, form, heading } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { canUsePasskey, signInWithPasskey } from "../passkey";
import { rest } from "../rest";

/** The fields that were filled in last, without secrets; in memory, for the next sign-in at this desk. */
const remembered = { institution: "", account: "" };

const SIX_DIGITS = /^[0-9]{6}$/;

export function signIn(why?: string): Screen {
  const place = h("div", { class: "place-for-problems", "aria-live": "assertive" });
  const institution = field("機関コード（数字10桁）", { inputmode: "numeric", maxlength: "10", required: true, name: "institution", value: remembered.institution });
  const account = field("アカウント名", { required: true, name: "username", autocomplete: "username", autocapitalize: "none", value: remembered.account });
  const password = field("パスワード", { type: "password", required: true, name: "password", autocomplete: "current-password" });
  const code = field(
    "認証アプリの6桁の数字",
    { inputmode: "numeric", maxlength: "64", name: "code", autocomplete: "one-time-code", class: "input input-code" },
    "回復コードも使えます。未登録なら空欄のまま。",
  );

  async function send(): Promise<void> {
    fill(place);
    const request: Schemas["SignIn"] = { institution_code: institution.input.value.trim(), account: account.input.value.trim(), password: password.input.value };
    const second = code.input.value.trim();
    if (second !== "") request[SIX_DIGITS.test(second) ? "code" : "recovery_code"] = second;
    try {
      const { welcome } = await rest();
      const session = await call<Schemas["Session"]>("POST", "/v1/sessions", request);
      remembered.institution = request.institution_code ?? "";
      remembered.account = request.account ?? "";
      await welcome(session, session.announcements);
    } catch (error) {
      fill(place, problem(error));
      const after = error instanceof Refused ? error.retryAfter : undefined;
      if (after !== undefined) place.append(h("p", {}, `${after}秒後にもう一度お試しください。`));
      password.input.value = "";
      code.input.value = "";
      password.input.focus();
    }
  }

  const first = remembered.account ? password : institution;
  first.input.setAttribute("data-focus", "");
  return {
    title: "ログイン",
    body: h(
      "div",
      { class: "centre centre-wide" },
      h("p", { class: "brand brand-large" }, drawn("card", 40), "資格ブリッジ"),
      h(
        "section",
        { class: "panel sign-in" },
        heading("ログイン"),
        why && banner("info", why),
        place,
        canUsePasskey() && [
          button([drawn("key", 20), "パスキー（生体認証）でログイン"], () => signInWithPasskey(place), { class: "button button-wide" }),
          h("p", { class: "or" }, "または"),
        ],
        form("sign-in-form", "ログイン", send, institution.row, account.row, password.row, code.row),
      ),
    ),
  };
}
