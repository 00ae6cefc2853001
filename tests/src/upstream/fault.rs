//! Scripted faults.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon::upstream::Paths;
use tokio::sync::Notify;

/// What the simulated central system can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Sign in.
    Auth,
    /// Ask for a challenge.
    Challenge,
    /// Ask for the eligibility.
    Confirm,
    /// Register a card for use as a health insurance card.
    CardUseRegistration,
    /// Results of a period.
    Results,
    /// Set an inquiry number.
    InquiryNumber,
    /// Announcements of the operators.
    Announcements,
    /// Set inquiry numbers in bulk.
    InquiryBulk,
    /// Ask what became of a bulk.
    InquiryBulkOutcome,
}

impl Endpoint {
    /// What each is called by hand.
    pub const WORDS: [(&str, Self); 9] = [
        ("auth", Self::Auth),
        ("challenge", Self::Challenge),
        ("confirm", Self::Confirm),
        ("card-use-registration", Self::CardUseRegistration),
        ("results", Self::Results),
        ("inquiry-number", Self::InquiryNumber),
        ("announcements", Self::Announcements),
        ("inquiry-bulk", Self::InquiryBulk),
        ("inquiry-bulk-outcome", Self::InquiryBulkOutcome),
    ];

    /// Every endpoint with its path: the daemon's defaults.
    pub fn paths() -> [(Self, String); 9] {
        let paths = Paths::default();
        [
            (Self::Auth, paths.auth),
            (Self::Challenge, paths.challenge),
            (Self::Confirm, paths.confirm),
            (Self::CardUseRegistration, paths.card_use_registration),
            (Self::Results, paths.results),
            (Self::InquiryNumber, paths.inquiry_number),
            (Self::Announcements, paths.announcements),
            (Self::InquiryBulk, paths.inquiry_bulk),
            (Self::InquiryBulkOutcome, paths.inquiry_bulk_outcome),
        ]
    }
}

/// What goes wrong with one request, after it was received whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Never answers, and keeps the connection.
    Hang,
    /// Answers after a while.
    Slow(Duration),
    /// Processes the request, then stops after this many bytes of the HTTP answer and keeps the connection.
    HangAfter(usize),
    /// Processes the request, then sends this many bytes of the HTTP answer at a time, with a pause before each.
    Trickle(usize, Duration),
    /// Processes the request and answers twice: the second time unasked, on the same connection.
    Twice,
    /// Answers 429 with `Retry-After` in seconds; nothing is processed.
    Busy(u32),
    /// Answers 200 with bytes that are no message.
    Garbage,
    /// Processes the request, then closes the connection after this many bytes of the HTTP answer.
    CutAfter(usize),
    /// Processes the request, then resets the TCP connection without a word, as a server does whose TLS alert is lost.
    Reset,
    /// Answers with an HTTP status and an empty body; nothing is processed.
    Status(u16),
    /// Answers with a redirect to where the request came in; nothing is processed.
    Redirect,
    /// Answers the error message of announced maintenance; nothing is processed.
    Maintenance,
    /// Processes the request and answers as if to another one (`ArbitraryFileIdentifier`).
    WrongEcho,
    /// Processes the request and answers as if to another facility (`MedicalInstitutionCode`).
    WrongInstitution,
    /// Answers with more than any consumer reads.
    Oversized,
    /// Closes the connection; nothing is processed.
    Close,
}

/// Faults to come and requests seen, per endpoint.
#[derive(Debug, Default)]
pub(super) struct Script {
    entries: Mutex<HashMap<Endpoint, Entry>>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    faults: VecDeque<Fault>,
    /// What every further request meets.
    standing: Option<Fault>,
    seen: usize,
}

impl Script {
    fn entries(&self) -> MutexGuard<'_, HashMap<Endpoint, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, endpoint: Endpoint, fault: Fault) {
        self.entries().entry(endpoint).or_default().faults.push_back(fault);
    }

    pub(super) fn stand(&self, endpoint: Endpoint, fault: Fault) {
        self.entries().entry(endpoint).or_default().standing = Some(fault);
    }

    pub(super) fn mend(&self) {
        for entry in self.entries().values_mut() {
            entry.faults.clear();
            entry.standing = None;
        }
    }

    /// Counts a request and takes its fault.
    pub(super) fn request(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut entries = self.entries();
        let entry = entries.entry(endpoint).or_default();
        entry.seen += 1;
        let fault = entry.faults.pop_front().or_else(|| entry.standing.clone());
        drop(entries);
        self.asked.notify_waiters();
        fault
    }

    /// Waits until this was asked so often.
    pub(super) async fn until(&self, endpoint: Endpoint, requests: usize) {
        loop {
            let asked = self.asked.notified();
            if self.seen(endpoint) >= requests {
                return;
            }
            asked.await;
        }
    }

    pub(super) fn seen(&self, endpoint: Endpoint) -> usize {
        self.entries().get(&endpoint).map_or(0, |entry| entry.seen)
    }
}

/// Why a line of text is no endpoint or fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(pub(super) &'static str);

impl std::str::FromStr for Endpoint {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Self, NotUnderstood> {
        let named = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        named.map(|(_, endpoint)| endpoint).ok_or(NotUnderstood("no such endpoint; SIMULATOR.md lists them"))
    }
}

impl std::str::FromStr for Fault {
    type Err = NotUnderstood;

    /// Reads a word, and a number where the fault has one: `hang`, `slow 3000`, `cut 120`, `status 502`.
    fn from_str(text: &str) -> Result<Self, NotUnderstood> {
        let mut words = text.split_whitespace();
        let word = words.next().unwrap_or_default();
        let number = words.next().map(str::parse::<u32>).transpose();
        let number = number.map_err(|_| NotUnderstood("the number is not one"))?;
        let needed = number.ok_or(NotUnderstood("a number is missing"));
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        match word {
            "hang" => Ok(number.map_or(Self::Hang, |bytes| Self::HangAfter(size(bytes)))),
            "slow" => Ok(Self::Slow(Duration::from_millis(needed?.into()))),
            "trickle" => Ok(Self::Trickle(1, Duration::from_millis(needed?.into()))),
            "twice" => Ok(Self::Twice),
            "busy" => Ok(Self::Busy(needed?)),
            "garbage" => Ok(Self::Garbage),
            "cut" => Ok(Self::CutAfter(size(needed?))),
            "reset" => Ok(Self::Reset),
            "status" => {
                let status = u16::try_from(needed?).ok().filter(|status| (100..1_000).contains(status));
                status.map(Self::Status).ok_or(NotUnderstood("no HTTP status"))
            }
            "redirect" => Ok(Self::Redirect),
            "maintenance" => Ok(Self::Maintenance),
            "wrong-echo" => Ok(Self::WrongEcho),
            "wrong-institution" => Ok(Self::WrongInstitution),
            "oversized" => Ok(Self::Oversized),
            "close" => Ok(Self::Close),
            _ => Err(NotUnderstood("no such fault; SIMULATOR.md lists them")),
        }
    }
}
