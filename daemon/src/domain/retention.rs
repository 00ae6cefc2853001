//! Retention: how long a result may be served (manual chapter 2, 再度資格確認結果を確認する場合; chapter 3, question 10).
//!
//! A result may be viewed from the day of the check until the end of the following month, in Japan time. Japan has no
//! daylight saving time, so +09:00 is exact and no time-zone database is needed.

use jiff::civil::Date;
use jiff::{Timestamp, tz::Offset};

const JST: Offset = Offset::constant(9);

/// A calendar month in Japan time; orders by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JstMonth {
    year: i16,
    month: i8,
}

impl JstMonth {
    /// The month of an instant, in Japan time.
    pub fn of(at: Timestamp) -> Self {
        let day = jst_day(at);
        Self { year: day.year(), month: day.month() }
    }

    /// The month that follows.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year.saturating_add(1), month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    /// The first month whose results are still kept in this one: the month before.
    #[must_use]
    pub fn first_kept(self) -> Self {
        if self.month == 1 {
            Self { year: self.year.saturating_sub(1), month: 12 }
        } else {
            Self { year: self.year, month: self.month - 1 }
        }
    }

    /// 00:00 JST on the first day of the month; `None` beyond the years a calendar can hold.
    pub fn start(self) -> Option<Timestamp> {
        let midnight = Date::new(self.year, self.month, 1).ok()?.at(0, 0, 0, 0);
        JST.to_timestamp(midnight).ok()
    }

    /// First instant at which the results of checks carried out in this month must be gone; `None` beyond the calendar.
    pub fn expiry(self) -> Option<Timestamp> {
        self.next().next().start()
    }

    /// `YYYYMM` as a number, for storage.
    pub fn number(self) -> i32 {
        i32::from(self.year) * 100 + i32::from(self.month)
    }

    /// Reads back [`JstMonth::number`].
    pub fn from_number(number: i32) -> Option<Self> {
        let year = i16::try_from(number / 100).ok()?;
        let month = i8::try_from(number % 100).ok()?;
        Date::new(year, month, 1).ok()?;
        Some(Self { year, month })
    }
}

/// The day of an instant in Japan time.
pub fn jst_day(at: Timestamp) -> Date {
    JST.to_datetime(at).date()
}

/// 00:00 JST of a day; `None` beyond the years an instant can hold.
pub fn start_of_jst_day(day: Date) -> Option<Timestamp> {
    JST.to_timestamp(day.at(0, 0, 0, 0)).ok()
}

/// The civil date and time of an instant in Japan time.
pub fn jst_datetime(at: Timestamp) -> jiff::civil::DateTime {
    JST.to_datetime(at)
}

/// The instant of a civil date and time in Japan.
pub fn from_jst(at: jiff::civil::DateTime) -> Option<Timestamp> {
    JST.to_timestamp(at).ok()
}

/// First instant at which a result of a check carried out at `checked_at` must be gone:
/// 00:00 JST on the first of the month after next.
pub fn expiry(checked_at: Timestamp) -> Timestamp {
    JstMonth::of(checked_at).expiry().unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn expiry_is_the_end_of_the_month_after_the_check_in_japan_time() {
        for (checked, gone) in [
            ("2026-01-31T14:59:59Z", "2026-02-28T15:00:00Z"),
            ("2026-01-31T15:00:00Z", "2026-03-31T15:00:00Z"),
            ("2026-11-30T14:59:59Z", "2026-12-31T15:00:00Z"),
            ("2026-11-30T15:00:00Z", "2027-01-31T15:00:00Z"),
            ("2026-12-31T15:00:00Z", "2027-02-28T15:00:00Z"),
            ("2028-01-15T00:00:00Z", "2028-02-29T15:00:00Z"),
            ("2028-02-29T14:59:59Z", "2028-03-31T15:00:00Z"),
            ("2028-02-29T15:00:00Z", "2028-04-30T15:00:00Z"),
            ("2099-12-31T15:00:00Z", "2100-02-28T15:00:00Z"),
        ] {
            assert_eq!(expiry(at(checked)), at(gone), "{checked}");
        }
    }

    /// The oracle counts days on its own: it walks to the second change of month after the check's day.
    #[test]
    fn expiry_holds_for_every_day_from_2024_to_2104() {
        let mut day = Date::constant(2024, 1, 1);
        let last = Date::constant(2104, 1, 1);
        let mut days = 0;
        while day <= last {
            let mut gone = day;
            let mut changes = 0;
            while changes < 2 {
                let next = gone.tomorrow().unwrap();
                changes += i32::from(next.month() != gone.month());
                gone = next;
            }
            let gone = start_of_jst_day(gone).unwrap();
            let midnight = start_of_jst_day(day).unwrap();
            for seconds in [0, 1, 43_200, 86_399] {
                let checked = Timestamp::from_second(midnight.as_second() + seconds).unwrap();
                assert_eq!(expiry(checked), gone, "{checked}");
            }
            days += 1;
            day = day.tomorrow().unwrap();
        }
        assert_eq!(days, 29_220);
    }

    #[test]
    fn a_month_s_results_are_kept_in_it_and_in_the_next() {
        for (now, kept) in [(202_607, 202_606), (202_601, 202_512), (202_612, 202_611)] {
            let now = JstMonth::from_number(now).unwrap();
            assert_eq!(now.first_kept().number(), kept);
            assert_eq!(now.first_kept().expiry(), now.next().start());
        }
    }

    #[test]
    fn month_numbers_read_back() {
        let month = JstMonth::of(at("2026-12-31T15:00:00Z"));
        assert_eq!(month.number(), 202_701);
        assert_eq!(JstMonth::from_number(202_701), Some(month));
        assert_eq!(JstMonth::from_number(202_713), None);
    }
}
