//! Stored results and the audit log.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::check::{Method, ResultId};
use crate::domain::eligibility::{Confirmation, Validity};
use crate::domain::identifiers::InquiryNumber;

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
}

/// Where a page of results (newest first) goes on: the last result of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageAfter {
    /// Time of its check, microseconds since 1970.
    pub checked_at_us: i64,
    /// Its number.
    pub id: ResultId,
}

/// Who did what, for the audit log. Holds no insured data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The account, or the program itself (`daemon`).
    pub actor: String,
    /// What was done, for example `result.read`.
    pub action: &'static str,
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
    ) -> Result<Vec<StoredResult>, StoreError>;

    /// Sets the inquiry number on every stored result of the same person as result `id` (design: same insurance
    /// identifiers), with the audit row in the same transaction; returns the results changed, empty if `id` is gone.
    async fn set_inquiry_number(
        &self,
        id: ResultId,
        number: &InquiryNumber,
        audit: &AuditEntry,
    ) -> Result<Vec<ResultId>, StoreError>;
}

/// The audit log: append-only.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Appends and commits; the answer it speaks of leaves only afterwards.
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;
}
