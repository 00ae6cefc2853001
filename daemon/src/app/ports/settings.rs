//! Settings that staff change while the daemon runs.

use async_trait::async_trait;

use super::store::{AuditEntry, StoreError};
use crate::domain::admission::SecuritySettings;

/// Where settings are kept.
#[async_trait]
pub trait Settings: Send + Sync + 'static {
    /// The security settings as they are.
    async fn security(&self) -> Result<SecuritySettings, StoreError>;

    /// Changes the security settings, with the audit row in the same transaction.
    async fn set_security(&self, settings: SecuritySettings, audit: &AuditEntry) -> Result<(), StoreError>;
}
