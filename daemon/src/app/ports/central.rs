//! The central system (資格確認限定型オンライン資格確認等システム): its card check and its receipt computer link.

use std::fmt;

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::card::{CardCertificate, SignedChallenge};
use crate::domain::announcement::Announcement;
use crate::domain::breaker::Circuit;
use crate::domain::eligibility::Confirmation;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::Receipt;

/// Our own id of one request to the central system (ArbitraryFileIdentifier): 26 letters and digits, echoed in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(pub String);

/// What a caller can do about a failed question to the central system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Not connected, or held back: nothing of the question was sent.
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
    /// TLS 1.2: the server wants renegotiation, which is not supported; waiting does not help.
    #[error("the central system wants TLS 1.2 renegotiation, which is not supported")]
    Renegotiation,
    /// It refused our sign-in with an error code of its own; says nothing about the question.
    #[error("the central system refused the sign-in with {code}")]
    SignInRefused {
        /// Its code.
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
    /// The card is not registered for use as a health insurance card (利用登録).
    NotRegistered {
        /// What it takes to register it; `None` where that cannot be done here (a phone, or a central system without it).
        ticket: Option<RegistrationTicket>,
    },
    /// The certificate is past its grace period.
    CertificateExpired,
}

/// What the central system wants to see again when the holder of the card it was asked about is registered. Opaque, wiped
/// on drop, redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationTicket(Zeroizing<String>);

impl RegistrationTicket {
    /// Takes the ticket over.
    pub fn new(ticket: String) -> Self {
        Self(Zeroizing::new(ticket))
    }

    /// The ticket itself; call it only where it is sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RegistrationTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A card-use registration (健康保険証利用登録) that is consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardUseRegistration {
    /// From the answer that it was not registered.
    pub ticket: RegistrationTicket,
    /// When the consent was given.
    pub consented_at: Timestamp,
}

/// What a caller can do about a registration without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// Nothing was registered: nothing was sent, or the central system refused.
    #[error("not registered: {0}")]
    NotDone(UpstreamError),
    /// Whether it was, or will be, processed is unknown; asking for the eligibility again shows it.
    #[error("the outcome of the registration is unknown")]
    Unknown,
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

    /// Registers the card for use as a health insurance card and answers with the eligibility. Sent at most once, whatever
    /// happens; its limit is longer than that of other operations (manual chapter 2: 25 seconds).
    async fn register_card_use(
        &self,
        request: &RequestId,
        registration: &CardUseRegistration,
    ) -> Result<Confirmation, RegistrationError>;
}

/// One result as the receipt computer link hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedResult {
    /// The terminal that carried out the check, as the central system names it; without control characters.
    pub terminal: String,
    /// What was confirmed; with the central system's own id.
    pub confirmation: Confirmation,
}

/// One item of a bulk message: this number for this person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkItem {
    /// Whose number it is.
    pub person: InsuranceIdentifiers,
    /// The number.
    pub number: InquiryNumber,
}

/// What became of a bulk message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkOutcome {
    /// It is still being processed.
    Processing,
    /// It is done: for each item, in their order, taken or refused with a code.
    Done(Vec<Result<(), String>>),
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

    /// What the operators of the central system announce now, cleaned and within its limits, the newest first.
    async fn announcements(&self, request: &RequestId) -> Result<Vec<Announcement>, UpstreamError>;

    /// Sets a person's inquiry number; setting the same value again changes nothing.
    async fn set_inquiry_number(
        &self,
        request: &RequestId,
        person: &InsuranceIdentifiers,
        number: &InquiryNumber,
    ) -> Result<(), UpstreamError>;

    /// Hands in inquiry numbers in bulk, at most 500; sending the same again changes nothing.
    async fn register_bulk(&self, request: &RequestId, items: &[BulkItem]) -> Result<Receipt, UpstreamError>;

    /// Asks what became of a bulk message with these items.
    async fn bulk_outcome(
        &self,
        request: &RequestId,
        receipt: &Receipt,
        items: &[BulkItem],
    ) -> Result<BulkOutcome, UpstreamError>;
}

/// What the upstream adapter last saw; shown in health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamView {
    /// Whether questions go through.
    pub circuit: Circuit,
    /// Whether the last operation was answered; `None` before the first one ended.
    pub answering: Option<bool>,
    /// When an operation was last answered.
    pub last_success: Option<Timestamp>,
    /// What failed last.
    pub last_failure: Option<LastFailure>,
    /// How far the central system's clock (the `Date` header, whole seconds) was ahead of ours, when it last said.
    pub clock_offset: Option<SignedDuration>,
    /// First end of validity in our certificate chain, if it can be read.
    pub client_certificate_ends: Option<Timestamp>,
    /// What became of the last change of the connection's files.
    pub renewal: Renewal,
}

/// A failed operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub error: UpstreamError,
}

/// What became of changed files: certificate, key, roots, password, authenticator secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// They have not changed since the start.
    None,
    /// The new ones are in use.
    TakenOver {
        /// Since when.
        at: Timestamp,
    },
    /// The new ones are not usable; the old ones stay in use.
    Refused {
        /// Since when.
        at: Timestamp,
        /// Which file breaks which rule; no content of it.
        why: String,
    },
}

/// What became of the connection to the central system.
pub trait UpstreamStatus: Send + Sync + 'static {
    /// What was last seen.
    fn status(&self) -> UpstreamView;
}
