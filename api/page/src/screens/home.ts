/** The start of every check: choose how the identity is confirmed. Shows only what settings and readers allow (manual chapter 2 (2)). */

import { call, type Schemas } from "../api";
import { attempt, type Screen, show } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, choice, fold, heading } from "../kit/parts";
import { drawn, type PictureName } from "../kit/pictures";
import { isConnected, listen } from "../live";
import { desk } from "../state";
import { METHODS, type MethodWord, PIN_BY_OTHERS } from "../text/manual";
import { check } from "./check";

const PICTURES: Record<MethodWord, PictureName> = { visual: "eye", card_pin: "keypad", iphone: "phone", android_pin: "phone" };

/** What staff see and the chip does not tell; good for one check. */
export interface Details {
  card_kind?: Schemas["CardKind"];
  entered_by?: Schemas["EnteredBy"];
}

export function home(): Screen {
  const details: Details = {};
  const state = h("div", { class: "reader-state", role: "status" });
  const methods = h("div", { class: "methods" });
  const place = h("div", {});

  function begin(method: MethodWord): void {
    const request: Schemas["NewCheck"] = { method };
    const plastic = method === "visual" || method === "card_pin";
    if (details.card_kind && plastic) request.card_kind = details.card_kind;
    if (details.entered_by) request.entered_by = details.entered_by;
    show(check(request));
  }

  function draw(): void {
    const readers = desk.readers;
    fill(state, readerState(readers));
    fill(methods, (readers?.methods ?? []).map((method) => methodButton(method, () => begin(method))));
  }

  async function look(): Promise<void> {
    const readers = await attempt(place, () => call<Schemas["Readers"]>("GET", "/v1/readers"));
    if (!readers) return;
    fill(place);
    desk.readers = readers;
    draw();
  }

  function keys(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "radio";
    if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
    const method = desk.readers?.methods.find((word) => METHODS[word].key === event.key);
    if (method) begin(method);
  }

  const ends = [listen("readers", () => void look()), listen("state", draw)];
  document.addEventListener("keydown", keys);
  draw();
  void look();

  return {
    title: "資格確認",
    body: [
      heading("本人確認の方法を選んでください"),
      state,
      place,
      methods,
      fold(
        "代理の方が入力するとき・カードの種類を伝えるとき",
        choice<Schemas["EnteredBy"]>(
          "暗証番号を入力する人、かざす人",
          [["patient", "患者本人"], ["legal_representative", "法定代理人"], ["helper", "家族・介助者・担当者（動作の補助）"]],
          "patient",
          (value) => (details.entered_by = value),
        ),
        choice<Schemas["CardKind"]>(
          "カードの種類",
          [["with_photo", "顔写真あり"], ["without_photo", "顔写真なし"], ["face_authentication", "顔認証カード"]],
          "with_photo",
          (value) => (details.card_kind = value),
        ),
        h("ul", { class: "notes" }, PIN_BY_OTHERS.map((note) => h("li", {}, note))),
      ),
    ],
    leave: () => {
      for (const end of ends) end();
      document.removeEventListener("keydown", keys);
    },
  };
}

function methodButton(method: MethodWord, press: () => void): HTMLElement {
  const { name, hint, key } = METHODS[method];
  return h(
    "button",
    { type: "button", class: "method", onclick: press, "data-method": method },
    h("span", { class: "method-picture" }, drawn(PICTURES[method], 56)),
    h("span", { class: "method-name" }, name),
    h("span", { class: "method-hint" }, hint),
    h("kbd", { class: "method-key", "aria-label": `キー${key}` }, key),
  );
}

const READER_WORDS: Record<string, string> = {
  empty: "使えます",
  card: "カードがあります",
  mute: "カードが応答しません",
  unavailable: "応答しません",
};

function readerState(readers: Schemas["Readers"] | undefined): HTMLElement {
  if (!isConnected() && readers === undefined) return h("p", {}, "接続しています…");
  if (readers === undefined) return h("p", {}, "カードリーダーを確認しています…");
  if (!readers.service_available) return banner("error", "カードリーダーのサービスが応答していません。", h("p", {}, "管理者に連絡してください。患者には「代わりの確認方法」をご案内ください。"));
  if (readers.readers.length === 0) return banner("warning", "カードリーダーが見つかりません。", h("p", {}, "汎用カードリーダーがパソコンに接続されているか確認し、差し直してください。"));
  return h(
    "ul",
    { class: "readers" },
    readers.readers.map((reader) =>
      h("li", { class: `reader reader-${reader.state}` }, drawn("reader", 24), h("span", { class: "reader-name" }, reader.name), h("span", { class: "reader-word" }, reader.check_id !== undefined ? "使用中です" : (READER_WORDS[reader.state] ?? reader.state))),
    ),
  );
}
