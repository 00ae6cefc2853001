//! Enrolled terminals and the codes that enrol them.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::error::failed;
use super::writer::{Tx, write};
use super::{Store, audit};
use crate::app::ports::{AuditEntry, EnrolledTerminal, StoreError, TerminalStore};

#[derive(FromRow)]
struct Row {
    id: i64,
    name: String,
    token_hash: Vec<u8>,
    enrolled_at_us: i64,
}

impl Row {
    fn read(self) -> Result<EnrolledTerminal, StoreError> {
        let corrupt = |reason: &str| StoreError::Corrupt {
            table: "enrolled_terminals",
            row: self.id,
            reason: reason.to_owned(),
        };
        Ok(EnrolledTerminal {
            id: self.id,
            token_hash: self.token_hash.try_into().map_err(|_| corrupt("its hash has another length"))?,
            enrolled_at: Timestamp::from_microsecond(self.enrolled_at_us)
                .map_err(|_| corrupt("its time is no time"))?,
            name: self.name,
        })
    }
}

/// What a used, wrong or old code enrols: nothing.
pub(super) async fn take_code(
    tx: &mut Tx,
    kind: &'static str,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    sqlx::query("DELETE FROM enrolment_codes WHERE expires_at_us <= ?1")
        .bind(now.as_microsecond())
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    sqlx::query_scalar("DELETE FROM enrolment_codes WHERE hash = ?1 AND kind = ?2 RETURNING subject")
        .bind(hash.as_slice())
        .bind(kind)
        .fetch_optional(&mut tx.db)
        .await
        .map_err(|e| failed(&e))
}

async fn enrol(
    tx: &mut Tx,
    code_hash: [u8; 32],
    token_hash: [u8; 32],
    now: Timestamp,
    entry: AuditEntry,
) -> Result<Option<EnrolledTerminal>, StoreError> {
    let Some(name) = take_code(tx, "terminal", code_hash, now).await? else { return Ok(None) };
    sqlx::query("DELETE FROM enrolled_terminals WHERE name = ?1")
        .bind(&name)
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO enrolled_terminals (name, token_hash, enrolled_at_us) VALUES (?1, ?2, ?3) RETURNING id",
    )
    .bind(&name)
    .bind(token_hash.as_slice())
    .bind(now.as_microsecond())
    .fetch_one(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let outcome = format!("ok:{name}");
    audit::append(tx, &AuditEntry { outcome, ..entry }, &[]).await?;
    Ok(Some(EnrolledTerminal { id, name, token_hash, enrolled_at: now }))
}

#[async_trait]
impl TerminalStore for Store {
    async fn offer_terminal(
        &self,
        name: &str,
        code_hash: [u8; 32],
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let (name, entry) = (name.to_owned(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO enrolment_codes (hash, kind, subject, expires_at_us) \
                     VALUES (?1, 'terminal', ?2, ?3)",
                )
                .bind(code_hash.as_slice())
                .bind(name)
                .bind(expires_at.as_microsecond())
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
                audit::append(tx, &entry, &[]).await
            })
        })
        .await
    }

    async fn enrol_terminal(
        &self,
        code_hash: [u8; 32],
        token_hash: [u8; 32],
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<EnrolledTerminal>, StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| Box::pin(enrol(tx, code_hash, token_hash, now, entry))).await
    }

    async fn terminals(&self) -> Result<Vec<EnrolledTerminal>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, name, token_hash, enrolled_at_us FROM enrolled_terminals ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        rows.into_iter().map(Row::read).collect()
    }

    async fn remove_terminal(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError> {
        let (name, entry) = (name.to_owned(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM enrolled_terminals WHERE name = ?1")
                    .bind(name)
                    .execute(&mut tx.db)
                    .await
                    .map_err(|e| failed(&e))?;
                let removed = done.rows_affected() == 1;
                if removed {
                    audit::append(tx, &entry, &[]).await?;
                }
                Ok(removed)
            })
        })
        .await
    }
}
