//! The audit log and retention, as the contract needs them.

use async_trait::async_trait;

use super::{Answer, Caller};
use crate::wire;

/// The part of [`super::Service`] about the installation itself; administrators only.
#[async_trait]
pub trait UpkeepService: Send + Sync + 'static {
    /// A page of the audit log, the oldest row first; that it was looked at is a row as well.
    async fn audit(&self, caller: &Caller, query: wire::AuditQuery) -> Answer<wire::AuditPage>;

    /// What is kept, what is hidden, what is due.
    async fn retention(&self, caller: &Caller) -> Answer<wire::RetentionStatus>;
}
