//! Time and chance: injected everywhere, so that tests hold them in their hands.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// The wall clock. Timers use tokio's clock, which tests can pause.
pub trait Clock: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point, by a clock that nobody sets and that goes on while the machine sleeps. A clock
    /// without one stands at zero: then nothing is carried on.
    fn steady(&self) -> Duration {
        Duration::ZERO
    }
}

/// What the kernel says of its wall clock.
#[async_trait]
pub trait KernelClock: Send + Sync + 'static {
    /// Whether it is synchronised to a time server; `None` if nobody can tell.
    async fn is_synchronised(&self) -> Option<bool>;
}

/// Somebody trustworthy who tells the time now and then: the central system, by the `Date` of its authenticated answers.
pub trait ClockWitness: Send + Sync + 'static {
    /// When it was last heard, by our wall clock, and how far its time was ahead of ours then.
    fn offset(&self) -> Option<(Timestamp, SignedDuration)>;
}

/// Unpredictable bytes for tokens, keys, nonces and ids.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// `N` unpredictable bytes.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
