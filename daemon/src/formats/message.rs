//! The message `XmlMsg` of one result: which elements, in which order. How it is written down (XML, JSON) is a
//! [`Notation`]'s business.
//!
//! As the national system's own answer to a check with a My Number card: every value a string, an absent field an
//! omitted element. `ResultList` is absent where nothing was found; a result withheld in full is an empty element.

use std::borrow::Cow;

use super::text::{Values, date_time};
use super::{Charset, Document, Row};
use crate::domain::eligibility::{Eligibility, Field, format_date};

/// 照会区分: every check is one of a My Number card, also the official app's.
const BY_CARD: &str = "1";

/// 処理結果区分 and 処理結果状況: a stored result is one of a successful request.
const SUCCESS: &str = "1";

/// The element that holds the fields of 高齢受給者証.
const ELDERLY_RECIPIENT: &str = "ElderlyRecipientCertificateInfo";

/// How elements are written down.
pub(super) trait Notation {
    fn open(&mut self, tag: &'static str);
    fn close(&mut self, tag: &'static str);
    /// An element with a text. The value holds no control characters.
    fn text(&mut self, tag: &'static str, value: &str);
    fn open_list(&mut self, tag: &'static str);
    fn close_list(&mut self, tag: &'static str);
    fn open_item(&mut self);
    fn close_item(&mut self);
}

/// Writes the message of one result; `bytes` are those that the notation ends up in.
pub(super) fn write(
    document: &Document,
    bytes: Charset,
    row: &Row<'_>,
    values: &mut Values,
    to: &mut dyn Notation,
) {
    let confirmation = row.confirmation;
    to.open("XmlMsg");
    to.open("MessageHeader");
    to.text("ProcessExecutionTime", &date_time(confirmation.processed_at));
    to.text("QualificationConfirmationDate", &format_date(confirmation.confirmed_for));
    to.text("MedicalInstitutionCode", document.institution.as_str());
    to.text("ReferenceClassification", BY_CARD);
    to.text("SegmentOfResult", SUCCESS);
    to.text("CharacterCodeIdentifier", if bytes == Charset::Utf8 { "0" } else { "1" });
    to.close("MessageHeader");
    to.open("MessageBody");
    to.text("ProcessingResultStatus", SUCCESS);
    if let Some(note) = &confirmation.note {
        given(to, values, "ProcessingResultCode", Some(&note.code));
        given(to, values, "ProcessingResultMessage", Some(&note.message));
    }
    given(to, values, "QualificationValidity", Some(confirmation.validity.code()));
    if !confirmation.eligibilities.is_empty() {
        to.open_list("ResultList");
        for eligibility in &confirmation.eligibilities {
            to.open_item();
            person(row, eligibility, values, to);
            to.close_item();
        }
        to.close_list("ResultList");
    }
    to.close("MessageBody");
    to.close("XmlMsg");
}

fn person(row: &Row<'_>, eligibility: &Eligibility, values: &mut Values, to: &mut dyn Notation) {
    to.open("ResultOfQualificationConfirmation");
    let mut nested = false;
    for field in Field::ALL.iter().copied() {
        let Some(value) = row.field(eligibility, field).map(|value| values.plain(value)) else { continue };
        // A value that is nothing but a variation selector is none in a smaller set.
        if value.is_empty() {
            continue;
        }
        if field.in_elderly_recipient_certificate() != nested {
            nested = !nested;
            if nested { to.open(ELDERLY_RECIPIENT) } else { to.close(ELDERLY_RECIPIENT) }
        }
        let value = if field == Field::InsurerNumber { padded(value) } else { value };
        to.text(field.tag(), &value);
    }
    if nested {
        to.close(ELDERLY_RECIPIENT);
    }
    to.close("ResultOfQualificationConfirmation");
}

/// 保険者番号: eight characters, padded on the left with spaces.
fn padded(number: Cow<'_, str>) -> Cow<'_, str> {
    if number.chars().count() < 8 { Cow::Owned(format!("{number:>8}")) } else { number }
}

fn given(to: &mut dyn Notation, values: &mut Values, tag: &'static str, value: Option<&str>) {
    if let Some(value) = value.map(|value| values.plain(value)).filter(|value| !value.is_empty()) {
        to.text(tag, &value);
    }
}
