/** Changing one's own password; forced when somebody else chose it. */

import { call } from "../api";
import { attempt, type Screen, show } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, field, heading } from "../kit/parts";
import { home } from "./home";
import * as live from "../live";

export function changePassword(forced: boolean): Screen {
  const place = h("div", { class: "place-for-problems" });
  const old = field("現在のパスワード", { type: "password", autocomplete: "current-password", required: true, "data-focus": "" });
  const fresh = field("新しいパスワード", { type: "password", autocomplete: "new-password", required: true }, "13文字以上（認証アプリを使うときは8文字以上）。推測されやすいものは使えません。");
  const again = field("新しいパスワード（もう一度）", { type: "password", autocomplete: "new-password", required: true });
  const form = h(
    "form",
    {
      class: "panel",
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        again.clear();
        fill(place);
        if (fresh.input.value !== again.input.value) {
          again.fail("新しいパスワードと同じものを入力してください。");
          return;
        }
        void attempt(place, async () => {
          await call("PUT", "/v1/accounts/me/password", { current_password: old.input.value, new_password: fresh.input.value });
          live.begin();
          show(home());
        });
      },
    },
    heading("パスワードの変更"),
    forced && banner("info", "最初に、ご自身のパスワードに変更してください。"),
    place,
    old.row,
    fresh.row,
    again.row,
    h("button", { type: "submit", class: "button button-primary button-wide" }, "変更する"),
  );
  return { title: "パスワードの変更", body: h("div", { class: "centre" }, form), alone: forced };
}
