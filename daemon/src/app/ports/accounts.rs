//! Accounts and sessions.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{AuditEntry, StoreError};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Front-desk staff (資格確認担当者).
    Operator,
    /// Receipt computer (レセコン).
    ReceiptComputer,
    /// Administrator of the clinic.
    Administrator,
}

/// An account with its credentials.
pub struct Account {
    /// Row number.
    pub id: i64,
    /// Sign-in name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
    /// TOTP secret, raw bytes.
    pub totp_secret: zeroize::Zeroizing<Vec<u8>>,
}

/// How an attempt to sign in may go on.
pub enum Attempt {
    /// The failure is already counted and committed: evaluate the factors, then clear it on success.
    Evaluate(Account),
    /// No such account. The caller still does the same work, so that nobody can tell.
    Unknown,
    /// Too early.
    Wait(Timestamp),
    /// Locked until unlocked.
    Locked,
}

/// An account to be created.
pub struct NewAccount {
    /// Sign-in name, 1 to 64 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
    /// TOTP secret, raw bytes.
    pub totp_secret: zeroize::Zeroizing<Vec<u8>>,
}

/// Why an account was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateAccountError {
    /// The name is taken.
    #[error("an account with this name exists")]
    Exists,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Accounts, their persisted failure counter, and the last accepted TOTP step.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Counts a failure in advance and commits it, unless the account is locked or must wait.
    ///
    /// Counting first means that neither a crash nor parallel connections give free guesses.
    async fn begin_attempt(&self, name: &str, now: Timestamp) -> Result<Attempt, StoreError>;

    /// Accepts a TOTP step if no step as late was accepted before (atomic compare-and-set) and clears the failures.
    /// `false`: the code was used already, and the failure stays counted.
    async fn accept_step(&self, account: i64, step: u64) -> Result<bool, StoreError>;

    /// Creates an account, with the audit row in the same transaction.
    async fn create(&self, account: &NewAccount, audit: &AuditEntry) -> Result<(), CreateAccountError>;

    /// Clears failures and lock, with the audit row in the same transaction; `false` if there is no such account.
    async fn unlock(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError>;
}

/// A session as kept: the token only as its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the bearer token.
    pub token_hash: [u8; 32],
    /// Sign-in name of the account.
    pub account: String,
    /// What it may do.
    pub role: Role,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used; written at most once a minute.
    pub last_used_at: Timestamp,
}

/// Sessions that survive a restart.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// All sessions that began at or after `since`; older ones are deleted.
    async fn load(&self, since: Timestamp) -> Result<Vec<SessionRecord>, StoreError>;
    /// Adds or updates a session.
    async fn save(&self, session: &SessionRecord) -> Result<(), StoreError>;
    /// Ends a session.
    async fn delete(&self, token_hash: &[u8; 32]) -> Result<(), StoreError>;
}
