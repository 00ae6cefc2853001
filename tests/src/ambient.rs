//! Time and chance that tests hold in their hands; simulators run as programs take the machine's from `daemon::system`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daemon::app::ports::{Clock, KernelClock, Random};
use daemon::domain::retention::jst_datetime;
use daemon::system::SystemClock;
use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct HeldClock(Mutex<(Timestamp, Duration)>);

impl HeldClock {
    /// Stands at an instant.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new((now, Duration::ZERO)))
    }

    /// Moves on, as time does; or back, as only a hand can.
    pub fn advance(&self, by: SignedDuration) {
        self.change(by, Duration::try_from(by).unwrap_or_default());
    }

    /// Is set to another time by a hand, without any time passing.
    pub fn jump(&self, by: SignedDuration) {
        self.change(by, Duration::ZERO);
    }

    fn change(&self, wall: SignedDuration, passed: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = (now.0.checked_add(wall).unwrap_or(now.0), now.1.saturating_add(passed));
    }

    /// Moves on to an instant, as time does; or back to it, as only a hand can.
    pub fn set(&self, to: Timestamp) {
        self.advance(to.duration_since(self.now()));
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn steady(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// The machine's clock, moved by a fixed time: for programs whose own clock is moved by as much.
#[derive(Debug, Clone, Copy)]
pub struct MovedClock(SignedDuration);

impl MovedClock {
    /// Noon in Japan today, and on from there.
    pub fn at_noon() -> Self {
        let now = jst_datetime(SystemClock.now());
        let of_day = now.date().at(12, 0, 0, 0).duration_since(now);
        Self(SignedDuration::from_secs(of_day.as_secs()))
    }

    /// By how much it is ahead of the machine's.
    pub fn ahead(self) -> SignedDuration {
        self.0
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_add(self.0).unwrap_or(Timestamp::MAX)
    }

    fn steady(&self) -> Duration {
        SystemClock.steady()
    }
}

/// A clock that runs with another one, and can be moved and held.
pub struct MovableClock {
    base: Arc<dyn Clock>,
    stand: Mutex<Stand>,
}

/// How a [`MovableClock`] differs from its base.
#[derive(Clone, Copy)]
enum Stand {
    /// It runs so far ahead: wall clock, and the clock that nobody sets.
    Running(SignedDuration, SignedDuration),
    /// It stands still.
    Held(Timestamp, SignedDuration),
}

impl MovableClock {
    /// Runs with another clock and shows the same.
    pub fn beside(base: Arc<dyn Clock>) -> Self {
        Self { base, stand: Mutex::new(Stand::Running(SignedDuration::ZERO, SignedDuration::ZERO)) }
    }

    fn shown(&self, stand: Stand) -> (Timestamp, SignedDuration) {
        match stand {
            Stand::Held(now, steady) => (now, steady),
            Stand::Running(wall, steady) => {
                let (now, passed) = (self.base.now(), SignedDuration::try_from(self.base.steady()));
                let steady = passed.unwrap_or(SignedDuration::MAX).saturating_add(steady);
                (now.checked_add(wall).unwrap_or(now), steady)
            }
        }
    }

    fn change(&self, to: impl FnOnce(Timestamp, SignedDuration, bool) -> (Timestamp, SignedDuration, bool)) {
        let mut stand = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, steady) = self.shown(*stand);
        let (now, steady, running) = to(now, steady, matches!(*stand, Stand::Running(..)));
        *stand = Stand::Held(now, steady);
        if running {
            let (base, passed) = self.shown(Stand::Running(SignedDuration::ZERO, SignedDuration::ZERO));
            *stand = Stand::Running(now.duration_since(base), steady.saturating_sub(passed));
        }
    }

    /// Moves on, as time does; or back, as only a hand can.
    pub fn advance(&self, by: SignedDuration) {
        self.change(|now, steady, running| {
            let passed = steady.saturating_add(by.max(SignedDuration::ZERO));
            (now.checked_add(by).unwrap_or(now), passed, running)
        });
    }

    /// Moves on to an instant, as time does; or back to it, as only a hand can.
    pub fn set(&self, to: Timestamp) {
        self.advance(to.duration_since(self.now()));
    }

    /// Runs from now on, or stands still.
    pub fn run(&self, running: bool) {
        self.change(|now, steady, _| (now, steady, running));
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(*self.stand.lock().unwrap_or_else(PoisonError::into_inner), Stand::Running(..))
    }

    /// Runs with its base again and shows the same, except that the clock nobody sets never goes back.
    pub fn release(&self) {
        let base = self.base.now();
        self.change(|_, steady, _| (base, steady, true));
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        self.shown(*self.stand.lock().unwrap_or_else(PoisonError::into_inner)).0
    }

    fn steady(&self) -> Duration {
        let stand = *self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::try_from(self.shown(stand).1).unwrap_or_default()
    }
}

/// A kernel that says of its clock what it is told to.
#[derive(Debug, Default)]
pub struct HeldKernel(Mutex<Option<bool>>);

impl HeldKernel {
    /// Says from now on whether the clock is synchronised, or that it does not know.
    pub fn say(&self, synchronised: Option<bool>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = synchronised;
    }
}

#[async_trait]
impl KernelClock for HeldKernel {
    async fn is_synchronised(&self) -> Option<bool> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same bytes on every run.
#[derive(Debug)]
pub struct SeededRandom(Mutex<ChaCha20Rng>);

impl SeededRandom {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer);
    }
}
