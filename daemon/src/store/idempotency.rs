//! Requests with a key: remembered for 24 hours, in the transaction of what they brought about.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use zeroize::Zeroizing;

use super::Store;
use super::clock::instant;
use super::direct::{DirectTx, write};
use super::error::failed;
use super::keyring::MonthKeys;
use crate::app::ports::{Keyed, Made, Remembered, RequestMemory, StoreError};
use crate::domain::queue::{BulkId, JobId};
use crate::domain::retention::JstMonth;

/// How long a request is remembered.
const KEEP: SignedDuration = SignedDuration::from_hours(24);

/// What is inside the payload, as JSON; a field may be added with `#[serde(default)]`, never renamed.
#[derive(Serialize, Deserialize)]
struct Payload {
    request: String,
    #[serde(flatten)]
    made: MadeRow,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "made", content = "id", rename_all = "kebab-case")]
enum MadeRow {
    Job(i64),
    Bulk(i64),
    Check(String),
}

impl From<&Made> for MadeRow {
    fn from(made: &Made) -> Self {
        match made {
            Made::Job(id) => Self::Job(id.0),
            Made::Bulk(id) => Self::Bulk(id.0),
            Made::Check(id) => Self::Check(id.clone()),
        }
    }
}

impl From<MadeRow> for Made {
    fn from(row: MadeRow) -> Self {
        match row {
            MadeRow::Job(id) => Self::Job(JobId(id)),
            MadeRow::Bulk(id) => Self::Bulk(BulkId(id)),
            MadeRow::Check(id) => Self::Check(id),
        }
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    month: i32,
    payload: Vec<u8>,
}

/// What a payload is sealed to: its own row and nothing else.
fn place(id: i64, month: JstMonth) -> Vec<u8> {
    let mut bytes = b"idempotency".to_vec();
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&month.number().to_be_bytes());
    bytes
}

fn index(keys: &MonthKeys, account: &str, key: &str) -> Result<Vec<u8>, StoreError> {
    Ok(keys.request_index.hash(&[account.as_bytes(), key.as_bytes()])?.to_vec())
}

fn read(keys: &MonthKeys, row: &Row) -> Result<Remembered, StoreError> {
    let corrupt =
        |reason: &str| StoreError::Corrupt { table: "idempotency", row: row.id, reason: reason.to_owned() };
    let month = JstMonth::from_number(row.month).ok_or_else(|| corrupt("its month is no month"))?;
    let plain = keys
        .request
        .open(&place(row.id, month), &row.payload)
        .map_err(|_| corrupt("the payload does not open"))?;
    let payload: Payload =
        serde_json::from_slice(&plain).map_err(|_| corrupt("the payload is no request"))?;
    let request = data_encoding::HEXLOWER
        .decode(payload.request.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| corrupt("the hash of the request is unreadable"))?;
    Ok(Remembered { request, made: payload.made.into() })
}

/// Remembers a request, together with what this transaction writes.
pub(super) fn remember(tx: &mut DirectTx<'_>, request: &Keyed, made: &Made) -> Result<(), StoreError> {
    let now = instant(tx.now_us)?;
    let month = JstMonth::of(now);
    let keys = tx.month_keys(month)?;
    forget(tx, request)?;
    let id = tx.next_id("idempotency")?;
    let payload =
        Payload { request: data_encoding::HEXLOWER.encode(&request.request), made: MadeRow::from(made) };
    let plain = Zeroizing::new(serde_json::to_vec(&payload).map_err(|e| StoreError::Failed(e.to_string()))?);
    let expires_at = now.checked_add(KEEP).unwrap_or(Timestamp::MAX);
    let values = params![
        id,
        index(&keys, &request.account, &request.key)?,
        month.number(),
        expires_at.as_microsecond(),
        keys.request.seal(tx.random.as_ref(), &place(id, month), &plain)?
    ];
    tx.execute(
        "INSERT INTO idempotency (id, key_index, month, expires_at_us, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
        values,
    )
}

/// Forgets the request with a key, whichever month's it is.
fn forget(tx: &DirectTx<'_>, request: &Keyed) -> Result<(), StoreError> {
    for keys in tx.keyring.months() {
        let index = index(&keys, &request.account, &request.key)?;
        tx.execute("DELETE FROM idempotency WHERE key_index = ?1", [index])?;
    }
    Ok(())
}

impl Store {
    /// Removes the requests that are no longer remembered at `now_us`, which must be plausible.
    pub(super) async fn forget_ended(&self, now_us: i64) -> Result<(), StoreError> {
        let ended: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM idempotency WHERE expires_at_us <= ?1)")
                .bind(now_us)
                .fetch_one(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        if !ended {
            return Ok(());
        }
        write(&self.writer, move |tx| {
            tx.execute("DELETE FROM idempotency WHERE expires_at_us <= ?1", [now_us])
        })
        .await
    }
}

#[async_trait]
impl RequestMemory for Store {
    async fn remembered(&self, account: &str, key: &str) -> Result<Option<Remembered>, StoreError> {
        for keys in self.keyring.months() {
            let found: Option<Row> = sqlx::query_as(
                "SELECT id, month, payload FROM idempotency WHERE key_index = ?1 AND expires_at_us > ?2",
            )
            .bind(index(&keys, account, key)?)
            .bind(self.clock.now_us())
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
            if let Some(row) = found {
                return read(&keys, &row).map(Some);
            }
        }
        Ok(None)
    }

    async fn remember(&self, request: &Keyed, made: &Made) -> Result<(), StoreError> {
        let (request, made) = (request.clone(), made.clone());
        write(&self.writer, move |tx| remember(tx, &request, &made)).await
    }

    async fn forget(&self, request: &Keyed) -> Result<(), StoreError> {
        let request = request.clone();
        write(&self.writer, move |tx| forget(tx, &request)).await
    }
}
