//! Accounts, their failure counter and sessions.
//!
//! A failure is counted before anything is evaluated, inside the writer, so neither a crash nor parallel connections
//! give free guesses. Every attempt commits, known name or not: the time of the answer does not tell them apart.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::error::failed;
use super::writer::{Tx, write};
use super::{Store, audit};
use crate::app::ports::{
    Account, Accounts, Attempt, AuditEntry, CreateAccountError, NewAccount, Role, SessionRecord,
    SessionStore, StoreError,
};
use crate::domain::lockout::{Verdict, verdict};

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::ReceiptComputer => "receipt-computer",
        Role::Administrator => "administrator",
    }
}

fn read_role(word: &str) -> Option<Role> {
    match word {
        "operator" => Some(Role::Operator),
        "receipt-computer" => Some(Role::ReceiptComputer),
        "administrator" => Some(Role::Administrator),
        _ => None,
    }
}

/// What a TOTP secret is sealed to.
fn totp_place(account: i64) -> Vec<u8> {
    [b"accounts.totp_secret".as_slice(), &account.to_be_bytes()].concat()
}

#[derive(FromRow)]
struct AccountRow {
    id: i64,
    name: String,
    role: String,
    password_hash: String,
    totp_secret: Vec<u8>,
    failures: i64,
    last_failure_us: Option<i64>,
}

impl AccountRow {
    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt { table: "accounts", row: self.id, reason: reason.to_owned() }
    }
}

async fn begin_attempt(tx: &mut Tx, name: &str, now: Timestamp) -> Result<Attempt, StoreError> {
    let found: Option<AccountRow> = sqlx::query_as(
        "SELECT id, name, role, password_hash, totp_secret, failures, last_failure_us FROM accounts \
         WHERE name = ?1",
    )
    .bind(name)
    .fetch_optional(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let Some(row) = found else { return Ok(Attempt::Unknown) };
    let failures = u32::try_from(row.failures).unwrap_or(u32::MAX);
    let last_failure = row.last_failure_us.and_then(|at| Timestamp::from_microsecond(at).ok());
    match verdict(failures, last_failure, now) {
        Verdict::Locked => return Ok(Attempt::Locked),
        Verdict::Wait(until) => return Ok(Attempt::Wait(until)),
        Verdict::Allowed => {}
    }
    sqlx::query("UPDATE accounts SET failures = failures + 1, last_failure_us = ?1 WHERE id = ?2")
        .bind(now.as_microsecond())
        .bind(row.id)
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let totp_secret = tx
        .keyring
        .system()
        .totp
        .open(&totp_place(row.id), &row.totp_secret)
        .map_err(|_| row.corrupt("the TOTP secret does not open"))?;
    let role = read_role(&row.role).ok_or_else(|| row.corrupt("its role is unknown"))?;
    Ok(Attempt::Evaluate(Account {
        id: row.id,
        name: row.name,
        role,
        password_hash: row.password_hash,
        totp_secret,
    }))
}

/// `false` if the name is taken.
async fn create(tx: &mut Tx, account: &NewAccount, entry: &AuditEntry) -> Result<bool, StoreError> {
    let id = tx.next_id("accounts").await?;
    let sealed = tx.keyring.system().totp.seal(tx.random.as_ref(), &totp_place(id), &account.totp_secret)?;
    let done = sqlx::query(
        "INSERT INTO accounts (id, name, role, password_hash, totp_secret) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(id)
    .bind(&account.name)
    .bind(role_word(account.role))
    .bind(&account.password_hash)
    .bind(sealed)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let created = done.rows_affected() == 1;
    if created {
        audit::append(tx, entry, &[]).await?;
    }
    Ok(created)
}

#[async_trait]
impl Accounts for Store {
    async fn begin_attempt(&self, name: &str, now: Timestamp) -> Result<Attempt, StoreError> {
        let name = name.to_owned();
        write(&self.writer, move |tx| Box::pin(async move { begin_attempt(tx, &name, now).await })).await
    }

    async fn accept_step(&self, account: i64, step: u64) -> Result<bool, StoreError> {
        let step = i64::try_from(step)
            .map_err(|_| StoreError::Failed("a TOTP step beyond every calendar".to_owned()))?;
        write(&self.writer, move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE accounts SET last_step = ?1, failures = 0, last_failure_us = NULL \
                     WHERE id = ?2 AND last_step < ?1",
                )
                .bind(step)
                .bind(account)
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
    }

    async fn create(&self, account: &NewAccount, audit: &AuditEntry) -> Result<(), CreateAccountError> {
        let entry = audit.clone();
        let account = NewAccount {
            name: account.name.clone(),
            role: account.role,
            password_hash: account.password_hash.clone(),
            totp_secret: account.totp_secret.clone(),
        };
        let created =
            write(&self.writer, move |tx| Box::pin(async move { create(tx, &account, &entry).await }))
                .await?;
        if created { Ok(()) } else { Err(CreateAccountError::Exists) }
    }

    async fn unlock(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError> {
        let (name, entry) = (name.to_owned(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move {
                let done =
                    sqlx::query("UPDATE accounts SET failures = 0, last_failure_us = NULL WHERE name = ?1")
                        .bind(name)
                        .execute(&mut tx.db)
                        .await
                        .map_err(|e| failed(&e))?;
                let unlocked = done.rows_affected() == 1;
                if unlocked {
                    audit::append(tx, &entry, &[]).await?;
                }
                Ok(unlocked)
            })
        })
        .await
    }
}

#[derive(FromRow)]
struct SessionRow {
    token_hash: Vec<u8>,
    account: String,
    role: String,
    created_at_us: i64,
    last_used_at_us: i64,
}

impl SessionRow {
    /// `None` if it cannot be read: such a session is as good as ended.
    fn read(self) -> Option<SessionRecord> {
        Some(SessionRecord {
            token_hash: self.token_hash.try_into().ok()?,
            account: self.account,
            role: read_role(&self.role)?,
            created_at: Timestamp::from_microsecond(self.created_at_us).ok()?,
            last_used_at: Timestamp::from_microsecond(self.last_used_at_us).ok()?,
        })
    }
}

async fn load(tx: &mut Tx, since: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
    sqlx::query("DELETE FROM sessions WHERE created_at_us < ?1")
        .bind(since.as_microsecond())
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let rows: Vec<SessionRow> =
        sqlx::query_as("SELECT token_hash, account, role, created_at_us, last_used_at_us FROM sessions")
            .fetch_all(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    Ok(rows.into_iter().filter_map(SessionRow::read).collect())
}

/// Times are kept in microseconds.
#[async_trait]
impl SessionStore for Store {
    async fn load(&self, since: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        write(&self.writer, move |tx| Box::pin(load(tx, since))).await
    }

    async fn save(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let session = session.clone();
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO sessions (token_hash, account, role, created_at_us, last_used_at_us) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (token_hash) DO UPDATE SET \
                     account = excluded.account, role = excluded.role, created_at_us = excluded.created_at_us, \
                     last_used_at_us = excluded.last_used_at_us",
                )
                .bind(session.token_hash.as_slice())
                .bind(session.account)
                .bind(role_word(session.role))
                .bind(session.created_at.as_microsecond())
                .bind(session.last_used_at.as_microsecond())
                .execute(&mut tx.db)
                .await
                .map(drop)
                .map_err(|e| failed(&e))
            })
        })
        .await
    }

    async fn delete(&self, token_hash: &[u8; 32]) -> Result<(), StoreError> {
        let token_hash = *token_hash;
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM sessions WHERE token_hash = ?1")
                    .bind(token_hash.as_slice())
                    .execute(&mut tx.db)
                    .await
                    .map(drop)
                    .map_err(|e| failed(&e))
            })
        })
        .await
    }
}
