//! What the control listener takes and gives, as JSON.

use std::collections::BTreeMap;

use daemon::app::ports::Role;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clinic::Credentials;
use crate::personas::{Persona, Token};

/// The latest instant the clock can be set to: 2100-01-01T00:00:00Z.
const LATEST: i64 = 4_102_444_800;
/// The earliest: 2020-01-01T00:00:00Z.
const EARLIEST: i64 = 1_577_836_800;

/// An instant as RFC 3339 writes it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Instant(pub Timestamp);

impl TryFrom<String> for Instant {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

impl From<Instant> for String {
    fn from(instant: Instant) -> Self {
        instant.0.to_string()
    }
}

/// How the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reader {
    Ready,
    CardMute,
    CardInUse,
    Unavailable,
    ServiceStopped,
}

/// How the central system is, beside single faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Upstream {
    Up,
    Down,
    Maintenance,
}

/// A value in an object of its own: `{"state": …}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stand<T> {
    pub state: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tap {
    pub persona: String,
    #[serde(default = "yes")]
    pub again: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultOrder {
    pub endpoint: String,
    pub fault: String,
    /// How many requests meet it; all until it is mended, if absent.
    pub times: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherResult {
    pub persona: String,
    pub terminal: String,
    pub at: Option<Instant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registered {
    pub registered: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    pub title: String,
    pub body: Option<String>,
    pub url: Option<String>,
    pub closes: Option<Closure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Closure {
    pub from: Instant,
    pub until: Instant,
    #[serde(default = "yes")]
    pub everything: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockOrder {
    pub now: Option<Instant>,
    pub running: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    pub seconds: i64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    pub now: Option<Instant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    pub role: RoleWord,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleWord {
    Operator,
    ReceiptComputer,
    Administrator,
}

fn yes() -> bool {
    true
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Operator => Self::Operator,
            RoleWord::ReceiptComputer => Self::ReceiptComputer,
            RoleWord::Administrator => Self::Administrator,
        }
    }
}

/// An instant that the sandbox's certificates and calendars are made for.
pub(super) fn plausible(at: Timestamp) -> bool {
    (EARLIEST..LATEST).contains(&at.as_second())
}

/// Where a clock gets to, if that is still an instant to stand at.
pub(super) fn moved(now: Timestamp, seconds: i64) -> Option<SignedDuration> {
    let by = SignedDuration::from_secs(seconds);
    now.checked_add(by).ok().filter(|then| plausible(*then)).map(|_| by)
}

#[derive(Serialize)]
pub(super) struct Person {
    pub persona: &'static str,
    pub note: &'static str,
    pub pin: &'static str,
    pub tries_left: u8,
    pub token: &'static str,
    pub registered: bool,
}

impl From<&'static Persona> for Person {
    fn from(persona: &'static Persona) -> Self {
        Self {
            persona: &persona.name,
            note: &persona.note,
            pin: &persona.card.pin,
            tries_left: persona.card.tries_left,
            token: match persona.card.token {
                Token::Plastic => "plastic",
                Token::Android => "android",
                Token::Iphone => "iphone",
            },
            registered: persona.registered,
        }
    }
}

#[derive(Serialize)]
pub(super) struct SignIn {
    pub institution_code: String,
    pub account: String,
    pub password: String,
    pub totp_secret: String,
    pub otpauth: String,
}

impl From<Credentials> for SignIn {
    fn from(credentials: Credentials) -> Self {
        let Credentials { institution_code, account, password, otpauth, totp_secret } = credentials;
        Self { institution_code, account, password, totp_secret, otpauth }
    }
}

#[derive(Serialize)]
pub(super) struct CodeNow {
    pub code: String,
    pub seconds_left: u64,
}

#[derive(Serialize)]
pub(super) struct ClockStand {
    pub now: Instant,
    pub running: bool,
}

#[derive(Serialize)]
pub(super) struct Number {
    pub inquiry_number: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Everything {
    pub api: String,
    pub clock: ClockStand,
    pub reader: Reader,
    /// Whose card lies on the reader.
    pub card: Option<Person>,
    pub upstream: Upstream,
    /// Requests to each endpoint of the central system so far.
    pub upstream_requests: BTreeMap<&'static str, usize>,
}
