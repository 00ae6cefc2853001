//! Scripted faults.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon::upstream::Paths;

/// What the simulated central system can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Sign in.
    Auth,
    /// Ask for a challenge.
    Challenge,
    /// Ask for the eligibility.
    Confirm,
    /// Results of a period.
    Results,
    /// Set an inquiry number.
    InquiryNumber,
    /// Announcements of the operators.
    Announcements,
}

impl Endpoint {
    /// Every endpoint with its path: the daemon's defaults.
    pub fn paths() -> [(Self, String); 6] {
        let paths = Paths::default();
        [
            (Self::Auth, paths.auth),
            (Self::Challenge, paths.challenge),
            (Self::Confirm, paths.confirm),
            (Self::Results, paths.results),
            (Self::InquiryNumber, paths.inquiry_number),
            (Self::Announcements, paths.announcements),
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
}

/// Faults to come and requests seen, per endpoint.
#[derive(Debug, Default)]
pub(super) struct Script(Mutex<HashMap<Endpoint, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    faults: VecDeque<Fault>,
    seen: usize,
}

impl Script {
    fn entries(&self) -> MutexGuard<'_, HashMap<Endpoint, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, endpoint: Endpoint, fault: Fault) {
        self.entries().entry(endpoint).or_default().faults.push_back(fault);
    }

    /// Counts a request and takes its fault.
    pub(super) fn request(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut entries = self.entries();
        let entry = entries.entry(endpoint).or_default();
        entry.seen += 1;
        entry.faults.pop_front()
    }

    pub(super) fn seen(&self, endpoint: Endpoint) -> usize {
        self.entries().get(&endpoint).map_or(0, |entry| entry.seen)
    }
}
