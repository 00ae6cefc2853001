//! Maintenance: when the central system, or card-use registration alone, is closed.
//!
//! Card-use registration (健康保険証利用登録) is closed every day from 03:00 to 06:00 JST and in announced maintenance
//! (manual chapter 2, マイナンバーカードの健康保険証利用の申込みが未実施の場合).

use jiff::Timestamp;

use super::retention::jst_datetime;

/// An announced closure, from its first instant to the first instant after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant at which it is closed.
    pub from: Timestamp,
    /// First instant at which it is open again.
    pub until: Timestamp,
}

impl Window {
    /// Whether it is closed at this instant.
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// Hours of the night in Japan time in which nobody can be registered.
const NIGHTLY: std::ops::Range<i8> = 3..6;

/// Whether card-use registration is closed at this instant, given the announced closures.
pub fn registration_closed(at: Timestamp, announced: &[Window]) -> bool {
    NIGHTLY.contains(&jst_datetime(at).hour()) || announced.iter().any(|window| window.contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn registration_is_closed_from_three_to_six_in_japan() {
        for (instant, closed) in [
            ("2026-07-07T17:59:59Z", false),
            ("2026-07-07T18:00:00Z", true),
            ("2026-07-07T20:59:59.999999Z", true),
            ("2026-07-07T21:00:00Z", false),
        ] {
            assert_eq!(registration_closed(at(instant), &[]), closed, "{instant}");
        }
    }

    #[test]
    fn an_announced_closure_begins_with_its_first_instant_and_ends_before_its_last() {
        let window = Window { from: at("2026-07-08T03:00:00Z"), until: at("2026-07-08T05:00:00Z") };
        for (instant, closed) in [
            ("2026-07-08T02:59:59Z", false),
            ("2026-07-08T03:00:00Z", true),
            ("2026-07-08T04:59:59Z", true),
            ("2026-07-08T05:00:00Z", false),
        ] {
            assert_eq!(registration_closed(at(instant), &[window]), closed, "{instant}");
        }
    }
}
