/** A result (資格確認結果): validity at a glance, every item with the manual's notes, copy, inquiry number. */

import { call, text, type Schemas } from "../api";
import { attempt, problem, type Screen, show, toast } from "../frame";
import { append, type Child, fill, h, later } from "../kit/dom";
import { inEra, lastDayBefore, moment, plainDay } from "../kit/era";
import { banner, button, heading, primary } from "../kit/parts";
import { drawn, type PictureName } from "../kit/pictures";
import { ASSISTANCE_NOTE, CASES, CERTIFICATE_GRACE, METHODS, SCREENSHOTS } from "../text/manual";
import { ASSISTANCE, ELDERLY, ELIGIBILITY, type Item, SENSITIVE, SYSTEM } from "../text/items";
import { copyText } from "../kit/clipboard";
import { doubts } from "./doubts";
import { type InquiryForm, inquiryNumber } from "./inquiry-number";

type Result = Schemas["EligibilityResult"];
type Person = Schemas["Eligibility"];

/** Fetches a result and shows it. */
export async function resultById(id: number, back: () => Screen, certificate?: Schemas["Certificate"]): Promise<void> {
  try {
    show(result(await call<Result>("GET", `/v1/results/${id}`), certificate, back));
  } catch (error) {
    show({ title: "資格確認結果", body: [heading("結果を表示できません"), problem(error), primary("戻る", () => show(back()))] });
  }
}

function result(shown: Result, certificate: Schemas["Certificate"] | undefined, back: () => Screen): Screen {
  const place = h("div", {});
  const people = shown.eligibilities;
  const close = () => show(back());
  const keys = (event: KeyboardEvent) => event.key === "Escape" && !event.repeat && document.querySelector("dialog") === null && close();
  document.addEventListener("keydown", keys);
  const parts = people.map((person, index) => eligibility(person, people.length > 1 ? index + 1 : undefined));
  const article = h(
    "article",
    { class: "result" },
    h("h1", { class: "visually-hidden", tabindex: "-1" }, "資格確認結果"),
    h(
      "div",
      { class: "result-head" },
      verdict(shown),
      h(
        "div",
        { class: "result-actions" },
        people.length > 0 && button([drawn("copy", 20), "コピー"], () => copy(shown.id, place)),
        // The focus is here, so that a screen reader says with it what the result is.
        primary(["閉じる", h("kbd", {}, "Esc")], close, { "data-focus": "", "aria-describedby": VERDICT }),
      ),
    ),
    shown.sandbox && h("p", { class: "sandbox" }, "サンドボックス（模擬）の結果です。業務には使わないでください。"),
    aboutCertificate(certificate),
    shown.note && banner("info", shown.note.message, h("p", { class: "small" }, shown.note.code)),
    place,
    parts.map(([section]) => section),
  );
  let inquiry: InquiryForm | undefined;
  // What nobody sees at first does not keep staff waiting for what they look for.
  later(() => {
    if (!article.isConnected) return;
    for (const [section, rest] of parts) append(section, rest());
    inquiry = people.length > 0 ? inquiryNumber(shown) : undefined;
    append(article, [inquiry?.element, meta(shown), doubts(shown.id), h("p", { class: "small" }, SCREENSHOTS)]);
  });
  return {
    title: "資格確認結果",
    body: article,
    leave: () => {
      inquiry?.end();
      document.removeEventListener("keydown", keys);
    },
  };
}

const VERDICT = "verdict";

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
    { id: VERDICT, class: `verdict verdict-${tone}`, role: "status" },
    h("span", { class: "verdict-shape" }, drawn(shape, 56)),
    h(
      "div",
      { class: "verdict-text" },
      h("p", { class: "verdict-word" }, verdictWord(shown.validity)),
      person?.name && h("p", { class: "verdict-name" }, person.name, born(person)),
      h("p", { class: "verdict-explained" }, explained(shown)),
    ),
  );
}

/** Only while the check is on the screen: nothing of the certificate is stored. One that is in order gets a quiet line. */
function aboutCertificate(certificate: Schemas["Certificate"] | undefined): Child {
  if (!certificate?.warning) return false;
  if (certificate.state === "valid") return h("p", { class: "small" }, certificate.warning);
  return banner("warning", "電子証明書について", h("p", {}, certificate.warning), h("p", {}, CERTIFICATE_GRACE));
}

const born = (person: Person): Child => person.birthdate !== undefined && person.birthdate !== "19000101" && h("span", { class: "verdict-born" }, `${inEra(person.birthdate)}生`);

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

/** A person's eligibility: the items that are looked for, and what follows below them. */
function eligibility(person: Person, position: number | undefined): [HTMLElement, () => Child[]] {
  const assistance = person.classification?.code === "A1";
  const section = h("section", { class: "panel" }, block(position === undefined ? "資格情報" : `資格情報 ${position}`, assistance ? ASSISTANCE : ELIGIBILITY, person));
  return [
    section,
    () => [
      assistance && banner("info", "医療扶助です。", h("p", {}, ASSISTANCE_NOTE)),
      person.elderly_recipient_certificate && block("高齢受給者証", ELDERLY, person),
      block("要配慮情報（備考）", SENSITIVE, person),
      !assistance && block("オンライン資格確認システム固有項目", SYSTEM, person),
      person.warnings.length > 0 && h("ul", { class: "warnings" }, person.warnings.map((warning) => h("li", {}, drawn("info", 20), warning.message))),
    ],
  ];
}

/** A table of items. What is blank stays visible as blank: that it is, tells something too. */
function block(title: string, items: readonly Item[], person: Person): HTMLElement {
  const half = Math.ceil(items.length / 2);
  const column = (part: readonly Item[]) => h("dl", {}, part.map((item) => row(item, item.value(person))));
  return h("section", { class: "block" }, h("h2", {}, title), h("div", { class: "items" }, column(items.slice(0, half)), column(items.slice(half))));
}

function row(item: Item, value: string | undefined): HTMLElement {
  return h(
    "div",
    { class: "item" },
    h("dt", {}, h("span", { class: "item-number" }, item.number ?? "－"), item.label),
    h("dd", {}, h("span", { class: value === undefined || value === "" ? "item-blank" : "item-value" }, value || "（空欄）"), item.notes.length > 0 && notes(item)),
  );
}

/** The manual's notes of an item, made when somebody asks for them. */
function notes(item: Item): Child {
  let shown: HTMLElement | undefined;
  const toggle = h(
    "button",
    {
      type: "button",
      class: "item-info",
      "aria-expanded": "false",
      "aria-label": `${item.label}の説明`,
      onclick: () => {
        const open = toggle.getAttribute("aria-expanded") !== "true";
        shown ??= h("div", { class: "item-notes" }, item.notes.map((note) => h("p", {}, note)));
        if (open) toggle.after(shown);
        else shown.remove();
        toggle.setAttribute("aria-expanded", String(open));
      },
    },
    drawn("info", 20),
  );
  return toggle;
}

async function copy(id: number, place: HTMLElement): Promise<void> {
  await attempt(place, async () => {
    const copied = await copyText(text(`/v1/results/${id}?format=text`, "text/plain"));
    if (copied) toast("コピーしました。");
    else fill(place, banner("error", "コピーできませんでした。", h("p", {}, "もう一度「コピー」を押してください。")));
  });
}

function meta(shown: Result): HTMLElement {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["資格確認日時", moment(shown.checked_at)],
    ["資格確認日", plainDay(shown.confirmed_for)],
    ["本人確認", shown.method && METHODS[shown.method].name],
    ["端末", shown.terminal],
    ["確認できる期間", `${lastDayBefore(shown.expires_at)}まで`],
  ];
  return h("dl", { class: "meta" }, rows.map(([name, value]) => value !== undefined && h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
