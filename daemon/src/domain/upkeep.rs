//! Upkeep of the connection to the central system: when its certificate must be replaced, and how far clocks may differ.

use jiff::{SignedDuration, Timestamp};

/// Furthest that our clock may be from the central system's: one step of a one-time code. Beyond it a sign-in fails.
pub const FURTHEST_CLOCK: SignedDuration = SignedDuration::from_secs(30);

/// Whether clocks that differ by this much must be set.
pub fn is_clock_off(offset: SignedDuration) -> bool {
    offset.abs() > FURTHEST_CLOCK
}

/// First and last instant of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First instant.
    pub not_before: Timestamp,
    /// Last instant.
    pub not_after: Timestamp,
}

/// How near the end of our client certificate is. Ordered: what comes later is more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// At most 60 days are left: issuing takes weeks, so it is to be applied for.
    SixtyDays,
    /// At most 30 days are left.
    ThirtyDays,
    /// At most 14 days are left.
    FourteenDays,
    /// At most 7 days are left.
    SevenDays,
    /// At most one day is left.
    OneDay,
    /// It has ended.
    Ended,
}

/// The threshold that was crossed last; `None` while more than 60 days are left.
pub fn nearness(not_after: Timestamp, now: Timestamp) -> Option<Nearness> {
    let left = not_after.duration_since(now);
    let within = |days: i64| left <= SignedDuration::from_hours(24 * days);
    if now > not_after {
        return Some(Nearness::Ended);
    }
    [
        (1, Nearness::OneDay),
        (7, Nearness::SevenDays),
        (14, Nearness::FourteenDays),
        (30, Nearness::ThirtyDays),
        (60, Nearness::SixtyDays),
    ]
    .into_iter()
    .find_map(|(days, nearness)| within(days).then_some(nearness))
}

/// Whole days until an end; negative after it.
pub fn days_left(not_after: Timestamp, now: Timestamp) -> i64 {
    not_after.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn thresholds_are_crossed_at_their_instants() {
        let end = at("2026-12-31T14:59:59Z");
        for (now, expected, days) in [
            ("2026-11-01T14:59:58Z", None, 60),
            ("2026-11-01T14:59:59Z", Some(Nearness::SixtyDays), 60),
            ("2026-12-01T14:59:58Z", Some(Nearness::SixtyDays), 30),
            ("2026-12-01T14:59:59Z", Some(Nearness::ThirtyDays), 30),
            ("2026-12-17T14:59:59Z", Some(Nearness::FourteenDays), 14),
            ("2026-12-24T14:59:59Z", Some(Nearness::SevenDays), 7),
            ("2026-12-30T14:59:59Z", Some(Nearness::OneDay), 1),
            ("2026-12-31T14:59:59Z", Some(Nearness::OneDay), 0),
            ("2026-12-31T15:00:00Z", Some(Nearness::Ended), -1),
        ] {
            assert_eq!(nearness(end, at(now)), expected, "{now}");
            assert_eq!(days_left(end, at(now)), days, "{now}");
        }
    }

    #[test]
    fn clocks_may_differ_by_half_a_minute_either_way() {
        for (seconds, off) in [(0, false), (30, false), (-30, false), (31, true), (-31, true)] {
            assert_eq!(is_clock_off(SignedDuration::from_secs(seconds)), off, "{seconds}");
        }
    }
}
