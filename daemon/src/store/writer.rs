//! The one writer: a task that owns the only connection that writes, and takes jobs from a channel.
//!
//! A job never ends half done because its caller went away: only the answer is lost, never the transaction. Jobs that
//! wait at the same time share one transaction and so one sync to the disk; each runs in its own savepoint, so one that
//! fails takes nothing of the others with it. Nobody hears of a success before the commit has returned and the audit
//! log's anchor outside the database was written.

use std::fs::File;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::{mpsc, oneshot};

use super::audit::{self, Ledger};
use super::clock::StoreClock;
use super::error::failed;
use super::keyring::{Keyring, MonthKeys};
use crate::app::ports::{Random, StoreError};
use crate::domain::retention::JstMonth;

/// Jobs of one transaction at most; the hundredth caller should not wait for ninety-nine others' work.
const LARGEST_BATCH: usize = 64;
/// Jobs that may wait; further callers wait to hand theirs over.
pub(super) const QUEUE: usize = 256;

/// What a job works with: the open transaction and the keys.
pub(super) struct Tx {
    /// The writer's connection, inside a transaction.
    pub(super) db: SqliteConnection,
    /// The keys.
    pub(super) keyring: Arc<Keyring>,
    /// Nonces.
    pub(super) random: Arc<dyn Random>,
    /// The store's instant.
    pub(super) clock: Arc<StoreClock>,
    /// The store's instant of this transaction, microseconds.
    pub(super) now_us: i64,
    /// Where the audit log stands.
    pub(super) ledger: Ledger,
}

impl Tx {
    /// The keys of a month, new ones if it has none; durable before anything is sealed with them.
    pub(super) async fn month_keys(&self, month: JstMonth) -> Result<Arc<MonthKeys>, StoreError> {
        if let Some(keys) = self.keyring.month(month) {
            return Ok(keys);
        }
        let keyring = Arc::clone(&self.keyring);
        let added = tokio::task::spawn_blocking(move || keyring.add_month(month)).await;
        Ok(added.map_err(|_| StoreError::Failed("writing the keyring was interrupted".to_owned()))??)
    }

    /// The number the next row of an AUTOINCREMENT table gets. Safe because nobody else writes; rows are sealed to it.
    pub(super) async fn next_id(&mut self, table: &'static str) -> Result<i64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = ?1")
            .bind(table)
            .fetch_optional(&mut self.db)
            .await
            .map_err(|e| failed(&e))?;
        last.unwrap_or(0).checked_add(1).ok_or_else(|| StoreError::Failed("numbers are used up".to_owned()))
    }
}

/// Work inside a transaction, whose caller may have gone away.
pub(super) trait Job: Send {
    /// Does the work; `false` undoes what it wrote.
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, bool>;
    /// Answers the caller, after the commit or its failure.
    fn finish(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, StoreError>> + Send,
{
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.outcome = Some(work(tx).await);
            }
            matches!(self.outcome, Some(Ok(_)))
        })
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>) {
        let answer = match (self.outcome, commit) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(commit)) => Err(commit),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(closed()),
        };
        // The caller may have gone away; the work is done all the same.
        self.reply.send(answer).ok();
    }
}

/// What the writer is asked for.
pub(super) enum Command {
    /// Work in a transaction.
    Write(Box<dyn Job>),
    /// Move the WAL into the database and empty it; answers whether that was complete.
    Checkpoint(oneshot::Sender<Result<bool, StoreError>>),
    /// Give free pages at the end of the database back to the file system, some at a time; answers how many are left.
    GiveBack(oneshot::Sender<Result<i64, StoreError>>),
    /// End after everything that was asked before.
    Close(oneshot::Sender<()>),
}

/// The error of a store that was closed.
pub(super) fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

/// A job and where its answer will arrive.
fn job<T, F>(work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Pending { work: Some(work), outcome: None, reply }), answer)
}

/// Hands work to the writer and waits for its commit. Dropping the wait does not stop the work.
pub(super) async fn write<T, F>(writer: &mpsc::Sender<Command>, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    let (job, answer) = job(work);
    writer.send(Command::Write(job)).await.map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}

/// The writer's task: ends with [`Command::Close`], or when nobody can ask any more. Holds the data directory's lock
/// until the database is closed.
pub(super) async fn run(mut tx: Tx, mut commands: mpsc::Receiver<Command>, lock: File) {
    let mut ahead = None;
    let mut closing = None;
    loop {
        let command = match ahead.take() {
            Some(command) => Some(command),
            None => commands.recv().await,
        };
        match command {
            Some(Command::Write(job)) => {
                let mut batch = vec![job];
                while batch.len() < LARGEST_BATCH {
                    match commands.try_recv() {
                        Ok(Command::Write(job)) => batch.push(job),
                        Ok(other) => {
                            ahead = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                commit(&mut tx, batch).await;
            }
            Some(Command::Checkpoint(reply)) => {
                reply.send(checkpoint(&mut tx.db).await).ok();
            }
            Some(Command::GiveBack(reply)) => {
                reply.send(give_back(&mut tx.db).await).ok();
            }
            Some(Command::Close(done)) => {
                closing = Some(done);
                break;
            }
            None => break,
        }
    }
    // The clock may have gone on since the last commit; after a restart it must not stand behind that.
    if let Err(error) = keep_mark(&mut tx.db, tx.clock.now_us()).await {
        tracing::warn!(%error, "the clock's mark was not kept");
    }
    if let Err(error) = tx.db.close().await {
        tracing::warn!(error = %failed(&error), "the database did not close cleanly");
    }
    drop(lock);
    if let Some(done) = closing {
        done.send(()).ok();
    }
}

/// Runs the jobs in one transaction and answers them.
async fn commit(tx: &mut Tx, mut batch: Vec<Box<dyn Job>>) {
    let outcome = transaction(tx, &mut batch).await;
    if outcome.is_err() {
        // SQLite may have rolled back by itself; then there is nothing left to undo and this fails.
        tx.db.execute("ROLLBACK").await.ok();
    }
    for job in batch {
        job.finish(outcome.clone());
    }
}

async fn transaction(tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    tx.ledger.prepare().await?;
    tx.now_us = tx.clock.now_us();
    execute(&mut tx.db, "BEGIN IMMEDIATE").await?;
    keep_mark(&mut tx.db, tx.now_us).await?;
    let alone = batch.len() == 1;
    for job in batch {
        if !alone {
            execute(&mut tx.db, "SAVEPOINT job").await?;
        }
        let kept = job.run(tx).await;
        if alone && !kept {
            // Its own error is the answer; the mark alone is not worth a commit.
            return execute(&mut tx.db, "ROLLBACK").await;
        }
        if !kept {
            // Fails if SQLite undid the whole transaction (disk full): then nobody in it has succeeded.
            execute(&mut tx.db, "ROLLBACK TO job").await?;
        }
        if !alone {
            execute(&mut tx.db, "RELEASE job").await?;
        }
    }
    let log = audit::last(&mut tx.db).await?;
    execute(&mut tx.db, "COMMIT").await?;
    tx.ledger.keep(log).await
}

/// Persists the store's instant. The mark in memory began with the persisted one and alone knows whether it may come down.
async fn keep_mark(db: &mut SqliteConnection, now_us: i64) -> Result<(), StoreError> {
    let update = sqlx::query("UPDATE clock SET high_water_us = ?1 WHERE id = 1").bind(now_us);
    update.execute(db).await.map(drop).map_err(|e| failed(&e))
}

async fn execute(db: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    db.execute(sql).await.map(drop).map_err(|e| failed(&e))
}

/// Whether the WAL was moved into the database and emptied; not while a reader still needs it.
async fn checkpoint(db: &mut SqliteConnection) -> Result<bool, StoreError> {
    let (busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(db).await.map_err(|e| failed(&e))?;
    Ok(busy == 0)
}

/// Pages given back at once: a few milliseconds' work.
const PAGES_AT_A_TIME: &str = "PRAGMA incremental_vacuum(1000)";

async fn give_back(db: &mut SqliteConnection) -> Result<i64, StoreError> {
    // Every row of the answer frees one page, so all must be fetched.
    sqlx::raw_sql(PAGES_AT_A_TIME).fetch_all(&mut *db).await.map_err(|e| failed(&e))?;
    sqlx::query_scalar("PRAGMA freelist_count").fetch_one(db).await.map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use sqlx::ConnectOptions;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::super::database::MIGRATIONS;
    use super::*;
    use crate::app::ports::Clock;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_microsecond(1_800_000_000_000_000).unwrap()
        }
    }

    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    async fn context() -> Tx {
        let mut db = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        MIGRATIONS.run(&mut db).await.unwrap();
        let keyring = Arc::new(Keyring::in_memory(Arc::new(Fixed)).unwrap());
        let clock = Arc::new(StoreClock::new(Arc::new(Fixed), 0, 0));
        Tx { db, keyring, random: Arc::new(Fixed), clock, now_us: 0, ledger: Ledger::in_memory(None) }
    }

    type Answer = oneshot::Receiver<Result<(), StoreError>>;

    /// A job that saves a session whose account name has this length, and then succeeds or not.
    fn save(token: u8, length: usize, then: Result<(), StoreError>) -> (Box<dyn Job>, Answer) {
        job(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO sessions VALUES (?1, hex(?1), ?2, 'operator', NULL, 0, 0, 0, NULL)")
                    .bind(vec![token; 32])
                    .bind("x".repeat(length))
                    .execute(&mut tx.db)
                    .await
                    .map_err(|e| failed(&e))?;
                then
            })
        })
    }

    async fn saved(tx: &mut Tx) -> Vec<u8> {
        let tokens: Vec<Vec<u8>> = sqlx::query_scalar("SELECT token_hash FROM sessions ORDER BY token_hash")
            .fetch_all(&mut tx.db)
            .await
            .unwrap();
        tokens.into_iter().map(|token| token[0]).collect()
    }

    #[tokio::test]
    async fn a_job_that_fails_takes_nothing_of_the_others_with_it() {
        let mut tx = context().await;
        let own = StoreError::Failed("its own reason".to_owned());
        let (one, first) = save(1, 10, Ok(()));
        let (two, second) = save(2, 10, Err(own.clone()));
        let (three, third) = save(3, 10, Ok(()));
        commit(&mut tx, vec![one, two, three]).await;
        assert_eq!(first.await, Ok(Ok(())));
        assert_eq!(second.await, Ok(Err(own.clone())));
        assert_eq!(third.await, Ok(Ok(())));
        assert_eq!(saved(&mut tx).await, [1, 3]);

        let (alone, answer) = save(4, 10, Err(own.clone()));
        commit(&mut tx, vec![alone]).await;
        assert_eq!(answer.await, Ok(Err(own)));
        assert_eq!(saved(&mut tx).await, [1, 3]);
    }

    #[tokio::test]
    async fn on_a_full_disk_nobody_hears_of_a_success_that_is_not_there() {
        let mut tx = context().await;
        tx.db.execute("PRAGMA max_page_count = 40").await.unwrap();
        let (large, refused) = save(1, 1_000_000, Ok(()));
        commit(&mut tx, vec![large]).await;
        assert_eq!(refused.await, Ok(Err(StoreError::DiskFull)));
        assert_eq!(saved(&mut tx).await, Vec::<u8>::new());

        let (before, first) = save(2, 10, Ok(()));
        let (large, refused) = save(1, 1_000_000, Ok(()));
        let (after, last) = save(3, 10, Ok(()));
        commit(&mut tx, vec![before, large, after]).await;
        assert_eq!(refused.await, Ok(Err(StoreError::DiskFull)));
        let kept = saved(&mut tx).await;
        for (token, answer) in [(2, first), (3, last)] {
            assert_eq!(answer.await == Ok(Ok(())), kept.contains(&token), "{token}");
        }

        let (small, stored) = save(9, 10, Ok(()));
        commit(&mut tx, vec![small]).await;
        assert_eq!(stored.await, Ok(Ok(())), "the writer goes on");
        assert!(saved(&mut tx).await.contains(&9));
    }

    /// A job that appends an audit row.
    fn note() -> (Box<dyn Job>, Answer) {
        job(|tx| {
            Box::pin(async move {
                let entry = audit::finding_entry(crate::app::ports::AnchorFinding::Begun);
                audit::append(tx, &entry, &[]).await
            })
        })
    }

    #[tokio::test]
    async fn while_the_anchor_cannot_be_written_nobody_hears_of_a_success_and_at_most_one_commit_is_ahead() {
        let directory = std::env::temp_dir().join(format!("shikaku-anchor-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("anchor");
        std::fs::write(&path, [0; 1024]).unwrap();
        let mut tx = context().await;
        let keys = tx.keyring.system();
        tx.ledger = Ledger::in_memory(Some(audit::Anchor::in_file(File::open(&path).unwrap(), keys)));
        let rows = "SELECT count(*) FROM audit";
        for _ in 0..3 {
            let (job, answer) = note();
            commit(&mut tx, vec![job]).await;
            assert!(matches!(answer.await, Ok(Err(StoreError::Failed(_)))));
            let count: i64 = sqlx::query_scalar(rows).fetch_one(&mut tx.db).await.unwrap();
            assert_eq!(count, 1, "the first commit is not known outside; no second one follows");
        }
        tx.ledger.anchor().unwrap().repair(File::options().write(true).open(&path).unwrap());
        let (job, answer) = note();
        commit(&mut tx, vec![job]).await;
        assert_eq!(answer.await, Ok(Ok(())), "the writer goes on");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[tokio::test]
    async fn each_commit_moves_the_persisted_high_water_mark_and_never_back() {
        let mut tx = context().await;
        let mark = "SELECT high_water_us FROM clock";
        let (job, _answer) = save(1, 10, Ok(()));
        commit(&mut tx, vec![job]).await;
        let now: i64 = sqlx::query_scalar(mark).fetch_one(&mut tx.db).await.unwrap();
        assert_eq!(now, Fixed.now().as_microsecond());
        tx.clock.settle(now + 5);
        let (job, _answer) = save(2, 10, Ok(()));
        commit(&mut tx, vec![job]).await;
        let raised: i64 = sqlx::query_scalar(mark).fetch_one(&mut tx.db).await.unwrap();
        assert_eq!(raised, now + 5);
    }
}
