//! What an administrator does while no daemon runs: restore a backup, set the data aside.

use std::path::PathBuf;
use std::sync::Arc;

use super::{StartError, open_store, store_paths};
use crate::app::access::MACHINE;
use crate::app::ports::{AuditEntry, AuditLog as _, AuditSource, Clock, Random};
use crate::app::tasks::Tasks;
use crate::config::Config;
use crate::store::{self, RecoveryKey, Restored, ToRestore};

/// Restores a backup for this configuration; no daemon runs meanwhile.
pub(crate) async fn restore_backup(
    config: &Config,
    asked: ToRestore<'_>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Restored, StartError> {
    let restored = store::restore(&store_paths(config), asked, &**clock, random).await?;
    // Opened once before anything listens: the schema is brought up to date and the log says what happened.
    let tasks = Tasks::default();
    let store = open_store(config, clock, random, &tasks).await?;
    let entry = AuditEntry {
        actor: MACHINE.to_owned(),
        action: "store.restored",
        source: AuditSource::Machine,
        terminal: None,
        results: Vec::new(),
        outcome: format!("ok:{}", restored.header.created_us),
    };
    let noted = store.append(&entry).await;
    store.close().await;
    tasks.finish().await;
    noted?;
    Ok(restored)
}

/// Sets aside whatever data there is, so that the next start begins with nothing.
pub(crate) fn start_empty(config: &Config, clock: &dyn Clock) -> Result<Option<PathBuf>, StartError> {
    Ok(store::start_empty(&store_paths(config), clock.now())?)
}

/// A new recovery key as text.
pub(crate) fn recovery_key(random: &dyn Random) -> zeroize::Zeroizing<String> {
    RecoveryKey::generate(random)
}
