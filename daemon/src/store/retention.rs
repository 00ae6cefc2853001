//! Purge: removes what has expired for good. Hiding does not depend on it: reads never show expired results.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::Store;
use super::error::failed;
use super::writer::{Command, closed, write};
use crate::app::ports::StoreError;

/// What a purge removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Deleted results.
    pub results: u64,
    /// Months whose keys were destroyed.
    pub months: u64,
}

/// Rows of one transaction: short enough that a check that ends meanwhile does not wait for long.
const ROWS_AT_A_TIME: i64 = 2_000;
const DELETE_RESULTS: &str =
    "DELETE FROM results WHERE id IN (SELECT id FROM results WHERE expires_at_us <= ?1 LIMIT ?2)";
const DELETE_JOBS: &str =
    "DELETE FROM inquiry_jobs WHERE id IN (SELECT id FROM inquiry_jobs WHERE expires_at_us <= ?1 LIMIT ?2)";
const DELETE_BULKS: &str =
    "DELETE FROM inquiry_bulks WHERE id IN (SELECT id FROM inquiry_bulks WHERE expires_at_us <= ?1 LIMIT ?2)";
/// How long readers may hold the checkpoint up.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

impl Store {
    /// Deletes the results and the queue's jobs that have expired at `now`, destroys the keys of their months and empties the WAL.
    ///
    /// `now` must be plausible (synchronised clock, the central system's time, or an administrator's word): what is
    /// destroyed does not come back. The steps are in this order so that a crash between them leaves nothing live
    /// without its key and nothing that the next purge would not finish: rows (expired, so hidden already), then keys
    /// (from here on old pages, WAL frames and copies cannot be read), then the WAL.
    ///
    /// An error after the first step says what is not finished; call it again.
    pub async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
        let now_us = now.as_microsecond();
        // Nothing of the months destroyed here may be inserted or shown afterwards, whatever the clock says.
        self.clock.raise(now_us);
        let results = self.delete_expired(DELETE_RESULTS, now_us).await?;
        // Jobs first: they refer to their bulks.
        self.delete_expired(DELETE_JOBS, now_us).await?;
        self.delete_expired(DELETE_BULKS, now_us).await?;
        let months = write(&self.writer, move |tx| {
            Box::pin(async move {
                let keyring = Arc::clone(&tx.keyring);
                let dropped = tokio::task::spawn_blocking(move || keyring.drop_months(now)).await;
                Ok(dropped
                    .map_err(|_| StoreError::Failed("writing the keyring was interrupted".to_owned()))??)
            })
        })
        .await?;
        self.checkpoint().await?;
        Ok(Purged { results, months })
    }

    async fn delete_expired(&self, statement: &'static str, now_us: i64) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let deleted = write(&self.writer, move |tx| {
                Box::pin(async move {
                    let done = sqlx::query(statement)
                        .bind(now_us)
                        .bind(ROWS_AT_A_TIME)
                        .execute(&mut tx.db)
                        .await
                        .map_err(|e| failed(&e))?;
                    Ok(done.rows_affected())
                })
            })
            .await?;
            all += deleted;
            if deleted == 0 {
                return Ok(all);
            }
        }
    }

    /// Moves the WAL into the database until nothing is left in it; deleted rows lie in the file until then.
    async fn checkpoint(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (reply, answer) = oneshot::channel();
            self.writer.send(Command::Checkpoint(reply)).await.map_err(|_| closed())?;
            // Only the wait for the answer can end early, never the checkpoint.
            let complete =
                timeout_at(deadline, answer).await.map_err(|_| still_read())?.map_err(|_| closed())??;
            if complete {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(still_read());
            }
            sleep(BETWEEN_TRIES).await;
        }
    }
}

fn still_read() -> StoreError {
    StoreError::Failed("readers held the checkpoint up; deleted rows are not overwritten yet".to_owned())
}
