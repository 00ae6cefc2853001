//! Retention of the audit log itself: the oldest rows go, and a cut that only the program can prove stays in their place,
//! so that the chain verifies from there on.

use jiff::Timestamp;
use sqlx::SqlitePool;

use super::super::Store;
use super::super::error::failed;
use super::super::keyring::SystemKeys;
use super::super::writer::{Tx, write};
use super::{ITSELF, append};
use crate::app::ports::{AuditEntry, AuditSource, StoreError};

/// Rows of one transaction.
const ROWS_AT_A_TIME: i64 = 2_000;

/// The cut as it is recorded: number and code of the last row removed, and the proof.
pub(super) async fn cut(readers: &SqlitePool) -> Result<(i64, [u8; 32], Vec<u8>), StoreError> {
    let (seq, mac, proof): (i64, Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT seq, mac, proof FROM audit_cut WHERE id = 1")
            .fetch_one(readers)
            .await
            .map_err(|e| failed(&e))?;
    let corrupt =
        |_| StoreError::Corrupt { table: "audit_cut", row: 1, reason: "its code is cut off".to_owned() };
    Ok((seq, mac.try_into().map_err(corrupt)?, proof))
}

/// What proves that the program made a cut.
pub(super) fn proof(keys: &SystemKeys, seq: i64, mac: &[u8; 32]) -> Result<[u8; 32], StoreError> {
    Ok(keys.audit_cut.hash(&[&seq.to_be_bytes(), mac])?)
}

/// Removes the rows from before an instant. First one transaction records the removal as the log's newest row and moves
/// the cut; then the rows go, in portions. A crash in between leaves rows that no longer count and go the next time.
pub(super) async fn prune(store: &Store, before: Timestamp) -> Result<u64, StoreError> {
    let before_us = before.as_microsecond();
    write(&store.writer, move |tx| Box::pin(move_cut(tx, before_us))).await?;
    let mut removed = 0;
    loop {
        let deleted = write(&store.writer, |tx| Box::pin(delete_some(tx))).await?;
        removed += deleted;
        if deleted == 0 {
            return Ok(removed);
        }
    }
}

/// Moves the cut behind the last row before which nothing as young as `before_us` lies.
async fn move_cut(tx: &mut Tx, before_us: i64) -> Result<(), StoreError> {
    let young: Option<i64> = sqlx::query_scalar("SELECT min(seq) FROM audit WHERE at_us >= ?1")
        .bind(before_us)
        .fetch_one(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let found: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT seq, mac FROM audit WHERE seq < coalesce(?1, 9223372036854775807) AND seq > (SELECT seq FROM \
         audit_cut) ORDER BY seq DESC LIMIT 1",
    )
    .bind(young)
    .fetch_optional(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let Some((seq, mac)) = found else { return Ok(()) };
    let mac: [u8; 32] = mac.try_into().map_err(|_| StoreError::Corrupt {
        table: "audit",
        row: seq,
        reason: "its code is cut off".to_owned(),
    })?;
    let entry = AuditEntry {
        actor: ITSELF.to_owned(),
        action: "audit.pruned",
        source: AuditSource::Daemon,
        terminal: None,
        results: Vec::new(),
        outcome: format!("ok:{seq}"),
    };
    append(tx, &entry, &[]).await?;
    let proof = proof(&tx.keyring.system(), seq, &mac)?;
    sqlx::query("UPDATE audit_cut SET seq = ?1, mac = ?2, proof = ?3 WHERE id = 1")
        .bind(seq)
        .bind(mac.as_slice())
        .bind(proof.as_slice())
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}

async fn delete_some(tx: &mut Tx) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq <= (SELECT seq FROM audit_cut) LIMIT ?1)",
    )
    .bind(ROWS_AT_A_TIME)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(done.rows_affected())
}
