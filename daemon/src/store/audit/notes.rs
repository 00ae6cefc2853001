//! Audit rows through the connection that works on a blocking thread: those of reads, which stand alone, and those of its jobs.

use std::sync::Arc;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::super::error::read_failed;
use super::super::keyring::SystemKeys;
use super::anchor::{Mark, Writing};
use super::row::{INSERT, LAST, Row, Stamp};
use super::{Ledger, altered};
use crate::app::ports::{AuditEntry, StoreError};

/// A row to be appended, and who waits for it.
pub(in super::super) struct Note {
    pub(in super::super) entry: AuditEntry,
    pub(in super::super) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// The anchor of a commit, while it is written.
pub(in super::super) struct Anchoring {
    end: Mark,
    writing: Writing,
}

/// The log's end, away from the writer's task.
#[derive(Clone)]
pub(in super::super) struct Tail {
    stamp: Stamp,
    /// The log's end as it was left; unknown without an anchor.
    left: Option<Mark>,
    /// The log's end within this commit, once it was looked at.
    end: Option<Mark>,
    keys: Arc<SystemKeys>,
}

impl Tail {
    /// Appends a row inside the transaction of what it speaks of.
    pub(in super::super) fn append(&mut self, db: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| read_failed(&error);
        let end = match self.end {
            Some(end) => end,
            None => self.look(db)?,
        };
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
        db.prepare_cached(INSERT).and_then(|mut insert| insert.execute(values)).map_err(failed)?;
        self.end = Some(Mark { batch: self.stamp.batch, count: row.seq, head });
        Ok(())
    }

    fn look(&self, db: &Connection) -> Result<Mark, StoreError> {
        let found: (i64, i64, Vec<u8>) = db
            .prepare_cached(LAST)
            .and_then(|mut last| last.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
            .map_err(|e| read_failed(&e))?;
        let end = Mark::found(found)?;
        match self.left {
            Some(left) if (left.count, left.head) != (end.count, end.head) => Err(altered(&end)),
            _ => Ok(end),
        }
    }

    /// The log's end within this commit, if it has rows: what is anchored after it, and what a job that is undone puts back.
    pub(in super::super) fn end(&self) -> Option<Mark> {
        self.end
    }

    /// Takes back what a job appended that was undone.
    pub(in super::super) fn put_back(&mut self, end: Option<Mark>) {
        self.end = end;
    }
}

impl Ledger {
    /// The log's end, for the thread that appends to it next.
    pub(in super::super) fn tail(&self, at_us: i64, wall_us: i64, keys: Arc<SystemKeys>) -> Tail {
        let left = self.anchor.as_ref().map(super::Anchor::stands);
        Tail { stamp: self.stamp(at_us, wall_us), left, end: None, keys }
    }

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

    /// Begins to write the anchor of a commit.
    pub(in super::super) fn anchor_later(&mut self, end: Mark) -> Option<Anchoring> {
        let writing = self.anchor.as_mut()?.begin(end);
        Some(Anchoring { end, writing })
    }

    /// Waits until it stands.
    pub(in super::super) async fn anchored(&mut self, anchoring: Anchoring) -> Result<(), StoreError> {
        let Anchoring { end, writing } = anchoring;
        match &mut self.anchor {
            Some(anchor) => anchor.written(end, writing.await),
            None => Ok(()),
        }
    }
}
