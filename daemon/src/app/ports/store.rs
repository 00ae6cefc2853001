//! Stored results and the audit log.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use tokio::sync::watch;

use super::audit::AuditSource;
use super::queue::InquiryFailure;
use crate::domain::check::{Method, ResultId};
use crate::domain::eligibility::{Confirmation, Validity};
use crate::domain::identifiers::InquiryNumber;
use crate::domain::person_search::PersonFilter;
use crate::domain::queue::JobId;
use crate::domain::retention::JstMonth;

/// Where a result comes from; sandbox data is marked in every answer and never mixes with real data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A real central system.
    Production,
    /// The simulated central system of the sandbox.
    Sandbox,
}

/// A terminal (資格確認端末), by its configured id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId(pub String);

impl TerminalId {
    /// A terminal or phone that this installation does not know, as the central system names it. Configured ids hold
    /// no colon, so it is never taken for one of ours.
    pub fn elsewhere(name: &str) -> Self {
        Self(format!("central:{name}"))
    }
}

/// Which check a result comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A check of this installation.
    Own {
        /// The check: the same check never stores twice.
        check_id: String,
        /// How the identity was confirmed.
        method: Method,
    },
    /// Another terminal or a phone of the facility; how the identity was confirmed there is not known.
    Elsewhere,
}

/// A result to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResult {
    /// Which check it comes from.
    pub source: Source,
    /// The terminal that carried it out.
    pub terminal: TerminalId,
    /// Real or sandbox.
    pub origin: Origin,
    /// What was confirmed.
    pub confirmation: Confirmation,
}

/// An inquiry number that was taken in for a result's person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingNumber {
    /// Its job.
    pub job: JobId,
    /// Why it failed for good; `None` while it is on its way.
    pub failure: Option<InquiryFailure>,
}

/// A stored result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    /// Its number.
    pub id: ResultId,
    /// First instant at which it is gone.
    pub expires_at: Timestamp,
    /// Grows with every change of the stored result.
    pub version: i64,
    /// The person's inquiry number, if known.
    pub inquiry_number: Option<InquiryNumber>,
    /// The last number that was taken in for the person, until it is theirs.
    pub pending: Option<PendingNumber>,
    /// What was stored.
    pub content: NewResult,
}

/// Which results are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultQuery {
    /// Checks carried out at or after this instant.
    pub from: Option<Timestamp>,
    /// Checks carried out before this instant.
    pub until: Option<Timestamp>,
    /// Only checks of this terminal.
    pub terminal: Option<TerminalId>,
    /// Only results with this validity.
    pub validity: Option<Validity>,
    /// Only results on which this inquiry number stands.
    pub inquiry_number: Option<InquiryNumber>,
    /// Only results of such a person.
    pub person: PersonFilter,
    /// Only results with this number or a lower one: what was stored up to then.
    pub up_to: Option<ResultId>,
}

/// Where a page of results (newest first) goes on: the last result of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageAfter {
    /// Time of its check, microseconds since 1970.
    pub checked_at_us: i64,
    /// Its number.
    pub id: ResultId,
}

/// Some results, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The results.
    pub rows: Vec<T>,
    /// Where the next page goes on; `None` at the end. A page can be short, even empty, and still have one, because a
    /// search for a person opens a bounded number of results a call.
    pub next: Option<PageAfter>,
}

/// A result ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadyResult {
    /// Its number.
    pub id: ResultId,
    /// Grows with every change of the stored result.
    pub version: i64,
    /// Time of its check, microseconds since 1970.
    pub checked_at_us: i64,
    /// The place of its last change in the sequence of all changes.
    pub change: i64,
    /// The result in its [`ResultForm`].
    pub body: Vec<u8>,
}

impl fmt::Debug for ReadyResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, version, checked_at_us, change, body: _ } = self;
        write!(f, "ReadyResult({id:?}, version {version}, checked at {checked_at_us}, change {change}, ***)")
    }
}

impl ReadyResult {
    /// Where a page goes on after this result.
    pub fn place(&self) -> PageAfter {
        PageAfter { checked_at_us: self.checked_at_us, id: self.id }
    }
}

impl StoredResult {
    /// Where a page goes on after this result.
    pub fn place(&self) -> PageAfter {
        PageAfter { checked_at_us: self.content.confirmation.processed_at.as_microsecond(), id: self.id }
    }
}

/// How a result is sent. The store renders each once, in the transaction that writes it, and keeps it sealed.
pub trait ResultForm: Send + Sync + 'static {
    /// Grows with every change of the form: what was rendered in an older one is rendered anew when it is read.
    fn number(&self) -> u32;

    /// The result, rendered. It depends on nothing else: neither on the time nor on other results.
    fn render(&self, stored: &StoredResult) -> Result<Vec<u8>, StoreError>;
}

/// Where the stored results stand: as long as it is the same, so is every answer about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultsMark {
    /// Which store it is: another number after a restore and where one begins with nothing.
    pub store: u32,
    /// The last number of the sequence of changes; persistent and never used twice.
    pub change: i64,
    /// The month of the store's instant: when it goes on, older results have expired.
    pub month: JstMonth,
}

/// Who did what, for the audit log. Holds no insured data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The account, `machine` for a command on the machine, or the program itself (`daemon`).
    pub actor: String,
    /// What was done, for example `result.read`.
    pub action: &'static str,
    /// From where.
    pub source: AuditSource,
    /// The terminal, if one was named.
    pub terminal: Option<TerminalId>,
    /// The results it was about.
    pub results: Vec<ResultId>,
    /// `ok`, or a stable error code.
    pub outcome: String,
}

/// What a caller can do about a failed store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full: free space, then go on.
    #[error("the disk is full")]
    DiskFull,
    /// The store did not answer or failed; nothing was changed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A stored row could not be read back: names table, row and reason, never the content.
    #[error("stored row {row} of {table} is unreadable: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Its row.
        row: i64,
        /// Why.
        reason: String,
    },
}

/// Stored results. Reads never return a result at or after its expiry.
#[async_trait]
pub trait ResultStore: Send + Sync + 'static {
    /// Stores a result and its audit row in one transaction; a check already stored returns its result's number.
    async fn insert(&self, result: &NewResult, audit: &AuditEntry) -> Result<ResultId, StoreError>;

    /// One result, searchable or not.
    async fn get(&self, id: ResultId) -> Result<Option<StoredResult>, StoreError>;

    /// How many searchable results there are.
    async fn count(&self, query: &ResultQuery) -> Result<u64, StoreError>;

    /// Searchable results, newest first, at most `limit`.
    async fn page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<StoredResult>, StoreError>;

    /// One result, ready to be sent, searchable or not.
    async fn ready(&self, id: ResultId) -> Result<Option<ReadyResult>, StoreError>;

    /// Searchable results, ready to be sent, newest first, at most `limit`.
    async fn ready_page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<ReadyResult>, StoreError>;

    /// Searchable results that were stored or changed after this place in the sequence, oldest change first, at most
    /// `limit`. A result that changed twice comes once, with its last change.
    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ReadyResult>, StoreError>;

    /// The highest number of a stored result, 0 if there is none; every later one is higher. The cut-off of an export.
    async fn newest(&self) -> Result<ResultId, StoreError>;

    /// Where the stored results stand, from memory; changes after every commit that touched them, and when the month goes
    /// on. Whoever reads takes the mark first: then what he read is at least as new as his mark says.
    fn news(&self) -> watch::Receiver<ResultsMark>;

    /// Where they stand now, for whoever does not wait for the next change: every poll asks.
    fn mark(&self) -> ResultsMark;
}

/// The audit log: append-only.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Appends and commits; the answer it speaks of leaves only afterwards.
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;
}
