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

use super::audit::{self, Ledger, Note, Notes};
use super::clock::StoreClock;
use super::error::failed;
use super::keyring::{Keyring, MonthKeys};
use super::news::News;
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
    /// The last change of a result that this transaction made.
    pub(super) changed: Option<i64>,
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

    /// The next number of the sequence of changes, for a result that is being written.
    pub(super) async fn next_change(&mut self) -> Result<i64, StoreError> {
        let change: i64 = sqlx::query_scalar(
            "UPDATE results_sequence SET change = change + 1 WHERE id = 1 RETURNING change",
        )
        .fetch_one(&mut self.db)
        .await
        .map_err(|e| failed(&e))?;
        self.changed = Some(change);
        Ok(change)
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
    (pending(work, reply), answer)
}

fn pending<T, F>(work: F, reply: oneshot::Sender<Result<T, StoreError>>) -> Box<dyn Job>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    Box::new(Pending { work: Some(work), outcome: None, reply })
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

    async fn commit(self, tx: &mut Tx, notes: &mut Notes) {
        let Self { mut jobs, notes: waiting } = self;
        if jobs.is_empty() {
            return notes.commit(tx, waiting).await;
        }
        jobs.extend(waiting.into_iter().map(|Note { entry, reply }| {
            pending(move |tx| Box::pin(async move { audit::append(tx, &entry, &[]).await }), reply)
        }));
        commit(tx, jobs).await;
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
    tx.changed = None;
    execute(&mut tx.db, "BEGIN IMMEDIATE").await?;
    keep_mark(&mut tx.db, tx.now_us).await?;
    let alone = batch.len() == 1;
    for job in batch {
        if !alone {
            execute(&mut tx.db, "SAVEPOINT job").await?;
        }
        let (changed, end) = (tx.changed, tx.ledger.end());
        let kept = job.run(tx).await;
        if !kept {
            // Both go back with what is undone.
            tx.changed = changed;
            tx.ledger.put_back(end);
        }
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
    execute(&mut tx.db, "COMMIT").await?;
    tx.news.publish(tx.changed);
    tx.ledger.keep().await
}

/// Persists the store's instant, in every commit.
pub(super) const KEEP_MARK: &str = "UPDATE clock SET high_water_us = ?1 WHERE id = 1";

/// Persists the store's instant. The mark in memory began with the persisted one and alone knows whether it may come down.
async fn keep_mark(db: &mut SqliteConnection, now_us: i64) -> Result<(), StoreError> {
    let update = sqlx::query(KEEP_MARK).bind(now_us);
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
mod tests;
