/** Words for what is written down at the desk. */

import type { Schemas } from "../api";

export const INCIDENTS: Record<Schemas["IncidentKind"], string> = {
  another_person_shown: "別の方の情報が表示された",
  identity_in_doubt: "本人であることに疑いがあった",
};

export const MEASURES: Record<Schemas["IncidentMeasure"], string> = {
  call_centre_contacted: "オンライン資格確認等コールセンターに連絡した",
  documents_asked_for: "本人確認書類の提示を求めた",
  checked_again: "もう一度資格確認を行った",
  confirmed_otherwise: "資格確認書など、ほかの方法で確認した",
  insurer_asked: "保険者や福祉事務所に確認した",
};
