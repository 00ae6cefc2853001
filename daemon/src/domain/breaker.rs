//! Circuit breaker: after some failures in a row nothing is asked for a while, so that people are told at once instead of
//! waiting for every deadline, and a central system in trouble is left alone.
//!
//! Closed → open for a time → one trial → closed, or open for a longer time. Open times are short, because somebody may be
//! standing at the desk. Times come from a wall clock that may be set: an open time never lasts longer than it was meant
//! to, counted from either end.

use jiff::{SignedDuration, Timestamp};

/// Failures in a row that open it.
pub const FAILURES: u32 = 3;
/// How long it stays open, in seconds, the first time, the second, and so on.
const OPEN_SECONDS: [i64; 5] = [5, 10, 20, 40, 60];
/// Longest wait that a server can ask for.
pub const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// Where it stands, for people to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Questions go through.
    Closed,
    /// Nothing is asked until then.
    Open {
        /// First instant at which one question goes through.
        until: Timestamp,
    },
    /// One question is on its way to try; further ones wait for its outcome.
    Trying,
}

/// A question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// As always.
    Through,
    /// It is the one that tries: its outcome decides, and it must be told.
    Trial,
}

/// Nothing is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        since: Timestamp,
        until: Timestamp,
    },
    Trying,
}

/// The breaker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    state: State,
    /// Failures in a row while closed.
    failures: u32,
    /// Times it opened without a success between.
    openings: usize,
}

impl Breaker {
    /// Whether a question may be asked now.
    pub fn admit(&mut self, now: Timestamp) -> Result<Admission, Held> {
        match self.state {
            State::Closed => Ok(Admission::Through),
            // Before `since` only after the clock was set back.
            State::Open { since, until } if since <= now && now < until => Err(Held),
            State::Open { .. } => {
                self.state = State::Trying;
                Ok(Admission::Trial)
            }
            State::Trying => Err(Held),
        }
    }

    /// A question was answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A question failed. `chance`: any number, even over its range; takes up to a fifth off the open time, so that many
    /// clinics do not come back in the same second.
    pub fn failed(&mut self, now: Timestamp, chance: u32) {
        match self.state {
            State::Closed => {
                self.failures += 1;
                if self.failures >= FAILURES {
                    self.open(now, chance);
                }
            }
            State::Trying => self.open(now, chance),
            // Was on its way when it opened: already counted.
            State::Open { .. } => {}
        }
    }

    /// The trial ended without telling anything: the next question tries.
    pub fn abandoned(&mut self, now: Timestamp) {
        if self.state == State::Trying {
            self.state = State::Open { since: now, until: now };
        }
    }

    /// The server asked to be left alone for a time; no longer than [`LONGEST`] is granted.
    pub fn told_to_wait(&mut self, now: Timestamp, wait: SignedDuration) {
        let wait = wait.clamp(SignedDuration::ZERO, LONGEST);
        self.state = State::Open { since: now, until: after(now, wait) };
    }

    /// Where it stands.
    pub fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed => Circuit::Closed,
            State::Open { until, .. } => Circuit::Open { until },
            State::Trying => Circuit::Trying,
        }
    }

    fn open(&mut self, now: Timestamp, chance: u32) {
        let longest = OPEN_SECONDS.last().copied().unwrap_or_default();
        let seconds = OPEN_SECONDS.get(self.openings).copied().unwrap_or(longest);
        let millis = seconds * 1_000;
        let off = (millis / 5) * i64::from(chance) / i64::from(u32::MAX);
        self.openings += 1;
        self.state = State::Open { since: now, until: after(now, SignedDuration::from_millis(millis - off)) };
    }
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(at(0)), Ok(Admission::Through));
            breaker.failed(at(0), 0);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.failed(at(0), 0);
            breaker.failed(at(0), 0);
            breaker.succeeded();
        }
        assert_eq!(breaker.circuit(), Circuit::Closed);
        assert_eq!(opened().circuit(), Circuit::Open { until: at(5_000) });
    }

    #[test]
    fn one_question_tries_when_the_time_is_over() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(4_999)), Err(Held));
        assert_eq!(breaker.admit(at(5_000)), Ok(Admission::Trial));
        assert_eq!(breaker.circuit(), Circuit::Trying);
        assert_eq!(breaker.admit(at(5_000)), Err(Held), "one at a time");
        breaker.succeeded();
        assert_eq!(breaker.admit(at(5_000)), Ok(Admission::Through));
    }

    #[test]
    fn every_failed_trial_makes_it_longer_up_to_a_minute() {
        let mut breaker = opened();
        let mut now = at(5_000);
        for seconds in [10, 20, 40, 60, 60, 60] {
            assert_eq!(breaker.admit(now), Ok(Admission::Trial), "{seconds}");
            breaker.failed(now, 0);
            now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            assert_eq!(breaker.circuit(), Circuit::Open { until: now });
        }
    }

    #[test]
    fn chance_takes_up_to_a_fifth_off() {
        for (chance, until) in [(0, 5_000), (u32::MAX / 2, 4_501), (u32::MAX, 4_000)] {
            let mut breaker = Breaker::default();
            (0..FAILURES).for_each(|_| breaker.failed(at(0), chance));
            assert_eq!(breaker.circuit(), Circuit::Open { until: at(until) }, "{chance}");
        }
    }

    #[test]
    fn a_trial_without_outcome_leaves_the_next_one_free() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(5_000)), Ok(Admission::Trial));
        breaker.abandoned(at(5_100));
        assert_eq!(breaker.admit(at(5_100)), Ok(Admission::Trial));
        let mut closed = Breaker::default();
        closed.abandoned(at(0));
        assert_eq!(closed.circuit(), Circuit::Closed);
    }

    #[test]
    fn a_late_failure_does_not_prolong_and_a_late_success_closes() {
        let mut breaker = opened();
        breaker.failed(at(4_000), 0);
        assert_eq!(breaker.circuit(), Circuit::Open { until: at(5_000) });
        breaker.succeeded();
        assert_eq!(breaker.circuit(), Circuit::Closed);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_hold_it_open() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(-3_600_000)), Ok(Admission::Trial));
    }

    #[test]
    fn a_server_can_ask_for_a_minute_at_most() {
        for (asked, until) in [(-5, 0), (30, 30_000), (86_400, 60_000)] {
            let mut breaker = Breaker::default();
            breaker.told_to_wait(at(0), SignedDuration::from_secs(asked));
            assert_eq!(breaker.circuit(), Circuit::Open { until: at(until) });
        }
    }
}
