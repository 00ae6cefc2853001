//! Passkeys: public keys and the counters of their authenticators.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::error::failed;
use super::writer::{Tx, write};
use super::{Store, accounts, audit};
use crate::app::ports::{AuditEntry, Kept, NewPasskey, Passkey, PasskeyKey, PasskeyStore, StoreError};

/// What every reading begins with.
macro_rules! passkeys {
    ($rest:literal) => {
        concat!(
            "SELECT passkeys.id, accounts.name AS account, passkeys.name, user_handle, credential, public_key, \
             sign_count, created_at_us, last_used_at_us \
             FROM passkeys JOIN accounts ON accounts.id = passkeys.account ",
            $rest
        )
    };
}

#[derive(FromRow)]
struct Row {
    id: i64,
    account: String,
    name: String,
    user_handle: Vec<u8>,
    credential: Vec<u8>,
    public_key: Vec<u8>,
    sign_count: i64,
    created_at_us: i64,
    last_used_at_us: Option<i64>,
}

impl Row {
    fn read(self) -> Result<Passkey, StoreError> {
        let corrupt =
            |reason: &str| StoreError::Corrupt { table: "passkeys", row: self.id, reason: reason.to_owned() };
        let instant = |us| Timestamp::from_microsecond(us).map_err(|_| corrupt("its time is no time"));
        Ok(Passkey {
            id: self.id,
            user_handle: self
                .user_handle
                .as_slice()
                .try_into()
                .map_err(|_| corrupt("its handle has another length"))?,
            created_at: instant(self.created_at_us)?,
            last_used_at: self.last_used_at_us.map(instant).transpose()?,
            key: PasskeyKey {
                sign_count: u32::try_from(self.sign_count).map_err(|_| corrupt("its counter is none"))?,
                credential: self.credential,
                public_key: self.public_key,
            },
            account: self.account,
            name: self.name,
        })
    }
}

/// Moves the counter of an account's passkey on; `false` if it was seen before, which a copy of the authenticator gives away. An
/// authenticator that does not count always says 0.
pub(super) async fn count(
    tx: &mut Tx,
    account: i64,
    passkey: i64,
    sign_count: u32,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE passkeys SET sign_count = ?3, last_used_at_us = ?4 \
         WHERE id = ?2 AND account = ?1 AND (sign_count < ?3 OR (sign_count = 0 AND ?3 = 0))",
    )
    .bind(account)
    .bind(passkey)
    .bind(sign_count)
    .bind(tx.now_us)
    .execute(&mut tx.db)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn add(
    tx: &mut Tx,
    new: NewPasskey,
    most: u32,
    at: Timestamp,
    entry: AuditEntry,
) -> Result<Kept, StoreError> {
    let found: Option<(i64, i64)> = sqlx::query_as(
        "SELECT id, (SELECT COUNT(*) FROM passkeys WHERE account = accounts.id) FROM accounts \
         WHERE name = ?1 AND disabled = 0 AND credentials_epoch = ?2",
    )
    .bind(&new.account)
    .bind(new.epoch)
    .fetch_optional(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let Some((account, has)) = found else { return Ok(Kept::Refused) };
    if has >= i64::from(most) {
        return Ok(Kept::TooMany);
    }
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO passkeys (account, name, user_handle, credential, public_key, sign_count, created_at_us) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (credential) DO NOTHING RETURNING id",
    )
    .bind(account)
    .bind(new.name)
    .bind(new.user_handle.as_slice())
    .bind(new.key.credential)
    .bind(new.key.public_key)
    .bind(new.key.sign_count)
    .bind(at.as_microsecond())
    .fetch_optional(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let Some(id) = id else { return Ok(Kept::Refused) };
    audit::append(tx, &entry, &[]).await?;
    Ok(Kept::As(id))
}

async fn remove(
    tx: &mut Tx,
    account: &str,
    which: Option<i64>,
    kept: Option<[u8; 32]>,
    entry: &AuditEntry,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM passkeys WHERE account = (SELECT id FROM accounts WHERE name = ?1) AND id = coalesce(?2, id)",
    )
    .bind(account)
    .bind(which)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    // That there was nothing to remove is on record as well, where all were meant.
    if done.rows_affected() > 0 || which.is_none() {
        accounts::end_of_credentials(tx, account, kept).await?;
        audit::append(tx, entry, &[]).await?;
    }
    Ok(done.rows_affected())
}

#[async_trait]
impl PasskeyStore for Store {
    async fn add_passkey(
        &self,
        new: NewPasskey,
        most: u32,
        created_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Kept, StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| Box::pin(add(tx, new, most, created_at, entry))).await
    }

    async fn passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, StoreError> {
        let found: Option<Row> = sqlx::query_as(passkeys!("WHERE credential = ?1"))
            .bind(credential)
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
        found.map(Row::read).transpose()
    }

    async fn passkeys_of(&self, account: &str) -> Result<Vec<Passkey>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(passkeys!("WHERE accounts.name = ?1 ORDER BY passkeys.id"))
            .bind(account)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
        rows.into_iter().map(Row::read).collect()
    }

    async fn remove_passkeys(
        &self,
        account: &str,
        which: Option<i64>,
        kept: Option<[u8; 32]>,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let (account, entry) = (account.to_owned(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move { remove(tx, &account, which, kept, &entry).await })
        })
        .await
    }
}
