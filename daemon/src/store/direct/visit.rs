//! One visit to the blocking thread: a transaction and its commit; and the anchor, which is written while the next one is prepared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::super::audit::{Anchoring, Mark, Note, Tail};
use super::super::error::read_failed;
use super::super::keyring::Keyring;
use super::super::numbers::Numbers;
use super::super::readers::connect_to_write;
use super::super::waiting::Waiting;
use super::super::writer::{Commit, KEEP_MARK, Tx, closed};
use super::{DirectJob, DirectTx};
use crate::app::ports::{AuditEntry, Random, ResultForm, StoreError};

/// The connection, opened when it is first needed, and the commit that is not anchored yet.
pub(in super::super) struct Direct {
    database: PathBuf,
    connection: Option<Connection>,
    waiting: Waiting,
    committed: Option<Committed>,
}

/// Who waits for a transaction.
struct Callers {
    jobs: Vec<Box<dyn DirectJob>>,
    notes: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl Callers {
    fn answer(self, commit: &Commit) {
        for job in self.jobs {
            job.finish(commit.clone());
        }
        for note in self.notes {
            // The caller may have gone away; the row is there all the same.
            note.send(commit.clone().told()).ok();
        }
    }
}

/// A commit whose anchor is being written. Nobody hears of it before that has ended.
struct Committed {
    anchoring: Anchoring,
    callers: Callers,
}

/// What one visit to the blocking thread does.
struct Visit {
    jobs: Vec<Box<dyn DirectJob>>,
    entries: Vec<AuditEntry>,
    log: Tail,
    now_us: i64,
    keyring: Arc<Keyring>,
    random: Arc<dyn Random>,
    form: Arc<dyn ResultForm>,
    waiting: Waiting,
    /// Whether the commit before is anchored: only then there may be another one.
    before: Option<oneshot::Receiver<Result<(), StoreError>>>,
}

/// What is committed.
#[derive(Default)]
struct Written {
    /// Whether anything is: not if the only job failed by itself.
    stands: bool,
    end: Option<Mark>,
    changed: Option<i64>,
}

/// How much a job that fails undoes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// The whole transaction.
    All,
    /// What the job wrote.
    Own,
}

impl Direct {
    pub(in super::super) fn new(database: &Path) -> Self {
        Self { database: database.to_owned(), connection: None, waiting: Waiting::default(), committed: None }
    }

    /// Waits for the anchor of the last commit and lets its callers know.
    pub(in super::super) async fn settle(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let Some(Committed { anchoring, callers }) = self.committed.take() else { return Ok(()) };
        let commit = Commit::anchored(tx.ledger.anchored(anchoring).await);
        tx.commits.note(&commit);
        callers.answer(&commit);
        commit.told()
    }

    /// Runs the jobs in one transaction; the notes' rows follow, which only a failure of all of it can undo. While it is
    /// prepared, the anchor of the commit before is written; who waits for this one hears of it with the next
    /// [`Direct::settle`] or commit.
    pub(in super::super) async fn commit(
        &mut self,
        tx: &mut Tx,
        jobs: Vec<Box<dyn DirectJob>>,
        notes: Vec<Note>,
    ) {
        let (entries, notes): (Vec<_>, Vec<_>) =
            notes.into_iter().map(|note| (note.entry, note.reply)).unzip();
        let (jobs, written) = self.visit(tx, jobs, entries).await;
        let callers = Callers { jobs, notes };
        // One without audit rows leaves the anchor as it is, whatever the log's end claims to be.
        let stands = !matches!(&written, Ok(written) if !written.stands);
        let commit = match written.map(|written| written.end.and_then(|end| tx.ledger.anchor_later(end))) {
            Ok(Some(anchoring)) => {
                self.committed = Some(Committed { anchoring, callers });
                return;
            }
            Ok(None) => Commit::Done,
            Err(error) => Commit::Undone(error),
        };
        if stands {
            tx.commits.note(&commit);
        }
        callers.answer(&commit);
    }

    /// Gives the jobs back, so that they answer. Those that were lost with their thread tell their callers by being gone.
    async fn visit(
        &mut self,
        tx: &mut Tx,
        jobs: Vec<Box<dyn DirectJob>>,
        entries: Vec<AuditEntry>,
    ) -> (Vec<Box<dyn DirectJob>>, Result<Written, StoreError>) {
        if self.committed.is_none()
            && let Err(error) = tx.ledger.settle().await
        {
            return (jobs, Err(error));
        }
        tx.ledger.begin_commit();
        tx.now_us = tx.clock.now_us();
        let (keyring, random, form) = (Arc::clone(&tx.keyring), Arc::clone(&tx.random), Arc::clone(&tx.form));
        let log = tx.ledger.tail(tx.now_us, tx.clock.wall_us(), tx.keyring.system());
        let (anchored, before) = oneshot::channel();
        let before = Some(before);
        let waiting = std::mem::take(&mut self.waiting);
        let mut visit =
            Visit { jobs, entries, log, now_us: tx.now_us, keyring, random, form, waiting, before };
        let (connection, database) = (self.connection.take(), self.database.clone());
        let working = tokio::task::spawn_blocking(move || {
            let opened = connection.map_or_else(|| connect_to_write(&database), Ok);
            let (connection, written) = match opened {
                Ok(mut connection) => {
                    let written = visit.write(&mut connection);
                    (Some(connection), written)
                }
                Err(error) => (None, Err(error)),
            };
            (connection, visit.waiting, visit.jobs, written)
        });
        // It may have ended already, with an error of its own.
        anchored.send(self.settle(tx).await).ok();
        let Ok((connection, waiting, jobs, written)) = working.await else {
            let reason = "writing to the database was interrupted".to_owned();
            return (Vec::new(), Err(StoreError::Failed(reason)));
        };
        self.connection = connection;
        if let Ok(written) = &written {
            self.waiting = waiting;
            tx.news.publish(written.changed);
        }
        (jobs, written)
    }
}

impl Visit {
    /// A savepoint keeps a copy of every page that its job changes, so jobs get one only after one of them has failed.
    fn write(&mut self, db: &mut Connection) -> Result<Written, StoreError> {
        if let Some(written) = self.attempt(db, Undo::All)? {
            return Ok(written);
        }
        if self.jobs.len() == 1 && self.entries.is_empty() {
            // Its own error is the answer; the mark alone is not worth a commit.
            return Ok(Written::default());
        }
        Ok(self.attempt(db, Undo::Own)?.unwrap_or_default())
    }

    /// `None` if a job failed and so undid everything. Dropping the transaction undoes it.
    fn attempt(&mut self, db: &mut Connection, undo: Undo) -> Result<Option<Written>, StoreError> {
        let failed = |error: rusqlite::Error| read_failed(&error);
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let (random, form) = (Arc::clone(&self.random), Arc::clone(&self.form));
        let mut tx = DirectTx {
            db: &transaction,
            keyring: Arc::clone(&self.keyring),
            random,
            form,
            now_us: self.now_us,
            numbers: Numbers::default(),
            waiting: &mut self.waiting,
            log: self.log.clone(),
        };
        tx.execute(KEEP_MARK, [self.now_us])?;
        for job in &mut self.jobs {
            let kept = match undo {
                Undo::All => job.run(&mut tx),
                Undo::Own => guarded(job.as_mut(), &mut tx)?,
            };
            if undo == Undo::All && !kept {
                self.waiting.forget();
                return Ok(None);
            }
        }
        for entry in &self.entries {
            tx.audit(entry)?;
        }
        if let Some(change) = tx.numbers.unwritten() {
            tx.execute("UPDATE results_sequence SET change = ?1 WHERE id = 1", [change])?;
        }
        let written = Written { stands: true, end: tx.log.end(), changed: tx.numbers.changed() };
        if let Some(before) = self.before.take() {
            before.blocking_recv().map_err(|_| closed()).flatten()?;
        }
        transaction.commit().map_err(failed)?;
        Ok(Some(written))
    }
}

/// Runs a job in a savepoint of its own; whether it succeeded.
fn guarded(job: &mut dyn DirectJob, tx: &mut DirectTx<'_>) -> Result<bool, StoreError> {
    tx.execute("SAVEPOINT job", [])?;
    let (changes, end) = (tx.numbers.changes(), tx.log.end());
    let kept = job.run(tx);
    if !kept {
        // They go back with what is undone.
        tx.numbers.put_back(changes);
        tx.waiting.forget();
        tx.log.put_back(end);
        // Fails if SQLite undid the whole transaction (disk full): then nobody in it has succeeded.
        tx.execute("ROLLBACK TO job", [])?;
    }
    tx.execute("RELEASE job", [])?;
    Ok(kept)
}
