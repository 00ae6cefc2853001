/** What the phases of a check look like to patient and staff. Nothing here asks the daemon for anything. */

import type { Schemas } from "../api";
import { type Child, h } from "../kit/dom";
import { banner, button, heading, type Press, primary, quiet, steps } from "../kit/parts";
import { drawing } from "../kit/drawings";
import { CARD_HANDLING, IDENTITY_DOUBT, VISUAL_NOTE } from "../text/manual";

type Method = Schemas["Method"];
type Phase = Schemas["CheckPhase"];

export const needsPin = (method: Method): boolean => method === "card_pin" || method === "android_pin";

const isPhone = (method: Method): boolean => method === "iphone" || method === "android_pin";

const WAY: Record<Method, readonly string[]> = {
  visual: ["顔写真の確認", "カードをかざす", "資格の確認"],
  card_pin: ["暗証番号", "カードをかざす", "資格の確認"],
  iphone: ["生体認証", "iPhoneをかざす", "資格の確認"],
  android_pin: ["暗証番号", "スマートフォンをかざす", "資格の確認"],
};

const STEP: Partial<Record<Phase, number>> = { fetching_challenge: 0, waiting_for_pin: 0, asking_upstream: 2, offering_registration: 2, registering: 2 };

/** How far the check has come. */
export function progress(method: Method, phase: Phase): HTMLElement {
  const step = STEP[phase] ?? 1;
  return steps(WAY[method], needsPin(method) ? step : Math.max(step, 1));
}

export function waiting(title: string, text?: string): HTMLElement {
  return h("section", { class: "waiting", role: "status" }, h("div", { class: "spinner", "aria-hidden": "true" }), heading(title), text && h("p", { class: "lead" }, text));
}

const HOLD: Record<Method, { readonly title: string; readonly steps: readonly string[]; readonly where: string }> = {
  visual: {
    title: "顔写真を確認し、カードをかざしてください",
    steps: ["患者がカードの顔写真を担当者に見せます。", "担当者は、患者の顔とカードの顔写真が一致することを確認します。", "患者がカードをカードリーダーに置きます。"],
    where: "カードリーダーのマークの上に置きます",
  },
  card_pin: {
    title: "カードをかざしてください",
    steps: ["カードをカードリーダーに置きます。", "終わるまで動かさないでください。"],
    where: "カードリーダーのマークの上に置きます",
  },
  iphone: {
    title: "患者のiPhoneをかざしてください",
    steps: ["患者がAppleウォレットを立ち上げ、マイナンバーカードを表示します。", "患者が生体認証（Face ID または Touch ID）をします。", "iPhoneの上部をカードリーダーに近づけます。"],
    where: "iPhoneの上部を近づけます",
  },
  android_pin: {
    title: "患者のスマートフォンをかざしてください",
    steps: ["おサイフケータイのマークの付近をカードリーダーに近づけます。", "マークがない機種は、上部中央付近を近づけます。"],
    where: "マークの付近（なければ上部中央）を近づけます",
  },
};

/** "Hold the card": where, how, and how the reader stands. */
export function holding(method: Method, reader: HTMLElement, cancel: Press): Child {
  const { title, steps: todo, where } = HOLD[method];
  return h(
    "section",
    { class: "hold" },
    heading(title),
    h(
      "div",
      { class: "hold-columns" },
      h("figure", { class: "hold-figure" }, drawing(isPhone(method) ? "phone" : "card"), h("figcaption", {}, where)),
      h("div", {}, h("ol", { class: "hold-steps" }, todo.map((step) => h("li", {}, step))), reader),
    ),
    quiet(["中止する", h("kbd", {}, "Esc")], cancel),
    h("p", { class: "hold-note" }, CARD_HANDLING),
    method === "visual" && h("p", { class: "hold-note" }, VISUAL_NOTE, IDENTITY_DOUBT),
  );
}

/** One try is left: nothing was sent to the card yet. */
export function lastTry(confirm: Press, cancel: Press): Child {
  return h(
    "section",
    { class: "panel" },
    heading("暗証番号の残りはあと1回です"),
    banner("warning", "次に間違えると、暗証番号がロックされます。", h("p", {}, "入力した暗証番号でよいか、患者に確認してください。カードへの照合はまだ行っていません。")),
    h("div", { class: "actions" }, primary("患者に確認した。照合する", confirm), button("照合せずに中止する", cancel)),
  );
}

/** The card is not registered as a health insurance card. */
export function registration(decide: (consent: boolean, by?: Schemas["ConsentedBy"]) => Promise<void>): Child {
  return h(
    "section",
    { class: "panel" },
    heading("健康保険証としての利用登録がされていません"),
    h("p", { class: "lead" }, "マイナポータルシステムを利用した、実物のマイナンバーカードを健康保険証等として利用するための申込みについて、患者から同意を取得してください。"),
    h("p", {}, "登録には目安として15秒前後かかります。同意したこと、日時、担当者が記録されます。"),
    h(
      "div",
      { class: "actions" },
      primary("患者本人が同意した。登録する", () => decide(true, "patient")),
      button("法定代理人が同意した。登録する", () => decide(true, "legal_representative")),
      button("登録しない", () => decide(false)),
    ),
    h("p", { class: "small" }, "毎日午前3時から午前6時と、メンテナンスの間は利用できません。そのときは資格確認書等で確認してください。"),
  );
}
