//! The audit log: rows without gaps, each chained to the one before by an HMAC.
//!
//! Changing, deleting, inserting or reordering rows breaks the chain and [`Store::verify_chain`] names the place. Cutting
//! rows off the end leaves a shorter valid chain: that only an anchor outside the database shows (count and head, which
//! `verify_chain` returns for the purpose).

use async_trait::async_trait;
use sqlx::FromRow;
use subtle::ConstantTimeEq;

use super::Store;
use super::crypto::{CryptoError, Key};
use super::error::failed;
use super::writer::{Tx, write};
use crate::app::ports::{AuditEntry, AuditLog, StoreError};
use crate::domain::check::ResultId;

/// The chain as far as it was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// How many rows there are.
    pub count: i64,
    /// The last row's code; zeros if there is none.
    pub head: [u8; 32],
}

/// Why the audit log was not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Rows were changed, removed, added or reordered here, or just before.
    #[error("the audit log was altered at row {seq}")]
    Altered {
        /// Where the chain breaks.
        seq: i64,
    },
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const ROWS_AT_A_TIME: i64 = 1_000;

#[derive(FromRow)]
struct Row {
    seq: i64,
    at_us: i64,
    actor: String,
    action: String,
    terminal: Option<String>,
    results: Vec<u8>,
    outcome: String,
    mac: Vec<u8>,
}

impl Row {
    fn mac(&self, key: &Key, previous: &[u8]) -> Result<[u8; 32], CryptoError> {
        // A missing terminal and an empty one must differ.
        let terminal = self.terminal.as_ref().map(|name| ["+", name].concat()).unwrap_or_default();
        key.hash(&[
            previous,
            &self.seq.to_be_bytes(),
            &self.at_us.to_be_bytes(),
            self.actor.as_bytes(),
            self.action.as_bytes(),
            terminal.as_bytes(),
            &self.results,
            self.outcome.as_bytes(),
        ])
    }
}

/// Appends a row inside the transaction of what it speaks of. `touched` are results that the caller could not know
/// beforehand; they are added to the entry's own.
pub(super) async fn append(tx: &mut Tx, entry: &AuditEntry, touched: &[ResultId]) -> Result<(), StoreError> {
    let last: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let (last_seq, previous) = last.unwrap_or_else(|| (0, vec![0; 32]));
    let added = touched.iter().filter(|id| !entry.results.contains(id));
    let row = Row {
        seq: last_seq + 1,
        at_us: tx.now_us,
        actor: entry.actor.clone(),
        action: entry.action.to_owned(),
        terminal: entry.terminal.as_ref().map(|terminal| terminal.0.clone()),
        results: entry.results.iter().chain(added).flat_map(|id| id.0.to_be_bytes()).collect(),
        outcome: entry.outcome.clone(),
        mac: Vec::new(),
    };
    let mac = row.mac(&tx.keyring.system().audit, &previous)?;
    sqlx::query(
        "INSERT INTO audit (seq, at_us, actor, action, terminal, results, outcome, mac) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(row.seq)
    .bind(row.at_us)
    .bind(row.actor)
    .bind(row.action)
    .bind(row.terminal)
    .bind(row.results)
    .bind(row.outcome)
    .bind(mac.as_slice())
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(())
}

#[async_trait]
impl AuditLog for Store {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        write(&self.writer, move |tx| Box::pin(async move { append(tx, &entry, &[]).await })).await
    }
}

impl Store {
    /// Reads the whole audit log and checks its chain. Rows appended meanwhile may or may not be included.
    pub async fn verify_chain(&self) -> Result<ChainHead, ChainError> {
        let keys = self.keyring.system();
        let mut head = ChainHead { count: 0, head: [0; 32] };
        loop {
            let rows: Vec<Row> = sqlx::query_as(
                "SELECT seq, at_us, actor, action, terminal, results, outcome, mac FROM audit \
                 WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .bind(head.count)
            .bind(ROWS_AT_A_TIME)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
            if rows.is_empty() {
                return Ok(head);
            }
            for row in rows {
                let mac = row.mac(&keys.audit, &head.head).map_err(StoreError::from)?;
                if row.seq != head.count + 1 || !bool::from(mac.as_slice().ct_eq(&row.mac)) {
                    return Err(ChainError::Altered { seq: row.seq });
                }
                head = ChainHead { count: row.seq, head: mac };
            }
        }
    }
}
