//! The text of the official app's copy button, which software in 柔整 clinics takes from the clipboard.
//!
//! Lines `label<TAB>value` with CRLF. The labels of the main section are always all there, an absent value blank, so that
//! a reader that goes on from an earlier patient never keeps that patient's value. Sections of the back and of
//! 高齢受給者証 only where there is something in them. What the app has no line for is said in lines of our own
//! (`資格有効性`, `備考`), and only where it matters, so that the text of an ordinary result is exactly the app's.
//!
//! For 複数該当 no labelled values are written: a reader would take one of several insurances, or mix them. The
//! candidates are named in one line each, for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::text::{SANDBOX, Values, validity};
use super::{Document, Form, Row, Totals};
use crate::domain::eligibility::{Classification, Eligibility, Field, Validity, parse_date};
use crate::domain::era::in_era;
use crate::domain::remarks::{Disclosure, disclosure};

pub(super) struct CopiedText;

impl Form for CopiedText {
    fn begin(&self, _: &Document, _: &mut String) {}

    fn row(&self, _: &Document, row: &Row<'_>, first: bool, values: &mut Values, text: &mut String) {
        if !first {
            text.push_str("\r\n");
        }
        let mut to = Lines { values, text };
        result(row, &mut to);
    }

    fn end(&self, _: Totals, _: &mut String) {}
}

struct Lines<'a> {
    values: &'a mut Values,
    text: &'a mut String,
}

impl Lines<'_> {
    fn section(&mut self, name: &str) {
        self.text.push_str(name);
        self.text.push_str("\r\n");
    }

    fn line(&mut self, label: &str, value: &str) {
        self.text.push_str(label);
        self.text.push('\t');
        let value = self.values.plain(value);
        self.text.push_str(&value);
        self.text.push_str("\r\n");
    }
}

fn result(row: &Row<'_>, to: &mut Lines<'_>) {
    let confirmation = row.confirmation;
    to.section("資格情報");
    let day = confirmation.confirmed_for.strftime("%Y年%m月%d日").to_string();
    to.line("確認日 : ", &day);
    if confirmation.validity != Validity::Valid {
        to.line("資格有効性", validity(&confirmation.validity));
    }
    if row.sandbox {
        to.line("備考", SANDBOX);
    }
    match confirmation.eligibilities.as_slice() {
        [] => {}
        [person] if disclosure(person) == Disclosure::Nothing => {
            to.line("備考", "資格情報は不開示です。患者が保険者に情報不開示の申請をしています。");
        }
        [person] => one_person(person, to),
        several => candidates(several, to),
    }
}

fn one_person(person: &Eligibility, to: &mut Lines<'_>) {
    let assistance = person.classification() == Some(Classification::MedicalAssistance);
    // 医療扶助: the app shows these six only, and the office under its own label.
    let lines: &[(&str, Field)] = if assistance { ASSISTANCE } else { ORDINARY };
    section(person, lines, to);
    optional_section("裏面記載情報", person, BACK, to);
    if !assistance {
        optional_section("高齢受給者証", person, ELDERLY_RECIPIENT, to);
    }
}

const ORDINARY: &[(&str, Field)] = &[
    ("保険者番号", Field::InsurerNumber),
    ("保険者名", Field::InsurerName),
    ("記号", Field::InsuredCardSymbol),
    ("番号", Field::InsuredIdentificationNumber),
    ("枝番", Field::InsuredBranchNumber),
    ("フリガナ", Field::NameKana),
    ("氏名", Field::Name),
    ("生年月日", Field::Birthdate),
    ("性別", Field::Sex1),
    ("証区分", Field::InsuredCardClassification),
    ("有効開始日", Field::InsuredCardValidDate),
    ("有効終了日", Field::InsuredCardExpirationDate),
    ("資格取得年月日", Field::QualificationDate),
    ("負担割合", Field::InsuredPartialContributionRatio),
    ("本人・家族の別", Field::PersonalFamilyClassification),
    ("被保険者氏名", Field::InsuredName),
];

const ASSISTANCE: &[(&str, Field)] = &[
    ("福祉事務所名", Field::InsurerName),
    ("フリガナ", Field::NameKana),
    ("氏名", Field::Name),
    ("生年月日", Field::Birthdate),
    ("性別", Field::Sex1),
    ("証区分", Field::InsuredCardClassification),
];

const BACK: &[(&str, Field)] =
    &[("氏名カナ", Field::NameOfOtherKana), ("氏名", Field::NameOfOther), ("性別", Field::Sex2)];

const ELDERLY_RECIPIENT: &[(&str, Field)] = &[
    ("有効開始日", Field::ElderlyRecipientValidStartDate),
    ("有効終了日", Field::ElderlyRecipientValidEndDate),
    ("負担割合", Field::ElderlyRecipientContributionRatio),
];

fn section(person: &Eligibility, lines: &[(&str, Field)], to: &mut Lines<'_>) {
    for (label, field) in lines {
        to.line(label, &shown(person, *field));
    }
}

fn optional_section(name: &str, person: &Eligibility, lines: &[(&str, Field)], to: &mut Lines<'_>) {
    if lines.iter().any(|(_, field)| person.get(*field).is_some()) {
        to.section(name);
        section(person, lines, to);
    }
}

fn candidates(people: &[Eligibility], to: &mut Lines<'_>) {
    to.line("備考", "複数の資格が該当しました。どの資格かを患者に確認し、結果を個別に入力してください。");
    for (index, person) in people.iter().enumerate() {
        let part = |field| shown(person, field);
        let mut shown = format!("{}（{}）", part(Field::InsurerName), part(Field::InsurerNumber));
        for field in
            [Field::InsuredCardSymbol, Field::InsuredIdentificationNumber, Field::InsuredBranchNumber]
        {
            let _ = write!(shown, " {}", part(field));
        }
        to.line(&format!("該当資格{}", index + 1), shown.trim_end());
    }
}

/// A field as the app shows it; blank where absent, as received where it is not understood.
fn shown(person: &Eligibility, field: Field) -> Cow<'_, str> {
    let raw = person.get(field).map_or("", |value| value.expose());
    let word = match field {
        Field::InsurerNumber => return Cow::Borrowed(raw.trim_start_matches(' ')),
        Field::InsuredCardClassification => person.classification().map(|known| known.label()),
        Field::Sex1 | Field::Sex2 => sex(raw).map(str::to_owned),
        Field::PersonalFamilyClassification => family(raw).map(str::to_owned),
        Field::InsuredPartialContributionRatio | Field::ElderlyRecipientContributionRatio => ratio(raw),
        Field::Birthdate => birthdate(raw),
        Field::InsuredCardValidDate
        | Field::InsuredCardExpirationDate
        | Field::QualificationDate
        | Field::ElderlyRecipientValidStartDate
        | Field::ElderlyRecipientValidEndDate => {
            parse_date(raw).map(|date| date.strftime("%Y年%m月%d日").to_string())
        }
        _ => None,
    };
    word.map_or(Cow::Borrowed(raw), Cow::Owned)
}

fn sex(code: &str) -> Option<&'static str> {
    match code {
        "1" => Some("男"),
        "2" => Some("女"),
        "3" => Some("未設定"),
        _ => None,
    }
}

fn family(code: &str) -> Option<&'static str> {
    match code {
        "1" => Some("本人"),
        "2" => Some("家族"),
        _ => None,
    }
}

/// `010` → 1割.
fn ratio(code: &str) -> Option<String> {
    match code.as_bytes() {
        [b'0', tenths @ b'0'..=b'9', b'0'] => Some(format!("{}割", char::from(*tenths))),
        _ => None,
    }
}

/// In the Japanese era; an unknown one (医療扶助) as the manual says that it is shown.
fn birthdate(text: &str) -> Option<String> {
    match text {
        "19000101" => Some("1900-01-01".to_owned()),
        text => parse_date(text).and_then(in_era),
    }
}
