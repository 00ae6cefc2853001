//! A job of the queue as it lies in the database: its sealed part, and the words of its columns.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use zeroize::Zeroizing;

use super::keyring::{Keyring, MonthKeys};
use super::row;
use crate::app::ports::{Inquiry, InquiryEnd, InquiryFailure, InquiryJob, PendingNumber, Random, StoreError};
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::personal::Personal;
use crate::domain::queue::{BulkId, JobId};
use crate::domain::retention::JstMonth;

/// What is inside the payload, as JSON; a field may be added with `#[serde(default)]`, never renamed.
#[derive(Serialize, Deserialize)]
struct Payload<'p> {
    insurer_number: Cow<'p, str>,
    symbol: Option<Cow<'p, str>>,
    number: Cow<'p, str>,
    branch: Option<Cow<'p, str>>,
    inquiry_number: Cow<'p, str>,
    result: Option<i64>,
}

/// What a payload is sealed to. A payload never changes, so there is one version.
fn place(id: JobId, month: JstMonth) -> Vec<u8> {
    const VERSION: i64 = 1;
    let mut bytes = b"inquiry_jobs".to_vec();
    bytes.extend_from_slice(&id.0.to_be_bytes());
    bytes.extend_from_slice(&month.number().to_be_bytes());
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes
}

/// Seals what a job is about.
pub(super) fn seal(
    keys: &MonthKeys,
    random: &dyn Random,
    id: JobId,
    month: JstMonth,
    inquiry: &Inquiry,
) -> Result<Vec<u8>, StoreError> {
    let person = &inquiry.person;
    let payload = Payload {
        insurer_number: Cow::Borrowed(person.insurer_number.expose()),
        symbol: person.symbol.as_ref().map(|text| Cow::Borrowed(text.expose())),
        number: Cow::Borrowed(person.number.expose()),
        branch: person.branch.as_ref().map(|text| Cow::Borrowed(text.expose())),
        inquiry_number: Cow::Borrowed(inquiry.number.expose()),
        result: inquiry.result.map(|id| id.0),
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(512));
    serde_json::to_writer(&mut *plain, &payload).map_err(|e| StoreError::Failed(e.to_string()))?;
    Ok(keys.queue.seal(random, &place(id, month), &plain)?)
}

/// Opens what a job is about.
pub(super) fn open(keyring: &Keyring, id: JobId, month: i32, sealed: &[u8]) -> Result<Inquiry, StoreError> {
    let corrupt = |reason: &str| corrupt(id.0, reason);
    let month = JstMonth::from_number(month).ok_or_else(|| corrupt("its month is no month"))?;
    let keys = keyring.month(month).ok_or_else(|| corrupt("its month has no key"))?;
    let plain =
        keys.queue.open(&place(id, month), sealed).map_err(|_| corrupt("the payload does not open"))?;
    // serde_json's message could quote the content.
    let payload: Payload<'_> =
        serde_json::from_slice(&plain).map_err(|_| corrupt("the payload is not a job"))?;
    let personal = |text: Cow<'_, str>| Personal::new(text.into_owned());
    Ok(Inquiry {
        person: InsuranceIdentifiers {
            insurer_number: personal(payload.insurer_number),
            symbol: payload.symbol.map(personal),
            number: personal(payload.number),
            branch: payload.branch.map(personal),
        },
        number: InquiryNumber::parse(&payload.inquiry_number)
            .map_err(|_| corrupt("the inquiry number is unreadable"))?,
        result: payload.result.map(ResultId),
    })
}

fn corrupt(row: i64, reason: &str) -> StoreError {
    StoreError::Corrupt { table: "inquiry_jobs", row, reason: reason.to_owned() }
}

/// The columns of a failure: our code, and the central system's.
pub(super) fn failure_words(failure: &InquiryFailure) -> (&'static str, Option<String>) {
    let upstream = match failure {
        InquiryFailure::Refused { code } => Some(code.clone()),
        InquiryFailure::ResultNotFound
        | InquiryFailure::PersonUnknown
        | InquiryFailure::PersonAmbiguous
        | InquiryFailure::PersonNotFound
        | InquiryFailure::NumberInUse => None,
    };
    (failure.code(), upstream)
}

/// The failure of these columns.
pub(super) fn read_failure(word: &str, upstream_code: Option<String>) -> Option<InquiryFailure> {
    let plain = [
        InquiryFailure::ResultNotFound,
        InquiryFailure::PersonUnknown,
        InquiryFailure::PersonAmbiguous,
        InquiryFailure::PersonNotFound,
        InquiryFailure::NumberInUse,
    ];
    let refused = InquiryFailure::Refused { code: upstream_code.unwrap_or_default() };
    plain.into_iter().chain([refused]).find(|failure| failure.code() == word)
}

/// What a result says of the number of a job.
pub(super) fn read_pending(
    result: i64,
    job: i64,
    failure: Option<&str>,
    upstream_code: Option<String>,
) -> Result<PendingNumber, StoreError> {
    let unknown = || row::corrupt(result, "the failure of its number is unknown");
    let failure = failure.map(|word| read_failure(word, upstream_code).ok_or_else(unknown)).transpose()?;
    Ok(PendingNumber { job: JobId(job), failure })
}

/// Results as the column holds them.
pub(super) fn pack(results: &[ResultId]) -> Vec<u8> {
    results.iter().flat_map(|id| id.0.to_be_bytes()).collect()
}

/// A job's clear columns.
#[derive(FromRow)]
pub(super) struct Job {
    id: i64,
    bulk_id: Option<i64>,
    position: Option<u32>,
    taken_at_us: i64,
    state: String,
    failure: Option<String>,
    upstream_code: Option<String>,
    results: Vec<u8>,
}

impl Job {
    /// What became of it.
    pub(super) fn read(self) -> Result<InquiryJob, StoreError> {
        let corrupt = |reason: &str| corrupt(self.id, reason);
        let end = match (self.state.as_str(), &self.failure) {
            ("queued", _) => None,
            ("registered", _) => Some(InquiryEnd::Registered),
            ("failed", Some(word)) => Some(InquiryEnd::Failed(
                read_failure(word, self.upstream_code.clone())
                    .ok_or_else(|| corrupt("its failure is unknown"))?,
            )),
            _ => return Err(corrupt("its state is unknown")),
        };
        let (ids, []) = self.results.as_chunks::<8>() else { return Err(corrupt("its results are cut")) };
        Ok(InquiryJob {
            id: JobId(self.id),
            bulk: self.bulk_id.map(BulkId),
            position: self.position,
            taken_at: Timestamp::from_microsecond(self.taken_at_us)
                .map_err(|_| corrupt("its time is beyond the calendar"))?,
            end,
            results: ids.iter().map(|id| ResultId(i64::from_be_bytes(*id))).collect(),
        })
    }
}
