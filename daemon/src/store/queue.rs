//! The queue of inquiry numbers: jobs and bulks, sealed until they end, erased when they have.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::params;
use sqlx::FromRow;

use super::clock::instant;
use super::direct::{DirectTx, write};
use super::error::failed;
use super::job::{self, Job};
use super::results::{person_index, persons_with};
use super::{Store, idempotency, pending};
use crate::app::ports::{
    AuditEntry, AuditSource, BulkStand, Inquiry, InquiryEnd, InquiryFailure, InquiryJob, InquiryQueue,
    Intake, JobState, Keyed, Made, PendingInquiry, StoreError,
};
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::{BulkId, JobId, Receipt, number_is_taken};
use crate::domain::retention::{JstMonth, expiry};

/// When what is taken in now was taken in, and when it must be gone.
fn intake(now_us: i64) -> Result<Intake, StoreError> {
    let taken_at = instant(now_us)?;
    Ok(Intake { taken_at, expires_at: expiry(taken_at) })
}

/// A job as it is inserted.
struct NewJob<'j> {
    place: Option<(BulkId, u32)>,
    actor: &'j str,
    intake: Intake,
    item: Result<&'j Inquiry, &'j InquiryFailure>,
}

fn insert(tx: &mut DirectTx<'_>, new: &NewJob<'_>) -> Result<JobId, StoreError> {
    let id = tx.next_id("inquiry_jobs")?;
    let month = JstMonth::of(new.intake.taken_at);
    let (payload, person) = match new.item {
        Ok(inquiry) => {
            let keys = tx.month_keys(month)?;
            let payload = job::seal(&keys, tx.random.as_ref(), JobId(id), month, inquiry)?;
            (Some(payload), Some(person_index(&keys, &inquiry.person.fingerprint())?))
        }
        Err(_) => (None, None),
    };
    let (failure, upstream_code) = new.item.err().map(job::failure_words).unzip();
    let values = params![
        id,
        new.place.map(|(bulk, _)| bulk.0),
        new.place.map(|(_, position)| position),
        new.actor,
        new.intake.taken_at.as_microsecond(),
        new.intake.expires_at.as_microsecond(),
        month.number(),
        if payload.is_some() { "queued" } else { "failed" },
        failure,
        upstream_code.flatten(),
        payload,
        person
    ];
    tx.execute(
        "INSERT INTO inquiry_jobs (id, bulk_id, position, actor, taken_at_us, expires_at_us, month, state, failure, \
         upstream_code, results, payload, person_index) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, x'', ?11, ?12)",
        values,
    )?;
    if let Ok(inquiry) = new.item {
        pending::begin(tx, JobId(id), inquiry)?;
    }
    Ok(JobId(id))
}

fn insert_bulk(
    tx: &mut DirectTx<'_>,
    items: &[Result<Inquiry, InquiryFailure>],
    entry: &AuditEntry,
    request: Option<&Keyed>,
) -> Result<(BulkId, Vec<JobId>, Intake), StoreError> {
    let intake = intake(tx.now_us)?;
    let bulk = BulkId(tx.next_id("inquiry_bulks")?);
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO inquiry_bulks (id, items, taken_at_us, expires_at_us) VALUES (?1, ?2, ?3, ?4)",
        params![bulk.0, count, intake.taken_at.as_microsecond(), intake.expires_at.as_microsecond()],
    )?;
    let mut ids = Vec::with_capacity(items.len());
    for (position, item) in (0..).zip(items) {
        let new = NewJob { place: Some((bulk, position)), actor: &entry.actor, intake, item: item.as_ref() };
        ids.push(insert(tx, &new)?);
    }
    if let Some(request) = request {
        idempotency::remember(tx, request, &Made::Bulk(bulk))?;
    }
    tx.audit(entry)?;
    Ok((bulk, ids, intake))
}

/// Ends one job; returns who asked and the results changed, or `None` if it has ended or expired before.
fn end_one(
    tx: &mut DirectTx<'_>,
    id: JobId,
    end: &InquiryEnd,
) -> Result<Option<(String, Vec<ResultId>)>, StoreError> {
    let open: Option<(String, i32, Vec<u8>)> = tx.row(
        "SELECT actor, month, payload FROM live_inquiry_jobs \
         WHERE id = ?1 AND state = 'queued' AND expires_at_us > ?2",
        [id.0, tx.now_us],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some((actor, month, payload)) = open else { return Ok(None) };
    let inquiry = job::open(&tx.keyring, id, month, &payload)?;
    let (results, state, failure, upstream_code) = match end {
        InquiryEnd::Registered => (pending::set_number(tx, id, &inquiry)?, "registered", None, None),
        InquiryEnd::Failed(failure) => {
            pending::fail(tx, id, &inquiry, failure)?;
            let (word, code) = job::failure_words(failure);
            (Vec::new(), "failed", Some(word), code)
        }
    };
    tx.execute(
        "UPDATE inquiry_jobs SET state = ?1, failure = ?2, upstream_code = ?3, results = ?4, payload = NULL, \
         person_index = NULL, receipt = NULL WHERE id = ?5",
        params![state, failure, upstream_code, job::pack(&results), id.0],
    )?;
    Ok(Some((actor, results)))
}

/// Ends jobs; one audit row for each who asked and each way it ended.
fn end(tx: &mut DirectTx<'_>, ends: &[(JobId, InquiryEnd)]) -> Result<Vec<Vec<ResultId>>, StoreError> {
    let mut rows: BTreeMap<(String, &'static str), Vec<ResultId>> = BTreeMap::new();
    let mut changed = Vec::with_capacity(ends.len());
    for (id, end) in ends {
        let outcome = match end {
            InquiryEnd::Registered => "ok",
            InquiryEnd::Failed(failure) => failure.code(),
        };
        let results = match end_one(tx, *id, end)? {
            Some((actor, results)) => {
                rows.entry((actor, outcome)).or_default().extend(&results);
                results
            }
            None => Vec::new(),
        };
        changed.push(results);
    }
    for ((actor, outcome), results) in rows {
        let entry = AuditEntry {
            actor,
            action: "inquiry_number.set",
            // Whoever asked may be long gone; the row of the intake says from where it was asked.
            source: AuditSource::Daemon,
            terminal: None,
            results,
            outcome: outcome.to_owned(),
        };
        tx.audit(&entry)?;
    }
    Ok(changed)
}

fn note_receipt(tx: &DirectTx<'_>, jobs: &[JobId], receipt: Option<&Receipt>) -> Result<(), StoreError> {
    let receipt = receipt.map(|receipt| receipt.0.as_str());
    jobs.iter().try_for_each(|id| {
        let update = "UPDATE inquiry_jobs SET receipt = ?1 WHERE id = ?2 AND state = 'queued'";
        tx.execute(update, params![receipt, id.0])
    })
}

#[derive(FromRow)]
struct Queued {
    id: i64,
    bulk_id: Option<i64>,
    taken_at_us: i64,
    month: i32,
    receipt: Option<String>,
    payload: Vec<u8>,
}

#[derive(FromRow)]
struct Bulk {
    items: u32,
    taken_at_us: i64,
    registered: u32,
    failed: u32,
}

/// Columns of a job's stand.
macro_rules! job_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, bulk_id, position, taken_at_us, state, failure, upstream_code, results FROM live_inquiry_jobs ",
            $rest
        )
    };
}

#[async_trait]
impl InquiryQueue for Store {
    async fn take_in(
        &self,
        inquiry: &Inquiry,
        audit: &AuditEntry,
        request: Option<&Keyed>,
    ) -> Result<Option<(JobId, Intake)>, StoreError> {
        let (inquiry, entry, request) = (inquiry.clone(), audit.clone(), request.cloned());
        write(&self.writer, move |tx| {
            if number_is_taken(&inquiry.person, &persons_with(tx, &inquiry.number)?) {
                return Ok(None);
            }
            let intake = intake(tx.now_us)?;
            let id = insert(tx, &NewJob { place: None, actor: &entry.actor, intake, item: Ok(&inquiry) })?;
            if let Some(request) = &request {
                idempotency::remember(tx, request, &Made::Job(id))?;
            }
            tx.audit(&entry)?;
            Ok(Some((id, intake)))
        })
        .await
    }

    async fn take_in_bulk(
        &self,
        items: &[Result<Inquiry, InquiryFailure>],
        audit: &AuditEntry,
        request: Option<&Keyed>,
    ) -> Result<(BulkId, Vec<JobId>, Intake), StoreError> {
        let (items, entry, request) = (items.to_vec(), audit.clone(), request.cloned());
        write(&self.writer, move |tx| insert_bulk(tx, &items, &entry, request.as_ref())).await
    }

    async fn pending(&self) -> Result<Vec<PendingInquiry>, StoreError> {
        let found: Vec<Queued> = sqlx::query_as(
            "SELECT id, bulk_id, taken_at_us, month, receipt, payload FROM live_inquiry_jobs \
             WHERE state = 'queued' AND expires_at_us > ?1 ORDER BY id",
        )
        .bind(self.clock.now_us())
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        let read = |row: Queued| {
            Ok(PendingInquiry {
                id: JobId(row.id),
                bulk: row.bulk_id.map(BulkId),
                inquiry: job::open(&self.keyring, JobId(row.id), row.month, &row.payload)?,
                intake: intake(row.taken_at_us)?,
                receipt: row.receipt.map(Receipt),
            })
        };
        // A damaged row must not keep the clinic closed; it stays where it is.
        let readable = |job: Result<PendingInquiry, StoreError>| {
            job.inspect_err(|error| tracing::error!(%error, "a queued inquiry number cannot be sent")).ok()
        };
        Ok(found.into_iter().map(read).filter_map(readable).collect())
    }

    async fn end(&self, ends: &[(JobId, InquiryEnd)]) -> Result<Vec<Vec<ResultId>>, StoreError> {
        let ends = ends.to_vec();
        write(&self.writer, move |tx| end(tx, &ends)).await
    }

    async fn note_receipt(&self, jobs: &[JobId], receipt: Option<&Receipt>) -> Result<(), StoreError> {
        let (jobs, receipt) = (jobs.to_vec(), receipt.cloned());
        write(&self.writer, move |tx| note_receipt(tx, &jobs, receipt.as_ref())).await
    }

    async fn job(&self, id: JobId) -> Result<Option<InquiryJob>, StoreError> {
        let found: Option<Job> = sqlx::query_as(job_columns!("WHERE id = ?1 AND expires_at_us > ?2"))
            .bind(id.0)
            .bind(self.clock.now_us())
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
        found.map(Job::read).transpose()
    }

    async fn jobs(
        &self,
        state: Option<JobState>,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<InquiryJob>, StoreError> {
        let state = state.map(|state| match state {
            JobState::Queued => "queued",
            JobState::Registered => "registered",
            JobState::Failed => "failed",
        });
        let found: Vec<Job> = sqlx::query_as(job_columns!(
            "WHERE (?1 IS NULL OR state = ?1) AND id < ?2 AND expires_at_us > ?3 ORDER BY id DESC LIMIT ?4"
        ))
        .bind(state)
        .bind(before.map_or(i64::MAX, |id| id.0))
        .bind(self.clock.now_us())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        found.into_iter().map(Job::read).collect()
    }

    async fn bulk(&self, id: BulkId, from: u32, limit: u32) -> Result<Option<BulkStand>, StoreError> {
        // The counts and the page may be of two instants; the counts come first, so a bulk that counts as done is done.
        let bulk: Option<Bulk> = sqlx::query_as(
            "SELECT items, taken_at_us, \
             (SELECT count(*) FROM inquiry_jobs WHERE bulk_id = ?1 AND state = 'registered') AS registered, \
             (SELECT count(*) FROM inquiry_jobs WHERE bulk_id = ?1 AND state = 'failed') AS failed \
             FROM live_inquiry_bulks WHERE id = ?1 AND expires_at_us > ?2",
        )
        .bind(id.0)
        .bind(self.clock.now_us())
        .fetch_optional(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        let Some(bulk) = bulk else { return Ok(None) };
        let page: Vec<Job> = sqlx::query_as(job_columns!(
            "WHERE bulk_id = ?1 AND position >= ?2 AND expires_at_us > ?3 ORDER BY position LIMIT ?4"
        ))
        .bind(id.0)
        .bind(from)
        .bind(self.clock.now_us())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        Ok(Some(BulkStand {
            taken_at: intake(bulk.taken_at_us)?.taken_at,
            items: bulk.items,
            registered: bulk.registered,
            failed: bulk.failed,
            page: page.into_iter().map(Job::read).collect::<Result<_, _>>()?,
        }))
    }

    async fn holders(&self, number: &InquiryNumber) -> Result<Vec<InsuranceIdentifiers>, StoreError> {
        self.persons_with(number).await
    }
}
