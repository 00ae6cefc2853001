//! Accounts: credentials, the failure counters, and what an administrator changes.

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroizing;

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
    pub totp_secret: Zeroizing<Vec<u8>>,
    /// Whether somebody else chose the password.
    pub must_change: bool,
    /// Whether an administrator disabled it.
    pub disabled: bool,
    /// Raised by whatever takes its credentials away.
    pub epoch: i64,
}

impl Account {
    /// By which credentials it is judged.
    pub fn standing(&self) -> Standing {
        Standing { account: self.id, epoch: self.epoch }
    }
}

/// By which credentials of which account somebody is judged. Judging takes a while: what takes them away meanwhile makes it
/// worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The account, by its row.
    pub account: i64,
    /// As in [`Account::epoch`].
    pub epoch: i64,
}

/// An owner who has proved the credentials of an account and changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The credentials that were proved, as in [`Account::epoch`].
    pub epoch: i64,
    /// The session, by the SHA-256 of its token, which goes on.
    pub session: [u8; 32],
}

/// Where attempts come from, as far as it has a failure counter of its own: what nobody else on the network can use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    /// Anywhere: one counter for everybody.
    Anywhere,
    /// An enrolled terminal, by its row.
    Terminal(i64),
    /// A client certificate, by its row.
    Certificate(i64),
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

/// What made an attempt succeed, beside the password.
pub enum SignInProof {
    /// The code of this time step; used up by it.
    Step(u64),
    /// This recovery code; used up by it.
    Recovery(Zeroizing<String>),
    /// This passkey, whose authenticator counts so far now.
    Passkey {
        /// Its row.
        id: i64,
        /// The authenticator's counter, which must be beyond the one before.
        sign_count: u32,
    },
    /// Nothing that can be used up: the device's certificate, or the password alone where that is enough.
    Lasting,
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
    pub totp_secret: Zeroizing<Vec<u8>>,
    /// Whether the password must be changed at first use.
    pub must_change: bool,
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

/// An account as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// Row number.
    pub id: i64,
    /// Sign-in name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether somebody else chose the password.
    pub must_change: bool,
    /// Whether an administrator disabled it.
    pub disabled: bool,
    /// The largest number of failures in a row of its counters; 100 is locked.
    pub failures: u32,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
    /// Passkeys that it has.
    pub passkeys: u32,
}

/// What is changed about an account.
pub enum AccountChange {
    /// Clear every failure counter, and the mark of used codes where a clock that ran ahead left it in the future.
    Unlock,
    /// Refuse it until enabled.
    Disable,
    /// Let it in again.
    Enable,
    /// Remove it for good.
    Remove,
    /// Give it another password.
    Password {
        /// Argon2id hash in PHC form.
        hash: String,
        /// Whether it must be changed at first use.
        must_change: bool,
    },
    /// Give it another authenticator secret at once; recovery codes and passkeys are gone with the old one.
    Totp(Zeroizing<Vec<u8>>),
    /// Offer it another authenticator secret, which waits for its first code.
    OfferTotp(Zeroizing<Vec<u8>>),
    /// The offered secret replaces the old one; the step of its first code is used up.
    TakeOffer(u64),
    /// Replace its recovery codes, in normal form.
    RecoveryCodes(Vec<Zeroizing<String>>),
}

impl AccountChange {
    /// Whether it takes credentials away: attempts that are under way and sessions end with it.
    pub fn takes_away(&self) -> bool {
        match self {
            Self::Disable | Self::Remove | Self::Password { .. } | Self::Totp(_) | Self::TakeOffer(_) => true,
            Self::Unlock | Self::Enable | Self::OfferTotp(_) | Self::RecoveryCodes(_) => false,
        }
    }
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Done and audited.
    Done,
    /// There is no such account, or nothing was offered to it. Nothing was changed.
    Unknown,
    /// Nobody would be left to administer. Nothing was changed.
    LastAdministrator,
    /// The owner's credentials were taken away meanwhile. Nothing was changed.
    Outdated,
}

/// Accounts, their persisted failure counters, and what is used up by signing in.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Counts a failure of this device in advance and commits it, unless the account is locked or must wait there.
    ///
    /// Counting first means that neither a crash nor parallel connections give free guesses.
    async fn begin_attempt(&self, name: &str, device: Device, now: Timestamp) -> Result<Attempt, StoreError>;

    /// Whether a recovery code, in normal form, is one of the account's; uses nothing up.
    async fn recovery_fits(&self, account: i64, code: &str) -> Result<bool, StoreError>;

    /// Uses the proof up and clears the failures of this device, in one step. `false`: somebody else was faster (a TOTP step
    /// as late was accepted before, the recovery code is gone) or the credentials were taken away meanwhile, and the failure stays
    /// counted.
    async fn succeed(&self, of: Standing, device: Device, proof: SignInProof) -> Result<bool, StoreError>;

    /// The authenticator secret that waits for its first code.
    async fn offered_totp(&self, account: i64) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Creates an account, with the audit row in the same transaction.
    async fn create(&self, account: &NewAccount, audit: &AuditEntry) -> Result<(), CreateAccountError>;

    /// Changes an account, with the audit row in the same transaction: as an administrator, or as its owner. What takes credentials
    /// away deletes the account's sessions there as well.
    ///
    /// An owner may only while the credentials that were proved stand. The owner's session goes on, and a password of one's own
    /// lifts its restriction.
    async fn change(
        &self,
        name: &str,
        owner: Option<Owner>,
        change: AccountChange,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Every account, by name.
    async fn list(&self) -> Result<Vec<AccountSummary>, StoreError>;
}
