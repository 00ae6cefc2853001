/** A result (資格確認結果): validity at a glance, every item with the manual's notes, copy, inquiry number. */

import { call, text, type Schemas } from "../api";
import { attempt, problem, type Screen, show, toast } from "../frame";
import { type Child, fill, h } from "../kit/dom";
import { inEra, lastDayBefore, moment, plainDay } from "../kit/era";
import { ask, banner, button, field, fold, heading, primary, quiet } from "../kit/parts";
import { drawn, type PictureName } from "../kit/pictures";
import { ASSISTANCE_AS_OTHER, ASSISTANCE_NOTE, CASES, IDENTITY_DOCUMENTS, IDENTITY_DOUBT, OTHER_PERSON } from "../text/manual";
import { ASSISTANCE, ELDERLY, ELIGIBILITY, INQUIRY_NOTES, type Item, SENSITIVE, SYSTEM } from "../text/items";
import { copyText } from "../kit/clipboard";
import { home } from "./home";

type Result = Schemas["EligibilityResult"];
type Person = Schemas["Eligibility"];

/** Fetches a result and shows it. */
export async function resultById(id: number, warning?: string, back: () => Screen = home): Promise<void> {
  try {
    show(result(await call<Result>("GET", `/v1/results/${id}`), warning, back));
  } catch (error) {
    show({ title: "資格確認", body: [heading("結果を表示できません"), problem(error), primary("戻る", () => show(back()))] });
  }
}

export function result(shown: Result, warning: string | undefined, back: () => Screen): Screen {
  const place = h("div", {});
  const people = shown.eligibilities;
  return {
    title: "資格確認結果",
    body: h(
      "article",
      { class: "result" },
      heading("資格確認結果"),
      verdict(shown),
      shown.sandbox && banner("warning", "サンドボックス（模擬）の結果です。業務には使わないでください。"),
      warning && banner("warning", "電子証明書について", h("p", {}, warning)),
      shown.note && banner("info", shown.note.message, h("p", { class: "small" }, shown.note.code)),
      h(
        "div",
        { class: "actions" },
        people.length > 0 && button([drawn("copy", 20), "コピー"], () => copy(shown.id, place)),
        primary("閉じる", () => show(back()), { "data-focus": "" }),
      ),
      place,
      people.map((person, index) => eligibility(person, people.length > 1 ? index + 1 : undefined)),
      people.length > 0 && inquiryNumber(shown),
      meta(shown),
      doubts(shown),
    ),
  };
}

const VERDICTS: Record<Schemas["ValidityCode"], readonly [tone: string, shape: PictureName]> = {
  valid: ["valid", "check"],
  invalid: ["invalid", "cross"],
  invalid_new_exists: ["invalid", "cross"],
  not_found: ["none", "question"],
  multiple: ["none", "many"],
  unknown: ["none", "question"],
};

function verdict(shown: Result): HTMLElement {
  const [tone, shape] = VERDICTS[shown.validity.code];
  const person = shown.eligibilities[0];
  return h(
    "div",
    { class: `verdict verdict-${tone}`, role: "status" },
    h("span", { class: "verdict-shape" }, drawn(shape, 64)),
    h(
      "div",
      {},
      h("p", { class: "verdict-word" }, verdictWord(shown.validity)),
      person?.name && h("p", { class: "verdict-name" }, person.name, person.birthdate && h("span", { class: "verdict-born" }, inEra(person.birthdate))),
      h("p", { class: "verdict-explained" }, explained(shown)),
    ),
  );
}

/** 資格有効 and 資格無効 are the words of the manual's list. */
export const verdictWord = (validity: Schemas["Validity"]): string =>
  ({ valid: "資格有効", invalid: "資格無効", invalid_new_exists: "資格無効（新しい資格あり）", not_found: "該当資格なし", multiple: "複数該当", unknown: validity.label })[validity.code];

function explained(shown: Result): string {
  if (shown.withheld !== "none") return `資格情報の${shown.withheld === "all" ? "全て" : "一部"}が非表示です。${CASES.withheld}`;
  switch (shown.validity.code) {
    case "invalid":
      return CASES.invalid;
    case "invalid_new_exists":
      return "新しい資格があります。新しい資格の情報を患者に確認してください。";
    case "not_found":
      return CASES.notFound;
    case "multiple":
      return "複数の資格が該当しました。どの資格を使うか、患者又は医療保険者等に確認してください。";
    default:
      return "";
  }
}

function eligibility(person: Person, position: number | undefined): Child {
  const assistance = person.classification?.code === "A1";
  return h(
    "section",
    { class: "panel" },
    block(position === undefined ? "資格情報" : `資格情報 ${position}`, assistance ? ASSISTANCE : ELIGIBILITY, person, true),
    assistance && banner("info", "医療扶助です。", h("p", {}, ASSISTANCE_NOTE)),
    person.elderly_recipient_certificate && block("高齢受給者証", ELDERLY, person, false),
    block("要配慮情報（備考）", SENSITIVE, person, false),
    !assistance && block("オンライン資格確認システム固有項目", SYSTEM, person, false),
    person.warnings.length > 0 && h("ul", { class: "warnings" }, person.warnings.map((warning) => h("li", {}, drawn("info", 20), warning.message))),
  );
}

/** A table of items; without `always` only those that have a value, and nothing at all if none has. */
function block(title: string, items: readonly Item[], person: Person, always: boolean): Child {
  const rows = items.map((item) => ({ item, value: item.value(person) })).filter(({ value }) => always || value !== undefined);
  if (rows.length === 0) return false;
  return h(
    "section",
    { class: "block" },
    h("h2", {}, title),
    h("dl", { class: "items" }, rows.map(({ item, value }) => row(item, value))),
  );
}

function row(item: Item, value: string | undefined): HTMLElement {
  const notes = item.notes.length > 0 && h("div", { class: "item-notes", hidden: true }, item.notes.map((note) => h("p", {}, note)));
  const toggle =
    notes &&
    h(
      "button",
      {
        type: "button",
        class: "item-info",
        "aria-expanded": "false",
        "aria-label": `${item.label}の説明`,
        onclick: (event) => {
          notes.hidden = !notes.hidden;
          (event.currentTarget as HTMLElement).setAttribute("aria-expanded", String(!notes.hidden));
        },
      },
      drawn("info", 20),
    );
  return h(
    "div",
    { class: "item" },
    h("dt", {}, item.number !== undefined && h("span", { class: "item-number" }, String(item.number)), item.label),
    h("dd", {}, h("span", { class: value === undefined ? "item-blank" : "item-value" }, value ?? "（空欄）"), toggle, notes),
  );
}

async function copy(id: number, place: HTMLElement): Promise<void> {
  await attempt(place, async () => {
    const copied = await copyText(text(`/v1/results/${id}?format=text`, "text/plain"));
    if (copied) toast("コピーしました。");
    else fill(place, banner("error", "コピーできませんでした。", h("p", {}, "もう一度「コピー」を押してください。")));
  });
}

function inquiryNumber(shown: Result): HTMLElement {
  const place = h("div", {});
  const number = field("照会番号", { maxlength: "50", value: shown.inquiry_number ?? "" }, "患者の診察券番号やカルテ番号など（50文字まで、任意）");
  async function save(): Promise<void> {
    number.clear();
    const done = await attempt(place, () => call<Schemas["InquiryNumberSet"] | Schemas["InquiryJob"]>("PUT", `/v1/results/${shown.id}/inquiry-number`, { inquiry_number: number.input.value.trim() }));
    if (!done) return;
    fill(place, banner("success", done.state === "registered" ? "登録しました。" : "受け付けました。オンライン資格確認等システムにつながり次第、登録します。"));
  }
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "照会番号"),
    h(
      "form",
      {
        class: "inline-form",
        novalidate: true,
        onsubmit: (event) => {
          event.preventDefault();
          void save();
        },
      },
      number.row,
      h("button", { type: "submit", class: "button" }, "登録する"),
    ),
    place,
    fold("照会番号とは", INQUIRY_NOTES.map((note) => h("p", {}, note))),
  );
}

function meta(shown: Result): HTMLElement {
  return h(
    "dl",
    { class: "meta" },
    [
      ["資格確認日時", moment(shown.checked_at)],
      ["資格確認日", plainDay(shown.confirmed_for)],
      ["端末", shown.terminal],
      ["確認できる期間", `${lastDayBefore(shown.expires_at)}まで`],
    ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

function doubts(shown: Result): HTMLElement {
  const place = h("div", {});
  async function record(): Promise<void> {
    const sure = await ask("記録を残しますか", h("p", {}, "別の方の情報が表示されたことを、日時・担当者・結果の番号とともに記録します。患者の情報は記録に含まれません。続けて、コールセンターに連絡してください。"), [
      ["記録する", true, "primary"],
      ["やめる", false],
    ]);
    if (sure !== true) return;
    const done = await attempt(place, () => call<Schemas["Incident"]>("POST", "/v1/incidents", { kind: "another_person_shown", result: shown.id }));
    if (done) fill(place, banner("success", "記録しました。", h("p", {}, "オンライン資格確認等コールセンター 0800-080-4583（通話無料）に連絡してください。")));
  }
  return h(
    "section",
    { class: "panel panel-quiet" },
    fold("本人か疑わしいとき", h("p", {}, IDENTITY_DOUBT), h("p", {}, "【本人確認書類（例）】", IDENTITY_DOCUMENTS)),
    fold("氏名が大きく異なる・別の方の情報が表示されたとき", h("p", {}, OTHER_PERSON), quiet("別の方の情報が表示されたことを記録する", record), place),
    fold("医療扶助の患者に国保や後期高齢者医療が表示されたとき", h("p", {}, ASSISTANCE_AS_OTHER)),
  );
}
