/** Terminals (端末) and readers. A terminal is enrolled by a one-time code, entered at that terminal. */

import { call, type Schemas } from "../../api";
import { attempt, toast } from "../../frame";
import { type Child, fill, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { ask, banner, button, field, form } from "../../kit/parts";
import { readerLine } from "../reader-line";
import { loaded, table } from "./part";

export function terminals(): Child {
  const once = h("div", { "aria-live": "polite" });
  return [
    loaded(
      "端末",
      () => call<Schemas["EnrolledTerminals"]>("GET", "/v1/terminals"),
      ({ terminals: all }, reload) => [
        table("端末の一覧", ["端末", "登録日時", "操作"], all.map((terminal) => [terminal.name, moment(terminal.enrolled_at), button("登録を取り消す", () => remove(terminal.name, once, reload))])),
        offer(once),
        enrolHere(once, reload),
      ],
      once,
    ),
    loaded(
      "カードリーダー",
      () => call<Schemas["Readers"]>("GET", "/v1/readers"),
      ({ readers }) => (readers.length === 0 ? h("p", {}, "カードリーダーは接続されていません。") : h("ul", { class: "readers" }, readers.map((reader) => h("li", { class: `reader reader-${reader.state}` }, readerLine(reader))))),
    ),
  ];
}

async function remove(name: string, once: HTMLElement, reload: () => Promise<void>): Promise<void> {
  if ((await ask("登録を取り消しますか", h("p", {}, `端末「${name}」でのログインは終わります。`), [["取り消す", true, "primary"], ["やめる", false]])) !== true) return;
  await attempt(once, () => call("DELETE", `/v1/terminals/${encodeURIComponent(name)}`));
  await reload();
}

function offer(once: HTMLElement): HTMLElement {
  const name = field("端末の名前", { maxlength: "64", required: true }, "例：uketsuke-2（英数字と - _）。その端末で「この端末を登録」に、表示された番号を入力します。");
  const send = () =>
    attempt(once, async () => {
      const code = await call<Schemas["EnrolmentCode"]>("POST", "/v1/terminals/enrolment-codes", { name: name.input.value.trim() });
      fill(once, banner("info", "登録の番号（1回だけ使えます）", h("p", {}, h("code", { class: "secret" }, code.code)), h("p", {}, `${moment(code.expires_at)}まで`)));
    });
  return form("sub-form", "登録の番号を発行する", send, h("h3", {}, "端末を追加"), name.row);
}

function enrolHere(once: HTMLElement, reload: () => Promise<void>): HTMLElement {
  const code = field("登録の番号", { maxlength: "64", required: true });
  const send = () =>
    attempt(once, async () => {
      const known = await call<Schemas["TerminalToken"]>("POST", "/v1/terminals/enrol", { code: code.input.value.trim() });
      toast(`この端末を「${known.name}」として登録しました。`);
      await reload();
    });
  return form("sub-form", "この端末を登録する", send, h("h3", {}, "この端末を登録"), code.row);
}
