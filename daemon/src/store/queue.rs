//! The queue of inquiry numbers: jobs and bulks, sealed until they end, erased when they have.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::params;
use sqlx::FromRow;

use super::clock::instant;
use super::direct::{DirectTx, write, write_first_to};
use super::error::failed;
use super::job::{self, Job};
use super::results::{inquiry_index, person_index, persons_with, stored};
use super::{Store, idempotency, pending};
use crate::app::ports::{
    AuditEntry, AuditSource, BulkStand, Inquiry, InquiryEnd, InquiryFailure, InquiryJob, InquiryQueue,
    InquiryRequest, Intake, JobState, Keyed, Made, OnDisk, PendingInquiry, StoreError, StoredResult, Subject,
    TakenIn,
};
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::merge::asked_for;
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
    let (payload, person, number) = match new.item {
        Ok(inquiry) => {
            let keys = tx.month_keys(month)?;
            let payload = job::seal(&keys, tx.random.as_ref(), JobId(id), month, inquiry)?;
            let person = person_index(&keys, &inquiry.person.fingerprint())?;
            (Some(payload), Some(person), Some(inquiry_index(&keys, &inquiry.number)?))
        }
        Err(_) => (None, None, None),
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
        person,
        number
    ];
    tx.execute(
        "INSERT INTO inquiry_jobs (id, bulk_id, position, actor, taken_at_us, expires_at_us, month, state, failure, \
         upstream_code, results, payload, person_index, number_index) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, x'', ?11, ?12, ?13)",
        values,
    )?;
    Ok(JobId(id))
}

/// Whether a number is on its way, and whether it is for a person.
const ON_ITS_WAY: &str = "SELECT \
     EXISTS (SELECT 1 FROM live_inquiry_jobs \
         WHERE state = 'queued' AND number_index = ?1 AND expires_at_us > ?3), \
     EXISTS (SELECT 1 FROM live_inquiry_jobs \
         WHERE state = 'queued' AND number_index = ?1 AND person_index = ?2 AND expires_at_us > ?3)";

/// Whether a number is on its way for other people only. A job has its hashes under the key of the month of its intake.
fn is_on_its_way_for_others(
    tx: &DirectTx<'_>,
    person: &InsuranceIdentifiers,
    number: &InquiryNumber,
) -> Result<bool, StoreError> {
    let (fingerprint, mut for_others) = (person.fingerprint(), false);
    for keys in tx.keyring.months() {
        let values = params![inquiry_index(&keys, number)?, person_index(&keys, &fingerprint)?, tx.now_us];
        match tx.row(ON_ITS_WAY, values, |row| Ok((row.get(0)?, row.get(1)?)))? {
            Some((true, true)) => return Ok(false),
            Some((waits, _)) => for_others |= waits,
            None => {}
        }
    }
    Ok(for_others)
}

/// What is asked for, and the result it was asked by; or why it cannot be.
type Found = Result<(Inquiry, Option<StoredResult>), InquiryFailure>;

/// Finds out whose number is asked for, and whether it can be theirs.
fn find(tx: &DirectTx<'_>, asked: &InquiryRequest) -> Result<Found, StoreError> {
    let (person, by) = match &asked.subject {
        Subject::Person(person) => (person.clone(), None),
        Subject::Result(id) => {
            let Some(stored) = stored(tx, *id)? else { return Ok(Err(InquiryFailure::ResultNotFound)) };
            match asked_for(&stored.content.confirmation) {
                Ok(person) => (person, Some(stored)),
                Err(uncertain) => return Ok(Err(uncertain.into())),
            }
        }
    };
    let holders = persons_with(tx, &asked.number)?;
    let for_others = holders.is_empty() && is_on_its_way_for_others(tx, &person, &asked.number)?;
    if number_is_taken(&person, &holders, for_others) {
        return Ok(Err(InquiryFailure::NumberInUse));
    }
    let result = by.as_ref().map(|stored| stored.id);
    Ok(Ok((Inquiry { person, number: asked.number.clone(), result }, by)))
}

/// Takes one job in; its number, or why it cannot be sent.
fn take_in(
    tx: &mut DirectTx<'_>,
    asked: &InquiryRequest,
    entry: &AuditEntry,
    request: Option<&Keyed>,
) -> Result<Result<TakenIn, InquiryFailure>, StoreError> {
    let (inquiry, by) = match find(tx, asked)? {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let intake = intake(tx.now_us)?;
    let id = insert(tx, &NewJob { place: None, actor: &entry.actor, intake, item: Ok(&inquiry) })?;
    pending::begin(tx, id, &inquiry, by)?;
    if let Some(request) = request {
        idempotency::remember(tx, request, &Made::Job(id))?;
    }
    tx.audit(entry)?;
    Ok(Ok(TakenIn { id, bulk: None, inquiry, intake }))
}

/// A bulk that is on disk.
struct Bulked {
    id: BulkId,
    intake: Intake,
    /// All its jobs, in the order of its items.
    jobs: Vec<JobId>,
    /// Those that are sent.
    taken: Vec<TakenIn>,
}

fn take_in_bulk(
    tx: &mut DirectTx<'_>,
    items: &[InquiryRequest],
    entry: &AuditEntry,
    request: Option<&Keyed>,
) -> Result<Bulked, StoreError> {
    let intake = intake(tx.now_us)?;
    let bulk = BulkId(tx.next_id("inquiry_bulks")?);
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO inquiry_bulks (id, items, taken_at_us, expires_at_us) VALUES (?1, ?2, ?3, ?4)",
        params![bulk.0, count, intake.taken_at.as_microsecond(), intake.expires_at.as_microsecond()],
    )?;
    let (mut jobs, mut taken) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for (position, asked) in (0..).zip(items) {
        let found = find(tx, asked)?;
        let item = found.as_ref().map(|(inquiry, _)| inquiry);
        let id = insert(tx, &NewJob { place: Some((bulk, position)), actor: &entry.actor, intake, item })?;
        jobs.push(id);
        if let Ok((inquiry, by)) = found {
            pending::begin(tx, id, &inquiry, by)?;
            taken.push(TakenIn { id, bulk: Some(bulk), inquiry, intake });
        }
    }
    if let Some(request) = request {
        idempotency::remember(tx, request, &Made::Bulk(bulk))?;
    }
    let results = taken.iter().filter_map(|job| job.inquiry.result).collect();
    tx.audit(&AuditEntry { results, ..entry.clone() })?;
    Ok(Bulked { id: bulk, intake, jobs, taken })
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
    let Some((actor, month, payload)) = open else {
        // One that expired while the central system had it: nobody waits for it any more.
        pending::forget_expired(tx, id)?;
        return Ok(None);
    };
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
         person_index = NULL, number_index = NULL, receipt = NULL WHERE id = ?5",
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
    ($($rest:literal),+) => {
        concat!(
            "SELECT id, bulk_id, position, taken_at_us, state, failure, upstream_code, results FROM live_inquiry_jobs ",
            $($rest),+
        )
    };
}

/// A page of the jobs of a state, or of all. The state is a literal: the index of what is queued is of use to no other statement,
/// and without it that page walks through all that have ended.
const fn page_of(state: Option<JobState>) -> &'static str {
    macro_rules! page {
        ($which:literal) => {
            job_columns!($which, "id < ?1 AND expires_at_us > ?2 ORDER BY id DESC LIMIT ?3")
        };
    }
    match state {
        None => page!("WHERE "),
        Some(JobState::Queued) => page!("WHERE state = 'queued' AND "),
        Some(JobState::Registered) => page!("WHERE state = 'registered' AND "),
        Some(JobState::Failed) => page!("WHERE state = 'failed' AND "),
    }
}

#[async_trait]
impl InquiryQueue for Store {
    async fn take_in(
        &self,
        asked: &InquiryRequest,
        audit: &AuditEntry,
        request: Option<&Keyed>,
        on_disk: OnDisk,
    ) -> Result<Result<(JobId, Intake), InquiryFailure>, StoreError> {
        let (asked, entry, request) = (asked.clone(), audit.clone(), request.cloned());
        let work = move |tx: &mut DirectTx<'_>| take_in(tx, &asked, &entry, request.as_ref());
        let tell = |taken: &Result<TakenIn, InquiryFailure>| {
            if let Ok(taken) = taken {
                on_disk(std::slice::from_ref(taken));
            }
        };
        let taken = write_first_to(&self.writer, work, tell).await?;
        Ok(taken.map(|taken| (taken.id, taken.intake)))
    }

    async fn take_in_bulk(
        &self,
        items: &[InquiryRequest],
        audit: &AuditEntry,
        request: Option<&Keyed>,
        on_disk: OnDisk,
    ) -> Result<(BulkId, Vec<JobId>, Intake), StoreError> {
        let (items, entry, request) = (items.to_vec(), audit.clone(), request.cloned());
        let work = move |tx: &mut DirectTx<'_>| take_in_bulk(tx, &items, &entry, request.as_ref());
        let bulk = write_first_to(&self.writer, work, |bulk: &Bulked| on_disk(&bulk.taken)).await?;
        Ok((bulk.id, bulk.jobs, bulk.intake))
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
        let found: Vec<Job> = sqlx::query_as(page_of(state))
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
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::super::database::MIGRATIONS;
    use super::*;

    /// What SQLite does for a statement without asking for more.
    async fn plan(statement: &str) -> String {
        let mut db = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        MIGRATIONS.run(&mut db).await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut db).await.unwrap();
        steps.into_iter().map(|(_, _, _, step)| step + "\n").collect()
    }

    #[tokio::test]
    async fn what_is_queued_is_found_without_looking_at_what_has_ended() {
        let queued = plan(page_of(Some(JobState::Queued))).await;
        assert!(queued.contains("USING INDEX inquiry_jobs_queued (id<?)"), "{queued}");
        let number = plan(ON_ITS_WAY).await;
        for index in ["(number_index=?)", "(number_index=? AND person_index=?)"] {
            assert!(number.contains(&format!("USING INDEX inquiry_jobs_number {index}")), "{number}");
        }
        let newest = plan(pending::NEWEST).await;
        assert!(newest.contains("USING INDEX inquiry_jobs_queued"), "{newest}");
        assert!(!newest.contains("TEMP B-TREE"), "{newest}");
    }
}
