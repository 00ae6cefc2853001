//! Failures of names that are not accounts: they slow down like accounts, so that nobody can tell them apart.
//!
//! Kept in memory and bounded; names are kept as hashes, since a password may have been typed there.

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::ports::Device;
use crate::domain::lockout::{self, Verdict};

/// Names remembered at once; one more takes the place of the one with the fewest failures.
const MOST: usize = 4096;

/// What is remembered.
#[derive(Default)]
pub(super) struct Strangers {
    failures: HashMap<([u8; 32], Device), (u32, Timestamp)>,
}

impl Strangers {
    /// Counts a failure in advance, as accounts do, unless the name must wait.
    pub(super) fn attempt(&mut self, name: &str, device: Device, now: Timestamp) -> Verdict {
        let key = (Sha256::digest(name.as_bytes()).into(), device);
        if self.failures.len() >= MOST && !self.failures.contains_key(&key) {
            self.forget_one();
        }
        let entry = self.failures.entry(key).or_insert((0, now));
        let verdict = lockout::verdict(entry.0, Some(entry.1), now);
        if verdict == Verdict::Allowed {
            *entry = (entry.0.saturating_add(1), now);
        }
        verdict
    }

    /// Forgets the name with the fewest failures, the oldest of those. Whoever fills the memory with names must not make others
    /// answer at once: an account would go on slowing down, and show that it is one.
    fn forget_one(&mut self) {
        let least = self.failures.iter().min_by_key(|(_, failures)| **failures).map(|(key, _)| *key);
        if let Some(key) = least {
            self.failures.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_on_waiting_however_many_others_are_tried() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut strangers = Strangers::default();
        let mut attempt = |name: &str| strangers.attempt(name, Device::Anywhere, now);
        for _ in 0..5 {
            assert_eq!(attempt("nobody"), Verdict::Allowed);
        }
        for other in 0..2 * MOST {
            assert_eq!(attempt(&format!("other-{other}")), Verdict::Allowed);
        }
        assert!(matches!(attempt("nobody"), Verdict::Wait(_)));
        assert_eq!(strangers.failures.len(), MOST);
    }
}
