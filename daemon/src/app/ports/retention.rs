//! Destroying what has expired.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{AuditEntry, StoreError};
use crate::domain::retention::JstMonth;

/// What a purge removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Deleted results.
    pub results: u64,
    /// Months whose keys were destroyed.
    pub months: u64,
}

/// What is kept of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthStock {
    /// The month of the checks, in Japan time.
    pub month: JstMonth,
    /// Stored results, hidden ones included.
    pub results: u64,
    /// First instant at which they must be gone.
    pub expires_at: Timestamp,
}

/// The last purge that was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastPurge {
    /// When, by the store's instant.
    pub at: Timestamp,
    /// What it removed.
    pub purged: Purged,
}

/// What is kept, and how destroying stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The months of which anything is kept, the oldest first.
    pub months: Vec<MonthStock>,
    /// The store's instant: what expires at or before it is hidden.
    pub instant: Timestamp,
    /// The latest instant seen while the clock was plausible.
    pub plausible: Timestamp,
    /// A purge began and has not ended.
    pub unfinished: bool,
    /// The last purge that ended.
    pub last: Option<LastPurge>,
    /// Whether the space kept back for purging on a full disk is there.
    pub ballast: bool,
}

/// What the store does about what has expired. Hiding is not part of it: reads never show it.
#[async_trait]
pub trait RetentionStore: Send + Sync + 'static {
    /// What is kept.
    async fn stock(&self) -> Result<Stock, StoreError>;

    /// Whether anything must be destroyed at this instant, or a purge was cut short. Asks no disk.
    fn is_due(&self, now: Timestamp) -> bool;

    /// Whether a purge was begun and has not ended. Asks no disk.
    fn is_unfinished(&self) -> bool;

    /// Since when something hidden waits to be destroyed, if anything does. Asks no disk.
    fn overdue_since(&self) -> Option<Timestamp>;

    /// Takes a plausible instant for the present: after a clock that ran ahead, what it hid too early shows again. Gives
    /// the ballast back its space besides.
    async fn settle(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Destroys what has expired at `now`, which must be plausible; the audit row is committed before the keys go.
    async fn purge(&self, now: Timestamp, audit: &AuditEntry) -> Result<Purged, StoreError>;
}

/// Whether there is space for new work.
pub trait StoreRoom: Send + Sync + 'static {
    /// `StoreError::DiskFull` below the low-water mark.
    fn has_room(&self) -> Result<(), StoreError>;
}
