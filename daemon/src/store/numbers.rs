//! The numbers that a transaction gives: those of rows, which are sealed to them, and those of changes.
//!
//! There is one writer, so what a transaction has read once it counts on in memory; what many jobs counted is written once, with
//! the commit.

use std::collections::BTreeMap;

use super::direct::DirectTx;
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

    /// Counts on from the last number of a table.
    fn after(&mut self, table: &'static str, last: Option<i64>) -> Result<i64, StoreError> {
        let used_up = || StoreError::Failed("numbers are used up".to_owned());
        let next = last.unwrap_or(0).checked_add(1).ok_or_else(used_up)?;
        self.rows.insert(table, next);
        Ok(next)
    }
}

impl Changes {
    /// Counts on, unless the table must be asked first.
    fn next(&mut self) -> Option<i64> {
        self.last = Some(self.last? + 1);
        self.last
    }

    /// The table was asked and says so.
    fn begin(&mut self, first: i64) -> i64 {
        *self = Self { written: Some(first), last: Some(first) };
        first
    }
}

const LAST_ID: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
const FIRST_CHANGE: &str = "UPDATE results_sequence SET change = change + 1 WHERE id = 1 RETURNING change";

impl Tx {
    /// The number the next row of an AUTOINCREMENT table gets; the row must be inserted with it.
    pub(super) async fn next_id(&mut self, table: &'static str) -> Result<i64, StoreError> {
        let last = match self.numbers.rows.get(table) {
            Some(last) => Some(*last),
            None => sqlx::query_scalar(LAST_ID)
                .bind(table)
                .fetch_optional(&mut self.db)
                .await
                .map_err(|e| failed(&e))?,
        };
        self.numbers.after(table, last)
    }

    /// The next number of the sequence of changes, for a result that is being written.
    pub(super) async fn next_change(&mut self) -> Result<i64, StoreError> {
        if let Some(next) = self.numbers.changes.next() {
            return Ok(next);
        }
        let first = sqlx::query_scalar(FIRST_CHANGE).fetch_one(&mut self.db).await;
        Ok(self.numbers.changes.begin(first.map_err(|e| failed(&e))?))
    }
}

impl DirectTx<'_> {
    /// As [`Tx::next_id`].
    pub(super) fn next_id(&mut self, table: &'static str) -> Result<i64, StoreError> {
        let last = match self.numbers.rows.get(table) {
            Some(last) => Some(*last),
            None => self.row(LAST_ID, [table], |row| row.get(0))?,
        };
        self.numbers.after(table, last)
    }

    /// As [`Tx::next_change`].
    pub(super) fn next_change(&mut self) -> Result<i64, StoreError> {
        if let Some(next) = self.numbers.changes.next() {
            return Ok(next);
        }
        let first = self.row(FIRST_CHANGE, [], |row| row.get(0))?;
        let none = || StoreError::Failed("there is no sequence of changes".to_owned());
        Ok(self.numbers.changes.begin(first.ok_or_else(none)?))
    }
}
