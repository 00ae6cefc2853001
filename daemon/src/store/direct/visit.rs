//! One visit to the blocking thread: a transaction, its commit, the anchor.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use super::super::audit::{Anchored, Note, Tail};
use super::super::error::read_failed;
use super::super::keyring::Keyring;
use super::super::numbers::Numbers;
use super::super::readers::connect_to_write;
use super::super::writer::{KEEP_MARK, Tx};
use super::{DirectJob, DirectTx};
use crate::app::ports::{AuditEntry, Random, ResultForm, StoreError};

/// The connection; opened when it is first needed.
pub(in super::super) struct Direct {
    database: PathBuf,
    connection: Option<Connection>,
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
}

/// What is committed.
struct Written {
    anchored: Option<Anchored>,
    changed: Option<i64>,
}

impl Direct {
    pub(in super::super) fn new(database: &Path) -> Self {
        Self { database: database.to_owned(), connection: None }
    }

    /// Runs the jobs in one transaction; the notes' rows follow, which only a failure of all of it can undo.
    pub(in super::super) async fn commit(
        &mut self,
        tx: &mut Tx,
        jobs: Vec<Box<dyn DirectJob>>,
        notes: Vec<Note>,
    ) {
        let (entries, waiting): (Vec<_>, Vec<_>) =
            notes.into_iter().map(|note| (note.entry, note.reply)).unzip();
        let (jobs, outcome) = self.visit(tx, jobs, entries).await;
        for job in jobs {
            job.finish(outcome.clone());
        }
        for reply in waiting {
            // The caller may have gone away; the row is there all the same.
            reply.send(outcome.clone()).ok();
        }
    }

    /// Gives the jobs back, so that they answer. Those that were lost with their thread tell their callers by being gone.
    async fn visit(
        &mut self,
        tx: &mut Tx,
        jobs: Vec<Box<dyn DirectJob>>,
        entries: Vec<AuditEntry>,
    ) -> (Vec<Box<dyn DirectJob>>, Result<(), StoreError>) {
        if let Err(error) = tx.ledger.prepare().await {
            return (jobs, Err(error));
        }
        tx.now_us = tx.clock.now_us();
        let (keyring, random, form) = (Arc::clone(&tx.keyring), Arc::clone(&tx.random), Arc::clone(&tx.form));
        let log = tx.ledger.tail(tx.now_us, tx.clock.wall_us(), tx.keyring.system());
        let mut visit = Visit { jobs, entries, log, now_us: tx.now_us, keyring, random, form };
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
            (connection, visit.jobs, written)
        });
        let Ok((connection, jobs, written)) = working.await else {
            let reason = "writing to the database was interrupted".to_owned();
            return (Vec::new(), Err(StoreError::Failed(reason)));
        };
        self.connection = connection;
        let kept = written.and_then(|Written { anchored, changed }| {
            tx.news.publish(changed);
            anchored.map_or(Ok(()), |anchored| tx.ledger.anchored(anchored))
        });
        (jobs, kept)
    }
}

impl Visit {
    /// Dropping the transaction undoes it.
    fn write(&mut self, db: &mut Connection) -> Result<Written, StoreError> {
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
            log: self.log.clone(),
        };
        tx.execute(KEEP_MARK, [self.now_us])?;
        if !self.run(&mut tx)? {
            // Its own error is the answer; the mark alone is not worth a commit.
            return Ok(Written { anchored: None, changed: None });
        }
        for entry in &self.entries {
            tx.audit(entry)?;
        }
        if let Some(change) = tx.numbers.unwritten() {
            tx.execute("UPDATE results_sequence SET change = ?1 WHERE id = 1", [change])?;
        }
        let (changed, log) = (tx.numbers.changed(), tx.log);
        transaction.commit().map_err(failed)?;
        Ok(Written { anchored: log.anchor(), changed })
    }

    /// Whether there is something to commit.
    fn run(&mut self, tx: &mut DirectTx<'_>) -> Result<bool, StoreError> {
        let alone = self.jobs.len() == 1 && self.entries.is_empty();
        for job in &mut self.jobs {
            if !alone {
                tx.execute("SAVEPOINT job", [])?;
            }
            let (changes, end) = (tx.numbers.changes(), tx.log.end());
            if job.run(tx) {
                if !alone {
                    tx.execute("RELEASE job", [])?;
                }
                continue;
            }
            // They go back with what is undone.
            tx.numbers.put_back(changes);
            tx.log.put_back(end);
            if alone {
                return Ok(false);
            }
            // Fails if SQLite undid the whole transaction (disk full): then nobody in it has succeeded.
            tx.execute("ROLLBACK TO job", [])?;
            tx.execute("RELEASE job", [])?;
        }
        Ok(true)
    }
}
