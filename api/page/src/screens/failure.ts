/** A check that did not come to a result: what happened, and what staff and patient can do now. */

import type { Schemas } from "../api";
import { type Screen, show } from "../frame";
import { type Child, h } from "../kit/dom";
import { banner, button, fold, heading, primary } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { desk } from "../state";
import { METHODS } from "../text/manual";
import { check, mayContinueByEye } from "./check";
import { fallback } from "./fallback";
import { home } from "./home";
import { alternatives } from "./tables";

/** Why, as far as the page needs it: a check's failure or the refusal of a request. */
type Why = Pick<Schemas["CheckFailure"], "title" | "guidance"> & Partial<Omit<Schemas["CheckFailure"], "code">> & { readonly code: string };

const TIMED_OUT = { code: "timed_out", title: "時間内に操作がなかったため、終わりました。", guidance: "入力された暗証番号は破棄しました。もう一度資格確認を始めてください。" } as const;

/** Where the daemon's guidance begins to tell the other ways, which the page shows as a list instead. */
const OTHER_WAYS = "オンライン資格確認ができないときは、次のいずれかで";

/** Codes after which the same method makes sense at once. */
const AGAIN = new Set([
  "timed_out",
  "wrong_pin",
  "wrong_pin_phone",
  "card_removed",
  "card_unreadable",
  "reader_busy",
  "reader_unavailable",
  "card_in_use",
  "phone_not_unlocked",
  "last_try_unconfirmed",
  "card_use_registration_pending",
  "card_use_not_registered",
  "card_use_not_registered_phone",
  "upstream_timeout",
  "upstream_unreachable",
  "upstream_malformed",
  "check_not_found",
  "wrong_phase",
]);

/** Which methods fit what was held on the reader. */
const FITTING: Record<Schemas["Token"], readonly Schemas["Method"][]> = { plastic: ["visual", "card_pin"], android: ["android_pin"], iphone: ["iphone"] };

/** Codes after which staff may go on by eye, where it is offered. */
const BY_EYE = new Set(["pin_locked", "wrong_pin", "pin_on_face_card", "last_try_unconfirmed"]);

export function failure(told: Why | undefined, request: Schemas["NewCheck"], of?: string): Screen {
  const why: Why = told ?? TIMED_OUT;
  const ways = otherMethods(why, request, of);
  const again = AGAIN.has(why.code);
  const [guidance, otherWays] = why.guidance.split(OTHER_WAYS);
  const readers = why.code === "reader_required" ? (desk.readers?.readers ?? []) : [];
  return {
    title: "資格確認",
    body: h(
      "section",
      { class: "panel failure" },
      h("div", { class: "failure-head" }, h("span", { class: "failure-mark" }, drawn("alert", 40)), heading(why.title)),
      why.tries_left !== undefined && h("p", { class: "tries" }, "残りの入力回数：", h("strong", {}, `${why.tries_left}回`)),
      h("p", { class: "failure-guidance" }, readers.length > 0 ? "使うカードリーダーを選んでください。" : guidance),
      why.who === "administrator" && banner("info", "管理者に知らせてください。"),
      why.who === "vendor" && of !== undefined && banner("info", "管理者に、下のコードと日時を知らせてください。"),
      h(
        "div",
        { class: "actions" },
        readers.map(({ name }) => primary(name, () => show(check({ ...request, reader: name })))),
        again && primary("もう一度行う", () => show(check(request, why.tries_left)), { "data-focus": "" }),
        ways,
        button("最初に戻る", () => show(home()), again || ways.length > 0 ? {} : { "data-focus": "" }),
        button([drawn("printer", 20), "代わりの確認方法"], () => show(fallback())),
      ),
      otherWays === undefined ? fold("患者に案内できる、代わりの確認方法", alternatives()) : h("section", { class: "block" }, h("h2", {}, "患者に案内できる、代わりの確認方法"), alternatives()),
      h("p", { class: "small" }, `コード：${why.code}`, why.upstream_code && `（${why.upstream_code}）`),
    ),
  };
}

/** Buttons for the methods that may work where this one did not. */
function otherMethods(why: Why, request: Schemas["NewCheck"], of: string | undefined): Child[] {
  const offered = desk.readers?.methods ?? [];
  const to = (method: Schemas["Method"]) => primary(`${METHODS[method].name}で行う`, () => show(check({ ...request, method })));
  if (why.token) return FITTING[why.token].filter((method) => offered.includes(method)).map(to);
  if (why.code === "visual_without_photo" || why.code === "visual_disabled") return [to("card_pin")];
  if (!BY_EYE.has(why.code) || request.card_kind === "without_photo") return [];
  if (offered.includes("visual")) return [primary("目視による確認に切り替える", () => show(check({ ...request, method: "visual" })))];
  const locked = why.code === "pin_locked" && of !== undefined && mayContinueByEye();
  return locked ? [primary("目視による確認に切り替える", () => show(check({ method: "visual", visual_after_lock_of: of })))] : [];
}
