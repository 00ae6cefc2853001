//! A check (資格確認), from the first request to its end, as a state machine without IO.
//!
//! ```text
//! FetchingChallenge ─→ WaitingForPin ─→ WaitingForCard ─→ Reading ─→ AskingUpstream ─→ Done
//!                 └────── visual ─────────↗      ↑           │
//!                                                └ ConfirmingLastTry (one PIN try left)
//! ```
//! Every phase that is not an end can also become `Failed`, `Cancelled` or `TimedOut`; an end never changes again.

/// How the patient's identity is confirmed (manual chapter 2, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// \[A\] 目視: staff compare the photo; the card is read but does not sign.
    Visual,
    /// \[B\] 暗証番号: the patient enters the four-digit PIN.
    CardPin,
}

/// Number of a stored result: grows with every insert, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultId(pub i64);

/// Where a check stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The central system is asked for a challenge to sign.
    FetchingChallenge,
    /// The patient is to enter the PIN.
    WaitingForPin,
    /// The card is to be held on the reader.
    WaitingForCard,
    /// The card is being read.
    Reading,
    /// One PIN try is left: staff must confirm with the patient before it is used.
    ConfirmingLastTry,
    /// The central system is confirming the eligibility.
    AskingUpstream,
    /// The result is stored.
    Done(ResultId),
    /// It failed; the reason says what to do.
    Failed(Failure),
    /// Staff cancelled it.
    Cancelled,
    /// Nobody went on in time.
    TimedOut,
}

/// What moves a check on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The challenge has arrived.
    ChallengeReady,
    /// A PIN was entered.
    PinEntered,
    /// A card is on the check's reader.
    CardPresented,
    /// The card has exactly one PIN try left; nothing was verified.
    OneTryLeft,
    /// Staff confirmed the last try.
    LastTryConfirmed,
    /// The card has answered.
    CardRead,
    /// The result is stored.
    Stored(ResultId),
    /// Something went wrong.
    Fail(Failure),
    /// Staff cancelled.
    Cancel,
    /// The time allowed has passed.
    Expire,
}

/// Why a check failed; each is something that staff or patient handle differently (manual chapters 2 and 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The PC/SC service is not running.
    CardServiceUnavailable,
    /// The PC/SC service refuses us.
    CardServiceRefused,
    /// The reader is gone or does not answer.
    ReaderUnavailable,
    /// Another program holds the card.
    CardInUse,
    /// The card left or changed before it was done; nothing of the PIN remains.
    CardRemoved,
    /// Not a My Number card (or its JPKI application is absent).
    NotJpkiCard,
    /// The card or the reader answered something unusable.
    CardUnreadable,
    /// The PIN was wrong; this many tries are left.
    WrongPin {
        /// Tries left, at least one.
        tries_left: u8,
    },
    /// The PIN is locked, or the card is a 顔認証カード; the chip does not tell which.
    PinLocked,
    /// `visual` needs terminal material from J-LIS, which this installation does not have.
    VisualNeedsTerminalMaterial,
    /// The card is not registered for use as a health insurance card (利用登録).
    NotRegistered,
    /// The certificate is past its grace period.
    CertificateExpired,
    /// The central system cannot be reached.
    UpstreamUnreachable,
    /// The central system did not answer in time; whether it processed the request is unknown.
    UpstreamTimeout,
    /// The central system is closed for maintenance.
    UpstreamMaintenance,
    /// Our client certificate was not accepted, or its server is not the one we trust.
    ClientCertificate,
    /// The central system's answer could not be understood; nothing of it was kept.
    UpstreamMalformed,
    /// The central system refused with its own code.
    UpstreamRefused {
        /// The code, for the call centre.
        code: String,
    },
    /// The result could not be stored; it was not shown and can be asked for again.
    NotStored,
}

impl Failure {
    /// The stable code of the failure, as it stands in the API, the audit log and the documents.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CardServiceUnavailable => "card_service_unavailable",
            Self::CardServiceRefused => "card_service_refused",
            Self::ReaderUnavailable => "reader_unavailable",
            Self::CardInUse => "card_in_use",
            Self::CardRemoved => "card_removed",
            Self::NotJpkiCard => "not_jpki_card",
            Self::CardUnreadable => "card_unreadable",
            Self::WrongPin { .. } => "wrong_pin",
            Self::PinLocked => "pin_locked",
            Self::VisualNeedsTerminalMaterial => "visual_needs_terminal_material",
            Self::NotRegistered => "card_use_not_registered",
            Self::CertificateExpired => "certificate_expired",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamMaintenance => "upstream_maintenance",
            Self::ClientCertificate => "upstream_certificate",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::UpstreamRefused { .. } => "upstream_refused",
            Self::NotStored => "not_stored",
        }
    }
}

/// The event does not fit the phase; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow;

impl Phase {
    /// The phase a new check starts in.
    pub fn first(method: Method) -> Self {
        match method {
            Method::CardPin => Self::FetchingChallenge,
            Method::Visual => Self::WaitingForCard,
        }
    }

    /// Whether the check is over.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Cancelled | Self::TimedOut)
    }

    /// The phase after an event, or [`NotNow`].
    pub fn after(&self, event: Event) -> Result<Self, NotNow> {
        if self.is_end() {
            return Err(NotNow);
        }
        match (self, event) {
            (_, Event::Fail(failure)) => Ok(Self::Failed(failure)),
            // Once the central system is asked the answer decides: a cancelled question could still be a stored result.
            (Self::AskingUpstream, Event::Cancel | Event::Expire) => Err(NotNow),
            (_, Event::Cancel) => Ok(Self::Cancelled),
            (_, Event::Expire) => Ok(Self::TimedOut),
            (Self::FetchingChallenge, Event::ChallengeReady) => Ok(Self::WaitingForPin),
            (Self::WaitingForPin, Event::PinEntered) => Ok(Self::WaitingForCard),
            (Self::WaitingForCard, Event::CardPresented)
            | (Self::ConfirmingLastTry, Event::LastTryConfirmed) => Ok(Self::Reading),
            (Self::Reading, Event::OneTryLeft) => Ok(Self::ConfirmingLastTry),
            (Self::Reading, Event::CardRead) => Ok(Self::AskingUpstream),
            (Self::AskingUpstream, Event::Stored(id)) => Ok(Self::Done(id)),
            (
                Self::FetchingChallenge
                | Self::WaitingForPin
                | Self::WaitingForCard
                | Self::Reading
                | Self::ConfirmingLastTry
                | Self::AskingUpstream
                | Self::Done(_)
                | Self::Failed(_)
                | Self::Cancelled
                | Self::TimedOut,
                _,
            ) => Err(NotNow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(method: Method, events: impl IntoIterator<Item = Event>) -> Result<Phase, NotNow> {
        events.into_iter().try_fold(Phase::first(method), |phase, event| phase.after(event))
    }

    #[test]
    fn a_pin_check_runs_from_challenge_to_stored_result() {
        let path = [
            Event::ChallengeReady,
            Event::PinEntered,
            Event::CardPresented,
            Event::CardRead,
            Event::Stored(ResultId(7)),
        ];
        assert_eq!(run(Method::CardPin, path), Ok(Phase::Done(ResultId(7))));
    }

    #[test]
    fn a_visual_check_asks_for_no_pin() {
        let path = [Event::CardPresented, Event::CardRead, Event::Stored(ResultId(1))];
        assert_eq!(run(Method::Visual, path), Ok(Phase::Done(ResultId(1))));
        assert_eq!(run(Method::Visual, [Event::PinEntered]), Err(NotNow));
    }

    #[test]
    fn the_last_try_is_read_again_only_after_confirmation() {
        let to_question = [Event::ChallengeReady, Event::PinEntered, Event::CardPresented, Event::OneTryLeft];
        let asked = run(Method::CardPin, to_question).unwrap();
        assert_eq!(asked, Phase::ConfirmingLastTry);
        assert_eq!(asked.after(Event::CardRead), Err(NotNow));
        assert_eq!(asked.after(Event::LastTryConfirmed), Ok(Phase::Reading));
    }

    #[test]
    fn an_end_never_changes_and_a_question_to_the_central_system_cannot_be_cancelled() {
        assert_eq!(Phase::Cancelled.after(Event::Fail(Failure::PinLocked)), Err(NotNow));
        assert_eq!(Phase::Done(ResultId(1)).after(Event::Cancel), Err(NotNow));
        assert_eq!(Phase::AskingUpstream.after(Event::Cancel), Err(NotNow));
        assert_eq!(Phase::AskingUpstream.after(Event::Expire), Err(NotNow));
        assert_eq!(Phase::WaitingForPin.after(Event::Cancel), Ok(Phase::Cancelled));
    }
}
