/** Sign-in (ログイン): password and six-digit code, or a passkey as the manual's 生体認証. */

import { call, Refused, type Schemas } from "../api";
import { problem, type Screen, welcome } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, field, heading, quiet } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { canUsePasskey, signInWithPasskey } from "../passkey";

/** The fields that were filled in last, without secrets; in memory, for the next sign-in at this desk. */
const remembered = { institution: "", account: "" };

export function signIn(why?: string): Screen {
  const place = h("div", { class: "place-for-problems", "aria-live": "assertive" });
  const institution = field("機関コード", { inputmode: "numeric", maxlength: "10", required: true, name: "institution", value: remembered.institution }, "数字10桁");
  const account = field("アカウント名", { required: true, name: "username", autocomplete: "username", autocapitalize: "none", value: remembered.account });
  const password = field("パスワード", { type: "password", required: true, name: "password", autocomplete: "current-password" });
  const code = field("認証アプリの6桁の数字", { inputmode: "numeric", maxlength: "6", pattern: "[0-9]{6}", autocomplete: "one-time-code", class: "input input-code" }, "登録していないときは空欄のまま");
  const submit = h("button", { type: "submit", class: "button button-primary button-wide" }, "ログイン");

  async function send(): Promise<void> {
    fill(place);
    const request: Schemas["SignIn"] = { institution_code: institution.input.value.trim(), account: account.input.value.trim(), password: password.input.value };
    if (code.input.value !== "") request.code = code.input.value;
    submit.setAttribute("aria-disabled", "true");
    try {
      const session = await call<Schemas["Session"]>("POST", "/v1/sessions", request);
      remembered.institution = institution.input.value.trim();
      remembered.account = account.input.value.trim();
      await welcome(session, session.announcements);
    } catch (error) {
      fill(place, problem(error));
      const after = error instanceof Refused ? error.retryAfter : undefined;
      if (after !== undefined) place.append(h("p", {}, `${after}秒後にもう一度お試しください。`));
      password.input.value = "";
      code.input.value = "";
      password.input.focus();
    } finally {
      submit.removeAttribute("aria-disabled");
    }
  }

  const form = h(
    "form",
    {
      class: "panel sign-in",
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        if (submit.getAttribute("aria-disabled") !== "true") void send();
      },
    },
    heading("ログイン"),
    why && banner("info", why),
    place,
    institution.row,
    account.row,
    password.row,
    code.row,
    submit,
    canUsePasskey() && quiet([drawn("phone", 20), "パスキー（生体認証）でログイン"], () => signInWithPasskey(place, institution.input.value.trim(), account.input.value.trim()), { class: "button button-wide" }),
  );
  form.querySelector<HTMLInputElement>(remembered.account ? "[name=password]" : "[name=institution]")?.setAttribute("data-focus", "");
  return { title: "ログイン", body: h("div", { class: "centre" }, h("p", { class: "brand brand-large" }, drawn("card", 40), "資格ブリッジ"), form) };
}
