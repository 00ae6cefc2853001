//! Changes to an account, each with its audit row.

use sqlx::sqlite::SqliteQueryResult;
use zeroize::Zeroizing;

use super::super::audit;
use super::super::error::failed;
use super::super::writer::Tx;
use super::{recovery_hash, steps, totp_place};
use crate::app::ports::{AccountChange, AuditEntry, Changed, Owner, StoreError};

/// Applies a change; anything but [`Changed::Done`] changed nothing.
pub(super) async fn apply(
    tx: &mut Tx,
    name: &str,
    owner: Option<Owner>,
    change: AccountChange,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    let row: Option<(i64, i64, i64)> =
        sqlx::query_as("SELECT id, disabled, credentials_epoch FROM accounts WHERE name = ?1")
            .bind(name)
            .fetch_optional(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    let Some((id, disabled, epoch)) = row else { return Ok(Changed::Unknown) };
    if owner.is_some_and(|owner| disabled == 1 || owner.epoch != epoch) {
        return Ok(Changed::Outdated);
    }
    let locks_out = matches!(change, AccountChange::Disable | AccountChange::Remove);
    if locks_out && is_last_administrator(tx, id).await? {
        return Ok(Changed::LastAdministrator);
    }
    let (takes_away, chosen) = (change.takes_away(), matches!(change, AccountChange::Password { .. }));
    let changed = write(tx, id, change).await?;
    if changed == 0 {
        return Ok(Changed::Unknown);
    }
    if takes_away {
        end_of_credentials(tx, name, owner.map(|owner| owner.session)).await?;
    }
    if let Some(owner) = owner.filter(|_| chosen) {
        lift_restriction(tx, owner.session).await?;
    }
    audit::append(tx, entry, &[]).await?;
    Ok(Changed::Done)
}

/// Whoever was judged by an account's credentials, or still is, has no way in any more: attempts that are under way fail, and
/// its sessions end, but for the one that is kept.
pub(in crate::store) async fn end_of_credentials(
    tx: &mut Tx,
    name: &str,
    kept: Option<[u8; 32]>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE accounts SET credentials_epoch = credentials_epoch + 1 WHERE name = ?1")
        .bind(name)
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    sqlx::query("DELETE FROM sessions WHERE account = ?1 AND token_hash IS NOT ?2")
        .bind(name)
        .bind(kept.as_ref().map(<[u8; 32]>::as_slice))
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}

/// Whoever has chosen a password may do again what the account may.
async fn lift_restriction(tx: &mut Tx, session: [u8; 32]) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET restricted = 0 WHERE token_hash = ?1")
        .bind(session.as_slice())
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}

/// How many accounts were changed: one, or none where there was nothing to take.
async fn write(tx: &mut Tx, id: i64, change: AccountChange) -> Result<u64, StoreError> {
    let done = match change {
        AccountChange::Unlock => {
            one(tx, "DELETE FROM sign_in_failures WHERE account = ?1", id).await.map_err(|e| failed(&e))?;
            steps::come_down_at_once(tx, id).await?;
            return Ok(1);
        }
        AccountChange::Disable => one(tx, "UPDATE accounts SET disabled = 1 WHERE id = ?1", id).await,
        AccountChange::Enable => one(tx, "UPDATE accounts SET disabled = 0 WHERE id = ?1", id).await,
        AccountChange::Remove => one(tx, "DELETE FROM accounts WHERE id = ?1", id).await,
        AccountChange::Password { hash, must_change } => {
            sqlx::query("UPDATE accounts SET password_hash = ?2, must_change = ?3 WHERE id = ?1")
                .bind(id)
                .bind(hash)
                .bind(i64::from(must_change))
                .execute(&mut tx.db)
                .await
        }
        AccountChange::Totp(secret) => {
            for gone in
                ["DELETE FROM recovery_codes WHERE account = ?1", "DELETE FROM passkeys WHERE account = ?1"]
            {
                one(tx, gone, id).await.map_err(|e| failed(&e))?;
            }
            let sealed = tx.keyring.system().totp.seal(tx.random.as_ref(), &totp_place(id), &secret)?;
            sqlx::query(
                "UPDATE accounts SET totp_secret = ?2, totp_offer = NULL, last_step = -1 WHERE id = ?1",
            )
            .bind(id)
            .bind(sealed)
            .execute(&mut tx.db)
            .await
        }
        AccountChange::OfferTotp(secret) => {
            let sealed = tx.keyring.system().totp.seal(tx.random.as_ref(), &totp_place(id), &secret)?;
            sqlx::query("UPDATE accounts SET totp_offer = ?2 WHERE id = ?1")
                .bind(id)
                .bind(sealed)
                .execute(&mut tx.db)
                .await
        }
        AccountChange::TakeOffer(step) => {
            sqlx::query(
                "UPDATE accounts SET totp_secret = totp_offer, totp_offer = NULL, last_step = ?2 \
                 WHERE id = ?1 AND totp_offer IS NOT NULL",
            )
            .bind(id)
            .bind(i64::try_from(step).unwrap_or(i64::MAX))
            .execute(&mut tx.db)
            .await
        }
        AccountChange::RecoveryCodes(codes) => return replace_codes(tx, id, &codes).await,
    };
    Ok(done.map_err(|e| failed(&e))?.rows_affected())
}

async fn one(tx: &mut Tx, statement: &'static str, id: i64) -> Result<SqliteQueryResult, sqlx::Error> {
    sqlx::query(statement).bind(id).execute(&mut tx.db).await
}

async fn replace_codes(tx: &mut Tx, id: i64, codes: &[Zeroizing<String>]) -> Result<u64, StoreError> {
    one(tx, "DELETE FROM recovery_codes WHERE account = ?1", id).await.map_err(|e| failed(&e))?;
    for code in codes {
        let hash = recovery_hash(&tx.keyring.system().recovery, id, code)?;
        sqlx::query("INSERT INTO recovery_codes (account, hash) VALUES (?1, ?2)")
            .bind(id)
            .bind(hash.as_slice())
            .execute(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    }
    Ok(1)
}

async fn is_last_administrator(tx: &mut Tx, id: i64) -> Result<bool, StoreError> {
    let (own, others): (i64, i64) = sqlx::query_as(
        "SELECT COALESCE(SUM(id = ?1), 0), COALESCE(SUM(id <> ?1), 0) FROM accounts \
         WHERE role = 'administrator' AND disabled = 0",
    )
    .bind(id)
    .fetch_one(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(own == 1 && others == 0)
}
