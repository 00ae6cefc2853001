//! Lockout: how failed sign-ins slow down and finally lock a credential, never an address.
//!
//! One counter for all factors. Five failures are free, then delays double from one second to one minute;
//! after 100 failures in a row the account stays locked until an administrator unlocks it.

use jiff::{SignedDuration, Timestamp};

const FREE_FAILURES: u32 = 5;
/// So many failures in a row lock.
pub const LOCK_AFTER: u32 = 100;
const LONGEST_DELAY_SECONDS: i64 = 60;

/// Whether another attempt may be evaluated now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Evaluate it.
    Allowed,
    /// Too early: try again at this instant.
    Wait(Timestamp),
    /// Locked until unlocked by an administrator.
    Locked,
}

/// Decides from the failures in a row and the time of the last one.
pub fn verdict(failures: u32, last_failure: Option<Timestamp>, now: Timestamp) -> Verdict {
    if failures >= LOCK_AFTER {
        return Verdict::Locked;
    }
    let Some(last) = last_failure else { return Verdict::Allowed };
    let Some(doublings) = failures.checked_sub(FREE_FAILURES) else { return Verdict::Allowed };
    let seconds = (1_i64 << doublings.min(6)).min(LONGEST_DELAY_SECONDS);
    let free_at = last.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    // A clock set back must not turn a short delay into a long one.
    let set_back = now < last;
    if now >= free_at || set_back { Verdict::Allowed } else { Verdict::Wait(free_at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn five_failures_are_free_then_delays_double_to_a_minute_and_the_hundredth_locks() {
        for failures in 0..5 {
            assert_eq!(verdict(failures, Some(at(0)), at(0)), Verdict::Allowed, "{failures}");
        }
        for (failures, seconds) in [(5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (50, 60), (99, 60)] {
            assert_eq!(verdict(failures, Some(at(0)), at(0)), Verdict::Wait(at(seconds)), "{failures}");
            assert_eq!(verdict(failures, Some(at(0)), at(seconds)), Verdict::Allowed, "{failures}");
        }
        for failures in 11..100 {
            assert_eq!(verdict(failures, Some(at(0)), at(1)), Verdict::Wait(at(60)), "{failures}");
        }
        assert_eq!(verdict(100, Some(at(0)), at(1_000_000)), Verdict::Locked);
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_the_delay() {
        assert_eq!(verdict(6, Some(at(0)), at(-3600)), Verdict::Allowed);
    }
}
