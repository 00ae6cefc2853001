//! Collecting (結果の取込): which period of results is asked for, and when.
//!
//! Results may be obtained until the end of the month after the check (manual chapter 2, column レセプトコンピュータ用端末),
//! so the widest useful period begins on the first day of last month.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::retention::jst_day;

/// How often the whole period is asked for again, because results may be corrected or arrive late.
const WHOLE_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Days before the last complete run that are asked for again.
const OVERLAP_DAYS: i64 = 2;
/// Longest wait after failures, unless the schedule itself is slower.
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(30);

/// Days in Japan time, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Whether it is all that can be obtained.
    pub whole: bool,
}

/// What is remembered of earlier runs; names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// When the last run ended, successful or not.
    pub last_run: Option<Timestamp>,
    /// When the last successful run began.
    pub last_complete: Option<Timestamp>,
    /// When the last successful run over the whole period began.
    pub last_whole: Option<Timestamp>,
    /// Why the last run failed, as a stable code; `None` if it did not.
    pub failure: Option<String>,
    /// Failed runs since the last successful one.
    pub failures: u32,
    /// Results that the last successful run added.
    pub added: u64,
}

/// The period to ask for at an instant.
pub fn period(now: Timestamp, progress: &Progress) -> Period {
    let today = jst_day(now);
    let first = first_of_last_month(today);
    // A clock that was set back makes earlier runs worth nothing.
    let past = |at: Option<Timestamp>| at.filter(|at| *at <= now);
    let recent_whole = past(progress.last_whole).filter(|at| now.duration_since(*at) < WHOLE_EVERY);
    match (past(progress.last_complete), recent_whole) {
        (Some(complete), Some(_)) => {
            let overlap = jst_day(complete).checked_sub(SignedDuration::from_hours(24 * OVERLAP_DAYS));
            Period { from: overlap.unwrap_or(first).max(first), to: today, whole: false }
        }
        (None, _) | (_, None) => Period { from: first, to: today, whole: true },
    }
}

fn first_of_last_month(today: Date) -> Date {
    today.first_of_month().yesterday().unwrap_or(today).first_of_month()
}

/// Longest pause of all.
pub fn longest_pause(every: SignedDuration) -> SignedDuration {
    LONGEST_BACK_OFF.max(every)
}

/// How long to wait from the end of the last run to the next: longer with every failure, never shorter than the
/// schedule.
pub fn pause(every: SignedDuration, failures: u32) -> SignedDuration {
    let doubled = every.checked_mul(1 << failures.saturating_sub(1).min(10)).unwrap_or(LONGEST_BACK_OFF);
    doubled.min(longest_pause(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn after(complete: &str, whole: &str) -> Progress {
        Progress {
            last_complete: complete.parse().ok(),
            last_whole: whole.parse().ok(),
            ..Progress::default()
        }
    }

    #[test]
    fn the_first_run_and_one_a_day_ask_for_everything_and_the_others_for_a_little() {
        for (now, complete, whole, from, to, all) in [
            ("2026-07-08T03:00:00Z", "", "", (2026, 6, 1), (2026, 7, 8), true),
            ("2026-01-01T03:00:00Z", "", "", (2025, 12, 1), (2026, 1, 1), true),
            // 00:00 JST on the first of a month is still the day before in UTC.
            ("2026-07-31T14:59:59Z", "", "", (2026, 6, 1), (2026, 7, 31), true),
            ("2026-07-31T15:00:00Z", "", "", (2026, 7, 1), (2026, 8, 1), true),
            (
                "2026-07-08T03:05:00Z",
                "2026-07-08T03:00:00Z",
                "2026-07-08T03:00:00Z",
                (2026, 7, 6),
                (2026, 7, 8),
                false,
            ),
            (
                "2026-07-09T02:59:59Z",
                "2026-07-09T02:55:00Z",
                "2026-07-08T03:00:00Z",
                (2026, 7, 7),
                (2026, 7, 9),
                false,
            ),
            (
                "2026-07-09T03:00:00Z",
                "2026-07-09T02:55:00Z",
                "2026-07-08T03:00:00Z",
                (2026, 6, 1),
                (2026, 7, 9),
                true,
            ),
            // Never before the first day that can be obtained.
            (
                "2026-08-01T15:00:00Z",
                "2026-08-01T14:00:00Z",
                "2026-08-01T14:00:00Z",
                (2026, 7, 30),
                (2026, 8, 2),
                false,
            ),
            // A gap is longer than a day, so it asks for everything.
            (
                "2026-07-12T03:00:00Z",
                "2026-07-08T03:00:00Z",
                "2026-07-08T03:00:00Z",
                (2026, 6, 1),
                (2026, 7, 12),
                true,
            ),
            // A clock that was set back.
            (
                "2026-07-08T03:00:00Z",
                "2026-07-09T03:00:00Z",
                "2026-07-09T03:00:00Z",
                (2026, 6, 1),
                (2026, 7, 8),
                true,
            ),
        ] {
            let expected = Period {
                from: Date::constant(from.0, from.1, from.2),
                to: Date::constant(to.0, to.1, to.2),
                whole: all,
            };
            assert_eq!(period(at(now), &after(complete, whole)), expected, "{now}");
        }
    }

    #[test]
    fn failures_make_the_pause_longer_up_to_half_an_hour() {
        let minutes = SignedDuration::from_mins;
        for (every, failures, pause_is) in
            [(5, 0, 5), (5, 1, 5), (5, 2, 10), (5, 3, 20), (5, 4, 30), (5, u32::MAX, 30), (60, 9, 60)]
        {
            assert_eq!(pause(minutes(every), failures), minutes(pause_is), "{every} {failures}");
        }
    }
}
