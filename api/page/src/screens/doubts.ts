/** What to do where a result and the person before the desk do not fit, and writing it down (manual chapter 3, questions 5, 7 and 9). */

import { call, type Schemas } from "../api";
import { attempt } from "../frame";
import { fill, h } from "../kit/dom";
import { ask, banner, fold, quiet } from "../kit/parts";
import { INCIDENTS, MEASURES } from "../text/incidents";
import { ASSISTANCE_AS_OTHER, CONTACTS, IDENTITY_DOCUMENTS, IDENTITY_DOUBT, OTHER_PERSON } from "../text/manual";
import { certificates } from "./tables";

type Measure = Schemas["IncidentMeasure"];
const ALL_MEASURES = Object.keys(MEASURES) as Measure[];

/** Folded: most patients give no reason to read it. */
export function doubts(result: number): HTMLElement {
  const place = h("div", {});
  return h(
    "section",
    { class: "panel panel-quiet", "aria-label": "困ったとき" },
    place,
    fold("本人か疑わしいとき", h("p", {}, IDENTITY_DOUBT), h("p", {}, "【本人確認書類（例）】", IDENTITY_DOCUMENTS), quiet("疑いがあったことを記録する", () => record(place, result, "identity_in_doubt"))),
    fold("氏名が大きく異なる・別の方の情報が表示されたとき", h("p", {}, OTHER_PERSON), quiet("別の方の情報が表示されたことを記録する", () => record(place, result, "another_person_shown"))),
    fold("医療扶助の患者に国保や後期高齢者医療が表示されたとき", h("p", {}, ASSISTANCE_AS_OTHER)),
    fold("ほかの資格証類も確認できるか（○・×）", certificates()),
  );
}

async function record(place: HTMLElement, result: number, kind: Schemas["IncidentKind"]): Promise<void> {
  const ticks = ALL_MEASURES.map((measure) => [measure, h("input", { type: "checkbox" })] as const);
  const body = [
    h("p", {}, "日時・担当者・結果の番号とともに記録します。患者の情報は記録に含まれません。"),
    h("fieldset", {}, h("legend", {}, "行ったこと"), ticks.map(([measure, tick]) => h("label", { class: "tick" }, tick, h("span", {}, MEASURES[measure])))),
  ];
  if ((await ask(`「${INCIDENTS[kind]}」ことを記録しますか`, body, [["記録する", true, "primary"], ["やめる", false]])) !== true) return;
  const incident: Schemas["NewIncident"] = { kind, result, measures: ticks.filter(([, tick]) => tick.checked).map(([measure]) => measure) };
  const done = await attempt(place, () => call<Schemas["Incident"]>("POST", "/v1/incidents", incident));
  if (done) fill(place, banner("success", "記録しました。", kind === "another_person_shown" && h("p", {}, `${CONTACTS[0]?.name ?? ""}に連絡してください。`, h("br"), CONTACTS[0]?.lines[0])));
}
