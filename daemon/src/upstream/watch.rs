//! What the connection was last seen to do: the breaker that guards it, and what health shows of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::app::ports::{Clock, LastFailure, Random, UpstreamError, random_bytes};
use crate::domain::breaker::{Admission, Breaker, Circuit};
use crate::domain::upkeep::{self, Nearness};

#[derive(Default)]
struct State {
    breaker: Breaker,
    /// What nearly every failure that opened the breaker was.
    reason: Option<UpstreamError>,
    last_success: Option<Timestamp>,
    last_failure: Option<LastFailure>,
    answering: Option<bool>,
    /// When the server's clock was last seen, by ours, and how far it was ahead.
    offset: Option<(Timestamp, SignedDuration)>,
    /// The warning about the certificate's end that was logged last.
    warned: Option<Nearness>,
}

/// Sees every operation begin and end.
pub(super) struct Watch {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
}

/// What was seen, for the port's view.
pub(super) struct Seen {
    pub circuit: Circuit,
    pub last_success: Option<Timestamp>,
    pub last_failure: Option<LastFailure>,
    pub answering: Option<bool>,
    pub offset: Option<SignedDuration>,
}

/// How an outcome weighs.
enum Weight {
    /// The central system answered, be it with a refusal.
    Answer,
    /// It did not, or with nothing usable.
    Failure,
    /// It asked for time.
    Wait,
}

/// What a failure is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The connection: others fail as well.
    Connection,
    /// What was asked about, which the daemon asks about again and again by itself. It must not close the way to the desk.
    Subject,
}

fn weigh<T>(outcome: &Result<T, UpstreamError>) -> Weight {
    match outcome {
        Ok(_) | Err(UpstreamError::Maintenance) => Weight::Answer,
        Err(UpstreamError::Refused { code } | UpstreamError::SignInRefused { code }) => match code.as_str() {
            "HTTP-429" => Weight::Wait,
            // Of a gateway before it: it has no code of its own.
            code if code.starts_with("HTTP-5") => Weight::Failure,
            _ => Weight::Answer,
        },
        Err(
            UpstreamError::Unreachable
            | UpstreamError::Timeout
            | UpstreamError::ClientCertificate
            | UpstreamError::Renegotiation
            | UpstreamError::Malformed,
        ) => Weight::Failure,
    }
}

/// An operation on its way. Dropped without an end, it was given up by its caller.
pub(super) struct Permit<'a> {
    watch: &'a Watch,
    is_trial: bool,
    ended: bool,
}

impl Watch {
    pub(super) fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an operation begin, or says at once why it would fail: nothing is sent then.
    pub(super) fn admit(&self) -> Result<Permit<'_>, UpstreamError> {
        let mut state = self.state();
        match state.breaker.admit(self.clock.now()) {
            Ok(admission) => {
                Ok(Permit { watch: self, is_trial: admission == Admission::Trial, ended: false })
            }
            Err(_) => Err(match &state.reason {
                // Waiting does not help against these: whoever reads it should know what does.
                Some(reason @ (UpstreamError::ClientCertificate | UpstreamError::Renegotiation)) => {
                    reason.clone()
                }
                Some(_) | None => UpstreamError::Unreachable,
            }),
        }
    }

    /// An answer was read; the operation may have further questions.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.breaker.succeeded();
        state.last_success = Some(self.clock.now());
        state.answering = Some(true);
    }

    /// The server's clock was seen.
    pub(super) fn date(&self, theirs: Timestamp) {
        let now = self.clock.now();
        let offset = theirs.duration_since(now);
        let mut state = self.state();
        if upkeep::is_clock_off(offset) && !state.offset.is_some_and(|(_, last)| upkeep::is_clock_off(last)) {
            let seconds = offset.as_secs();
            tracing::warn!(seconds, "the clock differs from the central system's by more than 30 seconds");
        }
        state.offset = Some((now, offset));
    }

    /// The server asked for time.
    pub(super) fn told_to_wait(&self, wait: Duration) {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        tracing::warn!(seconds = wait.as_secs(), "the central system asks not to be asked for a while");
        let mut state = self.state();
        state.reason = None;
        state.breaker.told_to_wait(self.clock.now(), wait);
    }

    /// Whether questions may be repeated: not while one tries whether the central system is back.
    pub(super) fn is_closed(&self) -> bool {
        self.state().breaker.circuit() == Circuit::Closed
    }

    /// Logs once per threshold that our certificate's end comes nearer.
    pub(super) fn certificate_ends(&self, not_after: Option<Timestamp>) {
        let now = self.clock.now();
        let near = not_after.and_then(|not_after| upkeep::nearness(not_after, now));
        let mut state = self.state();
        if near == state.warned {
            return;
        }
        state.warned = near;
        match near {
            None => {}
            Some(Nearness::Ended) => tracing::error!("the client certificate has ended"),
            Some(
                Nearness::SixtyDays
                | Nearness::ThirtyDays
                | Nearness::FourteenDays
                | Nearness::SevenDays
                | Nearness::OneDay,
            ) => {
                let days = not_after.map(|not_after| upkeep::days_left(not_after, now));
                tracing::warn!(days, "the client certificate ends soon");
            }
        }
    }

    /// When the server's clock was last seen, by ours, and how far it was ahead.
    pub(super) fn offset(&self) -> Option<(Timestamp, SignedDuration)> {
        self.state().offset
    }

    pub(super) fn seen(&self) -> Seen {
        let state = self.state();
        Seen {
            circuit: state.breaker.circuit(),
            last_success: state.last_success,
            last_failure: state.last_failure.clone(),
            answering: state.answering,
            offset: state.offset.map(|(_, offset)| offset),
        }
    }

    fn ended<T>(&self, outcome: &Result<T, UpstreamError>, blame: Blame) {
        let now = self.clock.now();
        let chance = u32::from_be_bytes(random_bytes(self.random.as_ref()));
        let mut state = self.state();
        let weight = weigh(outcome);
        if let Err(error) = outcome
            && !matches!(weight, Weight::Answer)
        {
            state.last_failure = Some(LastFailure { at: now, error: error.clone() });
        }
        match weight {
            Weight::Answer => {
                state.breaker.succeeded();
                state.last_success = Some(now);
                state.answering = Some(true);
            }
            Weight::Failure if blame == Blame::Connection => {
                let before = state.breaker.circuit();
                state.breaker.failed(now, chance);
                state.reason = outcome.as_ref().err().cloned();
                state.answering = Some(false);
                if let (Circuit::Closed | Circuit::Trying, Circuit::Open { until }) =
                    (before, state.breaker.circuit())
                {
                    tracing::warn!(%until, "nothing is asked of the central system for a while");
                }
            }
            // Says nothing of the connection: what was asked about is at fault, or the central system answered that it is busy.
            Weight::Failure | Weight::Wait => state.breaker.abandoned(now),
        }
    }
}

impl Permit<'_> {
    /// The operation ended.
    pub(super) fn end<T>(mut self, outcome: &Result<T, UpstreamError>, blame: Blame) {
        self.ended = true;
        self.watch.ended(outcome, blame);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.ended && self.is_trial {
            self.watch.state().breaker.abandoned(self.watch.clock.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            "2026-10-08T03:00:00Z".parse().unwrap()
        }
    }

    impl Random for Noon {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn watch() -> Watch {
        Watch::new(Arc::new(Noon), Arc::new(Noon))
    }

    fn end(watch: &Watch, outcome: &Result<(), UpstreamError>, blame: Blame) -> Option<bool> {
        watch.admit().unwrap().end(outcome, blame);
        watch.seen().answering
    }

    #[test]
    fn only_the_connection_at_fault_makes_the_central_system_one_that_does_not_answer() {
        let busy = || Err(UpstreamError::Refused { code: "HTTP-429".to_owned() });
        let watch = watch();
        assert_eq!(
            end(&watch, &Err(UpstreamError::Malformed), Blame::Subject),
            None,
            "nothing is known of it"
        );
        assert_eq!(end(&watch, &Ok(()), Blame::Connection), Some(true));
        assert_eq!(end(&watch, &Err(UpstreamError::Malformed), Blame::Subject), Some(true));
        assert_eq!(end(&watch, &busy(), Blame::Connection), Some(true));
        assert_eq!(end(&watch, &Err(UpstreamError::Timeout), Blame::Connection), Some(false));
        assert_eq!(end(&watch, &busy(), Blame::Connection), Some(false), "nor does that mend it");
        assert_eq!(end(&watch, &Ok(()), Blame::Subject), Some(true));
    }
}
