/** Accounts: add, disable, unlock, new password, new authenticator. A password or a QR code is shown once. */

import { call, type Schemas } from "../../api";
import { attempt } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";
import { ask, banner, button, choice, field, form } from "../../kit/parts";
import { qr } from "../../kit/qr";
import { desk } from "../../state";
import { loaded, table } from "./part";

type Account = Schemas["Account"];

const ROLES: readonly (readonly [Schemas["Role"], string])[] = [
  ["operator", "資格確認担当者"],
  ["administrator", "管理者"],
  ["receipt_computer", "レセコン"],
];

const roleName = (role: Schemas["Role"]) => ROLES.find(([word]) => word === role)?.[1] ?? role;

export function accounts(): Child {
  const once = h("div", { "aria-live": "polite" });
  return [
    loaded(
      "アカウント",
      () => call<Schemas["Accounts"]>("GET", "/v1/accounts"),
      ({ accounts: all }, reload) => [
        table(
          "アカウントの一覧",
          ["アカウント", "役割", "状態", "操作"],
          all.map((account) => [account.account, roleName(account.role), status(account), actions(account, once, reload)]),
        ),
        add(once, reload),
      ],
      once,
    ),
  ];
}

function status(account: Account): string {
  const words = [account.disabled ? "無効" : "有効"];
  if (account.locked) words.push("ロック中");
  if (account.password_change_required) words.push("パスワード変更待ち");
  return words.join("、");
}

function actions(account: Account, once: HTMLElement, reload: () => Promise<void>): Child {
  const path = `/v1/accounts/${account.id}`;
  const own = account.account === desk.person?.account;
  const act = (work: () => Promise<unknown>) => async () => {
    const done = await attempt(once, async () => {
      await work();
      return true;
    });
    if (done) await reload();
  };
  const reset = (what: Schemas["AccountReset"], question: string) => async () => {
    if ((await ask(question, h("p", {}, `${account.account} のログインは終わります。`), [["再発行する", true, "primary"], ["やめる", false]])) !== true) return;
    const fresh = await attempt(once, () => call<Schemas["Enrolment"]>("POST", `${path}/reset`, what));
    if (fresh) fill(once, enrolment(fresh));
    await reload();
  };
  return h(
    "div",
    { class: "row-actions" },
    account.locked && button("ロックを解除", act(() => call("POST", `${path}/unlock`))),
    button("パスワードを再発行", reset({ password: true, totp: false }, "パスワードを再発行しますか")),
    button("認証アプリを再登録", reset({ password: false, totp: true }, "認証アプリを登録し直しますか")),
    account.passkeys > 0 && button(`パスキーを削除（${account.passkeys}）`, act(() => call("DELETE", `${path}/passkeys`))),
    !own && button(account.disabled ? "有効にする" : "無効にする", act(() => call("PUT", `${path}/status`, { disabled: !account.disabled }))),
  );
}

/** What is shown once: the password and the QR code. */
function enrolment(fresh: Schemas["Enrolment"]): HTMLElement {
  return h(
    "div",
    { class: "panel panel-once" },
    banner("info", `${fresh.account} の登録情報です。この画面でしか見られません。`),
    fresh.password !== undefined && h("p", {}, "最初のパスワード：", h("code", { class: "secret" }, fresh.password)),
    fresh.totp && [h("p", {}, "認証アプリでこの二次元コードを読み取ってください。"), qr(fresh.totp.qr_svg, "認証アプリに登録する二次元コード")],
  );
}

function add(once: HTMLElement, reload: () => Promise<void>): HTMLElement {
  let role: Schemas["Role"] = "operator";
  const name = field("アカウント名", { maxlength: "64", required: true, autocapitalize: "none" }, "個人ごとに作ります。共用しないでください。");
  const send = () =>
    attempt(once, async () => {
      fill(once, enrolment(await call<Schemas["Enrolment"]>("POST", "/v1/accounts", { account: name.input.value.trim(), role })));
      await reload();
    });
  return form("sub-form", "追加する", send, h("h3", {}, "アカウントを追加"), name.row, choice("役割", ROLES, role, (chosen) => (role = chosen)));
}
