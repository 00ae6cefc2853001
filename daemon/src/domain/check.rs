//! A check (資格確認), from the first request to its end, as a state machine without IO.
//!
//! ```text
//! FetchingChallenge ─→ WaitingForPin ─→ WaitingForCard ─→ Reading ─→ AskingUpstream ─→ Done
//!          └── without a PIN (iPhone) ──↗    ↑       ↑       │              │               ↑
//!                    unsigned (visual) ──────┘       └ ConfirmingLastTry     └ OfferingRegistration ─→ Registering
//!                                                      (one PIN try left)      (card use not registered)
//! ```
//! A PIN entered while the challenge is on its way leads straight to `WaitingForCard`.
//! Every phase that is not an end can also become `Failed`, `Cancelled` or `TimedOut`; an end never changes again.

/// How the patient's identity is confirmed (manual chapter 2, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// \[A\] 目視: staff compare the photo; the card is read but does not sign.
    Visual,
    /// \[B\] 暗証番号: the patient enters the four-digit PIN.
    CardPin,
    /// \[C\] iPhone: the phone has recognised its owner by Face ID or Touch ID; no PIN.
    Iphone,
    /// \[D\] Android: the patient enters the four-digit PIN of the phone's certificate.
    AndroidPin,
}

/// How much the patient's card or phone takes part in a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It is read and signs nothing.
    Unsigned,
    /// It signs a challenge without a PIN.
    WithoutPin,
    /// It signs a challenge after the PIN.
    WithPin,
}

impl Method {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Visual, Self::CardPin, Self::Iphone, Self::AndroidPin];

    /// The course a check by this method takes. By sight a card signs only where the terminal can open its key.
    pub fn course(self, terminal_authentication: bool) -> Course {
        match self {
            Self::Visual if terminal_authentication => Course::WithoutPin,
            Self::Visual => Course::Unsigned,
            Self::CardPin | Self::AndroidPin => Course::WithPin,
            Self::Iphone => Course::WithoutPin,
        }
    }

    /// What is to be held on the reader.
    pub fn token(self) -> Token {
        match self {
            Self::Visual | Self::CardPin => Token::Plastic,
            Self::Iphone => Token::Iphone,
            Self::AndroidPin => Token::Android,
        }
    }
}

/// Where a user-authentication certificate lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    /// 実物のマイナンバーカード.
    Plastic,
    /// スマートフォンのマイナンバーカード on Android.
    Android,
    /// スマートフォンのマイナンバーカード on iPhone.
    Iphone,
}

impl Token {
    /// Whether it is a phone.
    pub fn is_phone(self) -> bool {
        match self {
            Self::Plastic => false,
            Self::Android | Self::Iphone => true,
        }
    }
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
    /// The card is not registered for use as a health insurance card (利用登録): the patient is asked for consent.
    OfferingRegistration,
    /// The consent is on record and the central system registers the card.
    Registering,
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
    /// The challenge has arrived; whether a PIN comes next.
    ChallengeReady {
        /// A PIN is needed before the card, and not entered yet.
        pin_needed: bool,
    },
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
    /// The card is not registered, and can be now.
    RegistrationOffered,
    /// The patient, or who stands for the patient, consented, and that is on record.
    ConsentRecorded,
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
    /// The PIN of a plastic card is locked, or the card is a 顔認証カード; the chip does not tell which.
    PinLocked,
    /// The PIN of a phone's certificate was wrong; this many tries are left.
    PhoneWrongPin {
        /// Tries left, at least one.
        tries_left: u8,
    },
    /// The PIN of a phone's certificate is locked.
    PhonePinLocked,
    /// The phone refused to sign: its owner was not recognised before (inferred, see `card::session`).
    PhoneNotUnlocked,
    /// Something else was held on the reader than the method is for; no PIN was presented to it.
    WrongToken {
        /// What it is.
        found: Token,
    },
    /// `visual` needs terminal material from J-LIS, which this installation does not have.
    VisualNeedsTerminalMaterial,
    /// The card is not registered for use as a health insurance card (利用登録).
    NotRegistered,
    /// The person of the phone's certificate is not registered (利用登録).
    PhoneNotRegistered,
    /// The card is not registered, and registration is closed now (at night, in maintenance).
    RegistrationClosed,
    /// Registration was asked for, and took too long or its outcome is unknown: the next read shows it.
    RegistrationPending,
    /// The certificate is past its grace period.
    CertificateExpired,
    /// The phone's certificate has ended; there is no grace for phones.
    PhoneCertificateExpired,
    /// The central system cannot be reached.
    UpstreamUnreachable,
    /// The central system did not answer in time; whether it processed the request is unknown.
    UpstreamTimeout,
    /// The central system is closed for maintenance.
    UpstreamMaintenance,
    /// Our client certificate was not accepted, or its server is not the one we trust.
    ClientCertificate,
    /// The central system wants TLS 1.2 renegotiation, which is not supported.
    UpstreamRenegotiation,
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
            Self::PhoneWrongPin { .. } => "wrong_pin_phone",
            Self::PhonePinLocked => "pin_locked_phone",
            Self::PhoneNotUnlocked => "phone_not_unlocked",
            Self::WrongToken { .. } => "wrong_token",
            Self::VisualNeedsTerminalMaterial => "visual_needs_terminal_material",
            Self::NotRegistered => "card_use_not_registered",
            Self::PhoneNotRegistered => "card_use_not_registered_phone",
            Self::RegistrationClosed => "card_use_registration_closed",
            Self::RegistrationPending => "card_use_registration_pending",
            Self::CertificateExpired => "certificate_expired",
            Self::PhoneCertificateExpired => "certificate_expired_phone",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamMaintenance => "upstream_maintenance",
            Self::ClientCertificate => "upstream_certificate",
            Self::UpstreamRenegotiation => "upstream_renegotiation",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::UpstreamRefused { .. } => "upstream_refused",
            Self::NotStored => "not_stored",
        }
    }

    /// The same failure in what it means for who holds this token: a phone's PIN is unlocked elsewhere, its certificate has
    /// no grace, and it cannot be confirmed by sight (manual chapter 2, and chapter 3, questions 4 and 6).
    #[must_use]
    pub fn on(self, token: Token) -> Self {
        match self {
            other if !token.is_phone() => other,
            Self::WrongPin { tries_left } => Self::PhoneWrongPin { tries_left },
            Self::PinLocked => Self::PhonePinLocked,
            Self::NotRegistered => Self::PhoneNotRegistered,
            Self::CertificateExpired => Self::PhoneCertificateExpired,
            other => other,
        }
    }
}

/// The event does not fit the phase; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow;

impl Phase {
    /// The phase a new check starts in.
    pub fn first(course: Course) -> Self {
        match course {
            Course::WithPin | Course::WithoutPin => Self::FetchingChallenge,
            Course::Unsigned => Self::WaitingForCard,
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
            // Once the central system is asked the answer decides: a cancelled question could still be a stored result, and
            // a cancelled registration a registered card.
            (Self::AskingUpstream | Self::Registering, Event::Cancel | Event::Expire) => Err(NotNow),
            (_, Event::Cancel) => Ok(Self::Cancelled),
            (_, Event::Expire) => Ok(Self::TimedOut),
            (Self::FetchingChallenge, Event::ChallengeReady { pin_needed: true }) => Ok(Self::WaitingForPin),
            (Self::FetchingChallenge, Event::ChallengeReady { pin_needed: false })
            | (Self::WaitingForPin, Event::PinEntered) => Ok(Self::WaitingForCard),
            (Self::WaitingForCard, Event::CardPresented)
            | (Self::ConfirmingLastTry, Event::LastTryConfirmed) => Ok(Self::Reading),
            (Self::Reading, Event::OneTryLeft) => Ok(Self::ConfirmingLastTry),
            (Self::Reading, Event::CardRead) => Ok(Self::AskingUpstream),
            (Self::AskingUpstream, Event::RegistrationOffered) => Ok(Self::OfferingRegistration),
            (Self::OfferingRegistration, Event::ConsentRecorded) => Ok(Self::Registering),
            (Self::AskingUpstream | Self::Registering, Event::Stored(id)) => Ok(Self::Done(id)),
            (
                Self::FetchingChallenge
                | Self::WaitingForPin
                | Self::WaitingForCard
                | Self::Reading
                | Self::ConfirmingLastTry
                | Self::AskingUpstream
                | Self::OfferingRegistration
                | Self::Registering
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
        events.into_iter().try_fold(Phase::first(method.course(false)), |phase, event| phase.after(event))
    }

    #[test]
    fn a_pin_check_runs_from_challenge_to_stored_result() {
        let path = [
            Event::ChallengeReady { pin_needed: true },
            Event::PinEntered,
            Event::CardPresented,
            Event::CardRead,
            Event::Stored(ResultId(7)),
        ];
        assert_eq!(run(Method::CardPin, path.clone()), Ok(Phase::Done(ResultId(7))));
        assert_eq!(run(Method::AndroidPin, path), Ok(Phase::Done(ResultId(7))));
    }

    #[test]
    fn an_iphone_signs_without_a_pin() {
        let path = [
            Event::ChallengeReady { pin_needed: false },
            Event::CardPresented,
            Event::CardRead,
            Event::Stored(ResultId(7)),
        ];
        assert_eq!(run(Method::Iphone, path), Ok(Phase::Done(ResultId(7))));
        let asked_for_a_pin = [Event::ChallengeReady { pin_needed: false }, Event::PinEntered];
        assert_eq!(run(Method::Iphone, asked_for_a_pin), Err(NotNow));
    }

    #[test]
    fn each_method_has_its_course_and_its_token() {
        for (method, without, with, token) in [
            (Method::Visual, Course::Unsigned, Course::WithoutPin, Token::Plastic),
            (Method::CardPin, Course::WithPin, Course::WithPin, Token::Plastic),
            (Method::Iphone, Course::WithoutPin, Course::WithoutPin, Token::Iphone),
            (Method::AndroidPin, Course::WithPin, Course::WithPin, Token::Android),
        ] {
            assert_eq!((method.course(false), method.course(true)), (without, with), "{method:?}");
            assert_eq!(method.token(), token, "{method:?}");
        }
        assert_eq!(Phase::first(Course::WithoutPin), Phase::FetchingChallenge);
    }

    #[test]
    fn what_a_failure_means_depends_on_card_or_phone() {
        for (failure, phone) in [
            (Failure::WrongPin { tries_left: 2 }, Failure::PhoneWrongPin { tries_left: 2 }),
            (Failure::PinLocked, Failure::PhonePinLocked),
            (Failure::NotRegistered, Failure::PhoneNotRegistered),
            (Failure::CertificateExpired, Failure::PhoneCertificateExpired),
            (Failure::CardRemoved, Failure::CardRemoved),
        ] {
            assert_eq!(failure.clone().on(Token::Plastic), failure);
            assert_eq!(failure.clone().on(Token::Android), phone);
            assert_eq!(failure.on(Token::Iphone), phone);
        }
    }

    #[test]
    fn a_visual_check_asks_for_no_pin() {
        let path = [Event::CardPresented, Event::CardRead, Event::Stored(ResultId(1))];
        assert_eq!(run(Method::Visual, path), Ok(Phase::Done(ResultId(1))));
        assert_eq!(run(Method::Visual, [Event::PinEntered]), Err(NotNow));
    }

    #[test]
    fn the_last_try_is_read_again_only_after_confirmation() {
        let to_question = [
            Event::ChallengeReady { pin_needed: true },
            Event::PinEntered,
            Event::CardPresented,
            Event::OneTryLeft,
        ];
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

    #[test]
    fn a_card_is_registered_only_after_consent_and_then_gives_its_result() {
        let asked = [Event::CardPresented, Event::CardRead];
        let offered =
            || run(Method::Visual, asked.clone()).unwrap().after(Event::RegistrationOffered).unwrap();
        assert_eq!(offered(), Phase::OfferingRegistration);
        let registering = offered().after(Event::ConsentRecorded).unwrap();
        assert_eq!(registering.after(Event::Stored(ResultId(3))), Ok(Phase::Done(ResultId(3))));
        let pending = Failure::RegistrationPending;
        assert_eq!(registering.after(Event::Fail(pending.clone())), Ok(Phase::Failed(pending)));
        for (phase, event, next) in [
            (offered(), Event::Cancel, Ok(Phase::Cancelled)),
            (offered(), Event::Expire, Ok(Phase::TimedOut)),
            (offered(), Event::Fail(Failure::NotRegistered), Ok(Phase::Failed(Failure::NotRegistered))),
            (offered(), Event::Stored(ResultId(3)), Err(NotNow)),
            (offered(), Event::RegistrationOffered, Err(NotNow)),
            (registering.clone(), Event::Cancel, Err(NotNow)),
            (registering.clone(), Event::Expire, Err(NotNow)),
            (registering, Event::ConsentRecorded, Err(NotNow)),
            (Phase::AskingUpstream, Event::ConsentRecorded, Err(NotNow)),
            (Phase::Reading, Event::RegistrationOffered, Err(NotNow)),
        ] {
            assert_eq!(phase.after(event.clone()), next, "{phase:?} {event:?}");
        }
    }
}
