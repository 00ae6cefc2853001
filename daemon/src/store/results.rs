//! Stored results: insert, read, inquiry numbers.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::error::failed;
use super::keyring::{Keyring, MonthKeys};
use super::row::{self, Place};
use super::writer::{Tx, write};
use super::{Store, audit, merge};
use crate::app::ports::{
    AuditEntry, NewResult, PageAfter, ResultQuery, ResultStore, Source, StoreError, StoredResult,
};
use crate::domain::check::ResultId;
use crate::domain::eligibility::Validity;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::retention::{JstMonth, expiry};

/// Bytes of a blind index: enough that two people never meet, short enough to index.
pub(super) const INDEX_BYTES: usize = 16;

/// The columns that cross sqlx's channel: as few as possible, because every value of every row does.
#[derive(FromRow)]
pub(super) struct Sealed {
    pub(super) id: i64,
    month: i32,
    version: i64,
    payload: Vec<u8>,
}

impl Sealed {
    pub(super) fn place(&self) -> Result<Place, StoreError> {
        let month = JstMonth::from_number(self.month).ok_or_else(|| self.corrupt("its month is no month"))?;
        Ok(Place { id: self.id, month, version: self.version })
    }

    pub(super) fn open(&self, keyring: &Keyring) -> Result<StoredResult, StoreError> {
        let place = self.place()?;
        let keys = keyring.month(place.month).ok_or_else(|| self.corrupt("its month has no key"))?;
        row::open(&keys, place, &self.payload)
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt { table: "results", row: self.id, reason: reason.to_owned() }
    }
}

fn person_index(keys: &MonthKeys, fingerprint: &[u8]) -> Result<Vec<u8>, StoreError> {
    Ok(keys.person.hash(&[fingerprint])?[..INDEX_BYTES].to_vec())
}

pub(super) fn inquiry_index(keys: &MonthKeys, number: &InquiryNumber) -> Result<Vec<u8>, StoreError> {
    Ok(keys.inquiry.hash(&[number.expose().as_bytes()])?[..INDEX_BYTES].to_vec())
}

/// Stores a result and its audit row, unless the check has a result already. A result that was collected before its
/// check came to its end becomes the check's.
async fn insert(tx: &mut Tx, new: &NewResult, entry: &AuditEntry) -> Result<ResultId, StoreError> {
    if let Source::Own { check_id, .. } = &new.source {
        let known: Option<i64> = sqlx::query_scalar("SELECT id FROM results WHERE check_id = ?1")
            .bind(check_id)
            .fetch_optional(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
        if let Some(id) = known {
            return Ok(ResultId(id));
        }
    }
    let id = match merge::claim(tx, new).await? {
        Some(id) => id,
        None => add(tx, new).await?,
    };
    audit::append(tx, entry, &[id]).await?;
    Ok(id)
}

/// Adds a row.
pub(super) async fn add(tx: &mut Tx, new: &NewResult) -> Result<ResultId, StoreError> {
    let confirmation = &new.confirmation;
    let expires_at_us = expiry(confirmation.processed_at).as_microsecond();
    if expires_at_us <= tx.clock.plausible_us() {
        // Its month's key may be destroyed already and must not come back. A clock that nobody vouches for and that runs
        // ahead refuses nothing: the result is kept, hidden until the clock is right again.
        return Err(StoreError::Failed("the result is past its retention".to_owned()));
    }
    let check_id = match &new.source {
        Source::Own { check_id, .. } => Some(check_id),
        Source::Elsewhere => None,
    };
    let month = JstMonth::of(confirmation.processed_at);
    let keys = tx.month_keys(month).await?;
    let place = Place { id: tx.next_id("results").await?, month, version: 1 };
    let number = row::received_inquiry_number(confirmation);
    let person =
        row::person(confirmation).map(|person| person_index(&keys, &person.fingerprint())).transpose()?;
    sqlx::query(
        "INSERT INTO results (id, source, check_id, checked_at_us, expires_at_us, month, terminal, validity, \
         searchable, origin, version, person_index, inquiry_index, upstream_key, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )
    .bind(place.id)
    .bind(row::source_word(&new.source))
    .bind(check_id)
    .bind(confirmation.processed_at.as_microsecond())
    .bind(expires_at_us)
    .bind(month.number())
    .bind(&new.terminal.0)
    .bind(confirmation.validity.code())
    .bind(confirmation.is_searchable())
    .bind(row::origin_word(new.origin))
    .bind(place.version)
    .bind(person)
    .bind(number.as_ref().map(|number| inquiry_index(&keys, number)).transpose()?)
    .bind(merge::free_key(tx, &keys, month, confirmation).await?)
    .bind(row::seal(&keys, tx.random.as_ref(), place, new, number.as_ref())?)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(ResultId(place.id))
}

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

/// Sets the number on every row of the person, and on the row of `result` even if its person is not certain; rows that
/// have it already stay as they are. Returns all of them.
pub(super) async fn set_number(
    tx: &mut Tx,
    person: Option<&InsuranceIdentifiers>,
    result: Option<ResultId>,
    number: &InquiryNumber,
) -> Result<Vec<ResultId>, StoreError> {
    let mut rows = match person {
        Some(person) => rows_of_person(tx, person).await?,
        None => Vec::new(),
    };
    if let Some(result) = result.filter(|result| rows.iter().all(|row| row.id != result.0)) {
        rows.extend(live_row(result, tx.now_us).fetch_optional(&mut tx.db).await.map_err(|e| failed(&e))?);
    }
    let mut ids = Vec::with_capacity(rows.len());
    for sealed in rows {
        let stored = sealed.open(&tx.keyring)?;
        ids.push(stored.id);
        if stored.inquiry_number.as_ref() == Some(number) {
            continue;
        }
        let mut place = sealed.place()?;
        let keys: Arc<MonthKeys> =
            tx.keyring.month(place.month).ok_or_else(|| sealed.corrupt("its month has no key"))?;
        place.version += 1;
        sqlx::query(
            "UPDATE results SET version = ?1, inquiry_index = ?2, payload = ?3, numbered_at_us = ?4 WHERE id = ?5",
        )
        .bind(place.version)
        .bind(inquiry_index(&keys, number)?)
        .bind(row::seal(&keys, tx.random.as_ref(), place, &stored.content, Some(number))?)
        .bind(tx.now_us)
        .bind(place.id)
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    }
    Ok(ids)
}

/// Sets the number on every row of a result's person.
async fn set_inquiry_number(
    tx: &mut Tx,
    id: ResultId,
    number: &InquiryNumber,
    entry: &AuditEntry,
) -> Result<Vec<ResultId>, StoreError> {
    let Some(result) = live_row(id, tx.now_us).fetch_optional(&mut tx.db).await.map_err(|e| failed(&e))?
    else {
        return Ok(Vec::new());
    };
    let person = row::person(&result.open(&tx.keyring)?.content.confirmation);
    let ids = set_number(tx, person.as_ref(), Some(id), number).await?;
    audit::append(tx, entry, &ids).await?;
    Ok(ids)
}

impl Store {
    /// The persons on whose results a number stands, as far as they are certain.
    pub(super) async fn persons_with(
        &self,
        number: &InquiryNumber,
    ) -> Result<Vec<InsuranceIdentifiers>, StoreError> {
        let mut persons = Vec::new();
        for keys in self.keyring.months() {
            let found: Vec<Sealed> = sqlx::query_as(
                "SELECT id, month, version, payload FROM live_results \
                 WHERE inquiry_index = ?1 AND expires_at_us > ?2 ORDER BY id",
            )
            .bind(inquiry_index(&keys, number)?)
            .bind(self.clock.now_us())
            .fetch_all(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
            for sealed in found {
                let person = row::person(&sealed.open(&self.keyring)?.content.confirmation);
                persons.extend(person.filter(|person| !persons.contains(person)));
            }
        }
        Ok(persons)
    }
}

type SealedQuery = sqlx::query::QueryAs<'static, sqlx::Sqlite, Sealed, sqlx::sqlite::SqliteArguments>;

fn live_row(id: ResultId, now_us: i64) -> SealedQuery {
    sqlx::query_as(
        "SELECT id, month, version, payload FROM live_results WHERE id = ?1 AND expires_at_us > ?2",
    )
    .bind(id.0)
    .bind(now_us)
}

/// Only results from here on, and only before `(time, id)`: one bound for the period's end and for the page.
fn bounds(query: &ResultQuery, after: Option<PageAfter>) -> (i64, (i64, i64)) {
    let from = query.from.map_or(i64::MIN, Timestamp::as_microsecond);
    let until = query.until.map_or((i64::MAX, i64::MAX), |until| (until.as_microsecond(), i64::MIN));
    let after = after.map_or((i64::MAX, i64::MAX), |after| (after.checked_at_us, after.id.0));
    (from, until.min(after))
}

#[async_trait]
impl ResultStore for Store {
    async fn insert(&self, result: &NewResult, audit: &AuditEntry) -> Result<ResultId, StoreError> {
        let (result, audit) = (result.clone(), audit.clone());
        write(&self.writer, move |tx| Box::pin(async move { insert(tx, &result, &audit).await })).await
    }

    async fn get(&self, id: ResultId) -> Result<Option<StoredResult>, StoreError> {
        let found =
            live_row(id, self.clock.now_us()).fetch_optional(&self.readers).await.map_err(|e| failed(&e))?;
        found.map(|sealed| sealed.open(&self.keyring)).transpose()
    }

    async fn count(&self, query: &ResultQuery) -> Result<u64, StoreError> {
        let (from, (until, _)) = bounds(query, None);
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM live_results \
             WHERE searchable = 1 AND expires_at_us > ?1 AND checked_at_us >= ?2 AND checked_at_us < ?3 \
             AND (?4 IS NULL OR terminal = ?4) AND (?5 IS NULL OR validity = ?5)",
        )
        .bind(self.clock.now_us())
        .bind(from)
        .bind(until)
        .bind(query.terminal.as_ref().map(|terminal| terminal.0.as_str()))
        .bind(query.validity.as_ref().map(Validity::code))
        .fetch_one(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        Ok(count.unsigned_abs())
    }

    async fn page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Vec<StoredResult>, StoreError> {
        let (from, (before, before_id)) = bounds(query, after);
        let found: Vec<Sealed> = sqlx::query_as(
            "SELECT id, month, version, payload FROM live_results \
             WHERE searchable = 1 AND expires_at_us > ?1 AND checked_at_us >= ?2 \
             AND (checked_at_us, id) < (?3, ?4) \
             AND (?5 IS NULL OR terminal = ?5) AND (?6 IS NULL OR validity = ?6) \
             ORDER BY checked_at_us DESC, id DESC LIMIT ?7",
        )
        .bind(self.clock.now_us())
        .bind(from)
        .bind(before)
        .bind(before_id)
        .bind(query.terminal.as_ref().map(|terminal| terminal.0.as_str()))
        .bind(query.validity.as_ref().map(Validity::code))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        found.iter().map(|sealed| sealed.open(&self.keyring)).collect()
    }

    async fn set_inquiry_number(
        &self,
        id: ResultId,
        number: &InquiryNumber,
        audit: &AuditEntry,
    ) -> Result<Vec<ResultId>, StoreError> {
        let (number, audit) = (number.clone(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move { set_inquiry_number(tx, id, &number, &audit).await })
        })
        .await
    }
}
