//! Clocks as the rules see them: when a wait is over, whose word about the time counts, what day it is in Japan.

use std::time::Duration;

use daemon::domain::clock::{ClockWatch, Doubt, Reading, Trust, has_come};
use daemon::domain::retention::{JstMonth, from_jst, jst_datetime, jst_day, start_of_jst_day};
use jiff::{SignedDuration, Timestamp, civil};

use super::support::at;

const NOON: &str = "2026-07-08T03:00:00Z";
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
const INSTANT: SignedDuration = SignedDuration::from_nanos(1);

#[test]
fn a_wait_is_over_at_its_instant_or_if_it_is_longer_than_any_wait_can_be() {
    for (left, over) in [
        (-MINUTE, true),
        (SignedDuration::ZERO, true),
        (INSTANT, false),
        (MINUTE, false),
        (MINUTE + INSTANT, true),
        (MINUTE * 60, true),
    ] {
        assert_eq!(has_come(at(NOON) + left, at(NOON), MINUTE), over, "{left:?}");
    }
}

/// Seconds after noon by the wall clock, and after some point long ago by the one that nobody sets.
fn reading(wall: i64, steady: u64) -> Reading {
    Reading { wall: after_noon(wall), steady: Duration::from_secs(1_000_000 + steady) }
}

fn after_noon(seconds: i64) -> Timestamp {
    at(NOON) + SignedDuration::from_secs(seconds)
}

#[test]
fn a_clock_that_differs_by_no_more_than_a_second_was_not_set() {
    let before = reading(0, 0);
    for (wall, steady, follows) in
        [(20, 20, true), (21, 20, true), (19, 20, true), (22, 20, false), (18, 20, false), (20, 0, false)]
    {
        assert_eq!(reading(wall, steady).follows(before), follows, "{wall} {steady}");
    }
}

/// What is judged at the second of two looks, between or around which the central system was heard.
fn second_look(now: Reading, heard: i64, ahead: i64) -> Result<Trust, Doubt> {
    let mut watch = ClockWatch::default();
    let first = reading(0, 0);
    assert_eq!(watch.look(first, None, None, first), Err(Doubt::NoWitness));
    watch.look(now, None, Some((after_noon(heard), SignedDuration::from_secs(ahead))), now)
}

#[test]
fn the_central_system_counts_if_it_was_heard_between_two_looks_at_a_clock_that_nobody_set() {
    for heard in [0, 10, 20] {
        assert_eq!(second_look(reading(20, 20), heard, 0), Ok(Trust::CentralSystem), "{heard}");
    }
    for heard in [-10, 30] {
        assert_eq!(second_look(reading(20, 20), heard, 0), Err(Doubt::NoWitness), "{heard}");
    }
    assert_eq!(second_look(reading(50, 20), 10, 0), Err(Doubt::NoWitness), "set between the looks");
    for ahead in [-30, 30] {
        assert_eq!(second_look(reading(20, 20), 10, ahead), Ok(Trust::CentralSystem), "{ahead}");
    }
    for ahead in [-31, 31] {
        let doubt = Doubt::CentralDisagrees { ahead: SignedDuration::from_secs(ahead) };
        assert_eq!(second_look(reading(20, 20), 10, ahead), Err(doubt));
    }
}

#[test]
fn days_and_months_are_those_of_japan() {
    let (day, new_year) = (civil::date(2026, 12, 31), civil::date(2027, 1, 1));
    for (instant, shown) in
        [("2026-12-31T14:59:59Z", day.at(23, 59, 59, 0)), ("2026-12-31T15:00:00Z", new_year.at(0, 0, 0, 0))]
    {
        assert_eq!((jst_datetime(at(instant)), jst_day(at(instant))), (shown, shown.date()));
        assert_eq!(from_jst(shown), Some(at(instant)));
    }
    assert_eq!(start_of_jst_day(new_year), Some(at("2026-12-31T15:00:00Z")));

    let december = JstMonth::of(at("2026-12-31T14:59:59Z"));
    let numbers = [december.first_kept(), december, december.next(), december.next().next()];
    assert_eq!(numbers.map(JstMonth::number), [202_611, 202_612, 202_701, 202_702]);
    assert_eq!(numbers.map(|month| JstMonth::from_number(month.number())), numbers.map(Some));
    assert_eq!(december.next().first_kept(), december);
    assert_eq!(december.expiry(), Some(at("2027-01-31T15:00:00Z")));
}
