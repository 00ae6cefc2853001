//! Tally: what has happened since the start, counted for whoever watches the program. Names nobody; lost with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sign_in;
use crate::domain::check::{Failure, Method};

/// A step of a check whose time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// From the card on the reader to its signature or certificate, one card session.
    Card,
    /// From the question to the central system's answer.
    Upstream,
    /// From the result to its commit.
    Store,
}

/// Upper bounds of the classes that step times are sorted into; the last class has none.
pub const BOUNDS: [Duration; 9] = [
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// The times of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many took at most each of [`BOUNDS`] and more than the one before; the last: longer than all.
    pub classes: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

impl Spread {
    fn add(&mut self, took: Duration) {
        let class = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
        self.sum += took;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

/// Everything counted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Ended checks, by method and outcome (`ok` or a stable code).
    pub checks: BTreeMap<(Method, &'static str), u64>,
    /// Times of steps.
    pub steps: BTreeMap<Step, Spread>,
    /// Refused sign-ins, by the word of the audit log.
    pub sign_in_failures: BTreeMap<&'static str, u64>,
}

/// Outcomes that somebody is alarmed by: neither patient nor card can help them.
fn alarming() -> [&'static str; 12] {
    [
        Failure::CardServiceUnavailable,
        Failure::CardServiceRefused,
        Failure::ReaderUnavailable,
        Failure::CardInUse,
        Failure::UpstreamUnreachable,
        Failure::UpstreamTimeout,
        Failure::UpstreamMaintenance,
        Failure::ClientCertificate,
        Failure::UpstreamRenegotiation,
        Failure::UpstreamMalformed,
        Failure::UpstreamRefused { code: String::new() },
        Failure::NotStored,
    ]
    .map(|failure| failure.code())
}

/// Counts. Each count is one short lock, taken when a check or a sign-in ends, never for a request.
#[derive(Debug)]
pub struct Tally(Mutex<Counted>);

impl Default for Tally {
    /// Whatever alarms somebody is there from the beginning with 0: whoever watches for an increase would not see the first event of
    /// what begins with 1.
    fn default() -> Self {
        let outcomes =
            Method::ALL.into_iter().flat_map(|method| alarming().map(|outcome| ((method, outcome), 0)));
        let refusals = sign_in::REFUSALS.map(|kind| (kind, 0));
        Self(Mutex::new(Counted {
            checks: outcomes.collect(),
            steps: BTreeMap::new(),
            sign_in_failures: refusals.into(),
        }))
    }
}

impl Tally {
    /// A check has ended.
    pub fn check(&self, method: Method, outcome: &'static str) {
        *self.counted().checks.entry((method, outcome)).or_default() += 1;
    }

    /// A step of a check took this long, however it ended.
    pub fn step(&self, step: Step, took: Duration) {
        self.counted().steps.entry(step).or_default().add(took);
    }

    /// Somebody was not signed in.
    pub fn sign_in_failure(&self, kind: &'static str) {
        *self.counted().sign_in_failures.entry(kind).or_default() += 1;
    }

    /// Everything counted so far.
    pub fn so_far(&self) -> Counted {
        self.counted().clone()
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // Every change is a single addition.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_the_first_class_that_holds_it() {
        let tally = Tally::default();
        for millis in [0, 5, 6, 15_000, 15_001] {
            tally.step(Step::Card, Duration::from_millis(millis));
        }
        let spread = tally.so_far().steps.remove(&Step::Card).unwrap();
        assert_eq!(spread.classes, [2, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((spread.count(), spread.sum), (5, Duration::from_millis(30_012)));
    }
}
