//! The numbers that a transaction gives: those of rows, which are sealed to them, and those of changes.
//!
//! There is one writer, so what a transaction has read once it counts on in memory; what many jobs counted is written once, with
//! the commit.

use std::collections::BTreeMap;

use super::error::failed;
use super::writer::Tx;
use crate::app::ports::StoreError;

/// Where the numbers of the transaction that is being prepared stand.
#[derive(Default)]
pub(super) struct Numbers {
    /// The last number of every table that was asked for.
    rows: BTreeMap<&'static str, i64>,
    changes: Changes,
}

/// The sequence of changes of results, as far as this transaction has moved it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// What the table says.
    written: Option<i64>,
    /// The last one given.
    last: Option<i64>,
}

impl Numbers {
    /// What a job that is undone puts back.
    pub(super) fn changes(&self) -> Changes {
        self.changes
    }

    /// Takes back what a job was given that was undone.
    pub(super) fn put_back(&mut self, changes: Changes) {
        *self = Self { rows: BTreeMap::new(), changes };
    }

    /// The last change of a result that this transaction made.
    pub(super) fn changed(&self) -> Option<i64> {
        self.changes.last
    }

    /// The last change, if the table does not say so yet.
    pub(super) fn unwritten(&self) -> Option<i64> {
        self.changes.last.filter(|_| self.changes.last != self.changes.written)
    }
}

impl Tx {
    /// The number the next row of an AUTOINCREMENT table gets; the row must be inserted with it.
    pub(super) async fn next_id(&mut self, table: &'static str) -> Result<i64, StoreError> {
        let last = match self.numbers.rows.get(table) {
            Some(last) => Some(*last),
            None => sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = ?1")
                .bind(table)
                .fetch_optional(&mut self.db)
                .await
                .map_err(|e| failed(&e))?,
        };
        let used_up = || StoreError::Failed("numbers are used up".to_owned());
        let next = last.unwrap_or(0).checked_add(1).ok_or_else(used_up)?;
        self.numbers.rows.insert(table, next);
        Ok(next)
    }

    /// The next number of the sequence of changes, for a result that is being written.
    pub(super) async fn next_change(&mut self) -> Result<i64, StoreError> {
        let changes = &mut self.numbers.changes;
        let next = if let Some(last) = changes.last {
            last + 1
        } else {
            let first = sqlx::query_scalar(
                "UPDATE results_sequence SET change = change + 1 WHERE id = 1 RETURNING change",
            )
            .fetch_one(&mut self.db)
            .await
            .map_err(|e| failed(&e))?;
            changes.written = Some(first);
            first
        };
        changes.last = Some(next);
        Ok(next)
    }
}
