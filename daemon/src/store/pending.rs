//! What results say of inquiry numbers that are on their way, and what becomes of them when these arrive or fail.

use std::sync::Arc;

use super::body;
use super::error::failed;
use super::keyring::MonthKeys;
use super::results::{Sealed, inquiry_index, live_row, person_index};
use super::row::{self, Marks};
use super::writer::Tx;
use crate::app::ports::{Inquiry, InquiryFailure, PendingNumber, StoreError, StoredResult};
use crate::domain::check::ResultId;
use crate::domain::eligibility::Confirmation;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::JobId;

/// The rows of a person. Index keys differ from month to month, so the person is looked up once for each.
async fn rows_of_person(tx: &mut Tx, person: &InsuranceIdentifiers) -> Result<Vec<Sealed>, StoreError> {
    let fingerprint = person.fingerprint();
    let mut rows = Vec::new();
    for keys in tx.keyring.months() {
        let found: Vec<Sealed> = sqlx::query_as(
            "SELECT id, month, version, payload FROM live_results \
             WHERE person_index = ?1 AND expires_at_us > ?2 ORDER BY id",
        )
        .bind(person_index(&keys, &fingerprint)?)
        .bind(tx.now_us)
        .fetch_all(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
        rows.extend(found);
    }
    Ok(rows)
}

/// The rows of an inquiry's person, and the one it was asked for even if its person is not certain.
async fn rows_of(tx: &mut Tx, inquiry: &Inquiry) -> Result<Vec<Sealed>, StoreError> {
    let mut rows = rows_of_person(tx, &inquiry.person).await?;
    if let Some(result) = inquiry.result.filter(|result| rows.iter().all(|row| row.id != result.0)) {
        rows.extend(live_row(result, tx.now_us).fetch_optional(&mut tx.db).await.map_err(|e| failed(&e))?);
    }
    Ok(rows)
}

/// Sets an inquiry's number on its rows, on which its job no longer waits then; rows that are so already stay as they
/// are. Returns all of them.
pub(super) async fn set_number(
    tx: &mut Tx,
    job: JobId,
    inquiry: &Inquiry,
) -> Result<Vec<ResultId>, StoreError> {
    let mut ids = Vec::new();
    for sealed in rows_of(tx, inquiry).await? {
        let stored = sealed.open(&tx.keyring)?;
        ids.push(stored.id);
        // A later number of the person may wait already.
        let pending = stored.pending.clone().filter(|pending| pending.job != job);
        if stored.inquiry_number.as_ref() == Some(&inquiry.number) && pending == stored.pending {
            continue;
        }
        let marks = Marks { number: Some(&inquiry.number), pending: pending.as_ref() };
        rewrite(tx, &sealed, &stored, marks, Some(tx.now_us)).await?;
    }
    Ok(ids)
}

/// Lets an inquiry's rows say that its number is on its way. One that they have already is no news: who sends all numbers
/// every night does not want to hear of all results every morning.
pub(super) async fn begin(tx: &mut Tx, job: JobId, inquiry: &Inquiry) -> Result<(), StoreError> {
    let pending = PendingNumber { job, failure: None };
    for sealed in rows_of(tx, inquiry).await? {
        let stored = sealed.open(&tx.keyring)?;
        if stored.inquiry_number.as_ref() == Some(&inquiry.number) && stored.pending.is_none() {
            continue;
        }
        let marks = Marks { number: stored.inquiry_number.as_ref(), pending: Some(&pending) };
        rewrite(tx, &sealed, &stored, marks, None).await?;
    }
    Ok(())
}

/// Lets the rows on which a job waits say that it failed.
pub(super) async fn fail(
    tx: &mut Tx,
    job: JobId,
    inquiry: &Inquiry,
    failure: &InquiryFailure,
) -> Result<(), StoreError> {
    let pending = PendingNumber { job, failure: Some(failure.clone()) };
    for sealed in rows_of(tx, inquiry).await? {
        let stored = sealed.open(&tx.keyring)?;
        if stored.pending.as_ref().is_some_and(|waiting| waiting.job == job) {
            let marks = Marks { number: stored.inquiry_number.as_ref(), pending: Some(&pending) };
            rewrite(tx, &sealed, &stored, marks, None).await?;
        }
    }
    Ok(())
}

/// The number that is on its way for the person of a confirmation, if that person is certain.
pub(super) async fn waiting_for(
    tx: &mut Tx,
    confirmation: &Confirmation,
) -> Result<Option<PendingNumber>, StoreError> {
    let Some(person) = row::person(confirmation) else { return Ok(None) };
    let mut newest: Option<i64> = None;
    for keys in tx.keyring.months() {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT max(id) FROM live_inquiry_jobs \
             WHERE state = 'queued' AND person_index = ?1 AND expires_at_us > ?2",
        )
        .bind(person_index(&keys, &person.fingerprint())?)
        .bind(tx.now_us)
        .fetch_one(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
        newest = newest.max(found);
    }
    Ok(newest.map(|id| PendingNumber { job: JobId(id), failure: None }))
}

/// Writes a row as its next version, with other marks. `numbered_at_us`: when its number was set, if it is now.
async fn rewrite(
    tx: &mut Tx,
    sealed: &Sealed,
    stored: &StoredResult,
    marks: Marks<'_>,
    numbered_at_us: Option<i64>,
) -> Result<(), StoreError> {
    let mut place = sealed.place()?;
    let keys: Arc<MonthKeys> = sealed.keys(&tx.keyring)?;
    place.version += 1;
    let change = tx.next_change().await?;
    let index = |number: &InquiryNumber| inquiry_index(&keys, number);
    sqlx::query(
        "UPDATE results SET version = ?1, inquiry_index = ?2, payload = ?3, \
         numbered_at_us = COALESCE(?4, numbered_at_us), change = ?5 WHERE id = ?6",
    )
    .bind(place.version)
    .bind(marks.number.map(index).transpose()?)
    .bind(row::seal(&keys, tx.random.as_ref(), place, &stored.content, marks)?)
    .bind(numbered_at_us)
    .bind(change)
    .bind(place.id)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    body::keep(tx, &keys, place, &stored.content, marks).await
}
