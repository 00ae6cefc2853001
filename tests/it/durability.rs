//! The store under faults, as many as fit into seconds; `make figures ONLY=store` runs more.

use std::time::Duration;

use harness::durability::{io_faults, kill, power};

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_process_is_killed() {
    let report = kill::run(1, 200);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.rounds, report.lost, report.doubled), (200, 0, 0));
    assert!(report.slowest_reopening < Duration::from_secs(2), "{:?}", report.slowest_reopening);
    // Processes that do nothing lose nothing.
    assert!(report.acknowledged > 2_000 && report.stillborn < 100, "{report:?}");
}

#[test]
fn an_io_call_that_fails_never_makes_a_false_acknowledgement() {
    let report = io_faults::run(7, 500, false);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.calls >= 500, "{report:?}");
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    let report = power::run(1, 500);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.lost, report.doubled), (0, 0));
}

/// Without the syncs at the start, what a process that died has created would be built upon and then be gone.
#[test]
fn every_name_is_durable_once_the_store_is_open_wherever_an_earlier_start_died() {
    let names = power::names_not_durable_after_a_second_start();
    assert!(names.is_empty(), "{names:#?}");
}
