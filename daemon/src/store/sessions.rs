//! Sessions that survive a restart.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::Store;
use super::accounts::{read_role, role_word};
use super::error::failed;
use super::writer::{Tx, write};
use crate::app::ports::{SessionRecord, SessionStore, Standing, StoreError};

#[derive(FromRow)]
struct SessionRow {
    token_hash: Vec<u8>,
    id: String,
    account: String,
    role: String,
    terminal: Option<i64>,
    certificate: Option<i64>,
    restricted: i64,
    on_page: i64,
    created_at_us: i64,
    last_used_at_us: i64,
}

impl SessionRow {
    /// `None` if it cannot be read: such a session is as good as ended.
    fn read(self) -> Option<SessionRecord> {
        Some(SessionRecord {
            token_hash: self.token_hash.try_into().ok()?,
            id: self.id,
            account: self.account,
            role: read_role(&self.role)?,
            terminal: self.terminal,
            certificate: self.certificate,
            restricted: self.restricted == 1,
            on_page: self.on_page == 1,
            created_at: Timestamp::from_microsecond(self.created_at_us).ok()?,
            last_used_at: Timestamp::from_microsecond(self.last_used_at_us).ok()?,
        })
    }
}

async fn load(tx: &mut Tx, since: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
    sqlx::query(
        "DELETE FROM sessions WHERE created_at_us < ?1 \
         OR account NOT IN (SELECT name FROM accounts WHERE disabled = 0)",
    )
    .bind(since.as_microsecond())
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let rows: Vec<SessionRow> = sqlx::query_as(
        "SELECT token_hash, id, account, role, terminal, certificate, restricted, on_page, \
             created_at_us, last_used_at_us FROM sessions",
    )
    .fetch_all(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(rows.into_iter().filter_map(SessionRow::read).collect())
}

/// `false` if the credentials that it began with stand no longer.
async fn begin(tx: &mut Tx, session: &SessionRecord, of: Standing) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO sessions (token_hash, id, account, role, terminal, restricted, created_at_us, \
         last_used_at_us, certificate, on_page) \
         SELECT ?1, ?2, name, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM accounts \
         WHERE name = ?3 AND id = ?11 AND disabled = 0 AND credentials_epoch = ?12",
    )
    .bind(session.token_hash.as_slice())
    .bind(&session.id)
    .bind(&session.account)
    .bind(role_word(session.role))
    .bind(session.terminal)
    .bind(i64::from(session.restricted))
    .bind(session.created_at.as_microsecond())
    .bind(session.last_used_at.as_microsecond())
    .bind(session.certificate)
    .bind(i64::from(session.on_page))
    .bind(of.account)
    .bind(of.epoch)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(done.rows_affected() == 1)
}

async fn used(tx: &mut Tx, token_hash: [u8; 32], at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET last_used_at_us = ?2 WHERE token_hash = ?1")
        .bind(token_hash.as_slice())
        .bind(at.as_microsecond())
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}

async fn delete(tx: &mut Tx, token_hashes: &[[u8; 32]]) -> Result<(), StoreError> {
    for token_hash in token_hashes {
        sqlx::query("DELETE FROM sessions WHERE token_hash = ?1")
            .bind(token_hash.as_slice())
            .execute(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Times are kept in microseconds.
#[async_trait]
impl SessionStore for Store {
    async fn load(&self, since: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        write(&self.writer, move |tx| Box::pin(load(tx, since))).await
    }

    async fn begin(&self, session: &SessionRecord, of: Standing) -> Result<bool, StoreError> {
        let session = session.clone();
        write(&self.writer, move |tx| Box::pin(async move { begin(tx, &session, of).await })).await
    }

    async fn used(&self, token_hash: &[u8; 32], at: Timestamp) -> Result<(), StoreError> {
        let token_hash = *token_hash;
        write(&self.writer, move |tx| Box::pin(used(tx, token_hash, at))).await
    }

    async fn delete(&self, token_hashes: &[[u8; 32]]) -> Result<(), StoreError> {
        let token_hashes = token_hashes.to_vec();
        write(&self.writer, move |tx| Box::pin(async move { delete(tx, &token_hashes).await })).await
    }
}
