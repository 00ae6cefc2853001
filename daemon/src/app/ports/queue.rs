//! The durable queue of inquiry numbers (照会番号).

use async_trait::async_trait;
use jiff::Timestamp;

use super::idempotency::Keyed;
use super::store::{AuditEntry, StoreError};
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::merge::Uncertain;
use crate::domain::queue::{BulkId, JobId, Receipt};

/// Whom a number is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The person of a stored result.
    Result(ResultId),
    /// The person with these identifiers, whether or not a result of theirs is stored.
    Person(InsuranceIdentifiers),
}

/// A number as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InquiryRequest {
    /// Whom it is for.
    pub subject: Subject,
    /// The number.
    pub number: InquiryNumber,
}

/// What is asked for: this number for this person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Whose number it is.
    pub person: InsuranceIdentifiers,
    /// The number.
    pub number: InquiryNumber,
    /// The stored result it was asked for; it gets the number also where the store cannot tell whose it is.
    pub result: Option<ResultId>,
}

/// Why a job failed for good. Holds no insured data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InquiryFailure {
    /// No such result, or it is past its retention.
    ResultNotFound,
    /// The result names no insurance.
    PersonUnknown,
    /// The result holds several insurances.
    PersonAmbiguous,
    /// The central system knows nobody with these identifiers.
    PersonNotFound,
    /// The number already belongs to another person.
    NumberInUse,
    /// The central system refused with another code of its own.
    Refused {
        /// Its code.
        code: String,
    },
}

impl InquiryFailure {
    /// The stable code, as in the contract and in the audit log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ResultNotFound => "result_not_found",
            Self::PersonUnknown => "inquiry_person_unknown",
            Self::PersonAmbiguous => "inquiry_person_ambiguous",
            Self::PersonNotFound => "inquiry_person_not_found",
            Self::NumberInUse => "inquiry_number_in_use",
            Self::Refused { .. } => "upstream_refused",
        }
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InquiryEnd {
    /// The central system took the number.
    Registered,
    /// It did not, and never will.
    Failed(InquiryFailure),
}

impl From<Uncertain> for InquiryFailure {
    fn from(uncertain: Uncertain) -> Self {
        match uncertain {
            Uncertain::Nobody => Self::PersonUnknown,
            Uncertain::Several => Self::PersonAmbiguous,
        }
    }
}

/// When a job or bulk was taken in, and when its retention ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intake {
    /// The store's instant of the commit.
    pub taken_at: Timestamp,
    /// First instant at which it is gone: as for results of checks of that day.
    pub expires_at: Timestamp,
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingInquiry {
    /// Its number.
    pub id: JobId,
    /// The bulk it came with.
    pub bulk: Option<BulkId>,
    /// What is asked for.
    pub inquiry: Inquiry,
    /// When it was taken in.
    pub intake: Intake,
    /// The bulk message it went to the central system with, if that was received.
    pub receipt: Option<Receipt>,
}

/// A job that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenIn {
    /// Its number.
    pub id: JobId,
    /// The bulk it came with.
    pub bulk: Option<BulkId>,
    /// What is asked for.
    pub inquiry: Inquiry,
    /// When it was taken in.
    pub intake: Intake,
}

/// Hears of jobs once they are on disk: before their caller does, whether or not that one still waits, and in the order of their
/// numbers, also those of different callers. Its caller may get an error all the same: if only the audit log's anchor could not be
/// written, the jobs stand and are sent. Whoever writes next waits for it, so it must be quick. It is dropped unheard if nothing was
/// taken in.
pub type OnDisk = Box<dyn FnOnce(&[TakenIn]) + Send>;

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InquiryJob {
    /// Its number.
    pub id: JobId,
    /// The bulk it came with.
    pub bulk: Option<BulkId>,
    /// Its place in the bulk, from 0.
    pub position: Option<u32>,
    /// When it was taken in.
    pub taken_at: Timestamp,
    /// How it ended; `None` while it is on its way.
    pub end: Option<InquiryEnd>,
    /// The stored results that got the number.
    pub results: Vec<ResultId>,
}

/// Which jobs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// On their way.
    Queued,
    /// Taken by the central system.
    Registered,
    /// Refused.
    Failed,
}

/// What became of a bulk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkStand {
    /// When it was taken in.
    pub taken_at: Timestamp,
    /// How many items it has.
    pub items: u32,
    /// Items whose number was taken.
    pub registered: u32,
    /// Items that failed.
    pub failed: u32,
    /// A page of its items.
    pub page: Vec<InquiryJob>,
}

/// The durable queue: a job acknowledged is on disk, whatever happens to the process. Reads never return what is past
/// its retention.
#[async_trait]
pub trait InquiryQueue: Send + Sync + 'static {
    /// Takes a job in, with its audit row and the memory of the request in the same transaction; nothing if it is not certain whose
    /// number it is, or if it stands on other people's results or is on its way for them.
    async fn take_in(
        &self,
        asked: &InquiryRequest,
        audit: &AuditEntry,
        request: Option<&Keyed>,
        on_disk: OnDisk,
    ) -> Result<Result<(JobId, Intake), InquiryFailure>, StoreError>;

    /// Takes a bulk in, all or nothing, with its audit row (of the results that jobs were taken in for) and the memory of the request
    /// in the same transaction; items that cannot be sent have ended then. Returns the jobs' numbers in the order of the items.
    async fn take_in_bulk(
        &self,
        items: &[InquiryRequest],
        audit: &AuditEntry,
        request: Option<&Keyed>,
        on_disk: OnDisk,
    ) -> Result<(BulkId, Vec<JobId>, Intake), StoreError>;

    /// All jobs that have not ended, in the order in which they were taken in; one that cannot be read is left out.
    async fn pending(&self) -> Result<Vec<PendingInquiry>, StoreError>;

    /// Ends jobs in one transaction: writes a taken number on every stored result of the person, erases what the job
    /// held of the person, and appends audit rows in the name of who asked. Returns the results changed for each job;
    /// a job that has ended before or has expired stays as it is, and no result says any more that it waits for it.
    async fn end(&self, ends: &[(JobId, InquiryEnd)]) -> Result<Vec<Vec<ResultId>>, StoreError>;

    /// Notes under which receipt number the central system processes jobs, or that it does not (`None`).
    async fn note_receipt(&self, jobs: &[JobId], receipt: Option<&Receipt>) -> Result<(), StoreError>;

    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<InquiryJob>, StoreError>;

    /// Jobs, the newest first: at most `limit` from before a job.
    async fn jobs(
        &self,
        state: Option<JobState>,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<InquiryJob>, StoreError>;

    /// One bulk, with at most `limit` of its items from position `from` on.
    async fn bulk(&self, id: BulkId, from: u32, limit: u32) -> Result<Option<BulkStand>, StoreError>;
}
