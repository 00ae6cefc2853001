/** Changing one's own password; forced when somebody else chose it. */

import { call } from "../api";
import { attempt, type Screen, show, toast } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, button, field, form, heading } from "../kit/parts";
import { begin } from "../work";
import { own } from "./own";

export function changePassword(forced: boolean): Screen {
  const place = h("div", { class: "place-for-problems" });
  const old = field("現在のパスワード", { type: "password", autocomplete: "current-password", required: true, "data-focus": "" });
  const fresh = field("新しいパスワード", { type: "password", autocomplete: "new-password", required: true }, "13文字以上（認証アプリを使うときは8文字以上）。推測されやすいものは使えません。");
  const again = field("新しいパスワード（もう一度）", { type: "password", autocomplete: "new-password", required: true });

  async function send(): Promise<void> {
    again.clear();
    fill(place);
    if (fresh.input.value !== again.input.value) {
      again.fail("新しいパスワードと同じものを入力してください。");
      return;
    }
    const done = await attempt(place, async () => {
      await call("PUT", "/v1/accounts/me/password", { current_password: old.input.value, new_password: fresh.input.value });
      return true;
    });
    if (!done) return;
    toast("パスワードを変更しました。");
    if (forced) await begin();
    else show(own());
  }

  return {
    title: "パスワードの変更",
    body: h(
      "div",
      { class: "centre" },
      h(
        "section",
        { class: "panel" },
        heading("パスワードの変更"),
        forced && banner("info", "最初に、ご自身のパスワードに変更してください。"),
        place,
        form("", "変更する", send, old.row, fresh.row, again.row),
        !forced && button("変更しないで戻る", () => show(own())),
      ),
    ),
    alone: forced,
  };
}
