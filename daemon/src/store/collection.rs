//! Collected results and how far the collection is.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Store;
use super::error::failed;
use super::merge::merge;
use super::writer::write;
use crate::app::ports::{AuditEntry, Batch, CollectedResults, Merged, StoreError};
use crate::domain::collection::Progress;

type ProgressRow = (Option<i64>, Option<i64>, Option<i64>, Option<String>, i64, i64);

#[async_trait]
impl CollectedResults for Store {
    async fn merge(&self, batch: Batch, audit: &AuditEntry) -> Result<Merged, StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| Box::pin(async move { merge(tx, &batch, &entry).await })).await
    }

    async fn progress(&self) -> Result<Progress, StoreError> {
        let (run, complete, whole, failure, failures, added): ProgressRow = sqlx::query_as(
            "SELECT last_run_us, last_complete_us, last_whole_us, failure, failures, added FROM collection",
        )
        .fetch_one(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        Ok(Progress {
            last_run: run.and_then(instant),
            last_complete: complete.and_then(instant),
            last_whole: whole.and_then(instant),
            failure,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            added: added.unsigned_abs(),
        })
    }

    async fn set_progress(&self, progress: &Progress) -> Result<(), StoreError> {
        let progress = progress.clone();
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE collection SET last_run_us = ?1, last_complete_us = ?2, last_whole_us = ?3, \
                     failure = ?4, failures = ?5, added = ?6 WHERE id = 1",
                )
                .bind(progress.last_run.map(Timestamp::as_microsecond))
                .bind(progress.last_complete.map(Timestamp::as_microsecond))
                .bind(progress.last_whole.map(Timestamp::as_microsecond))
                .bind(progress.failure)
                .bind(i64::from(progress.failures))
                .bind(i64::try_from(progress.added).unwrap_or(i64::MAX))
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
                Ok(())
            })
        })
        .await
    }
}

fn instant(us: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(us).ok()
}
