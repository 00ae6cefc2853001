//! What is kept of the central system beside our own checks: results from elsewhere, announcements, and how far we are.

use async_trait::async_trait;
use jiff::Timestamp;

use super::central::LinkedResult;
use super::store::{AuditEntry, Origin, StoreError};
use crate::domain::announcement::Announcement;
use crate::domain::check::ResultId;
use crate::domain::collection::Progress;

/// Fetched results on their way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The results, as they came; the same one may be in it twice.
    pub results: Vec<LinkedResult>,
    /// Real or sandbox.
    pub origin: Origin,
    /// When they were asked for: an inquiry number set here since then is newer than what they say.
    pub asked_at: Timestamp,
}

/// What a batch became.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// New rows.
    pub added: Vec<ResultId>,
    /// Rows that got another inquiry number.
    pub updated: Vec<ResultId>,
    /// How many were stored already and stay as they are.
    pub known: u64,
    /// How many were past their retention and were not looked at.
    pub expired: u64,
}

/// Takes in what other terminals and phones of the facility confirmed.
#[async_trait]
pub trait CollectedResults: Send + Sync + 'static {
    /// Merges a batch in one transaction with its audit row, which names the rows added and updated; a batch that
    /// changes nothing writes nothing. Doing it again changes nothing.
    async fn merge(&self, batch: Batch, audit: &AuditEntry) -> Result<Merged, StoreError>;

    /// How far the collection is.
    async fn progress(&self) -> Result<Progress, StoreError>;

    /// Keeps how far the collection is.
    async fn set_progress(&self, progress: &Progress) -> Result<(), StoreError>;
}

/// An announcement as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnnouncement {
    /// Grows with every announcement that arrives or changes.
    pub arrival: i64,
    /// The announcement.
    pub content: Announcement,
}

/// Announcements, and what of them each account has been shown.
#[async_trait]
pub trait Announcements: Send + Sync + 'static {
    /// All that are kept, the newest first.
    async fn announcements(&self) -> Result<Vec<KeptAnnouncement>, StoreError>;

    /// Makes these the only ones kept. One that is unchanged keeps its arrival.
    async fn replace_announcements(&self, announcements: &[Announcement]) -> Result<(), StoreError>;

    /// Notes that an account signs in now, and returns the last arrival that was there when it signed in before.
    async fn signed_in(&self, account: &str) -> Result<i64, StoreError>;

    /// The last arrival that was there at the account's sign-in before its latest; 0 if there was none.
    async fn seen_before(&self, account: &str) -> Result<i64, StoreError>;
}
