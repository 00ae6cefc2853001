//! CSV: one line a person's eligibility, so several lines for 複数該当 and one line without fields for 該当資格なし.
//!
//! RFC 4180 with CRLF; a header line always; every value in quotes, an absent one without, so that leading spaces and
//! zeros survive; UTF-8 starts with a byte order mark, without which spreadsheets take it for Shift_JIS.
//!
//! **Formulas**: a spreadsheet would carry out a cell that begins with `=`, `+`, `-` or `@` (or their full-width forms).
//! Where the first character that is not a space is one of those, or is an apostrophe itself, one apostrophe stands
//! before the whole value. A program that reads the file takes one leading apostrophe away from a value that has one, and
//! has what was stored.

use std::borrow::Cow;

use super::text::{SANDBOX, Values, iso_day, rfc3339, validity};
use super::{Charset, Document, Form, Row, Totals};
use crate::domain::check::Method;
use crate::domain::eligibility::{Eligibility, Field};
use crate::domain::remarks::{Disclosure, disclosure};

/// A column: its stable name (as in the JSON form), its heading in the file, and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name in the documentation.
    pub name: &'static str,
    /// Its heading in the file.
    pub heading: &'static str,
    /// What it holds, in Japanese.
    pub meaning: &'static str,
    cell: Cell,
}

/// Where the value of a column comes from.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Field(Field),
    Of(fn(&Line<'_>) -> Option<Cow<'static, str>>),
}

/// What a line is about.
struct Line<'a> {
    row: &'a Row<'a>,
    /// Its place among the eligibilities of the result, from 1; `None` without any.
    person: Option<(usize, &'a Eligibility)>,
}

const fn of(
    name: &'static str,
    heading: &'static str,
    meaning: &'static str,
    cell: fn(&Line<'_>) -> Option<Cow<'static, str>>,
) -> Column {
    Column { name, heading, meaning, cell: Cell::Of(cell) }
}

const fn field(name: &'static str, heading: &'static str, meaning: &'static str, field: Field) -> Column {
    Column { name, heading, meaning, cell: Cell::Field(field) }
}

/// The columns, in their order. New ones are added at the end.
pub const COLUMNS: &[Column] = &[
    of("id", "結果番号", "結果の番号。同じ番号の行は同じ結果です", |line| {
        number(&line.row.id.0)
    }),
    of("version", "版", "保存した結果が変わるたびに増える番号", |line| {
        number(&line.row.version)
    }),
    of(
        "eligibility_count",
        "資格情報の件数",
        "通常は1、複数該当では2以上、該当資格なしでは0",
        |line| number(&line.row.confirmation.eligibilities.len()),
    ),
    of(
        "eligibility_index",
        "資格情報の順番",
        "1からの順番。該当資格なしでは空欄",
        |line| line.person.and_then(|(index, _)| number(&index)),
    ),
    of("checked_at", "資格確認日時", "処理実行日時（日本時間、RFC 3339）", |line| {
        owned(rfc3339(line.row.confirmation.processed_at))
    }),
    of("confirmed_for", "資格確認日", "どの日の資格か（YYYY-MM-DD）", |line| {
        owned(iso_day(line.row.confirmation.confirmed_for))
    }),
    of("terminal", "端末", "資格確認を行った端末", |line| owned(line.row.terminal.to_owned())),
    of(
        "method",
        "本人確認方法",
        "visual 目視、card_pin 暗証番号、iphone、android_pin。ほかの端末での確認では空欄",
        |line| line.row.method.map(|method| Cow::Borrowed(method_word(method))),
    ),
    of(
        "validity.raw",
        "資格有効性コード",
        "1 有効、2 無効、3 無効（新しい資格あり）、4 該当資格なし、5 複数該当",
        |line| owned(line.row.confirmation.validity.code().to_owned()),
    ),
    of("validity.label", "資格有効性", "資格有効性の表示名", |line| {
        Some(Cow::Borrowed(validity(&line.row.confirmation.validity)))
    }),
    of(
        "note.code",
        "処理結果コード",
        "正常な応答に付いていた知らせのコード",
        |line| line.row.confirmation.note.as_ref().and_then(|note| owned(note.code.clone())),
    ),
    of(
        "note.message",
        "処理結果メッセージ",
        "正常な応答に付いていた知らせの文",
        |line| line.row.confirmation.note.as_ref().and_then(|note| owned(note.message.clone())),
    ),
    of("expires_at", "参照期限", "参照できなくなる日時（日本時間、RFC 3339）", |line| {
        owned(rfc3339(line.row.expires_at))
    }),
    of(
        "sandbox",
        "模擬",
        "サンドボックスの結果では、使わないよう求める文。本番では空欄",
        |line| line.row.sandbox.then_some(Cow::Borrowed(SANDBOX)),
    ),
    of(
        "withheld",
        "不開示",
        "none なし、part 一部の項目がない、all すべての項目がない",
        |line| line.person.map(|(_, person)| Cow::Borrowed(disclosure_word(disclosure(person)))),
    ),
    field("reference_number", "照会番号", "患者の照会番号（登録後の値）", Field::ReferenceNumber),
    field(
        "classification.code",
        "区分コード",
        "01 一般、05 特別療養費支給対象者、07 自衛官、A1 医療扶助",
        Field::InsuredCardClassification,
    ),
    of("classification.label", "区分", "区分の表示名", |line| {
        line.person.and_then(|(_, person)| person.classification()).and_then(|known| owned(known.label()))
    }),
    field("insurer_number", "保険者番号", "8文字。短い番号は左を空白で埋めています", Field::InsurerNumber),
    field("insurer_name", "保険者名", "医療扶助では自治体・福祉事務所", Field::InsurerName),
    field("insured_card_symbol", "記号", "20文字まで。全角のことがあります", Field::InsuredCardSymbol),
    field(
        "insured_identification_number",
        "番号",
        "20文字まで。先頭の0に意味があります",
        Field::InsuredIdentificationNumber,
    ),
    field("insured_branch_number", "枝番", "2桁。後期高齢者医療制度では空欄", Field::InsuredBranchNumber),
    field(
        "personal_family_classification",
        "本人・家族の別",
        "1 本人、2 家族",
        Field::PersonalFamilyClassification,
    ),
    field("insured_name", "被保険者氏名", "国保では世帯主。医療扶助では空欄", Field::InsuredName),
    field("name", "氏名", "●のまま請求に使えます", Field::Name),
    field("name_of_other", "氏名（その他）", "裏面記載情報の氏名", Field::NameOfOther),
    field("name_kana", "フリガナ", "小さい文字が大きい文字のことがあります", Field::NameKana),
    field("name_of_other_kana", "氏名カナ（その他）", "裏面記載情報の氏名カナ", Field::NameOfOtherKana),
    field("sex1", "性別1", "1 男、2 女、3 未設定", Field::Sex1),
    field("sex2", "性別2", "裏面記載情報の性別。1 男、2 女、3 未設定", Field::Sex2),
    field("birthdate", "生年月日", "YYYYMMDD。19000101 は不明（医療扶助のみ）", Field::Birthdate),
    field("address", "住所", "受け取ったとおり", Field::Address),
    field("post_number", "郵便番号", "受け取ったとおり", Field::PostNumber),
    field("qualification_date", "資格取得年月日", "YYYYMMDD", Field::QualificationDate),
    field("disqualification_date", "資格喪失年月日", "YYYYMMDD", Field::DisqualificationDate),
    field(
        "insured_certificate_issuance_date",
        "交付年月日",
        "YYYYMMDD",
        Field::InsuredCertificateIssuanceDate,
    ),
    field("insured_card_valid_date", "有効開始日", "YYYYMMDD", Field::InsuredCardValidDate),
    field(
        "insured_card_expiration_date",
        "有効終了日",
        "YYYYMMDD。通常は空欄",
        Field::InsuredCardExpirationDate,
    ),
    field(
        "insured_partial_contribution_ratio",
        "負担割合",
        "010 は1割。後期高齢者医療制度のみ",
        Field::InsuredPartialContributionRatio,
    ),
    field("preschool_classification", "未就学区分", "1 未就学該当", Field::PreschoolClassification),
    field(
        "reason_of_loss",
        "資格喪失事由",
        "01 死亡、02 生活保護受給開始、03 医療保険等の資格取得、99 その他",
        Field::ReasonOfLoss,
    ),
    field(
        "elderly_recipient_certificate.date",
        "高齢受給者証交付年月日",
        "YYYYMMDD",
        Field::ElderlyRecipientCertificateDate,
    ),
    field(
        "elderly_recipient_certificate.valid_start_date",
        "高齢受給者証有効開始日",
        "YYYYMMDD",
        Field::ElderlyRecipientValidStartDate,
    ),
    field(
        "elderly_recipient_certificate.valid_end_date",
        "高齢受給者証有効終了日",
        "YYYYMMDD",
        Field::ElderlyRecipientValidEndDate,
    ),
    field(
        "elderly_recipient_certificate.contribution_ratio",
        "高齢受給者証負担割合",
        "020 は2割",
        Field::ElderlyRecipientContributionRatio,
    ),
];

#[expect(clippy::unnecessary_wraps, reason = "every cell of the table has this type")]
fn owned(text: String) -> Option<Cow<'static, str>> {
    Some(Cow::Owned(text))
}

fn number(number: &impl ToString) -> Option<Cow<'static, str>> {
    owned(number.to_string())
}

fn method_word(method: Method) -> &'static str {
    match method {
        Method::Visual => "visual",
        Method::CardPin => "card_pin",
        Method::Iphone => "iphone",
        Method::AndroidPin => "android_pin",
    }
}

fn disclosure_word(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::Full => "none",
        Disclosure::Part => "part",
        Disclosure::Nothing => "all",
    }
}

pub(super) struct Csv;

impl Form for Csv {
    fn begin(&self, document: &Document, text: &mut String) {
        if document.charset == Charset::Utf8 {
            text.push('\u{FEFF}');
        }
        line(COLUMNS.iter().map(|column| Some(Cow::Borrowed(column.heading))), text);
    }

    fn row(&self, _: &Document, row: &Row<'_>, _: bool, values: &mut Values, text: &mut String) {
        let people = &row.confirmation.eligibilities;
        if people.is_empty() {
            cells(&Line { row, person: None }, values, text);
        }
        for (index, person) in people.iter().enumerate() {
            cells(&Line { row, person: Some((index + 1, person)) }, values, text);
        }
    }

    fn end(&self, _: Totals, _: &mut String) {}
}

fn cells(of: &Line<'_>, values: &mut Values, text: &mut String) {
    let cells = COLUMNS.iter().map(|column| {
        let value = match column.cell {
            Cell::Field(field) => {
                of.person.and_then(|(_, person)| of.row.field(person, field)).map(Cow::Borrowed)
            }
            Cell::Of(cell) => cell(of),
        };
        value.map(|value| Cow::Owned(values.plain(&value).into_owned()))
    });
    line(cells, text);
}

fn line<'a>(cells: impl Iterator<Item = Option<Cow<'a, str>>>, text: &mut String) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        if let Some(cell) = cell.filter(|cell| !cell.is_empty()) {
            text.push('"');
            if needs_guard(&cell) {
                text.push('\'');
            }
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        }
    }
    text.push_str("\r\n");
}

/// Whether a spreadsheet would take the value for a formula, or a reader our apostrophe for its own.
fn needs_guard(cell: &str) -> bool {
    let first = cell.trim_start().chars().next();
    first.is_some_and(|first| matches!(first, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\''))
}
