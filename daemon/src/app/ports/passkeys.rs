//! Passkeys (WebAuthn): the manual's sign-in by fingerprint or face (生体認証). An adapter judges what authenticators answer, a
//! store keeps what they are known by.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{AuditEntry, StoreError};

/// What an authenticator has to answer; new for every ceremony, good once.
pub type PasskeyChallenge = [u8; 32];

/// The random name of an account inside authenticators.
pub type UserHandle = [u8; 32];

/// What an authenticator made for a new passkey (`AuthenticatorAttestationResponse`), as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyCreation {
    /// `clientDataJSON`: what the browser says it was asked, and by whom.
    pub client_data: Vec<u8>,
    /// `attestationObject`: the new key, and what the authenticator says of itself and of its user.
    pub attestation_object: Vec<u8>,
}

/// What an authenticator answers when it is asked to sign in (`AuthenticatorAssertionResponse`), as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyAssertion {
    /// Which passkey answers.
    pub credential: Vec<u8>,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `authenticatorData`: what the authenticator says of itself and of its user.
    pub authenticator_data: Vec<u8>,
    /// Over both, in the form of the key's algorithm.
    pub signature: Vec<u8>,
    /// `userHandle`: whose passkey it is.
    pub user_handle: Vec<u8>,
}

/// What a passkey is known by. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyKey {
    /// The authenticator's name for it, 1 to 1023 bytes.
    pub credential: Vec<u8>,
    /// Its public key as a `COSE_Key`.
    pub public_key: Vec<u8>,
    /// The authenticator's counter as last seen; always 0 where it does not count.
    pub sign_count: u32,
}

/// A passkey as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Row number.
    pub id: i64,
    /// Sign-in name of the account that it belongs to.
    pub account: String,
    /// What its owner calls it.
    pub name: String,
    /// The account's name inside authenticators.
    pub user_handle: UserHandle,
    /// What it is known by.
    pub key: PasskeyKey,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// When it last signed its account in.
    pub last_used_at: Option<Timestamp>,
}

/// A passkey to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// Sign-in name of the account.
    pub account: String,
    /// The credentials that its owner proved for it, as in [`Account::epoch`](super::Account::epoch).
    pub epoch: i64,
    /// What its owner calls it, 1 to 64 characters.
    pub name: String,
    /// The account's name inside authenticators.
    pub user_handle: UserHandle,
    /// What it is known by.
    pub key: PasskeyKey,
}

/// Why an answer proves nothing. For the log; whoever signs in learns only that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyRefusal {
    /// It is not in the form of the specification.
    #[error("malformed")]
    Malformed,
    /// It answers another question than ours, or another kind of question.
    #[error("another challenge")]
    Challenge,
    /// It was made for another site, or inside a frame of one.
    #[error("another site")]
    Site,
    /// The authenticator did not see its user, or did not make sure who that is.
    #[error("user not verified")]
    User,
    /// The key is of a kind that is not asked for.
    #[error("another algorithm")]
    Algorithm,
    /// It is not signed with this passkey.
    #[error("signature")]
    Signature,
}

/// Judges what authenticators answer. Computes at once, keeps nothing.
pub trait PasskeyVerifier: Send + Sync + 'static {
    /// The host name that passkeys are made for (the relying party id).
    fn site(&self) -> &str;

    /// The algorithms that new passkeys may have, as COSE numbers, the preferred one first.
    fn algorithms(&self) -> &'static [i64];

    /// What a new passkey will be known by, if its authenticator answers the challenge for this site and has verified its user.
    fn enrol(
        &self,
        challenge: &PasskeyChallenge,
        creation: &PasskeyCreation,
    ) -> Result<PasskeyKey, PasskeyRefusal>;

    /// Whether an assertion of this key answers the challenge: the authenticator's counter, which the store holds against the one
    /// before.
    fn verify(
        &self,
        key: &PasskeyKey,
        challenge: &PasskeyChallenge,
        assertion: &PasskeyAssertion,
    ) -> Result<u32, PasskeyRefusal>;
}

/// What became of a new passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept, under this number.
    As(i64),
    /// The account has as many as it may have.
    TooMany,
    /// The credential is known already, or there is no such account, or its credentials were taken away meanwhile.
    Refused,
}

/// Where passkeys are kept. Each change writes its audit row in the same transaction.
#[async_trait]
pub trait PasskeyStore: Send + Sync + 'static {
    /// Keeps a new passkey, if its account has fewer than `most`.
    async fn add_passkey(
        &self,
        new: NewPasskey,
        most: u32,
        created_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Kept, StoreError>;

    /// The passkey of a credential.
    async fn passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, StoreError>;

    /// An account's passkeys, the oldest first.
    async fn passkeys_of(&self, account: &str) -> Result<Vec<Passkey>, StoreError>;

    /// Removes one passkey of an account, or all of them; how many they were. The account's sessions end with it, but for the one
    /// that is kept, and so do attempts that are under way. Where one is not found, nothing is written.
    async fn remove_passkeys(
        &self,
        account: &str,
        which: Option<i64>,
        kept: Option<[u8; 32]>,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError>;
}
