//! Work of a transaction that is done on one blocking thread, through a connection of its own: what many callers wait for at the
//! same time, the numbers that receipt computers register and the audit rows of reads.
//!
//! Beside the writer's way through sqlx, because each statement there costs two changes of threads. The writer's task waits
//! meanwhile: there is never more than one who writes, and never more than one who checkpoints. As there, a job that fails takes
//! nothing of the others with it, and nobody hears of a success before the commit has returned and the anchor was written.

mod visit;

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use tokio::sync::{mpsc, oneshot};

use super::audit;
use super::error::read_failed;
use super::keyring::{Keyring, MonthKeys};
use super::numbers::Numbers;
use super::waiting::Waiting;
use super::writer::{Answering, Command, Commit, closed};
use crate::app::ports::{AuditEntry, Random, ResultForm, StoreError};
use crate::domain::retention::JstMonth;

pub(super) use visit::Direct;

/// What a job works with: the open transaction and the keys.
pub(super) struct DirectTx<'t> {
    db: &'t Connection,
    /// The keys.
    pub(super) keyring: Arc<Keyring>,
    /// Nonces.
    pub(super) random: Arc<dyn Random>,
    /// How results are rendered.
    pub(super) form: Arc<dyn ResultForm>,
    /// The store's instant of this transaction, microseconds.
    pub(super) now_us: i64,
    /// The numbers that this transaction gives.
    pub(super) numbers: Numbers,
    /// What is queued, with what this transaction changes.
    pub(super) waiting: &'t mut Waiting,
    log: audit::Tail,
}

impl DirectTx<'_> {
    /// Runs a statement, which stays prepared.
    pub(super) fn execute(&self, sql: &'static str, values: impl Params) -> Result<(), StoreError> {
        let done = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        done.map(drop).map_err(|e| read_failed(&e))
    }

    /// The rows of a statement, which stays prepared.
    pub(super) fn rows<T>(
        &self,
        sql: &'static str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.db.prepare_cached(sql).map_err(|e| read_failed(&e))?;
        let rows = statement.query_map(values, read).and_then(Iterator::collect);
        rows.map_err(|e| read_failed(&e))
    }

    /// The row of a statement, which stays prepared.
    pub(super) fn row<T>(
        &self,
        sql: &'static str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let found = self.db.prepare_cached(sql).and_then(|mut one| one.query_row(values, read).optional());
        found.map_err(|e| read_failed(&e))
    }

    /// The keys of a month, new ones if it has none; durable before anything is sealed with them.
    pub(super) fn month_keys(&self, month: JstMonth) -> Result<Arc<MonthKeys>, StoreError> {
        match self.keyring.month(month) {
            Some(keys) => Ok(keys),
            None => Ok(self.keyring.add_month(month)?),
        }
    }

    /// Appends a row to the audit log.
    pub(super) fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.log.append(self.db, entry)
    }
}

/// Work inside a transaction, whose caller may have gone away.
pub(super) trait DirectJob: Send {
    /// Does the work, anew if it was done in a transaction that was undone; `false` undoes what it wrote.
    fn run(&mut self, tx: &mut DirectTx<'_>) -> bool;
    /// Answers the caller, after the commit or its failure.
    fn finish(self: Box<Self>, commit: Commit);
}

impl<T, F> DirectJob for Answering<T, F>
where
    T: Send,
    F: Fn(&mut DirectTx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, tx: &mut DirectTx<'_>) -> bool {
        self.work_again(|work| work(tx))
    }

    fn finish(self: Box<Self>, commit: Commit) {
        self.answer(commit);
    }
}

/// Hands work to the writer and waits for its commit. Dropping the wait does not stop the work, which may be done more than once:
/// what it did in a transaction that was undone is forgotten.
pub(super) async fn write<T, F>(writer: &mpsc::Sender<Command>, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: Fn(&mut DirectTx<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    hand_over(writer, Answering::new(work, reply), answer).await
}

/// As [`write()`]; `first` hears of what stands on disk before the caller, whether or not that one still waits and whether or not it
/// is told of a success (see [`Answering::first_to`]), in the order of the work.
pub(super) async fn write_first_to<T, F>(
    writer: &mpsc::Sender<Command>,
    work: F,
    first: impl FnOnce(&T) + Send + 'static,
) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: Fn(&mut DirectTx<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    hand_over(writer, Answering::new(work, reply).first_to(Box::new(first)), answer).await
}

async fn hand_over<T, F>(
    writer: &mpsc::Sender<Command>,
    job: Answering<T, F>,
    answer: oneshot::Receiver<Result<T, StoreError>>,
) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: Fn(&mut DirectTx<'_>) -> Result<T, StoreError> + Send + 'static,
{
    writer.send(Command::Direct(Box::new(job))).await.map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}
