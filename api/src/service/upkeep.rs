//! The audit log, retention and the OQS folders, as the contract needs them.

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

    /// The OQS folders, and whether it is on record that their readers need no MFA.
    async fn folder_settings(&self, caller: &Caller) -> Answer<wire::FolderSettings>;

    /// Puts that on record or takes it back, and answers with the settings; audited. [`crate::codes::Code::FoldersNotConfigured`] where
    /// there is no folder to accept.
    async fn set_folder_access(
        &self,
        caller: &Caller,
        access: wire::FolderAccess,
    ) -> Answer<wire::FolderSettings>;
}
