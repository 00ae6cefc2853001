/** The items of a result: their numbers, labels and notes in the words of the manual (資格確認結果の取扱い・留意事項, 1.80版). */

import type { Schemas } from "../api";
import { inEra, inFull } from "../kit/era";

type Eligibility = Schemas["Eligibility"];

export interface Item {
  /** The manual's number; system-specific items have none. */
  readonly number?: number;
  readonly label: string;
  readonly value: (of: Eligibility) => string | undefined;
  /** 項目説明 and 照会結果に係る留意事項. */
  readonly notes: readonly string[];
}

const SEX: Record<string, string> = { "1": "男", "2": "女", "3": "未設定" };
const FAMILY: Record<string, string> = { "1": "本人", "2": "家族" };
const LOSS: Record<string, string> = { "01": "死亡", "02": "生活保護受給開始", "03": "医療保険等の資格取得", "99": "その他" };

/** A code's word; a code that nobody knows is shown as it came. */
const word = (words: Record<string, string>, code: string | undefined) => (code === undefined ? undefined : (words[code] ?? `不明（${code}）`));

const ratio = (code: string | undefined) => (code !== undefined && /^0\d0$/.test(code) ? `${code.charAt(1)}割` : code);

const birthdate = (day: string | undefined) => (day === undefined ? undefined : day === "19000101" ? "不明（1900-01-01）" : inEra(day));

const day = (text: string | undefined) => (text === undefined ? undefined : inFull(text));

const NAME_NOTE = [
  "「●」が含まれる：医療保険者等がオンライン資格確認等システムで扱える文字の範囲外の文字で登録をしている場合、「●」で表示されます。",
  "第1水準・第2水準漢字だけを使うレセコンには、第3水準以降の文字の一部を第1水準・第2水準漢字に変換して提供します。変換できないものは「●」になります。",
  "表示された「●」の内容のまま、レセプト請求していただくことが可能です。",
];

/** 照会番号. */
export const INQUIRY_NOTES = [
  "施術所等からオンライン資格確認の資格情報に対して任意で登録する番号です。診察券番号・カルテ番号等の、患者を一意に特定する番号を登録します。",
  "登録すると、オンライン資格確認の際に、登録した照会番号を付加して資格確認結果を提供します。",
  "一度登録すれば、患者の保険者が変わっても、同一人であれば同じ照会番号で管理されるため、スムーズに患者の特定ができます。",
];

/** 資格情報, in the order of the screen C-04-01-A of the manual. */
export const ELIGIBILITY: readonly Item[] = [
  { number: 13, label: "保険者番号", value: (e) => e.insurer_number?.trim(), notes: [] },
  {
    number: 14,
    label: "保険者名",
    value: (e) => e.insurer_name,
    notes: ["医療扶助の場合は、自治体・福祉事務所に該当します。", "各種証類に記載されている「保険者所在地」「保険者連絡先」については提供されません。"],
  },
  { number: 8, label: "記号", value: (e) => e.insured_card_symbol, notes: [] },
  { number: 8, label: "番号", value: (e) => e.insured_identification_number, notes: [] },
  { number: 8, label: "枝番", value: (e) => e.insured_branch_number, notes: ["空欄になっている：後期高齢者医療制度の場合、空欄となります。"] },
  {
    number: 2,
    label: "フリガナ",
    value: (e) => e.name_kana,
    notes: [
      "空欄になっている：医療保険者等に可能な限りデータ登録を依頼している項目ではありますが、任意項目であるため、該当情報が空白となる場合があります。",
      "資格確認書における記載との違い：小文字が大文字になっている場合（例：キョウがキヨウ）については、現在保険者にて修正対応中です。",
    ],
  },
  { number: 1, label: "氏名", value: (e) => e.name, notes: NAME_NOTE },
  {
    number: 6,
    label: "生年月日",
    value: (e) => birthdate(e.birthdate),
    notes: ["「1900-01-01」と表示されている：医療扶助の場合において、生活保護受給者の生年月日が不明な場合は、「1900-01-01」が設定されます。"],
  },
  { number: 4, label: "性別", value: (e) => word(SEX, e.sex1), notes: ["資格確認書の表面記載の性別となります。"] },
  {
    number: 7,
    label: "区分",
    value: (e) => e.classification?.label,
    notes: [
      "区分を示す項目となります。",
      "令和6年12月2日より、一般、特別療養費支給対象者、自衛官、医療扶助のいずれかを表示します。",
      "令和6年12月1日以前の区分からの変更：被保険者証（一般）→ 一般、被保険者資格証明書 → 特別療養費支給対象者、自衛官診療証 → 自衛官、医療扶助は変更なし。被保険者証（退職）、短期被保険者証（一般・退職）、特例退職被保険者証は欠番です。",
    ],
  },
  {
    number: 11,
    label: "有効開始日",
    value: (e) => day(e.insured_card_valid_date),
    notes: [
      "各保険資格における次の項目に該当しますが、日付が異なる場合があります。被用者保険・国保組合・船員保険：資格取得年月日（認定年月日）、市町村国保：適用開始年月日、後期高齢者医療制度：資格取得年月日・発効期日。",
      "日付が異なる理由：市町村国保では年次の更新日、市町村国保以外では更新日や事業所変更日としている場合があります。",
    ],
  },
  {
    number: 12,
    label: "有効終了日",
    value: (e) => day(e.insured_card_expiration_date),
    notes: ["原則として空欄で返却されますが、保険者によっては更新日や75歳到達日前日を入れている場合があります。"],
  },
  { label: "資格喪失年月日", value: (e) => day(e.disqualification_date), notes: [] },
  {
    number: 15,
    label: "負担割合",
    value: (e) => ratio(e.insured_partial_contribution_ratio),
    notes: ["空欄になっている：「一部負担金割合」は後期高齢医療の場合のみ割合を設定し、それ以外の制度では空白を設定します。"],
  },
  {
    number: 9,
    label: "本人・家族の別",
    value: (e) => word(FAMILY, e.personal_family_classification),
    notes: [
      "被保険者本人（国保の場合は世帯主）か家族かを表す項目となります。",
      "空欄になっている：後期高齢者医療制度の場合、加入するのは本人のみであることから空欄となります。",
    ],
  },
  {
    number: 10,
    label: "被保険者氏名",
    value: (e) => e.insured_name,
    notes: [
      "「本人・家族の別」が「本人」の場合、加入者の氏名が表示されます。「家族」の場合、加入者を扶養している被保険者（国保の場合は世帯主）の氏名が表示されます。",
      "空欄になっている：医療扶助の場合、空欄となります。",
    ],
  },
];

/** What the screen shows for 医療扶助, and nothing else. */
export const ASSISTANCE: readonly Item[] = [
  { number: 14, label: "福祉事務所名", value: (e) => e.insurer_name, notes: ["医療扶助の場合は、自治体・福祉事務所に該当します。"] },
  ...ELIGIBILITY.filter((item) => ["フリガナ", "氏名", "生年月日", "性別", "区分"].includes(item.label)),
];

/** 要配慮情報（備考）: 裏面記載情報. */
export const SENSITIVE: readonly Item[] = [
  { number: 3, label: "氏名カナ", value: (e) => e.name_of_other_kana, notes: [] },
  {
    number: 3,
    label: "氏名",
    value: (e) => e.name_of_other,
    notes: ["通称等の理由で、本名とは別の氏名を資格確認書の表面に記載している場合、本項目では対象者本人の本名が裏面記載情報に設定されます。"],
  },
  {
    number: 5,
    label: "性別",
    value: (e) => word(SEX, e.sex2),
    notes: ["資格確認書の裏面記載の戸籍上の性別となります。", "対象者本人から、資格確認書の表面に性別を記載されることを希望しない届出があった場合に裏面記載情報に設定されます。"],
  },
];

/** 高齢受給者証. */
export const ELDERLY: readonly Item[] = [
  { label: "交付年月日", value: (e) => day(e.elderly_recipient_certificate?.date), notes: [] },
  { label: "有効開始日", value: (e) => day(e.elderly_recipient_certificate?.valid_start_date), notes: [] },
  { label: "有効終了日", value: (e) => day(e.elderly_recipient_certificate?.valid_end_date), notes: [] },
  { label: "負担割合", value: (e) => ratio(e.elderly_recipient_certificate?.contribution_ratio), notes: [] },
];

/** オンライン資格確認システム固有項目. The inquiry number can be changed in a field of its own besides. */
export const SYSTEM: readonly Item[] = [
  {
    label: "資格取得年月日",
    value: (e) => day(e.qualification_date),
    notes: ["加入者資格の取得日となります。", "医療扶助の場合は、原則、生活保護が開始又は再開した年月日を設定します。"],
  },
  {
    label: "未就学区分",
    value: (e) => (e.preschool_classification === "1" ? "未就学該当" : e.preschool_classification),
    notes: ["義務教育就学前の患者への2割負担の適用が漏れないように、生年月日を基に年齢を算出し、対象者の場合には未就学であることをお知らせします。"],
  },
  {
    label: "資格喪失事由",
    value: (e) => word(LOSS, e.reason_of_loss),
    notes: ["資格を喪失した理由として、死亡、生活保護受給開始、その他のいずれかが設定されます。", "75歳到達日を設定している場合など、喪失していない段階でも、設定されることがあります。"],
  },
  { label: "照会番号", value: (e) => e.reference_number, notes: INQUIRY_NOTES },
];
