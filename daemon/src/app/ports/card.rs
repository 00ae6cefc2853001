//! Readers and cards.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::certificate::CertificateFacts;
use crate::domain::check::Token;
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
    /// What it says about itself.
    pub facts: CertificateFacts,
}

/// What a card gave once its key was open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChallenge {
    /// The user-authentication certificate, DER.
    pub certificate: Vec<u8>,
    /// What it says about itself.
    pub facts: CertificateFacts,
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the challenge, 256 bytes.
    pub signature: Vec<u8>,
}

/// What opens the user-authentication key.
pub enum Opening {
    /// The PIN of the plastic card. With one try left, `last_try_confirmed` must be set.
    CardPin {
        /// The PIN.
        pin: Pin,
        /// Staff confirmed the use of the last try.
        last_try_confirmed: bool,
    },
    /// The PIN of the certificate on an Android phone, under the same rule.
    AndroidPin {
        /// The PIN.
        pin: Pin,
        /// Staff confirmed the use of the last try.
        last_try_confirmed: bool,
    },
    /// The iPhone's own recognition of its owner, before it was held on the reader.
    Iphone,
    /// The terminal proves itself to the plastic card, after staff compared the photo.
    Terminal(Arc<dyn TerminalAuthentication>),
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CardPin { .. } => "CardPin",
            Self::AndroidPin { .. } => "AndroidPin",
            Self::Iphone => "Iphone",
            Self::Terminal(_) => "Terminal",
        })
    }
}

/// Bytes to the card of the session under way and back; the JPKI application is selected.
pub trait CardExchange {
    /// Sends one command and gives its answer, status word included. Never repeated.
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError>;
}

/// Terminal authentication: opens the user-authentication key of a plastic card without its PIN (公的個人認証法 38条の2), so
/// that `visual` comes with a signature.
///
/// The card checks a terminal certificate that only J-LIS issues, by commands that are not public (`80 A2`, then probably
/// GET CHALLENGE and EXTERNAL AUTHENTICATE). So there is no production adapter: whoever holds the material writes one and
/// passes it in the composition root. Without one `visual` reads the certificate and signs nothing.
pub trait TerminalAuthentication: Send + Sync + 'static {
    /// Makes the card accept the terminal. An error ends the session before anything is signed.
    fn open_key(&self, card: &mut dyn CardExchange) -> Result<(), CardError>;
}

/// How a signing attempt ended without an error.
#[derive(Debug)]
pub enum Signing {
    /// The key was opened and the challenge is signed.
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
    /// Something else than the method is for lies on the reader; no PIN was presented to it.
    #[error("the wrong kind of token: {found:?}")]
    WrongToken {
        /// What it is.
        found: Token,
    },
    /// The phone refused to sign: its owner was not recognised.
    #[error("the phone is not unlocked")]
    NotUnlocked,
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

    /// Readers that are listed and yet of no use: a call to them has hung for longer than its caller waited, and still does.
    fn hanging(&self) -> BTreeSet<ReaderName>;

    /// Reads the user-authentication certificate of this very card; no PIN, no signature.
    async fn read_certificate(&self, card: &CardEvent) -> Result<CardCertificate, CardError>;

    /// Reads the certificate, opens the key and signs SHA-256 of `challenge`.
    ///
    /// A PIN is presented at most once, after the tries left were asked for; with one try left and `last_try_confirmed`
    /// false it is not presented. VERIFY and the signature are never repeated.
    async fn open_and_sign(
        &self,
        card: &CardEvent,
        opening: Opening,
        challenge: &[u8],
    ) -> Result<Signing, CardError>;

    /// [`CardDesk::open_and_sign`] by the PIN of a plastic card.
    async fn sign(
        &self,
        card: &CardEvent,
        pin: Pin,
        challenge: &[u8],
        last_try_confirmed: bool,
    ) -> Result<Signing, CardError> {
        self.open_and_sign(card, Opening::CardPin { pin, last_try_confirmed }, challenge).await
    }
}
