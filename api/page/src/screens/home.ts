/** The start of every check: choose how the identity is confirmed. Shows only what settings and readers allow (manual chapter 2 (2)). */

import { call, type Schemas } from "../api";
import { attempt, type Screen, show } from "../frame";
import { fill, h } from "../kit/dom";
import { banner, choice, fold, heading, quiet } from "../kit/parts";
import { drawn, type PictureName } from "../kit/pictures";
import { isConnected, listen } from "../live";
import { desk, readersSeen } from "../state";
import { METHODS, type MethodWord, PIN_BY_OTHERS } from "../text/manual";
import { check } from "./check";
import { fallback } from "./fallback";
import { readerLine } from "./reader-line";
import { alternatives, certificates } from "./tables";

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
    fill(state, readerState(desk.readers));
    fill(methods, (desk.readers?.methods ?? []).map((method) => methodButton(method, () => begin(method))));
  }

  async function look(): Promise<void> {
    const readers = await attempt(place, () => call<Schemas["Readers"]>("GET", "/v1/readers"));
    if (!readers) return;
    fill(place);
    desk.readers = readers;
    draw();
  }

  function seen(now: Schemas["ReadersEvent"]): void {
    if (readersSeen(now)) fill(state, readerState(desk.readers));
    else void look();
  }

  /** One key begins a check. Not one of the numeric keypad, which the patient may be touching; nor one that is held down. */
  function keys(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "radio";
    if (typing || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.code.startsWith("Numpad")) return;
    const method = desk.readers?.methods.find((word) => METHODS[word].key === event.key);
    if (!method) return;
    event.preventDefault();
    begin(method);
  }

  const ends = [listen("readers", seen)];
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
      fold("カードもスマートフォンも使えないとき・初検のとき", alternatives(), quiet("印刷できる一覧を開く", () => show(fallback()))),
      fold("オンラインで確認できる資格証類（○・×）", certificates()),
    ],
    leave: () => {
      for (const end of ends) end();
      document.removeEventListener("keydown", keys);
    },
  };
}

function methodButton(method: MethodWord, press: () => void): HTMLElement {
  const { name, hint, key } = METHODS[method];
  const [token, kind] = name.split("（");
  return h(
    "button",
    { type: "button", class: "method", onclick: press, "data-method": method },
    h("span", { class: "method-picture" }, drawn(PICTURES[method], 56)),
    h("span", { class: "method-name" }, token, kind && h("span", {}, `（${kind}`)),
    h("span", { class: "method-hint" }, hint),
    h("kbd", { class: "method-key", "aria-label": `キー${key}` }, key),
  );
}

function readerState(readers: Schemas["Readers"] | undefined): HTMLElement {
  if (!isConnected() && readers === undefined) return h("p", {}, "接続しています…");
  if (readers === undefined) return h("p", {}, "カードリーダーを確認しています…");
  if (!readers.service_available) return banner("error", "カードリーダーのサービスが応答していません。", h("p", {}, "管理者に連絡してください。患者には「代わりの確認方法」をご案内ください。"));
  if (readers.readers.length === 0) return banner("warning", "カードリーダーが見つかりません。", h("p", {}, "汎用カードリーダーがパソコンに接続されているか確認し、差し直してください。"));
  return h(
    "ul",
    { class: "readers" },
    readers.readers.map((reader) => h("li", { class: `reader reader-${reader.state}` }, readerLine(reader))),
  );
}
