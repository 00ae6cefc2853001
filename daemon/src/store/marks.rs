//! Marks: what a result says of an inquiry number that is on its way, or that failed, kept beside its row.
//!
//! A mark is a few numbers and words that name nobody, so that taking a number in neither seals nor writes the result itself
//! anew. While a result has one, the mark's version and change are the result's.

use rusqlite::{Row, params};
use sqlx::FromRow;

use super::direct::DirectTx;
use super::error::failed;
use super::job;
use super::writer::Tx;
use crate::app::ports::{PendingNumber, StoreError, StoredResult};
use crate::domain::check::ResultId;

/// The columns of a result's mark, if it has one, in the order in which [`Mark::read`] takes them.
macro_rules! mark_columns {
    () => {
        "marks.version AS marked_version, marks.job AS marked_job, marks.failure AS marked_failure, \
         marks.upstream_code AS marked_code "
    };
}

/// Where they come from, beside a row of `results`.
macro_rules! with_marks {
    () => {
        "LEFT JOIN result_marks AS marks ON marks.id = results.id "
    };
}

pub(super) use {mark_columns, with_marks};

/// A mark beside its row; nothing but nothings where there is none.
#[derive(FromRow)]
pub(super) struct Mark {
    #[sqlx(rename = "marked_version")]
    version: Option<i64>,
    #[sqlx(rename = "marked_job")]
    job: Option<i64>,
    #[sqlx(rename = "marked_failure")]
    failure: Option<String>,
    #[sqlx(rename = "marked_code")]
    code: Option<String>,
}

impl Mark {
    /// The mark's columns, of which `first` is the first one.
    pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            version: row.get(first)?,
            job: row.get(first + 1)?,
            failure: row.get(first + 2)?,
            code: row.get(first + 3)?,
        })
    }

    /// Puts it on the opened row.
    pub(super) fn put_on(&self, stored: StoredResult) -> Result<StoredResult, StoreError> {
        let (Some(version), Some(job)) = (self.version, self.job) else { return Ok(stored) };
        let pending = job::read_pending(stored.id.0, job, self.failure.as_deref(), self.code.clone())?;
        Ok(StoredResult { version, pending: Some(pending), ..stored })
    }
}

/// A mark in place of an older one; without a change (`?3`) the result's stays.
const KEEP: &str = "INSERT INTO result_marks (id, version, change, job, failure, upstream_code) \
     SELECT id, ?2, COALESCE(?3, change), ?4, ?5, ?6 FROM results WHERE id = ?1 \
     ON CONFLICT (id) DO UPDATE SET version = ?2, change = COALESCE(?3, result_marks.change), job = ?4, \
     failure = ?5, upstream_code = ?6";

/// Lets a result say what became of a number, or that it waits for one: its next version, or the one that its row has now.
pub(super) fn put(
    tx: &DirectTx<'_>,
    id: ResultId,
    version: i64,
    change: i64,
    pending: &PendingNumber,
) -> Result<(), StoreError> {
    let (failure, code) = words(pending);
    tx.execute(KEEP, params![id.0, version, change, pending.job.0, failure, code])
}

/// A number arrived: the result has nothing more to say of it.
pub(super) fn remove(tx: &DirectTx<'_>, id: ResultId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM result_marks WHERE id = ?1", [id.0])
}

/// As [`put()`], in a transaction through sqlx; without a change if nothing changed that shows.
pub(super) async fn keep(
    tx: &mut Tx,
    id: i64,
    version: i64,
    change: Option<i64>,
    pending: &PendingNumber,
) -> Result<(), StoreError> {
    let (failure, code) = words(pending);
    let query =
        sqlx::query(KEEP).bind(id).bind(version).bind(change).bind(pending.job.0).bind(failure).bind(code);
    query.execute(&mut tx.db).await.map(drop).map_err(|e| failed(&e))
}

fn words(pending: &PendingNumber) -> (Option<&'static str>, Option<String>) {
    let (failure, code) = pending.failure.as_ref().map(job::failure_words).unzip();
    (failure, code.flatten())
}
