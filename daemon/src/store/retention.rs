//! Purge: removes what has expired for good. Hiding does not depend on it: reads never show expired results.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::Sqlite;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::ballast::Ballast;
use super::direct::{self, DirectTx};
use super::error::failed;
use super::files::FileError;
use super::keyring::KeyringError;
use super::writer::{Command, closed, write};
use super::{Store, accounts, audit, pending};
use crate::app::ports::{
    AuditEntry, LastPurge, MonthStock, Purged, RetentionStore, Stock, StoreError, StoreRoom,
};
use crate::domain::retention::JstMonth;

/// Every table whose rows end, with the statement that deletes those that have ended at `?1` (microseconds since 1970),
/// at most `?2` of them, and the answer whether they are results. A row that another table's row refers to comes after
/// it. Whatever has a column `expires_at_us` stands here; a test looks.
const EXPIRING: [(&str, &str); 6] = [
    (
        "results",
        "DELETE FROM results WHERE id IN (SELECT id FROM results WHERE expires_at_us <= ?1 LIMIT ?2)",
    ),
    (
        "inquiry_jobs",
        "DELETE FROM inquiry_jobs WHERE id IN (SELECT id FROM inquiry_jobs WHERE expires_at_us <= ?1 LIMIT ?2)",
    ),
    (
        "inquiry_bulks",
        "DELETE FROM inquiry_bulks WHERE id IN (SELECT id FROM inquiry_bulks WHERE expires_at_us <= ?1 LIMIT ?2)",
    ),
    (
        "enrolment_codes",
        "DELETE FROM enrolment_codes WHERE hash IN \
         (SELECT hash FROM enrolment_codes WHERE expires_at_us <= ?1 LIMIT ?2)",
    ),
    (
        "folder_files",
        "DELETE FROM folder_files WHERE id IN (SELECT id FROM folder_files WHERE expires_at_us <= ?1 LIMIT ?2)",
    ),
    (
        "idempotency",
        "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency WHERE expires_at_us <= ?1 LIMIT ?2)",
    ),
];

/// Rows of one transaction: short enough that a check that ends meanwhile does not wait for long.
const ROWS_AT_A_TIME: i64 = 2_000;
/// Results of one transaction that wait for a purged job no longer: each is sealed and written anew.
const MARKS_AT_A_TIME: i64 = 200;
/// How long readers of other processes may hold the checkpoint up; ours are asked to step aside.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);
/// How far the persisted mark of plausible instants may lie behind, in microseconds: ten minutes. Only a purge needs it
/// exact, and persists it itself.
const MARK_LAG_US: i64 = 600_000_000;
/// How far the store's instant may be ahead of a plausible one before it is set, in microseconds: one second.
const AHEAD_US: i64 = 1_000_000;

impl Store {
    /// Deletes everything that has expired at `now`, destroys the keys of its months and empties the WAL.
    ///
    /// `now` must be plausible (synchronised clock, the central system's time, or an administrator's word): what is
    /// destroyed does not come back. The steps are in this order so that a crash between them leaves nothing live
    /// without its key and nothing that the next purge would not finish: rows (expired, so hidden already), then keys
    /// (from here on old pages, WAL frames and copies cannot be read), then the WAL.
    ///
    /// On a full disk the ballast gives its space first. An error after the first step says what is not finished; call
    /// it again.
    pub async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
        self.destroy(now, None).await
    }

    async fn destroy(&self, now: Timestamp, entry: Option<AuditEntry>) -> Result<Purged, StoreError> {
        let now_us = now.as_microsecond();
        self.with_ballast(Ballast::give_up).await?;
        // Nothing of the months destroyed here may be inserted or shown afterwards, whatever the clock says.
        self.begin(now_us).await?;
        let mut results = 0;
        for (table, delete) in EXPIRING {
            let deleted = self.delete_expired(delete, now_us).await?;
            results += if table == "results" { deleted } else { 0 };
        }
        // By a commit of its own: the keyring is written before the transaction that asks for it commits, which may fail.
        if let Some(entry) = entry {
            write(&self.writer, |tx| Box::pin(async move { audit::append(tx, &entry, &[]).await })).await?;
        }
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
        self.forget_purged_jobs().await?;
        let purged = Purged { results, months };
        self.end(now_us, purged).await?;
        self.give_back().await;
        self.with_ballast(Ballast::restore).await?;
        Ok(purged)
    }

    /// Takes the instant for plausible and notes that a purge has begun.
    async fn begin(&self, now_us: i64) -> Result<(), StoreError> {
        self.unfinished.store(true, Ordering::Release);
        self.settle_at(now_us, "UPDATE retention SET unfinished = 1 WHERE id = 1").await
    }

    async fn settle_at(&self, now_us: i64, besides: &'static str) -> Result<(), StoreError> {
        write(&self.writer, move |tx| {
            Box::pin(async move {
                let (high_us, plausible_us) = tx.clock.settle(now_us);
                sqlx::query("UPDATE clock SET high_water_us = ?1, plausible_us = ?2 WHERE id = 1")
                    .bind(high_us)
                    .bind(plausible_us)
                    .execute(&mut tx.db)
                    .await
                    .map_err(|e| failed(&e))?;
                accounts::come_down(tx, high_us, MARK_LAG_US).await?;
                sqlx::raw_sql(besides).execute(&mut tx.db).await.map_err(|e| failed(&e))?;
                Ok(())
            })
        })
        .await
    }

    async fn end(&self, now_us: i64, purged: Purged) -> Result<(), StoreError> {
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE retention SET unfinished = 0, last_us = ?1, last_results = ?2, last_months = ?3 \
                     WHERE id = 1",
                )
                .bind(now_us)
                .bind(i64::try_from(purged.results).unwrap_or(i64::MAX))
                .bind(i64::try_from(purged.months).unwrap_or(i64::MAX))
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
                Ok(())
            })
        })
        .await?;
        self.unfinished.store(false, Ordering::Release);
        Ok(())
    }

    /// Between transactions the WAL is emptied as far as readers let it, so that it does not outgrow the ballast.
    async fn delete_expired(&self, delete: &'static str, now_us: i64) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let deleted = write(&self.writer, move |tx| {
                Box::pin(async move {
                    let done = sqlx::query(delete)
                        .bind(now_us)
                        .bind(ROWS_AT_A_TIME)
                        .execute(&mut tx.db)
                        .await
                        .map_err(|e| failed(&e))?;
                    Ok(done.rows_affected())
                })
            })
            .await?;
            if deleted == 0 {
                return Ok(all);
            }
            all += deleted;
            self.try_checkpoint(Instant::now() + PATIENCE).await?;
        }
    }

    /// Results of later months may say that they wait for the number of a job that was deleted. Last, because it writes: what had
    /// to go is gone by then.
    async fn forget_purged_jobs(&self) -> Result<(), StoreError> {
        let mut last = Some(0);
        while let Some(beyond) = last {
            let forget = move |tx: &mut DirectTx<'_>| pending::forget_purged(tx, beyond, MARKS_AT_A_TIME);
            last = direct::write(&self.writer, forget).await?;
        }
        Ok(())
    }

    /// Moves the WAL into the database until nothing is left in it; deleted rows lie in the file until then.
    async fn checkpoint(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_checkpoint(deadline).await? {
            if Instant::now() >= deadline {
                return Err(still_read());
            }
            sleep(BETWEEN_TRIES).await;
        }
        Ok(())
    }

    /// Whether the WAL was emptied; our own readers step aside for it.
    async fn try_checkpoint(&self, deadline: Instant) -> Result<bool, StoreError> {
        let aside = timeout_at(deadline, self.readers_aside()).await.map_err(|_| still_read())??;
        let (reply, answer) = oneshot::channel();
        self.writer.send(Command::Checkpoint(reply)).await.map_err(|_| closed())?;
        // Only the wait for the answer can end early, never the checkpoint.
        let complete = timeout_at(deadline, answer).await.map_err(|_| still_read())?.map_err(|_| closed())?;
        drop(aside);
        complete
    }

    /// Every connection that reads: whoever holds them all knows that nobody is inside a read. Reads that come meanwhile
    /// wait their turn; the pool serves in order, so a stream of them cannot keep us out.
    async fn readers_aside(&self) -> Result<(Vec<PoolConnection<Sqlite>>, OwnedSemaphorePermit), StoreError> {
        let mut held = Vec::new();
        for _ in 0..self.readers.options().get_max_connections() {
            held.push(self.readers.acquire().await.map_err(|e| failed(&e))?);
        }
        Ok((held, self.results.aside().await?))
    }

    /// Gives freed pages back to the file system, so that a disk that the store itself has filled has room again. Not
    /// being able to costs space, nothing else.
    async fn give_back(&self) {
        let mut left = i64::MAX;
        while left > 0 {
            let (reply, answer) = oneshot::channel();
            if self.writer.send(Command::GiveBack(reply)).await.is_err() {
                return;
            }
            match answer.await {
                Ok(Ok(now)) if now < left => left = now,
                Ok(Ok(_)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "freed pages were not given back");
                    break;
                }
            }
        }
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(%error, "freed pages were not given back");
        }
    }

    async fn with_ballast(
        &self,
        work: impl FnOnce(&Ballast) -> Result<bool, FileError> + Send + 'static,
    ) -> Result<bool, StoreError> {
        let ballast = Arc::clone(&self.ballast);
        let done = tokio::task::spawn_blocking(move || work(&ballast)).await;
        let done = done.map_err(|_| StoreError::Failed("the ballast was interrupted".to_owned()))?;
        Ok(done.map_err(KeyringError::from)?)
    }

    /// What is kept of each month that has a key. A month without rows may have one.
    async fn months(&self) -> Result<Vec<MonthStock>, StoreError> {
        let rows: Vec<(i32, i64)> =
            sqlx::query_as("SELECT month, count(*) FROM results GROUP BY month ORDER BY month")
                .fetch_all(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        let stock = rows.into_iter().filter_map(|(number, results)| {
            let month = JstMonth::from_number(number)?;
            Some(MonthStock { month, results: results.unsigned_abs(), expires_at: month.expiry()? })
        });
        Ok(stock.collect())
    }
}

#[async_trait]
impl RetentionStore for Store {
    async fn stock(&self) -> Result<Stock, StoreError> {
        let (last_us, results, months): (Option<i64>, i64, i64) =
            sqlx::query_as("SELECT last_us, last_results, last_months FROM retention WHERE id = 1")
                .fetch_one(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        let purged = Purged { results: results.unsigned_abs(), months: months.unsigned_abs() };
        Ok(Stock {
            months: self.months().await?,
            instant: instant(self.clock.now_us()),
            plausible: instant(self.clock.plausible_us()),
            unfinished: self.unfinished.load(Ordering::Acquire),
            last: last_us.map(|at| LastPurge { at: instant(at), purged }),
            ballast: self.ballast.is_whole(),
        })
    }

    fn is_due(&self, now: Timestamp) -> bool {
        // Whoever waits for news hears of a new month although nothing is written.
        self.news.publish(None);
        self.unfinished.load(Ordering::Acquire) || self.keyring.first_expiry().is_some_and(|at| at <= now)
    }

    fn is_unfinished(&self) -> bool {
        self.unfinished.load(Ordering::Acquire)
    }

    fn overdue_since(&self) -> Option<Timestamp> {
        self.keyring.first_expiry().filter(|at| at.as_microsecond() <= self.clock.now_us())
    }

    async fn settle(&self, now: Timestamp) -> Result<(), StoreError> {
        let now_us = now.as_microsecond();
        let ahead = self.clock.now_us() > now_us.saturating_add(AHEAD_US);
        if ahead || now_us > self.clock.plausible_us().saturating_add(MARK_LAG_US) {
            self.settle_at(now_us, "").await?;
        }
        // These end after a day, long before their month does.
        self.forget_ended(now_us).await?;
        if !self.ballast.is_whole() {
            self.with_ballast(Ballast::restore).await?;
        }
        Ok(())
    }

    async fn purge(&self, now: Timestamp, audit: &AuditEntry) -> Result<Purged, StoreError> {
        self.destroy(now, Some(audit.clone())).await
    }
}

impl StoreRoom for Store {
    fn has_room(&self) -> Result<(), StoreError> {
        if self.ballast.has_room() { Ok(()) } else { Err(StoreError::DiskFull) }
    }
}

/// An instant of the database; one beyond the calendar was never written by this program.
fn instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}

fn still_read() -> StoreError {
    StoreError::Failed("readers held the checkpoint up; deleted rows are not overwritten yet".to_owned())
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::super::database::MIGRATIONS;
    use super::*;

    #[tokio::test]
    async fn every_table_whose_rows_expire_is_purged() {
        let mut db = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        MIGRATIONS.run(&mut db).await.unwrap();
        let mut expiring: Vec<String> = sqlx::query_scalar(
            "SELECT tables.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND columns.name = 'expires_at_us'",
        )
        .fetch_all(&mut db)
        .await
        .unwrap();
        expiring.sort_unstable();
        let mut purged = EXPIRING.map(|(table, _)| table);
        purged.sort_unstable();
        assert_eq!(expiring, purged);
        for (_, delete) in EXPIRING {
            let done = sqlx::query(delete).bind(0).bind(ROWS_AT_A_TIME).execute(&mut db).await;
            assert_eq!(done.unwrap().rows_affected(), 0);
        }
    }
}
