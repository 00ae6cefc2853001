//! Audit rows that stand alone: those of reads, which change nothing else.
//!
//! Each answer waits for its row's commit, so this is what a read costs. Rows that wait together are committed together
//! by one visit to a blocking thread, through a connection of its own, and the anchor follows in the same visit. The
//! writer's task waits meanwhile: there is never more than one who writes, and never more than one who checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::super::error::read_failed;
use super::super::keyring::SystemKeys;
use super::super::readers::connect_to_write;
use super::super::writer::{KEEP_MARK, Tx};
use super::anchor::{Mark, Slots};
use super::row::{INSERT, LAST, Row, Stamp};
use super::{Ledger, altered};
use crate::app::ports::{AuditEntry, StoreError};

/// A row to be appended, and who waits for it.
pub(in super::super) struct Note {
    pub(in super::super) entry: AuditEntry,
    pub(in super::super) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// The connection; opened when it is first needed.
pub(in super::super) struct Notes {
    database: PathBuf,
    connection: Option<Connection>,
}

/// What one visit to the blocking thread does.
struct Visit {
    entries: Vec<AuditEntry>,
    stamp: Stamp,
    /// The log's end as it was left; unknown without an anchor.
    left: Option<Mark>,
    keys: Arc<SystemKeys>,
    slots: Option<Slots>,
}

/// Committed rows, and whether the anchor knows of them.
struct Written {
    end: Mark,
    anchored: Result<(), StoreError>,
}

impl Notes {
    pub(in super::super) fn new(database: &Path) -> Self {
        Self { database: database.to_owned(), connection: None }
    }

    /// Appends and commits; nobody hears of it before the anchor was written.
    pub(in super::super) async fn commit(&mut self, tx: &mut Tx, notes: Vec<Note>) {
        let (entries, waiting): (Vec<_>, Vec<_>) =
            notes.into_iter().map(|note| (note.entry, note.reply)).unzip();
        let outcome = self.append(tx, entries).await;
        for reply in waiting {
            // The caller may have gone away; the row is there all the same.
            reply.send(outcome.clone()).ok();
        }
    }

    async fn append(&mut self, tx: &mut Tx, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        tx.ledger.prepare().await?;
        tx.now_us = tx.clock.now_us();
        let visit = Visit {
            entries,
            stamp: tx.ledger.stamp(tx.now_us, tx.clock.wall_us()),
            left: tx.ledger.left(),
            keys: tx.keyring.system(),
            slots: tx.ledger.slots(),
        };
        let (connection, database) = (self.connection.take(), self.database.clone());
        let working = tokio::task::spawn_blocking(move || {
            let mut connection = match connection {
                Some(connection) => connection,
                None => connect_to_write(&database)?,
            };
            let written = visit.write(&mut connection);
            Ok::<_, StoreError>((connection, written))
        });
        let interrupted = |_| StoreError::Failed("appending to the audit log was interrupted".to_owned());
        let (connection, written) = working.await.map_err(interrupted)??;
        self.connection = Some(connection);
        let Written { end, anchored } = written?;
        tx.ledger.anchored(end, anchored)
    }
}

impl Visit {
    fn write(&self, db: &mut Connection) -> Result<Written, StoreError> {
        let end = self.append(db)?;
        let anchored = self.slots.as_ref().map_or(Ok(()), |slots| slots.write(&end));
        Ok(Written { end, anchored })
    }

    /// Dropping the transaction undoes it.
    fn append(&self, db: &mut Connection) -> Result<Mark, StoreError> {
        let failed = |error: rusqlite::Error| read_failed(&error);
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        transaction
            .prepare_cached(KEEP_MARK)
            .and_then(|mut keep| keep.execute([self.stamp.at_us]))
            .map_err(failed)?;
        let found: (i64, i64, Vec<u8>) = transaction
            .prepare_cached(LAST)
            .and_then(|mut last| last.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
            .map_err(failed)?;
        let mut end = Mark::found(found)?;
        if self.left.is_some_and(|left| (left.count, left.head) != (end.count, end.head)) {
            return Err(altered(&end));
        }
        {
            let mut insert = transaction.prepare_cached(INSERT).map_err(failed)?;
            for entry in &self.entries {
                let row = Row::new(entry, &[], &end, &self.stamp);
                let head = row.mac(&self.keys.audit, &end.head)?;
                let values = params![
                    row.seq,
                    row.at_us,
                    row.wall_us,
                    row.run,
                    row.up_us,
                    row.batch,
                    row.actor,
                    row.action,
                    row.source,
                    row.terminal,
                    row.results,
                    row.outcome,
                    head.as_slice()
                ];
                insert.execute(values).map_err(failed)?;
                end = Mark { batch: self.stamp.batch, count: row.seq, head };
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(end)
    }
}

impl Ledger {
    /// What the rows of the commit that is being prepared have in common.
    pub(super) fn stamp(&self, at_us: i64, wall_us: i64) -> Stamp {
        let up = self.begun.elapsed().as_micros();
        Stamp {
            at_us,
            wall_us,
            run: self.run,
            up_us: i64::try_from(up).unwrap_or(i64::MAX),
            batch: self.batch,
        }
    }

    /// The log's end as the last commit with audit rows left it, where an anchor says so.
    fn left(&self) -> Option<Mark> {
        self.anchor.as_ref().map(super::Anchor::stands)
    }

    fn slots(&self) -> Option<Slots> {
        self.anchor.as_ref().map(super::Anchor::slots)
    }

    fn anchored(&mut self, end: Mark, written: Result<(), StoreError>) -> Result<(), StoreError> {
        match &mut self.anchor {
            Some(anchor) => anchor.written(end, written),
            None => Ok(()),
        }
    }
}
