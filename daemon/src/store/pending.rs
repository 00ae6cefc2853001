//! What becomes of results when an inquiry number of their person is taken in, arrives or fails.

use std::sync::Arc;

use rusqlite::params;

use super::body;
use super::direct::DirectTx;
use super::error::failed;
use super::job;
use super::keyring::{Keyring, MonthKeys};
use super::marks::{self, mark_columns, with_marks};
use super::results::{ONE, Sealed, inquiry_index, person_index, sealed};
use super::row::{self, Place};
use super::writer::Tx;
use crate::app::ports::{Inquiry, InquiryFailure, PendingNumber, StoreError, StoredResult};
use crate::domain::check::ResultId;
use crate::domain::eligibility::Confirmation;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::JobId;

/// Months that one statement asks for; there are rarely more with results.
const MONTHS: usize = 3;
/// A result by its number and the results of a person.
const PERSONS: &str = sealed!(
    "WHERE (results.id = ?1 OR person_index = ?3 OR person_index = ?4 OR person_index = ?5) AND expires_at_us > ?2"
);

/// The newest job of a person that is queued: one walk through the index of what is, whatever the number of months.
pub(super) const NEWEST: &str = "SELECT id, month, payload FROM live_inquiry_jobs \
     WHERE state = 'queued' AND person_index IN (?1, ?2, ?3) AND expires_at_us > ?4 ORDER BY id DESC LIMIT 1";

/// A person's hashes: index keys differ from month to month, so the person is looked up under one for each.
fn indexes_of(keyring: &Keyring, person: &InsuranceIdentifiers) -> Result<Vec<Vec<u8>>, StoreError> {
    let fingerprint = person.fingerprint();
    keyring.months().iter().map(|keys| person_index(keys, &fingerprint)).collect()
}

/// The rows of an inquiry's person, and the one it was asked for even if its person is not certain.
fn rows_of(tx: &DirectTx<'_>, inquiry: &Inquiry) -> Result<Vec<Sealed>, StoreError> {
    let indexes = indexes_of(&tx.keyring, &inquiry.person)?;
    let mut asked = inquiry.result.map(|result| result.0);
    let mut rows: Vec<Sealed> = Vec::new();
    let mut left = indexes.as_slice();
    while !left.is_empty() || asked.is_some() {
        let (now, later) = left.split_at(left.len().min(MONTHS));
        left = later;
        let [first, second, third] = std::array::from_fn(|place| now.get(place));
        let values = params![asked.take(), tx.now_us, first, second, third];
        rows.extend(tx.rows(PERSONS, values, Sealed::read)?);
    }
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    Ok(rows)
}

/// The number that a row has already was set again.
const NUMBERED: &str = "UPDATE results SET numbered_at_us = ?1 WHERE id = ?2";

/// Sets an inquiry's number on its rows, on which its job no longer waits then; of rows that are so already only the instant
/// moves, so that no answer asked for before overwrites it. Returns all of them.
pub(super) fn set_number(
    tx: &mut DirectTx<'_>,
    job: JobId,
    inquiry: &Inquiry,
) -> Result<Vec<ResultId>, StoreError> {
    let mut ids = Vec::new();
    for sealed in rows_of(tx, inquiry)? {
        let stored = sealed.open(&tx.keyring)?;
        ids.push(stored.id);
        // A later number of the person may wait already.
        let pending = stored.pending.clone().filter(|pending| pending.job != job);
        if stored.inquiry_number.as_ref() == Some(&inquiry.number) && pending == stored.pending {
            tx.execute(NUMBERED, [tx.now_us, sealed.id])?;
            continue;
        }
        let marked = StoredResult { inquiry_number: Some(inquiry.number.clone()), pending, ..stored };
        rewrite(tx, &sealed, marked, Some(tx.now_us))?;
    }
    Ok(ids)
}

/// Lets an inquiry's rows say that its number is on its way. One that they have already is no news: who sends all numbers
/// every night does not want to hear of all results every morning. `opened`: the result it was asked for, if that was opened before.
pub(super) fn begin(
    tx: &mut DirectTx<'_>,
    job: JobId,
    inquiry: &Inquiry,
    mut opened: Option<StoredResult>,
) -> Result<(), StoreError> {
    for sealed in rows_of(tx, inquiry)? {
        let stored = match opened.take_if(|stored| stored.id.0 == sealed.id) {
            Some(stored) => stored,
            None => sealed.open(&tx.keyring)?,
        };
        if stored.inquiry_number.as_ref() == Some(&inquiry.number) && stored.pending.is_none() {
            continue;
        }
        mark(tx, &stored, &PendingNumber { job, failure: None })?;
    }
    Ok(())
}

/// Lets the rows on which a job waits say that it failed.
pub(super) fn fail(
    tx: &mut DirectTx<'_>,
    job: JobId,
    inquiry: &Inquiry,
    failure: &InquiryFailure,
) -> Result<(), StoreError> {
    for sealed in rows_of(tx, inquiry)? {
        let stored = sealed.open(&tx.keyring)?;
        if stored.pending.as_ref().is_some_and(|waiting| waiting.job == job) {
            mark(tx, &stored, &PendingNumber { job, failure: Some(failure.clone()) })?;
        }
    }
    Ok(())
}

/// Results that wait for a number whose job was purged. It expired on its way; they are of a later month and stay.
const FORSAKEN: &str = "SELECT id FROM result_marks WHERE failure IS NULL AND id > ?1 AND NOT EXISTS \
     (SELECT 1 FROM inquiry_jobs WHERE inquiry_jobs.id = result_marks.job AND state = 'queued') \
     ORDER BY id LIMIT ?2";
/// Results that wait for the number of a job.
const WAITING: &str = "SELECT id FROM result_marks WHERE failure IS NULL AND job = ?1";

/// Lets at most so many results beyond one no longer say that they wait for a job that was purged. Returns the last one that was
/// looked at, if there was any.
pub(super) fn forget_purged(
    tx: &mut DirectTx<'_>,
    beyond: i64,
    most: i64,
) -> Result<Option<i64>, StoreError> {
    let waiting = tx.rows(FORSAKEN, [beyond, most], |row| row.get(0))?;
    waiting.iter().try_for_each(|id| forget(tx, *id))?;
    Ok(waiting.last().copied())
}

/// Lets results no longer say that they wait for a job, which has expired.
pub(super) fn forget_expired(tx: &mut DirectTx<'_>, job: JobId) -> Result<(), StoreError> {
    let waiting: Vec<i64> = tx.rows(WAITING, [job.0], |row| row.get(0))?;
    waiting.iter().try_for_each(|id| forget(tx, *id))
}

/// Lets a result wait for no number any more. It keeps the one that it has, and since when.
fn forget(tx: &mut DirectTx<'_>, result: i64) -> Result<(), StoreError> {
    // What has itself expired is purged with its mark.
    let Some(sealed) = tx.row(ONE, [result, tx.now_us], Sealed::read)? else { return Ok(()) };
    match sealed.open(&tx.keyring) {
        Ok(stored) => rewrite(tx, &sealed, StoredResult { pending: None, ..stored }, None),
        Err(error @ StoreError::Corrupt { .. }) => {
            // It must not keep what has expired from being destroyed.
            tracing::error!(%error, "a result goes on saying that it waits for a number");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The number that is on its way for the person of a confirmation, if that person is certain and it is another one than `has`: who
/// has it already waits for nothing.
pub(super) async fn waiting_for(
    tx: &mut Tx,
    confirmation: &Confirmation,
    has: Option<&InquiryNumber>,
) -> Result<Option<PendingNumber>, StoreError> {
    let Some(person) = row::person(confirmation) else { return Ok(None) };
    let mut newest: Option<(i64, i32, Vec<u8>)> = None;
    for some in indexes_of(&tx.keyring, &person)?.chunks(MONTHS) {
        let query = sqlx::query_as(NEWEST).bind(some.first()).bind(some.get(1)).bind(some.get(2));
        let found = query.bind(tx.now_us).fetch_optional(&mut tx.db).await.map_err(|e| failed(&e))?;
        newest = newest.max(found);
    }
    let Some((id, month, payload)) = newest else { return Ok(None) };
    let pending = PendingNumber { job: JobId(id), failure: None };
    // A job that does not open must not cost a result.
    let brings = |has: &InquiryNumber| {
        job::open(&tx.keyring, pending.job, month, &payload).is_ok_and(|inquiry| inquiry.number == *has)
    };
    Ok((!has.is_some_and(brings)).then_some(pending))
}

/// Lets a result say what became of a number, as its next version.
fn mark(tx: &mut DirectTx<'_>, stored: &StoredResult, pending: &PendingNumber) -> Result<(), StoreError> {
    let change = tx.next_change()?;
    marks::put(tx, stored.id, stored.version + 1, change, pending)
}

/// Another number, or no mark any more.
const NUMBER: &str = "UPDATE results SET version = ?1, inquiry_index = ?2, payload = ?3, \
     numbered_at_us = COALESCE(?4, numbered_at_us), change = ?5 WHERE id = ?6";

/// Writes a row as its result's next version, with the number that `stored` has, and the mark that is left. `numbered_at_us`: when
/// the number was set, if that is now.
fn rewrite(
    tx: &mut DirectTx<'_>,
    sealed: &Sealed,
    mut stored: StoredResult,
    numbered_at_us: Option<i64>,
) -> Result<(), StoreError> {
    let keys: Arc<MonthKeys> = sealed.keys(&tx.keyring)?;
    stored.version += 1;
    let place = Place { version: stored.version, ..sealed.place()? };
    let pending = stored.pending.take();
    let change = tx.next_change()?;
    let number = stored.inquiry_number.as_ref();
    let index = number.map(|number| inquiry_index(&keys, number)).transpose()?;
    let (random, form) = (tx.random.as_ref(), tx.form.as_ref());
    let (form, body) = body::seal(form, random, &keys, place, &stored)?;
    let payload = row::seal(&keys, random, place, &stored.content, number)?;
    tx.execute(NUMBER, params![place.version, index, payload, numbered_at_us, change, place.id])?;
    tx.execute(body::KEEP, params![place.id, form, body])?;
    match pending {
        Some(pending) => marks::put(tx, stored.id, place.version, change, &pending),
        None => marks::remove(tx, stored.id),
    }
}
