//! Sessions and enrolled terminals.

use async_trait::async_trait;
use jiff::Timestamp;

use super::accounts::{Role, Standing};
use super::store::{AuditEntry, StoreError};

/// A session as kept: the token only as its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the bearer token.
    pub token_hash: [u8; 32],
    /// Its name in lists; drawn at random, says nothing of the token.
    pub id: String,
    /// Sign-in name of the account.
    pub account: String,
    /// What it may do.
    pub role: Role,
    /// The enrolled terminal it is bound to, by its row.
    pub terminal: Option<i64>,
    /// The client certificate it is bound to, by its row.
    pub certificate: Option<i64>,
    /// Whether it may do nothing but change the password.
    pub restricted: bool,
    /// Whether it began on the front-desk page: it works there and nowhere else.
    pub on_page: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used; written at most once a minute.
    pub last_used_at: Timestamp,
}

/// Sessions that survive a restart.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// All sessions that began at or after `since`; older ones, and those of accounts that are gone or disabled, are deleted.
    async fn load(&self, since: Timestamp) -> Result<Vec<SessionRecord>, StoreError>;
    /// Adds a session, if the credentials that it began with still stand.
    async fn begin(&self, session: &SessionRecord, of: Standing) -> Result<bool, StoreError>;
    /// Writes down when a session was last used; one that has ended stays so.
    async fn used(&self, token_hash: &[u8; 32], at: Timestamp) -> Result<(), StoreError>;
    /// Ends sessions.
    async fn delete(&self, token_hashes: &[[u8; 32]]) -> Result<(), StoreError>;
}

/// An enrolled terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledTerminal {
    /// Row number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

/// Terminals and the codes that enrol them.
#[async_trait]
pub trait TerminalStore: Send + Sync + 'static {
    /// Keeps the hash of a code with which a terminal of this name is enrolled once, before an instant.
    async fn offer_terminal(
        &self,
        name: &str,
        code_hash: [u8; 32],
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Uses a code up and enrols its terminal in one step, in place of an older one of the same name; `None` if the code is
    /// wrong, used or too old.
    async fn enrol_terminal(
        &self,
        code_hash: [u8; 32],
        token_hash: [u8; 32],
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<EnrolledTerminal>, StoreError>;

    /// Every enrolled terminal, by name.
    async fn terminals(&self) -> Result<Vec<EnrolledTerminal>, StoreError>;

    /// Removes a terminal; `false` if there is none of this name.
    async fn remove_terminal(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError>;
}
