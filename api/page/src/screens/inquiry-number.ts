/** The inquiry number (照会番号) of a result: setting it, and what became of the last one that was set. */

import { call, type Schemas } from "../api";
import { attempt } from "../frame";
import { type Child, fill, h } from "../kit/dom";
import { banner, field, fold, form } from "../kit/parts";
import { listen } from "../live";
import { INQUIRY_NOTES } from "../text/items";

type Result = Schemas["EligibilityResult"];

export interface InquiryForm {
  readonly element: HTMLElement;
  readonly end: () => void;
}

export function inquiryNumber(shown: Result): InquiryForm {
  const place = h("div", { role: "status" });
  let sent: string | undefined;
  const number = field("照会番号", { maxlength: "50", value: shown.inquiry_number ?? "" }, "患者の診察券番号やカルテ番号など（50文字まで、任意）");

  async function save(): Promise<void> {
    number.clear();
    const value = number.input.value.trim();
    if (value === "") {
      number.fail("照会番号を入力してください。");
      return;
    }
    sent = value;
    const done = await attempt(place, () => call<Schemas["InquiryNumberSet"] | Schemas["InquiryJob"]>("PUT", `/v1/results/${shown.id}/inquiry-number`, { inquiry_number: value }));
    if (done) fill(place, done.state === "registered" ? registered() : waitingForIt());
  }

  /** Another desk, the receipt computer or the queue may have changed it meanwhile. */
  async function look(): Promise<void> {
    const now = await attempt(place, () => call<Result>("GET", `/v1/results/${shown.id}`));
    if (!now) return;
    if (document.activeElement !== number.input && now.inquiry_number !== undefined) number.input.value = now.inquiry_number;
    if (now.inquiry_number_pending) fill(place, pending(now));
    else if (now.inquiry_number === sent) fill(place, registered());
  }

  fill(place, pending(shown));
  return {
    element: h("section", { class: "panel" }, h("h2", {}, "照会番号"), form("inline-form", "登録する", save, number.row), place, fold("照会番号とは", INQUIRY_NOTES.map((note) => h("p", {}, note)))),
    end: listen("results", (changed) => changed?.id === shown.id && changed.version > shown.version && void look()),
  };
}

const registered = () => banner("success", "登録しました。");
const waitingForIt = () => banner("info", "受け付けました。オンライン資格確認等システムにつながり次第、登録します。");

function pending({ inquiry_number_pending: last }: Result): Child {
  if (!last) return false;
  const why = last.failure;
  return last.state === "queued" ? waitingForIt() : banner("error", why?.title ?? "照会番号を登録できませんでした。", why && h("p", {}, why.guidance));
}
