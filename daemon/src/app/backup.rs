//! Backups: on an administrator's order at the machine, and audited, because everything leaves with them.

use std::path::Path;
use std::sync::Arc;

use super::access::{MACHINE, audit};
use super::ports::{
    AuditEntry, AuditLog, AuditSource, BackupError, BackupMade, Backups, HearsSteps, StoreError,
};
use crate::domain::personal::Secret;

/// The use case.
pub struct KeepBackups {
    /// Writes them.
    pub store: Arc<dyn Backups>,
    /// The audit log.
    pub log: Arc<dyn AuditLog>,
    /// The kind of data, `production` or `sandbox`.
    pub mode: &'static str,
}

impl KeepBackups {
    /// Writes a backup. The audit log knows of it before anything leaves, and afterwards how it went.
    pub async fn back_up(
        &self,
        directory: &Path,
        recovery: &Secret,
        hears: HearsSteps,
    ) -> Result<BackupMade, BackupError> {
        let failed = |error: StoreError| BackupError::Failed(error.to_string());
        self.log.append(&entry("store.backup_begun", "ok")).await.map_err(failed)?;
        let made = self.store.back_up(directory, recovery, self.mode, hears).await;
        let outcome = if made.is_ok() { "ok" } else { "failed" };
        self.log.append(&entry("store.backup", outcome)).await.map_err(failed)?;
        made
    }
}

fn entry(action: &'static str, outcome: &str) -> AuditEntry {
    audit(MACHINE, AuditSource::Machine, action, outcome.to_owned())
}
