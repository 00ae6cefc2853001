//! The audit log's own retention, the only rows of it that ever go; what the front desk wrote down lasts as long.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::audit::ReviewAudit;
use crate::app::desk_records::KeepDeskRecords;
use crate::app::retention::{Retention, Run};

/// How often it is looked at.
const PRUNE_EVERY: Duration = Duration::from_hours(24);
/// How soon again while the clock is not trusted: a clock that runs ahead must not destroy evidence.
const ASK_AGAIN: Duration = Duration::from_mins(10);

/// Removes audit rows and the desk's records past their retention, at the start and every day, under a trusted clock only.
pub(super) async fn prune(
    audit: ReviewAudit,
    records: Arc<KeepDeskRecords>,
    retention: Arc<Retention>,
    keep_years: u8,
    stopping: CancellationToken,
) {
    loop {
        let wait = match retention.run_if_due().await {
            Ok(Run { clock: Ok(_), .. }) => {
                match audit.prune(keep_years).await {
                    Ok(0) => {}
                    Ok(rows) => tracing::info!(rows, "audit rows past their retention were removed"),
                    Err(error) => tracing::error!(%error, "audit rows past their retention were not removed"),
                }
                match records.prune(keep_years).await {
                    Ok(0) => {}
                    Ok(rows) => tracing::info!(rows, "old checklists and incidents were removed"),
                    Err(error) => tracing::error!(%error, "old checklists and incidents were not removed"),
                }
                PRUNE_EVERY
            }
            // Retention itself says why.
            Ok(Run { clock: Err(_), .. }) | Err(_) => ASK_AGAIN,
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
