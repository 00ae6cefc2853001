//! Accounts, their failure counters, and what is used up by signing in.
//!
//! A failure is counted before anything is evaluated, inside the writer, so neither a crash nor parallel connections
//! give free guesses. Every attempt commits, known name or not: the time of the answer does not tell them apart.

mod change;
mod steps;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use sqlx::sqlite::SqliteQueryResult;
use zeroize::Zeroizing;

use super::crypto::Key;
use super::error::failed;
use super::writer::{Tx, write};
use super::{Store, audit, passkeys};
use crate::app::ports::{
    Account, AccountChange, AccountSummary, Accounts, Attempt, AuditEntry, Changed, CreateAccountError,
    Device, NewAccount, Owner, Role, SignInProof, Standing, StoreError,
};
use crate::domain::lockout::{Verdict, verdict};
pub(super) use change::end_of_credentials;
pub(super) use steps::come_down;

pub(super) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::ReceiptComputer => "receipt-computer",
        Role::Administrator => "administrator",
    }
}

pub(super) fn read_role(word: &str) -> Option<Role> {
    match word {
        "operator" => Some(Role::Operator),
        "receipt-computer" => Some(Role::ReceiptComputer),
        "administrator" => Some(Role::Administrator),
        _ => None,
    }
}

pub(super) fn device_word(device: Device) -> String {
    match device {
        Device::Anywhere => String::new(),
        Device::Terminal(id) => format!("terminal {id}"),
        Device::Certificate(id) => format!("certificate {id}"),
    }
}

/// What a TOTP secret is sealed to; an offered one takes the place of the other without being opened.
fn totp_place(account: i64) -> Vec<u8> {
    [b"accounts.totp_secret".as_slice(), &account.to_be_bytes()].concat()
}

fn recovery_hash(key: &Key, account: i64, code: &str) -> Result<[u8; 32], StoreError> {
    Ok(key.hash(&[&account.to_be_bytes(), code.as_bytes()])?)
}

#[derive(FromRow)]
struct AccountRow {
    id: i64,
    name: String,
    role: String,
    password_hash: String,
    totp_secret: Vec<u8>,
    must_change: i64,
    disabled: i64,
    credentials_epoch: i64,
    failures: i64,
    last_failure_us: Option<i64>,
}

impl AccountRow {
    fn corrupt(&self, reason: &str) -> StoreError {
        corrupt(self.id, reason)
    }
}

fn corrupt(row: i64, reason: &str) -> StoreError {
    StoreError::Corrupt { table: "accounts", row, reason: reason.to_owned() }
}

async fn begin_attempt(
    tx: &mut Tx,
    name: &str,
    device: Device,
    now: Timestamp,
) -> Result<Attempt, StoreError> {
    let found: Option<AccountRow> = sqlx::query_as(
        "SELECT id, name, role, password_hash, totp_secret, must_change, disabled, credentials_epoch, \
         COALESCE(failures, 0) AS failures, last_failure_us \
         FROM accounts LEFT JOIN sign_in_failures ON account = id AND device = ?2 WHERE name = ?1",
    )
    .bind(name)
    .bind(device_word(device))
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
    sqlx::query(
        "INSERT INTO sign_in_failures (account, device, failures, last_failure_us) VALUES (?1, ?2, 1, ?3) \
         ON CONFLICT (account, device) DO UPDATE SET failures = failures + 1, last_failure_us = ?3",
    )
    .bind(row.id)
    .bind(device_word(device))
    .bind(now.as_microsecond())
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
        must_change: row.must_change == 1,
        disabled: row.disabled == 1,
        epoch: row.credentials_epoch,
    }))
}

/// Whether nothing was taken away since somebody began to be judged.
async fn stands(tx: &mut Tx, of: Standing) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM accounts WHERE id = ?1 AND disabled = 0 AND credentials_epoch = ?2",
    )
    .bind(of.account)
    .bind(of.epoch)
    .fetch_one(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(found == 1)
}

/// `false` if the proof was used up before, or if it was judged by credentials that stand no longer; then nothing is changed.
async fn succeed(tx: &mut Tx, of: Standing, device: Device, proof: SignInProof) -> Result<bool, StoreError> {
    if !stands(tx, of).await? {
        return Ok(false);
    }
    let account = of.account;
    let used = match proof {
        SignInProof::Step(step) => {
            let step = i64::try_from(step)
                .map_err(|_| StoreError::Failed("a TOTP step beyond every calendar".to_owned()))?;
            let take = sqlx::query("UPDATE accounts SET last_step = ?2 WHERE id = ?1 AND last_step < ?2");
            take.bind(account).bind(step).execute(&mut tx.db).await.map(|done| is_one(&done))
        }
        SignInProof::Recovery(code) => {
            let hash = recovery_hash(&tx.keyring.system().recovery, account, &code)?;
            let take = sqlx::query("DELETE FROM recovery_codes WHERE account = ?1 AND hash = ?2");
            take.bind(account).bind(hash.as_slice()).execute(&mut tx.db).await.map(|done| is_one(&done))
        }
        SignInProof::Passkey { id, sign_count } => passkeys::count(tx, account, id, sign_count).await,
        SignInProof::Lasting => Ok(true),
    };
    if !used.map_err(|e| failed(&e))? {
        return Ok(false);
    }
    sqlx::query("DELETE FROM sign_in_failures WHERE account = ?1 AND device = ?2")
        .bind(account)
        .bind(device_word(device))
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    Ok(true)
}

fn is_one(done: &SqliteQueryResult) -> bool {
    done.rows_affected() == 1
}

/// `false` if the name is taken.
async fn create(tx: &mut Tx, account: &NewAccount, entry: &AuditEntry) -> Result<bool, StoreError> {
    let id = tx.next_id("accounts").await?;
    let sealed = tx.keyring.system().totp.seal(tx.random.as_ref(), &totp_place(id), &account.totp_secret)?;
    let done = sqlx::query(
        "INSERT INTO accounts (id, name, role, password_hash, totp_secret, must_change) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
    )
    .bind(id)
    .bind(&account.name)
    .bind(role_word(account.role))
    .bind(&account.password_hash)
    .bind(sealed)
    .bind(i64::from(account.must_change))
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    let created = done.rows_affected() == 1;
    if created {
        audit::append(tx, entry, &[]).await?;
    }
    Ok(created)
}

#[derive(FromRow)]
struct SummaryRow {
    id: i64,
    name: String,
    role: String,
    must_change: i64,
    disabled: i64,
    failures: i64,
    recovery_codes: i64,
    passkeys: i64,
}

impl SummaryRow {
    fn read(self) -> Result<AccountSummary, StoreError> {
        Ok(AccountSummary {
            id: self.id,
            role: read_role(&self.role).ok_or_else(|| corrupt(self.id, "its role is unknown"))?,
            name: self.name,
            must_change: self.must_change == 1,
            disabled: self.disabled == 1,
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
            recovery_codes: u32::try_from(self.recovery_codes).unwrap_or(u32::MAX),
            passkeys: u32::try_from(self.passkeys).unwrap_or(u32::MAX),
        })
    }
}

#[async_trait]
impl Accounts for Store {
    async fn begin_attempt(&self, name: &str, device: Device, now: Timestamp) -> Result<Attempt, StoreError> {
        let name = name.to_owned();
        write(&self.writer, move |tx| Box::pin(async move { begin_attempt(tx, &name, device, now).await }))
            .await
    }

    async fn recovery_fits(&self, account: i64, code: &str) -> Result<bool, StoreError> {
        let hash = recovery_hash(&self.keyring.system().recovery, account, code)?;
        let found: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE account = ?1 AND hash = ?2")
                .bind(account)
                .bind(hash.as_slice())
                .fetch_one(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        Ok(found == 1)
    }

    async fn succeed(&self, of: Standing, device: Device, proof: SignInProof) -> Result<bool, StoreError> {
        write(&self.writer, move |tx| Box::pin(succeed(tx, of, device, proof))).await
    }

    async fn offered_totp(&self, account: i64) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sealed: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT totp_offer FROM accounts WHERE id = ?1")
                .bind(account)
                .fetch_optional(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        let Some(sealed) = sealed.flatten() else { return Ok(None) };
        let opened = self.keyring.system().totp.open(&totp_place(account), &sealed);
        opened.map(Some).map_err(|_| corrupt(account, "the offered TOTP secret does not open"))
    }

    async fn create(&self, account: &NewAccount, audit: &AuditEntry) -> Result<(), CreateAccountError> {
        let entry = audit.clone();
        let account = NewAccount {
            name: account.name.clone(),
            role: account.role,
            password_hash: account.password_hash.clone(),
            totp_secret: account.totp_secret.clone(),
            must_change: account.must_change,
        };
        let created =
            write(&self.writer, move |tx| Box::pin(async move { create(tx, &account, &entry).await }))
                .await?;
        if created { Ok(()) } else { Err(CreateAccountError::Exists) }
    }

    async fn change(
        &self,
        name: &str,
        owner: Option<Owner>,
        change: AccountChange,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        let (name, entry) = (name.to_owned(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move { change::apply(tx, &name, owner, change, &entry).await })
        })
        .await
    }

    async fn list(&self) -> Result<Vec<AccountSummary>, StoreError> {
        let rows: Vec<SummaryRow> = sqlx::query_as(
            "SELECT id, name, role, must_change, disabled, \
             (SELECT COALESCE(MAX(failures), 0) FROM sign_in_failures WHERE account = accounts.id) AS failures, \
             (SELECT COUNT(*) FROM recovery_codes WHERE account = accounts.id) AS recovery_codes, \
             (SELECT COUNT(*) FROM passkeys WHERE account = accounts.id) AS passkeys \
             FROM accounts ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        rows.into_iter().map(SummaryRow::read).collect()
    }
}
