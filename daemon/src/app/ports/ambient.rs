//! Time and chance: injected everywhere, so that tests hold them in their hands.

use jiff::Timestamp;

/// The wall clock. Timers use tokio's clock, which tests can pause.
pub trait Clock: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
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
