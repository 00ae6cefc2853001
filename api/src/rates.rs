//! Rates: how many requests an account may make. A runaway loop of one receipt computer must not take the daemon from the others.
//!
//! Counted for the account of a live session. Whoever has none yet is counted by address where he leaves a row in the audit log:
//! nobody on the network may fill the disk with rows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// More accounts or addresses than a clinic has: from here on those that ask for nothing are forgotten.
const MANY: usize = 64;

/// A bucket for each account or address that fills up steadily; every request takes one token.
pub(crate) struct Rates {
    /// Time in which one token comes back.
    every: Duration,
    /// Time in which an empty bucket is full.
    whole: Duration,
    /// When each bucket is full again.
    full_at: Mutex<HashMap<String, Instant>>,
}

impl Rates {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let every = Duration::from_secs(1) / per_second.max(1);
        Self { every, whole: every * burst, full_at: Mutex::default() }
    }

    /// Takes a token; otherwise says in how many seconds there is one.
    pub(crate) fn take(&self, whose: &str, now: Instant) -> Result<(), u32> {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > MANY {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let before = buckets.get(whose).map_or(now, |full_at| (*full_at).max(now));
        let after = before + self.every;
        let missing = after.duration_since(now).saturating_sub(self.whole);
        if !missing.is_zero() {
            return Err(u32::try_from(missing.as_secs()).unwrap_or(u32::MAX).saturating_add(1));
        }
        match buckets.get_mut(whose) {
            Some(full_at) => *full_at = after,
            None => drop(buckets.insert(whose.to_owned(), after)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_steady_rate() {
        let (rates, mut now) = (Rates::new(10, 50), Instant::now());
        for _ in 0..50 {
            assert_eq!(rates.take("receipt", now), Ok(()));
        }
        assert_eq!(rates.take("receipt", now), Err(1));
        assert_eq!(rates.take("other", now), Ok(()), "each account has a bucket of its own");
        now += Duration::from_millis(100);
        assert_eq!(rates.take("receipt", now), Ok(()));
        assert_eq!(rates.take("receipt", now), Err(1));
        now += Duration::from_mins(1);
        let served = (0..100).filter(|_| rates.take("receipt", now).is_ok()).count();
        assert_eq!(served, 50, "a bucket holds no more than the burst");
    }

    #[test]
    fn who_is_refused_is_told_when_there_is_a_token_and_refusals_cost_nothing() {
        let ten_seconds = Duration::from_secs(10);
        let (slow, mut now) =
            (Rates { every: ten_seconds, whole: ten_seconds, full_at: Mutex::default() }, Instant::now());
        assert_eq!(slow.take("receipt", now), Ok(()));
        for _ in 0..1_000 {
            assert_eq!(slow.take("receipt", now), Err(11));
        }
        now += Duration::from_secs(11);
        assert_eq!(slow.take("receipt", now), Ok(()));
    }

    #[test]
    fn accounts_that_ask_for_nothing_are_forgotten() {
        let (rates, now) = (Rates::new(100, 10), Instant::now());
        for account in 0..=MANY {
            assert_eq!(rates.take(&account.to_string(), now), Ok(()));
        }
        assert_eq!(rates.take("receipt", now + Duration::from_secs(1)), Ok(()));
        assert_eq!(rates.full_at.lock().unwrap().len(), 1);
    }
}
