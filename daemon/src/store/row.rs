//! The encrypted part of a stored result: everything that names somebody or says what was found.
//!
//! A row is sealed to its table, number, month and version: bytes moved to another row, or an older version put back,
//! do not open. The number is known before the insert because there is only one writer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::crypto::CryptoError;
use super::job;
use super::keyring::MonthKeys;
use crate::app::ports::{NewResult, Origin, Random, Source, StoreError, StoredResult, TerminalId};
use crate::domain::check::{Method, ResultId};
use crate::domain::eligibility::{Confirmation, Eligibility, Field, ProcessingNote, Validity};
use crate::domain::identifiers::{InquiryNumber, UpstreamResultId};
pub(super) use crate::domain::merge::{person, received_inquiry_number};
use crate::domain::personal::Personal;
use crate::domain::retention::{JstMonth, expiry};

/// What is inside the payload, as JSON. Names are short because they are repeated in every row; a field may be added
/// with `#[serde(default)]`, never renamed.
#[derive(Serialize, Deserialize)]
struct Row<'r> {
    /// Absent, like the method, where another terminal carried out the check.
    #[serde(default)]
    check_id: Option<Cow<'r, str>>,
    terminal: Cow<'r, str>,
    #[serde(default)]
    method: Option<MethodCode>,
    #[serde(default)]
    upstream_id: Option<Cow<'r, str>>,
    origin: OriginCode,
    processed_at: String,
    confirmed_for: String,
    validity: Cow<'r, str>,
    note: Option<Note<'r>>,
    eligibilities: Vec<BTreeMap<Cow<'r, str>, Cow<'r, str>>>,
    inquiry_number: Option<Cow<'r, str>>,
    /// Rows of before there were marks.
    #[serde(default, skip_serializing)]
    pending: Option<PendingRow>,
}

/// A number that is on its way: its job, and why that failed.
#[derive(Deserialize)]
struct PendingRow {
    job: i64,
    failure: Option<String>,
    upstream_code: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Note<'r> {
    code: Cow<'r, str>,
    message: Cow<'r, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MethodCode {
    Visual,
    CardPin,
    Iphone,
    AndroidPin,
}

impl MethodCode {
    fn of(method: Method) -> Self {
        match method {
            Method::Visual => Self::Visual,
            Method::CardPin => Self::CardPin,
            Method::Iphone => Self::Iphone,
            Method::AndroidPin => Self::AndroidPin,
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Visual => Method::Visual,
            Self::CardPin => Method::CardPin,
            Self::Iphone => Method::Iphone,
            Self::AndroidPin => Method::AndroidPin,
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OriginCode {
    Production,
    Sandbox,
}

/// The word for an origin in the database's column.
pub(super) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Production => "production",
        Origin::Sandbox => "sandbox",
    }
}

/// The word for a source in the database's column.
pub(super) fn source_word(source: &Source) -> &'static str {
    match source {
        Source::Own { .. } => "own",
        Source::Elsewhere => "elsewhere",
    }
}

const TABLE: &[u8] = b"results";

/// Where a row stands: what its payload is sealed to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its number.
    pub(super) id: i64,
    /// Month of its check.
    pub(super) month: JstMonth,
    /// Its version.
    pub(super) version: i64,
}

impl Place {
    /// What is sealed for this row in this table.
    pub(super) fn bytes(self, table: &[u8]) -> Vec<u8> {
        // Enough for what callers append: a page of results makes a hundred of these.
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(table);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.month.number().to_be_bytes());
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes
    }
}

/// Seals a result and the person's inquiry number.
pub(super) fn seal(
    keys: &MonthKeys,
    random: &dyn Random,
    place: Place,
    content: &NewResult,
    number: Option<&InquiryNumber>,
) -> Result<Vec<u8>, StoreError> {
    let confirmation = &content.confirmation;
    let (check_id, method) = match &content.source {
        Source::Own { check_id, method } => {
            (Some(Cow::Borrowed(check_id.as_str())), Some(MethodCode::of(*method)))
        }
        Source::Elsewhere => (None, None),
    };
    let row = Row {
        check_id,
        terminal: Cow::Borrowed(&content.terminal.0),
        method,
        upstream_id: confirmation.upstream_id.as_ref().map(|id| Cow::Borrowed(id.as_str())),
        origin: match content.origin {
            Origin::Production => OriginCode::Production,
            Origin::Sandbox => OriginCode::Sandbox,
        },
        processed_at: confirmation.processed_at.to_string(),
        confirmed_for: confirmation.confirmed_for.to_string(),
        validity: Cow::Borrowed(confirmation.validity.code()),
        note: confirmation
            .note
            .as_ref()
            .map(|note| Note { code: Cow::Borrowed(&note.code), message: Cow::Borrowed(&note.message) }),
        eligibilities: confirmation.eligibilities.iter().map(fields_of).collect(),
        inquiry_number: number.map(|number| Cow::Borrowed(number.expose())),
        pending: None,
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(2048));
    serde_json::to_writer(&mut *plain, &row).map_err(|e| StoreError::Failed(e.to_string()))?;
    Ok(keys.payload.seal(random, &place.bytes(TABLE), &plain)?)
}

fn fields_of(eligibility: &Eligibility) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    eligibility
        .iter()
        .map(|(field, value)| (Cow::Borrowed(field.tag()), Cow::Borrowed(value.expose())))
        .collect()
}

/// A row that does not hold what it should.
pub(super) fn corrupt(row: i64, reason: &str) -> StoreError {
    StoreError::Corrupt { table: "results", row, reason: reason.to_owned() }
}

/// Opens a stored row.
pub(super) fn open(keys: &MonthKeys, place: Place, sealed: &[u8]) -> Result<StoredResult, StoreError> {
    let opened = keys.payload.open(&place.bytes(TABLE), sealed);
    read(place, &opened.map_err(|CryptoError| corrupt(place.id, "the payload does not open"))?)
}

/// Reads what is inside the payload.
fn read(place: Place, plain: &[u8]) -> Result<StoredResult, StoreError> {
    let corrupt = |reason: &str| corrupt(place.id, reason);
    // serde_json's message could quote the content.
    let row: Row<'_> = serde_json::from_slice(plain).map_err(|_| corrupt("the payload is not a result"))?;
    let processed_at: Timestamp =
        row.processed_at.parse().map_err(|_| corrupt("the time of the check is unreadable"))?;
    let confirmed_for: Date =
        row.confirmed_for.parse().map_err(|_| corrupt("the day of confirmation is unreadable"))?;
    let inquiry_number = row
        .inquiry_number
        .map(|number| InquiryNumber::parse(&number).map_err(|_| corrupt("the inquiry number is unreadable")))
        .transpose()?;
    let pending = row
        .pending
        .map(|row| job::read_pending(place.id, row.job, row.failure.as_deref(), row.upstream_code))
        .transpose()?;
    let upstream_id = row
        .upstream_id
        .map(|id| {
            UpstreamResultId::parse(&id).map_err(|_| corrupt("the id of the central system is unreadable"))
        })
        .transpose()?;
    let eligibilities = row
        .eligibilities
        .iter()
        .map(|fields| read_fields(fields).ok_or_else(|| corrupt("the payload has an unknown field")))
        .collect::<Result<_, _>>()?;
    let content = NewResult {
        source: match (row.check_id, row.method) {
            (Some(check_id), Some(method)) => {
                Source::Own { check_id: check_id.into_owned(), method: method.method() }
            }
            (None, None) => Source::Elsewhere,
            (Some(_), None) | (None, Some(_)) => return Err(corrupt("half a check")),
        },
        terminal: TerminalId(row.terminal.into_owned()),
        origin: match row.origin {
            OriginCode::Production => Origin::Production,
            OriginCode::Sandbox => Origin::Sandbox,
        },
        confirmation: Confirmation {
            upstream_id,
            processed_at,
            confirmed_for,
            validity: Validity::from_code(&row.validity),
            note: row.note.map(|note| ProcessingNote {
                code: note.code.into_owned(),
                message: note.message.into_owned(),
            }),
            eligibilities,
        },
    };
    Ok(StoredResult {
        id: ResultId(place.id),
        expires_at: expiry(processed_at),
        version: place.version,
        inquiry_number,
        pending,
        content,
    })
}

fn read_fields(fields: &BTreeMap<Cow<'_, str>, Cow<'_, str>>) -> Option<Eligibility> {
    let fields = fields
        .iter()
        .map(|(tag, value)| Some((Field::from_tag(tag)?, Personal::new(value.as_ref()))))
        .collect::<Option<Vec<_>>>()?;
    Some(Eligibility::from_fields(fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ports::{InquiryFailure, PendingNumber};
    use crate::domain::queue::JobId;

    #[test]
    fn a_result_of_before_there_were_marks_still_says_what_became_of_its_number() {
        let place = Place { id: 7, month: JstMonth::from_number(202_607).unwrap(), version: 3 };
        let row = |pending: &str| {
            format!(
                r#"{{"terminal":"t1","origin":"sandbox","processed_at":"2026-07-01T03:00:00Z","confirmed_for":"2026-07-01",
                "validity":"1","note":null,"eligibilities":[],"inquiry_number":null{pending}}}"#
            )
        };
        let pending = |row: &str| read(place, row.as_bytes()).unwrap().pending;
        assert_eq!(pending(&row("")), None);
        let waits = row(r#","pending":{"job":5,"failure":null,"upstream_code":null}"#);
        assert_eq!(pending(&waits), Some(PendingNumber { job: JobId(5), failure: None }));
        let failed = row(r#","pending":{"job":6,"failure":"inquiry_number_in_use","upstream_code":null}"#);
        let failure = Some(InquiryFailure::NumberInUse);
        assert_eq!(pending(&failed), Some(PendingNumber { job: JobId(6), failure }));
    }
}
