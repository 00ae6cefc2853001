//! The one writer: a task that owns the only connection that writes, and takes jobs from a channel.
//!
//! A job never ends half done because its caller went away: only the answer is lost, never the transaction. Jobs that
//! wait at the same time share one transaction and so one sync to the disk; savepoints see to it that one that fails takes nothing
//! of the others with it. Nobody hears of a success before the commit has returned and the audit
//! log's anchor outside the database was written.

use std::fs::File;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::{mpsc, oneshot};

use super::audit::{self, Ledger, Note};
use super::clock::{StoreClock, instant};
use super::commits::Commits;
use super::direct::{Direct, DirectJob};
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
    /// Who hears what became of each commit.
    pub(super) commits: Arc<Commits>,
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

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Commit {
    /// It stands.
    Done,
    /// It stands, but the anchor could not be written: nobody may hear of a success, and yet nothing was undone.
    NotAnchored(StoreError),
    /// Nothing of it stands.
    Undone(StoreError),
}

impl Commit {
    /// What became of a transaction that is committed once its anchor was written or not.
    pub(super) fn anchored(anchor: Result<(), StoreError>) -> Self {
        anchor.map_or_else(Self::NotAnchored, |()| Self::Done)
    }

    /// What whoever waits for it is told.
    pub(super) fn told(self) -> Result<(), StoreError> {
        match self {
            Self::Done => Ok(()),
            Self::NotAnchored(error) | Self::Undone(error) => Err(error),
        }
    }
}

/// Work inside a transaction, whose caller may have gone away.
pub(super) trait Job: Send {
    /// Does the work; `false` undoes what it wrote.
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, bool>;
    /// Answers the caller, after the commit or its failure.
    fn finish(self: Box<Self>, commit: Commit);
}

/// Work, who hears first of what comes of it, and who waits for that.
pub(super) struct Answering<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    first: Option<First<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// Hears of what stands on disk on the writer's own task, in the order of the work.
pub(super) type First<T> = Box<dyn FnOnce(&T) + Send>;

impl<T, F> Answering<T, F> {
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { work: Some(work), outcome: None, first: None, reply }
    }

    /// With somebody who hears of what stands on disk before the caller, also if that one is told of an error because the
    /// anchor could not be written: what stands is not done again.
    pub(super) fn first_to(mut self, first: First<T>) -> Self {
        self.first = Some(first);
        self
    }

    /// Does work that can be done more than once; whether it succeeded.
    pub(super) fn work_again(&mut self, run: impl FnOnce(&F) -> Result<T, StoreError>) -> bool {
        self.outcome = self.work.as_ref().map(run);
        matches!(self.outcome, Some(Ok(_)))
    }

    /// Answers, after the commit or its failure.
    pub(super) fn answer(self, commit: Commit) {
        if let (Some(Ok(value)), Commit::Done | Commit::NotAnchored(_), Some(first)) =
            (&self.outcome, &commit, self.first)
        {
            first(value);
        }
        let answer = match (self.outcome, commit.told()) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(commit)) => Err(commit),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(closed()),
        };
        // The caller may have gone away; the work is done all the same.
        self.reply.send(answer).ok();
    }
}

impl<T, F> Job for Answering<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, StoreError>> + Send,
{
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            let outcome = work(tx).await;
            let succeeded = outcome.is_ok();
            self.outcome = Some(outcome);
            succeeded
        })
    }

    fn finish(self: Box<Self>, commit: Commit) {
        self.answer(commit);
    }
}

/// What the writer is asked for.
pub(super) enum Command {
    /// Work in a transaction.
    Write(Box<dyn Job>),
    /// Work in a transaction that runs on one blocking thread.
    Direct(Box<dyn DirectJob>),
    /// An audit row that stands alone.
    Note(Note),
    /// Move the WAL into the database and empty it; answers whether that was complete.
    Checkpoint(oneshot::Sender<Result<bool, StoreError>>),
    /// Give free pages at the end of the database back to the file system, some at a time; answers how many are left.
    GiveBack(oneshot::Sender<Result<i64, StoreError>>),
    /// Say that the writer has come this far.
    Alive(oneshot::Sender<()>),
    /// Commit nothing but the clock's mark and write the anchor, to find out whether that is possible.
    Prove(oneshot::Sender<Result<(), StoreError>>),
    /// End after everything that was asked before.
    Close(oneshot::Sender<()>),
}

impl Command {
    /// Whether it is a transaction's work, beside which the anchor of the one before may still be written.
    fn is_batch(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Direct(_) | Self::Note(_))
    }
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
    (Box::new(Answering::new(work, reply)), answer)
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
pub(super) async fn run(mut tx: Tx, mut direct: Direct, mut commands: mpsc::Receiver<Command>, lock: File) {
    let mut ahead = None;
    let mut closing = None;
    loop {
        let waiting = ahead.take().or_else(|| commands.try_recv().ok());
        if !waiting.as_ref().is_some_and(Command::is_batch) {
            direct.settle(&mut tx).await.ok();
        }
        let command = match waiting {
            Some(command) => Some(command),
            None => commands.recv().await,
        };
        match command {
            Some(command @ (Command::Write(_) | Command::Direct(_) | Command::Note(_))) => {
                let (batch, other) = Batch::gather(command, &mut commands);
                ahead = other;
                batch.commit(&mut tx, &mut direct).await;
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
            Some(Command::Prove(reply)) => {
                reply.send(prove(&mut tx).await).ok();
            }
            Some(Command::Close(done)) => {
                closing = Some(done);
                break;
            }
            None => break,
        }
    }
    drop(direct);
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

/// What waits at the same time and so shares a commit: jobs of one kind, and audit rows that stand alone.
#[derive(Default)]
struct Batch {
    jobs: Vec<Box<dyn Job>>,
    direct: Vec<Box<dyn DirectJob>>,
    notes: Vec<Note>,
}

impl Batch {
    /// Takes what waits behind a first command; also returns the command that belongs to another batch, or to none.
    fn gather(first: Command, commands: &mut mpsc::Receiver<Command>) -> (Self, Option<Command>) {
        let mut batch = Self::default();
        let mut next = Ok(first);
        loop {
            match next {
                Ok(Command::Write(job)) if batch.direct.is_empty() => batch.jobs.push(job),
                Ok(Command::Direct(job)) if batch.jobs.is_empty() => batch.direct.push(job),
                Ok(Command::Note(note)) => batch.notes.push(note),
                Ok(other) => return (batch, Some(other)),
                Err(_) => return (batch, None),
            }
            if batch.jobs.len() + batch.direct.len() + batch.notes.len() >= LARGEST_BATCH {
                return (batch, None);
            }
            next = commands.try_recv();
        }
    }

    async fn commit(self, tx: &mut Tx, connection: &mut Direct) {
        let Self { mut jobs, direct, notes } = self;
        if jobs.is_empty() {
            return connection.commit(tx, direct, notes).await;
        }
        // Should that have failed, the ledger knows and this transaction fails as well.
        connection.settle(tx).await.ok();
        let outcome = match transaction(tx, &mut jobs, &notes).await {
            Ok(Stands::Yes) => Some(Commit::anchored(tx.ledger.keep().await)),
            Ok(Stands::Nothing) => None,
            Err(error) => {
                // SQLite may have rolled back by itself; then there is nothing left to undo and this fails.
                tx.db.execute("ROLLBACK").await.ok();
                Some(Commit::Undone(error))
            }
        };
        if let Some(commit) = &outcome {
            tx.commits.note(commit);
        }
        let outcome = outcome.unwrap_or(Commit::Done);
        for job in jobs {
            job.finish(outcome.clone());
        }
        for note in notes {
            // The caller may have gone away; the row is there all the same.
            note.reply.send(outcome.clone().told()).ok();
        }
    }
}

/// Whether a transaction without an error of its own was committed.
enum Stands {
    Yes,
    /// Its only job failed by itself.
    Nothing,
}

/// Runs the jobs in one transaction and commits it; the notes' rows follow, which only a failure of all of it can undo.
async fn transaction(tx: &mut Tx, batch: &mut [Box<dyn Job>], notes: &[Note]) -> Result<Stands, StoreError> {
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
            return execute(&mut tx.db, "ROLLBACK").await.map(|()| Stands::Nothing);
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
    Ok(Stands::Yes)
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

/// The smallest commit there is, durable as all are, and the anchor, which is written again if nothing is owed.
async fn prove(tx: &mut Tx) -> Result<(), StoreError> {
    let kept = keep_mark(&mut tx.db, tx.clock.now_us()).await;
    let commit = match kept {
        Ok(()) => Commit::anchored(tx.ledger.affirm().await),
        Err(error) => Commit::Undone(error),
    };
    tx.commits.note(&commit);
    commit.told()
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
