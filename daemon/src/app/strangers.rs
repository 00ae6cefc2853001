//! Failures of names that are not accounts: they slow down like accounts, so that nobody can tell them apart.
//!
//! Kept in memory and bounded; names are kept as hashes, since a password may have been typed there.

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::ports::Device;
use crate::domain::lockout::{self, Verdict};

/// Names remembered at once; beyond it the memory starts afresh.
const MOST: usize = 4096;

/// What is remembered.
#[derive(Default)]
pub(super) struct Strangers {
    failures: HashMap<([u8; 32], Device), (u32, Timestamp)>,
}

impl Strangers {
    /// Counts a failure in advance, as accounts do, unless the name must wait.
    pub(super) fn attempt(&mut self, name: &str, device: Device, now: Timestamp) -> Verdict {
        if self.failures.len() >= MOST {
            self.failures.clear();
        }
        let name: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        let entry = self.failures.entry((name, device)).or_insert((0, now));
        let verdict = lockout::verdict(entry.0, Some(entry.1), now);
        if verdict == Verdict::Allowed {
            *entry = (entry.0.saturating_add(1), now);
        }
        verdict
    }
}
