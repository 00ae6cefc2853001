//! The store's instant: what reads and writes take for now.
//!
//! Never earlier than the latest instant seen, and it goes on with the clock that nobody sets: so a wall clock that is
//! set back neither brings anything back nor keeps anything longer. A clock that ran ahead hides at once; when a
//! plausible clock says that it was wrong, the instant comes down again, never below what a plausible clock has seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::app::ports::{Clock, StoreError};

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Marks {
    /// The latest instant seen, or carried on.
    high_us: i64,
    /// When that was, by the clock that nobody sets.
    at: Duration,
    /// The latest instant seen while the clock was plausible.
    plausible_us: i64,
}

/// The store's instant.
pub(super) struct StoreClock {
    clock: Arc<dyn Clock>,
    marks: Mutex<Marks>,
}

impl StoreClock {
    /// Starts at the marks that were persisted. Time that passed while nothing ran is not known here.
    pub(super) fn new(clock: Arc<dyn Clock>, high_us: i64, plausible_us: i64) -> Self {
        let at = clock.steady();
        let high_us = high_us.max(plausible_us);
        Self { clock, marks: Mutex::new(Marks { high_us, at, plausible_us }) }
    }

    /// The store's instant now, microseconds since 1970.
    pub(super) fn now_us(&self) -> i64 {
        let wall = self.clock.now().as_microsecond();
        self.change(|marks| marks.high_us = marks.high_us.max(wall)).high_us
    }

    /// What the wall clock says, mark or no mark; microseconds since 1970.
    pub(super) fn wall_us(&self) -> i64 {
        self.clock.now().as_microsecond()
    }

    /// Takes a plausible instant: the mark stands there now, unless a plausible clock has seen a later one. Returns the
    /// instant and the mark of plausible clocks.
    pub(super) fn settle(&self, plausible_us: i64) -> (i64, i64) {
        let marks = self.change(|marks| {
            marks.plausible_us = marks.plausible_us.max(plausible_us);
            marks.high_us = marks.plausible_us;
        });
        (marks.high_us, marks.plausible_us)
    }

    /// The latest instant seen while the clock was plausible, microseconds since 1970.
    pub(super) fn plausible_us(&self) -> i64 {
        self.change(|_| {}).plausible_us
    }

    fn change(&self, change: impl FnOnce(&mut Marks)) -> Marks {
        let steady = self.clock.steady();
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = steady.saturating_sub(marks.at).as_micros();
        marks.high_us = marks.high_us.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        marks.at = marks.at.max(steady);
        change(&mut marks);
        *marks
    }
}

/// An instant of the store's clock, which is counted in microseconds.
pub(super) fn instant(at_us: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(at_us)
        .map_err(|_| StoreError::Failed("the clock is beyond the calendar".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use jiff::Timestamp;

    use super::*;

    #[derive(Default)]
    struct Hand {
        wall: AtomicI64,
        steady: AtomicU64,
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_microsecond(self.wall.load(Ordering::SeqCst)).unwrap()
        }

        fn steady(&self) -> Duration {
            Duration::from_micros(self.steady.load(Ordering::SeqCst))
        }
    }

    fn started(high: i64, plausible: i64) -> (Arc<Hand>, StoreClock) {
        let hand = Arc::new(Hand::default());
        hand.wall.store(1_000, Ordering::SeqCst);
        let clock = StoreClock::new(hand.clone(), high, plausible);
        (hand, clock)
    }

    #[test]
    fn a_clock_set_back_neither_stops_the_instant_nor_turns_it_back() {
        let (hand, clock) = started(0, 0);
        assert_eq!(clock.now_us(), 1_000);
        hand.wall.store(10, Ordering::SeqCst);
        assert_eq!(clock.now_us(), 1_000);
        hand.steady.store(500, Ordering::SeqCst);
        assert_eq!(clock.now_us(), 1_500);
        assert_eq!(clock.now_us(), 1_500, "time is counted once");
    }

    #[test]
    fn a_plausible_instant_lowers_the_mark_but_never_below_an_earlier_plausible_one() {
        let (_hand, clock) = started(9_000, 2_000);
        assert_eq!(clock.now_us(), 9_000);
        assert_eq!(clock.settle(3_000), (3_000, 3_000));
        assert_eq!(clock.now_us(), 3_000);
        assert_eq!(clock.settle(2_500), (3_000, 3_000));
        assert_eq!(clock.plausible_us(), 3_000);
        assert_eq!(started(0, 7_000).1.now_us(), 7_000);
    }
}
