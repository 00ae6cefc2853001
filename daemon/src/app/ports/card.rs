//! Readers and cards.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::personal::Pin;

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

/// How the PC/SC service stands to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CardService {
    /// It answers.
    Available,
    /// It is not running, or does not answer.
    #[default]
    Gone,
    /// It answers, but refuses us (a polkit rule is missing).
    Refused,
}

/// Everything PC/SC shows now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeskView {
    /// How the PC/SC service stands to us.
    pub service: CardService,
    /// The readers, in PC/SC's order.
    pub readers: Vec<ReaderView>,
}

impl DeskView {
    /// Whether the PC/SC service answers and lets us in.
    pub fn service_available(&self) -> bool {
        self.service == CardService::Available
    }

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
    /// The PC/SC service refuses us (polkit); an administrator must allow it.
    #[error("the PC/SC service refuses access")]
    ServiceRefused,
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
