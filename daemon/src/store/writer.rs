//! The one writer: a task that owns the only connection that writes, and takes jobs from a channel.
//!
//! A job never ends half done because its caller went away: only the answer is lost, never the transaction. Jobs that
//! wait at the same time share one transaction and so one sync to the disk; each runs in its own savepoint, so one that
//! fails takes nothing of the others with it. Nobody hears of a success before the commit has returned and the audit
//! log's anchor outside the database was written.

use std::fs::File;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::{mpsc, oneshot};

use super::audit::{self, Ledger, Note, Notes};
use super::clock::{StoreClock, instant};
use super::error::failed;
use super::keyring::{Keyring, MonthKeys};
use super::news::News;
use super::numbers::Numbers;
use crate::app::ports::{Random, ResultForm, StoreError};
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
    /// How results are rendered.
    pub(super) form: Arc<dyn ResultForm>,
    /// Who hears of changed results.
    pub(super) news: Arc<News>,
    /// The store's instant of this transaction, microseconds.
    pub(super) now_us: i64,
    /// The numbers that this transaction gives.
    pub(super) numbers: Numbers,
    /// Where the audit log stands.
    pub(super) ledger: Ledger,
}

impl Tx {
    /// The store's instant of this transaction.
    pub(super) fn now(&self) -> Result<Timestamp, StoreError> {
        instant(self.now_us)
    }

    /// The keys of a month, new ones if it has none; durable before anything is sealed with them.
    pub(super) async fn month_keys(&self, month: JstMonth) -> Result<Arc<MonthKeys>, StoreError> {
        if let Some(keys) = self.keyring.month(month) {
            return Ok(keys);
        }
        let keyring = Arc::clone(&self.keyring);
        let added = tokio::task::spawn_blocking(move || keyring.add_month(month)).await;
        Ok(added.map_err(|_| StoreError::Failed("writing the keyring was interrupted".to_owned()))??)
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
    /// An audit row that stands alone.
    Note(Note),
    /// Move the WAL into the database and empty it; answers whether that was complete.
    Checkpoint(oneshot::Sender<Result<bool, StoreError>>),
    /// Give free pages at the end of the database back to the file system, some at a time; answers how many are left.
    GiveBack(oneshot::Sender<Result<i64, StoreError>>),
    /// Say that the writer has come this far.
    Alive(oneshot::Sender<()>),
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
pub(super) async fn run(mut tx: Tx, mut notes: Notes, mut commands: mpsc::Receiver<Command>, lock: File) {
    let mut ahead = None;
    let mut closing = None;
    loop {
        let command = match ahead.take() {
            Some(command) => Some(command),
            None => commands.recv().await,
        };
        match command {
            Some(Command::Write(job)) => {
                let (batch, other) = Batch::gather(Some(job), None, &mut commands);
                ahead = other;
                batch.commit(&mut tx, &mut notes).await;
            }
            Some(Command::Note(note)) => {
                let (batch, other) = Batch::gather(None, Some(note), &mut commands);
                ahead = other;
                batch.commit(&mut tx, &mut notes).await;
            }
            Some(Command::Checkpoint(reply)) => {
                reply.send(checkpoint(&mut tx.db).await).ok();
            }
            Some(Command::GiveBack(reply)) => {
                reply.send(give_back(&mut tx.db).await).ok();
            }
            Some(Command::Alive(reply)) => {
                reply.send(()).ok();
            }
            Some(Command::Close(done)) => {
                closing = Some(done);
                break;
            }
            None => break,
        }
    }
    drop(notes);
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

/// What waits at the same time and so shares a commit.
struct Batch {
    jobs: Vec<Box<dyn Job>>,
    notes: Vec<Note>,
}

impl Batch {
    /// Takes what waits behind a first job or note; also returns the command that belongs to no batch.
    fn gather(
        job: Option<Box<dyn Job>>,
        note: Option<Note>,
        commands: &mut mpsc::Receiver<Command>,
    ) -> (Self, Option<Command>) {
        let mut batch = Self { jobs: Vec::from_iter(job), notes: Vec::from_iter(note) };
        while batch.jobs.len() + batch.notes.len() < LARGEST_BATCH {
            match commands.try_recv() {
                Ok(Command::Write(job)) => batch.jobs.push(job),
                Ok(Command::Note(note)) => batch.notes.push(note),
                Ok(other) => return (batch, Some(other)),
                Err(_) => break,
            }
        }
        (batch, None)
    }

    async fn commit(self, tx: &mut Tx, connection: &mut Notes) {
        let Self { mut jobs, notes } = self;
        if jobs.is_empty() {
            return connection.commit(tx, notes).await;
        }
        let outcome = transaction(tx, &mut jobs, &notes).await;
        if outcome.is_err() {
            // SQLite may have rolled back by itself; then there is nothing left to undo and this fails.
            tx.db.execute("ROLLBACK").await.ok();
        }
        for job in jobs {
            job.finish(outcome.clone());
        }
        for note in notes {
            // The caller may have gone away; the row is there all the same.
            note.reply.send(outcome.clone()).ok();
        }
    }
}

/// Runs the jobs in one transaction; the notes' rows follow, which only a failure of all of it can undo.
async fn transaction(tx: &mut Tx, batch: &mut [Box<dyn Job>], notes: &[Note]) -> Result<(), StoreError> {
    tx.ledger.prepare().await?;
    tx.now_us = tx.clock.now_us();
    tx.numbers = Numbers::default();
    let alone = batch.len() == 1 && notes.is_empty();
    let begin = sqlx::query(if alone { BEGIN_ALONE } else { BEGIN });
    begin.bind(tx.now_us).execute(&mut tx.db).await.map_err(|e| failed(&e))?;
    let mut before = None;
    for job in batch {
        if before == Some(true) {
            execute(&mut tx.db, "RELEASE job; SAVEPOINT job").await?;
        }
        let (changes, end) = (tx.numbers.changes(), tx.ledger.end());
        let kept = job.run(tx).await;
        before = Some(kept);
        if kept {
            continue;
        }
        // They go back with what is undone.
        tx.numbers.put_back(changes);
        tx.ledger.put_back(end);
        if alone {
            // Its own error is the answer; the mark alone is not worth a commit.
            return execute(&mut tx.db, "ROLLBACK").await;
        }
        // Fails if SQLite undid the whole transaction (disk full): then nobody in it has succeeded. The savepoint stays.
        execute(&mut tx.db, "ROLLBACK TO job").await?;
    }
    for note in notes {
        audit::append(tx, &note.entry, &[]).await?;
    }
    match tx.numbers.unwritten() {
        None => execute(&mut tx.db, "COMMIT").await?,
        Some(change) => {
            let commit = sqlx::query("UPDATE results_sequence SET change = ?1 WHERE id = 1; COMMIT");
            commit.bind(change).execute(&mut tx.db).await.map(drop).map_err(|e| failed(&e))?;
        }
    }
    tx.news.publish(tx.numbers.changed());
    tx.ledger.keep().await
}

/// Persists the store's instant, in every commit.
macro_rules! keep_mark {
    () => {
        "UPDATE clock SET high_water_us = ?1 WHERE id = 1"
    };
}

/// The statement by itself.
pub(super) const KEEP_MARK: &str = keep_mark!();
// Each statement that is sent to sqlx's thread by itself costs two changes of threads.
const BEGIN_ALONE: &str = concat!("BEGIN IMMEDIATE; ", keep_mark!());
const BEGIN: &str = concat!("BEGIN IMMEDIATE; ", keep_mark!(), "; SAVEPOINT job");

/// Persists the store's instant. The mark in memory began with the persisted one and alone knows whether it may come down.
async fn keep_mark(db: &mut SqliteConnection, now_us: i64) -> Result<(), StoreError> {
    let update = sqlx::query(KEEP_MARK).bind(now_us);
    update.execute(db).await.map(drop).map_err(|e| failed(&e))
}

/// As a query, so that it stays prepared.
async fn execute(db: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(db).await.map(drop).map_err(|e| failed(&e))
}

/// Whether the WAL was moved into the database and emptied; not while a reader still needs it.
async fn checkpoint(db: &mut SqliteConnection) -> Result<bool, StoreError> {
    emptied(db).await.map_err(|e| failed(&e))
}

async fn emptied(db: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let (busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(db).await?;
    Ok(busy == 0)
}

/// Before the first commit of a start: moves what an earlier process left in the WAL into the database and empties it. Had a sync of
/// the WAL failed there, the kernel may show frames that the disk will never have; whatever were appended to them would be lost
/// with them when the power fails, syncs or not.
pub(super) async fn leave_no_old_log(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if !emptied(db).await? {
        tracing::warn!("another program reads the database: the log that an earlier process left goes on");
    }
    Ok(())
}

/// Pages given back at once: a few milliseconds' work.
const PAGES_AT_A_TIME: &str = "PRAGMA incremental_vacuum(1000)";

async fn give_back(db: &mut SqliteConnection) -> Result<i64, StoreError> {
    // Every row of the answer frees one page, so all must be fetched.
    sqlx::raw_sql(PAGES_AT_A_TIME).fetch_all(&mut *db).await.map_err(|e| failed(&e))?;
    sqlx::query_scalar("PRAGMA freelist_count").fetch_one(db).await.map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests;
