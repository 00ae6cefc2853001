//! Stored results: insert, read, inquiry numbers.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Row;
use sqlx::FromRow;
use tokio::sync::watch;

use super::direct::DirectTx;
use super::error::failed;
use super::keyring::{Keyring, MonthKeys};
use super::marks::{self, Mark, mark_columns, with_marks};
use super::row::{self, Place};
use super::writer::{Tx, write};
use super::{Store, audit, body, merge, pending};
use crate::app::ports::{
    AuditEntry, NewResult, Page, PageAfter, ReadyResult, ResultQuery, ResultStore, ResultsMark, Source,
    StoreError, StoredResult,
};
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::retention::{JstMonth, expiry};

/// Bytes of a blind index: enough that two people never meet, short enough to index.
pub(super) const INDEX_BYTES: usize = 16;

/// What every reading of a whole row begins with: the columns of [`Sealed`].
macro_rules! sealed {
    ($rest:literal) => {
        concat!(
            "SELECT results.id, month, results.version, payload, ",
            mark_columns!(),
            "FROM live_results AS results ",
            with_marks!(),
            $rest
        )
    };
}

pub(super) use sealed;

/// One result.
pub(super) const ONE: &str = sealed!("WHERE results.id = ?1 AND expires_at_us > ?2");
/// Results with an inquiry number.
const HOLDERS: &str = sealed!("WHERE inquiry_index = ?1 AND expires_at_us > ?2 ORDER BY results.id");

/// The columns that cross sqlx's channel: as few as possible, because every value of every row does.
#[derive(FromRow)]
pub(super) struct Sealed {
    pub(super) id: i64,
    month: i32,
    version: i64,
    payload: Vec<u8>,
    #[sqlx(flatten)]
    mark: Mark,
}

impl Sealed {
    /// A row of these columns in their order.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            month: row.get(1)?,
            version: row.get(2)?,
            payload: row.get(3)?,
            mark: Mark::read(row, 4)?,
        })
    }

    /// Where the row stands by itself; its result may be further by a mark.
    pub(super) fn place(&self) -> Result<Place, StoreError> {
        let month = JstMonth::from_number(self.month).ok_or_else(|| self.corrupt("its month is no month"))?;
        Ok(Place { id: self.id, month, version: self.version })
    }

    pub(super) fn keys(&self, keyring: &Keyring) -> Result<Arc<MonthKeys>, StoreError> {
        keyring.month(self.place()?.month).ok_or_else(|| self.corrupt("its month has no key"))
    }

    pub(super) fn open(&self, keyring: &Keyring) -> Result<StoredResult, StoreError> {
        let keys = self.keys(keyring)?;
        self.mark.put_on(row::open(&keys, self.place()?, &self.payload)?)
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        row::corrupt(self.id, reason)
    }
}

pub(super) fn person_index(keys: &MonthKeys, fingerprint: &[u8]) -> Result<Vec<u8>, StoreError> {
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
    let change = tx.next_change().await?;
    let number = row::received_inquiry_number(confirmation);
    let person =
        row::person(confirmation).map(|person| person_index(&keys, &person.fingerprint())).transpose()?;
    sqlx::query(
        "INSERT INTO results (id, source, check_id, checked_at_us, expires_at_us, month, terminal, validity, \
         searchable, origin, version, person_index, inquiry_index, upstream_key, payload, change) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
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
    .bind(change)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    body::keep(tx, &keys, place, new, number.as_ref()).await?;
    if let Some(pending) = pending::waiting_for(tx, confirmation, number.as_ref()).await? {
        marks::keep(tx, place.id, place.version, None, &pending).await?;
    }
    Ok(ResultId(place.id))
}

/// A result, as a transaction sees it.
pub(super) fn stored(tx: &DirectTx<'_>, id: ResultId) -> Result<Option<StoredResult>, StoreError> {
    let row = tx.row(ONE, [id.0, tx.now_us], Sealed::read)?;
    row.map(|sealed| sealed.open(&tx.keyring)).transpose()
}

/// The persons on whose stored results an inquiry number stands, as far as they are certain.
pub(super) fn persons_with(
    tx: &DirectTx<'_>,
    number: &InquiryNumber,
) -> Result<Vec<InsuranceIdentifiers>, StoreError> {
    let mut found = Vec::new();
    for keys in tx.keyring.months() {
        let values = rusqlite::params![inquiry_index(&keys, number)?, tx.now_us];
        for sealed in tx.rows(HOLDERS, values, Sealed::read)? {
            found.push(sealed.open(&tx.keyring)?);
        }
    }
    Ok(persons(&found))
}

/// Each certain person of these results once.
fn persons(results: &[StoredResult]) -> Vec<InsuranceIdentifiers> {
    let mut persons: Vec<InsuranceIdentifiers> = Vec::new();
    for stored in results {
        let person = row::person(&stored.content.confirmation);
        persons.extend(person.filter(|person| !persons.contains(person)));
    }
    persons
}

pub(super) type SealedQuery =
    sqlx::query::QueryAs<'static, sqlx::Sqlite, Sealed, sqlx::sqlite::SqliteArguments>;

pub(super) fn live_row(id: ResultId, now_us: i64) -> SealedQuery {
    sqlx::query_as(ONE).bind(id.0).bind(now_us)
}

#[async_trait]
impl ResultStore for Store {
    async fn insert(&self, result: &NewResult, audit: &AuditEntry) -> Result<ResultId, StoreError> {
        let (result, audit) = (result.clone(), audit.clone());
        write(&self.writer, move |tx| Box::pin(async move { insert(tx, &result, &audit).await })).await
    }

    async fn get(&self, id: ResultId) -> Result<Option<StoredResult>, StoreError> {
        self.read_one(id).await
    }

    async fn count(&self, query: &ResultQuery) -> Result<u64, StoreError> {
        self.read_count(query).await
    }

    async fn page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<StoredResult>, StoreError> {
        self.read_page(query, after, limit).await
    }

    async fn ready(&self, id: ResultId) -> Result<Option<ReadyResult>, StoreError> {
        self.read_ready(id).await
    }

    async fn ready_page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<ReadyResult>, StoreError> {
        self.read_ready_page(query, after, limit).await
    }

    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ReadyResult>, StoreError> {
        self.read_changes(after, limit).await
    }

    async fn newest(&self) -> Result<ResultId, StoreError> {
        self.read_newest().await
    }

    fn news(&self) -> watch::Receiver<ResultsMark> {
        self.news.subscribe()
    }

    fn mark(&self) -> ResultsMark {
        self.news.mark()
    }
}
