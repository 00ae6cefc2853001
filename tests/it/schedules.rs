//! Random fault schedules, as many as fit into a few seconds; `make figures ONLY=card LONG=1` runs ten thousand.

use std::time::Duration;

use harness::schedules::{Kind, Report, run};

fn assert_kept(report: &Report) {
    assert!(report.findings.is_empty(), "{:#?}\n{:?}", report.findings, report.tally);
    let tally = &report.tally;
    assert_eq!((tally.burnt, tally.mixups, tally.repeated), (0, 0, 0));
    // A bench on which nothing happens would keep every promise.
    assert!(tally.verifies > tally.schedules / 4, "{tally:?}");
    assert!(tally.tries_lost > 0 && tally.signatures > 0, "{tally:?}");
}

#[test]
fn no_pin_try_is_burnt_and_no_card_is_mixed_up_whatever_happens_around_a_card_session() {
    assert_kept(&run(Kind::Desk, 1, 10_000, Duration::from_secs(3)));
}

#[test]
fn no_pin_try_is_burnt_and_no_card_is_mixed_up_whatever_happens_around_a_check() {
    assert_kept(&run(Kind::Checks, 1, 10_000, Duration::from_secs(3)));
}

#[test]
fn no_pin_reaches_the_card_of_the_other_desk() {
    assert_kept(&run(Kind::TwoDesks, 1, 1_000, Duration::from_secs(3)));
}
