//! What the front desk writes down for later: the checklist of safe devices, and incidents. Neither names a patient.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{AuditEntry, StoreError, TerminalId};
use crate::domain::checklist::Done;
use crate::domain::incident::Incident;

/// The checklist as somebody filled it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChecklistRecord {
    /// When: the store's instant, which never goes back.
    pub at: Timestamp,
    /// Sign-in name of whoever did.
    pub by: String,
    /// For which terminal, if one was named.
    pub terminal: Option<TerminalId>,
    /// What was ticked.
    pub done: Done,
}

/// An incident as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRecord {
    /// Its number.
    pub id: i64,
    /// When: the store's instant, which never goes back.
    pub at: Timestamp,
    /// Sign-in name of whoever wrote it down.
    pub by: String,
    /// At which terminal, if one was named.
    pub terminal: Option<TerminalId>,
    /// What happened.
    pub incident: Incident,
}

/// Where it is kept. Who and at which terminal is in the audit row, which is written in the same transaction.
#[async_trait]
pub trait DeskRecords: Send + Sync + 'static {
    /// Keeps a filled-in checklist; earlier ones stay.
    async fn record_checklist(&self, done: &Done, audit: &AuditEntry) -> Result<ChecklistRecord, StoreError>;

    /// The checklists of the past, the newest first, at most `limit`.
    async fn checklists(&self, limit: u32) -> Result<Vec<ChecklistRecord>, StoreError>;

    /// Keeps an incident; `None` if there is no such result, or none any more.
    async fn record_incident(
        &self,
        incident: &Incident,
        audit: &AuditEntry,
    ) -> Result<Option<IncidentRecord>, StoreError>;

    /// Incidents, the newest first, at most `limit` with a number below `before`.
    async fn incidents(&self, before: Option<i64>, limit: u32) -> Result<Vec<IncidentRecord>, StoreError>;

    /// Removes what was written down before an instant; how many rows.
    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError>;
}
