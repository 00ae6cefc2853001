//! Ports: what the use cases need from the outside, in the words of the use cases.
//!
//! Owned by their consumer. An error enum per port; its variants are what a use case does differently.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;

use crate::domain::check::{Method, ResultId};
use crate::domain::eligibility::{Confirmation, Validity};
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::personal::Pin;

//------------ Time and chance ----------------------------------------------------------------------------------------

/// The wall clock. Timers use tokio's clock, which tests can pause.
pub trait Clock: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// Unpredictable bytes for tokens, keys, nonces and ids.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// `N` unpredictable bytes.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

//------------ Card and reader ----------------------------------------------------------------------------------------

/// A reader's name as PC/SC gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderName(pub String);

/// One card on one reader, from insertion to removal. A card taken away and put back is a new card event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CardEvent {
    /// The reader it lies on.
    pub reader: ReaderName,
    /// Counts insertions over all readers since the start; never repeats.
    pub insertion: u64,
}

/// What a reader reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderState {
    /// No card.
    Empty,
    /// A card is there.
    Card(CardEvent),
    /// Something is there that does not answer (held badly, not a chip card).
    Mute,
    /// The reader does not answer.
    Unavailable,
}

/// One reader as seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderView {
    /// Its name.
    pub name: ReaderName,
    /// Its state.
    pub state: ReaderState,
}

/// Everything PC/SC shows now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeskView {
    /// Whether the PC/SC service answers.
    pub service_available: bool,
    /// The readers, in PC/SC's order.
    pub readers: Vec<ReaderView>,
}

impl DeskView {
    /// The state of one reader, if it is listed.
    pub fn state(&self, reader: &ReaderName) -> Option<&ReaderState> {
        self.readers.iter().find(|view| view.name == *reader).map(|view| &view.state)
    }
}

/// What a card gave without a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardCertificate {
    /// The user-authentication certificate (利用者証明用電子証明書), DER, trimmed to its length.
    pub der: Vec<u8>,
}

/// What a card gave with its PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChallenge {
    /// The user-authentication certificate, DER.
    pub certificate: Vec<u8>,
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the challenge, 256 bytes.
    pub signature: Vec<u8>,
}

/// How a signing attempt ended without an error.
#[derive(Debug)]
pub enum Signing {
    /// The PIN was right and the challenge is signed.
    Signed(SignedChallenge),
    /// One try is left and its use was not confirmed: no VERIFY was sent, and the PIN comes back.
    OneTryLeft(Pin),
}

/// Why the card or its reader did not give what was asked. The PIN, if any, is already wiped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The PC/SC service is not running.
    #[error("the PC/SC service is not available")]
    ServiceUnavailable,
    /// The reader is gone or does not answer.
    #[error("the reader is not available")]
    ReaderUnavailable,
    /// Another program holds the card.
    #[error("another program is using the card")]
    InUse,
    /// The card left, changed, or was reset before it was done.
    #[error("the card was removed")]
    Removed,
    /// The JPKI application is not on the card (status 6A82).
    #[error("not a JPKI card")]
    NotJpki,
    /// The PIN was wrong.
    #[error("wrong PIN, {tries_left} tries left")]
    WrongPin {
        /// Tries left, at least one.
        tries_left: u8,
    },
    /// No tries left (status 63C0, 6983 or 6984).
    #[error("the PIN is locked")]
    PinLocked,
    /// An answer that no rule covers; `status` is its status word, if it had one.
    #[error("unusable answer from the card (status {status:04X?})")]
    Unusable {
        /// SW1 and SW2.
        status: Option<u16>,
    },
}

/// The readers of this machine and the cards on them. Never blocks the caller's thread.
#[async_trait]
pub trait CardDesk: Send + Sync + 'static {
    /// The readers and cards as they are now, and every change.
    fn watch(&self) -> watch::Receiver<DeskView>;

    /// Reads the user-authentication certificate of this very card; no PIN, no signature.
    async fn read_certificate(&self, card: &CardEvent) -> Result<CardCertificate, CardError>;

    /// Reads the certificate, asks for the tries left, presents the PIN at most once and signs SHA-256 of `challenge`.
    ///
    /// With one try left and `last_try_confirmed` false, no VERIFY is sent. Nothing is ever repeated.
    async fn sign(
        &self,
        card: &CardEvent,
        pin: Pin,
        challenge: &[u8],
        last_try_confirmed: bool,
    ) -> Result<Signing, CardError>;
}

//------------ Central system -----------------------------------------------------------------------------------------

/// Our own id of one request to the central system (ArbitraryFileIdentifier): 26 letters and digits, echoed in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(pub String);

/// What a caller can do about a failed question to the central system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Not connected: nothing was sent.
    #[error("the central system cannot be reached")]
    Unreachable,
    /// No answer in time: whether it was processed is unknown.
    #[error("the central system did not answer in time")]
    Timeout,
    /// It answered with an error code of its own.
    #[error("the central system refused with {code}")]
    Refused {
        /// Its code; says nothing about a person.
        code: String,
    },
    /// TLS: our certificate was refused, or the server's was not acceptable.
    #[error("the TLS certificates were not accepted")]
    ClientCertificate,
    /// The answer could not be understood, or belongs to another request.
    #[error("unusable answer from the central system")]
    Malformed,
    /// Closed for maintenance.
    #[error("the central system is closed for maintenance")]
    Maintenance,
}

/// A challenge to be signed by the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The central system's id of it.
    pub id: String,
    /// The bytes to sign, 16 to 64.
    pub bytes: Vec<u8>,
}

/// What proves the patient's identity to the central system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The card signed a challenge after its PIN.
    Signed {
        /// Which challenge.
        challenge_id: String,
        /// Certificate and signature.
        signed: SignedChallenge,
    },
    /// Staff compared the photo; only where the upstream profile accepts it.
    Visual(CardCertificate),
}

/// What the central system says to a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The eligibility.
    Confirmed(Confirmation),
    /// The card is not registered as a health insurance card.
    NotRegistered,
    /// The certificate is past its grace period.
    CertificateExpired,
}

/// The card-based part of the central system, as the official app uses it. Its message forms are an assumption.
#[async_trait]
pub trait CardCheck: Send + Sync + 'static {
    /// Whether a certificate without a signature is accepted (upstream profile `accepts_unsigned_visual`).
    fn accepts_unsigned_visual(&self) -> bool;

    /// Asks for a challenge.
    async fn challenge(&self, request: &RequestId) -> Result<Challenge, UpstreamError>;

    /// Asks for the eligibility of the person who proved to hold the card. Never repeated by the adapter.
    async fn confirm(&self, request: &RequestId, proof: &Proof) -> Result<Answer, UpstreamError>;
}

/// One result as the receipt computer link hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedResult {
    /// The central system's own id of the result, for merging without duplicates.
    pub upstream_id: String,
    /// The terminal that carried out the check, as the central system names it.
    pub terminal: String,
    /// What was confirmed.
    pub confirmation: Confirmation,
}

/// Receipt computer link (レセコン連携機能, manual chapter 2): works without any reader.
#[async_trait]
pub trait ReceiptLink: Send + Sync + 'static {
    /// All results of checks carried out from `from` to `to` (JST days, both included) by any terminal of the facility.
    async fn results(
        &self,
        request: &RequestId,
        from: Date,
        to: Date,
    ) -> Result<Vec<LinkedResult>, UpstreamError>;

    /// Sets a person's inquiry number; setting the same value again changes nothing.
    async fn set_inquiry_number(
        &self,
        request: &RequestId,
        person: &InsuranceIdentifiers,
        number: &InquiryNumber,
    ) -> Result<(), UpstreamError>;
}

/// What the upstream adapter last saw; shown in health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamHealth {
    /// No request yet.
    Unknown,
    /// The last request was answered.
    Answering,
    /// The last request failed.
    Failing,
}

/// What became of the connection to the central system.
pub trait UpstreamStatus: Send + Sync + 'static {
    /// What was last seen.
    fn health(&self) -> UpstreamHealth;
}

//------------ Store --------------------------------------------------------------------------------------------------

/// Where a result comes from; sandbox data is marked in every answer and never mixes with real data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A real central system.
    Production,
    /// The simulated central system of the sandbox.
    Sandbox,
}

/// A terminal (資格確認端末), by its configured id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId(pub String);

/// A result to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResult {
    /// The check it belongs to: the same check never stores twice.
    pub check_id: String,
    /// The terminal that carried it out.
    pub terminal: TerminalId,
    /// How the identity was confirmed.
    pub method: Method,
    /// Real or sandbox.
    pub origin: Origin,
    /// What was confirmed.
    pub confirmation: Confirmation,
}

/// A stored result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    /// Its number.
    pub id: ResultId,
    /// First instant at which it is gone.
    pub expires_at: Timestamp,
    /// Grows with every change of the stored result.
    pub version: i64,
    /// The person's inquiry number, if known.
    pub inquiry_number: Option<InquiryNumber>,
    /// What was stored.
    pub content: NewResult,
}

/// Which results are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultQuery {
    /// Checks carried out at or after this instant.
    pub from: Option<Timestamp>,
    /// Checks carried out before this instant.
    pub until: Option<Timestamp>,
    /// Only checks of this terminal.
    pub terminal: Option<TerminalId>,
    /// Only results with this validity.
    pub validity: Option<Validity>,
}

/// Where a page of results (newest first) goes on: the last result of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageAfter {
    /// Time of its check, microseconds since 1970.
    pub checked_at_us: i64,
    /// Its number.
    pub id: ResultId,
}

/// Who did what, for the audit log. Holds no insured data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The account, or the program itself (`daemon`).
    pub actor: String,
    /// What was done, for example `result.read`.
    pub action: &'static str,
    /// The terminal, if one was named.
    pub terminal: Option<TerminalId>,
    /// The results it was about.
    pub results: Vec<ResultId>,
    /// `ok`, or a stable error code.
    pub outcome: String,
}

/// What a caller can do about a failed store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full: free space, then go on.
    #[error("the disk is full")]
    DiskFull,
    /// The store did not answer or failed; nothing was changed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A stored row could not be read back: names table, row and reason, never the content.
    #[error("stored row {row} of {table} is unreadable: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Its row.
        row: i64,
        /// Why.
        reason: String,
    },
}

/// Stored results. Reads never return a result at or after its expiry.
#[async_trait]
pub trait ResultStore: Send + Sync + 'static {
    /// Stores a result and its audit row in one transaction; a check already stored returns its result's number.
    async fn insert(&self, result: &NewResult, audit: &AuditEntry) -> Result<ResultId, StoreError>;

    /// One result, searchable or not.
    async fn get(&self, id: ResultId) -> Result<Option<StoredResult>, StoreError>;

    /// How many searchable results there are.
    async fn count(&self, query: &ResultQuery) -> Result<u64, StoreError>;

    /// Searchable results, newest first, at most `limit`.
    async fn page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Vec<StoredResult>, StoreError>;

    /// Sets the inquiry number on every stored result of the same person as result `id` (design: same insurance
    /// identifiers), with the audit row in the same transaction; returns the results changed, empty if `id` is gone.
    async fn set_inquiry_number(
        &self,
        id: ResultId,
        number: &InquiryNumber,
        audit: &AuditEntry,
    ) -> Result<Vec<ResultId>, StoreError>;
}

/// The audit log: append-only.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Appends and commits; the answer it speaks of leaves only afterwards.
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;
}

//------------ Accounts and sessions ----------------------------------------------------------------------------------

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

    /// Creates an account.
    async fn create(&self, account: &NewAccount) -> Result<(), CreateAccountError>;

    /// Clears failures and lock; `false` if there is no such account.
    async fn unlock(&self, name: &str) -> Result<bool, StoreError>;
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
