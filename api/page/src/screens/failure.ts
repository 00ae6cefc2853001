/** A check that did not come to a result: what happened, and what staff and patient can do now. */

import type { Schemas } from "../api";
import { type Screen, show } from "../frame";
import { h } from "../kit/dom";
import { banner, button, fold, heading, primary } from "../kit/parts";
import { ALTERNATIVES } from "../text/manual";
import { check, mayContinueByEye } from "./check";
import { fallback } from "./fallback";
import { home } from "./home";

/** Codes after which the same method makes sense at once. */
const AGAIN = new Set(["wrong_pin", "wrong_pin_phone", "card_removed", "card_unreadable", "reader_unavailable", "card_in_use", "phone_not_unlocked", "last_try_unconfirmed", "upstream_timeout", "upstream_unreachable"]);

export function failure(ended: Schemas["Check"], request: Schemas["NewCheck"]): Screen {
  const why = ended.failure;
  const title = why?.title ?? "時間内に操作がなかったため、終わりました。";
  const guidance = why?.guidance ?? "もう一度資格確認を始めてください。";
  const again = why === undefined || AGAIN.has(why.code);
  const byEye = (why?.code === "pin_locked" || why?.code === "wrong_pin") && mayContinueByEye();
  return {
    title: "資格確認",
    body: h(
      "section",
      { class: "panel failure" },
      heading(title),
      why?.tries_left !== undefined && h("p", { class: "tries", role: "status" }, "残りの入力回数：", h("strong", {}, `${why.tries_left}回`)),
      banner("error", title, h("p", {}, guidance)),
      h(
        "div",
        { class: "actions" },
        again && primary("もう一度行う", () => show(check(request)), { "data-focus": "" }),
        byEye && why?.code === "pin_locked" && button("目視による確認に切り替える", () => show(check({ method: "visual", visual_after_lock_of: ended.id }))),
        button("最初に戻る", () => show(home()), again ? {} : { "data-focus": "" }),
        button("代わりの確認方法を印刷する", () => show(fallback())),
      ),
      fold("代わりの確認方法", ALTERNATIVES.map(({ when, ways }) => [h("h3", {}, when), h("ul", {}, ways.map((way) => h("li", {}, way)))])),
      h("p", { class: "small" }, `コード：${why?.code ?? ended.phase}`, why?.upstream_code && `（${why.upstream_code}）`),
    ),
  };
}
