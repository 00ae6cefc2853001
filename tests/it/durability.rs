//! The store under faults, as many as fit into seconds; `make figures ONLY=store` runs more.

use std::time::Duration;

use harness::durability::audit_edits::{self, Verified};
use harness::durability::canaries::{Canary, Kind, Scanner, self_test};
use harness::durability::judge::{Acks, judge};
use harness::durability::{interrupted, io_faults, kill, power, program, purge, retention, secrets, site};
use harness::lane as private;

use crate::lane;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_process_is_killed() {
    let report = kill::run(1, 200);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.rounds, report.lost, report.doubled), (200, 0, 0));
    assert!(report.slowest_reopening < Duration::from_secs(2), "{:?}", report.slowest_reopening);
    // Processes that do nothing lose nothing.
    assert!(report.acknowledged > 500 && report.stillborn < 100 && report.purges_cut > 0, "{report:?}");
}

#[test]
fn an_io_call_that_fails_never_makes_a_false_acknowledgement() {
    let report = io_faults::run(7, false);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.calls >= 500 && report.faults >= report.calls / 8, "{report:?}");
    // Steps are refused, and others are acknowledged before and after.
    assert!(report.refused > 100 && report.acknowledged > 500, "{report:?}");
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    let report = power::run(1, 500);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.lost, report.doubled), (0, 0));
    assert!(report.states > 400 && report.acknowledged > 2_000, "{:?}", (report.states, report.acknowledged));
}

/// A process whose sync of the WAL has failed dies, and a second one goes on: the kernel shows it frames that the disk does not have.
#[test]
fn what_follows_a_log_that_was_never_synced_survives_a_loss_of_power() {
    const FAILS_SO: u64 = 19;
    let report = power::run_one(FAILS_SO);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    // How much was acknowledged depends on how far the second process came.
    assert!(report.acknowledged > 0, "nothing could have been lost");
}

#[test]
fn a_disk_that_ignores_syncs_is_found_out() {
    let lost: u64 = (1..=3).map(|seed| power::run_one_without_syncs(seed).lost).sum();
    assert!(lost > 100, "{lost}");
}

#[tokio::test]
async fn what_was_acknowledged_and_is_not_there_is_missed() {
    let directory = site::scratch();
    let mut acks = Acks::default();
    acks.hear("O\nI 07-never-1 1\nN 07-never-1\nL 07-never-2\nI 07-half a line");
    let verdict = judge(&site::Site::at(directory.path()), &acks).await;
    assert_eq!(verdict.lost, 2, "{:#?}", verdict.findings);
    acks.hear("I 07-never-1 2\n");
    assert_eq!(acks.contradictions.len(), 1);
}

/// Without the syncs at the start, what a process that died has created would be built upon and then be gone.
#[test]
fn every_name_is_durable_once_the_store_is_open_wherever_an_earlier_start_died() {
    let names = power::names_not_durable_after_a_second_start();
    assert!(names.is_empty(), "{names:#?}");
}

#[test]
fn every_forgery_of_the_audit_log_is_noticed() {
    let report = audit_edits::run(1, 1_000, audit_edits::by_anchor);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    // Cut tails leave a whole chain, which only the count and head from outside show.
    assert!(report.edits > 900 && report.seen_by_head_alone > 50, "{report:?}");
}

#[test]
fn a_verification_that_notices_nothing_misses_every_forgery() {
    let report = audit_edits::run(1, 250, async |_, _| Verified::Whole);
    assert_eq!(report.missed, report.edits);
    assert_eq!(report.findings.len() as u64, report.missed);
}

#[test]
fn the_retention_rule_agrees_with_a_calendar_of_its_own_on_every_day_from_2024_to_2104() {
    let rule = retention::check_rule();
    assert!(rule.wrong.is_empty(), "{:#?}", rule.wrong);
    assert_eq!(rule.days, retention::DAYS);
}

#[tokio::test]
async fn for_every_day_from_2024_to_2104_results_are_served_to_the_last_instant_and_never_after() {
    let served = retention::serve().await;
    // Every month but the last two; the eleven of 2024 in the first purge that finds any.
    let months = 80 * 12 - 1;
    let expected = retention::Served { days: retention::DAYS, late: 0, early: 0, months_purged: months };
    assert_eq!(served, expected);
}

#[test]
fn a_purge_leaves_no_trace_in_any_file_although_readers_are_at_it() {
    let directory = site::scratch();
    let report = purge::run(directory.path(), 2_000);
    assert!(report.before >= 2_000, "the scan must see them before: {report:?}");
    assert_eq!((report.left, report.left_after_closing), (0, 0));
    assert_eq!((report.purged.results, report.purged.months), (2_000, 1));
    assert_eq!(report.kept, purge::KEPT);
}

#[test]
fn nothing_secret_or_personal_is_written_anywhere_in_clear() {
    lane::run("durability::nothing_secret_or_personal_is_written_anywhere_in_clear", |lane| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let report = runtime.block_on(secrets::whole_life(lane));
        assert!(report.blind.is_empty(), "planted and not found: {:#?}", report.blind);
        assert!(report.hits.is_empty(), "{:#?}", report.hits);
        assert!(report.canaries >= 20 && report.places >= 14 && report.bytes > 100_000, "{report:?}");
        assert!(private::inside().is_some());
    });
}

#[test]
fn a_canary_is_found_in_every_form_and_not_by_chance() {
    let canary = |name: &str, value: &str| Canary { name: name.to_owned(), value: value.as_bytes().to_vec() };
    let canaries = [
        canary("PIN", "0042"),
        canary("code", "314159"),
        canary("name", "零 始"),
        canary("key", "s3cr3t-Key!"),
    ];
    assert_eq!(self_test(&canaries), Vec::<String>::new());
    let scanner = Scanner::new(&canaries);
    let by_chance = "12:00:00.314159Z port=10042 took 3141590ns 9314159";
    assert_eq!(scanner.scan(by_chance.as_bytes(), Kind::Text), Vec::<String>::new());
    assert_eq!(scanner.scan(b"pin=0042", Kind::Binary), Vec::<String>::new());
    assert_eq!(scanner.scan(b"pin=0042", Kind::Text), ["PIN as it is"]);
    assert_eq!(scanner.scan("ｐｉｎ＝００４２".as_bytes(), Kind::Text), ["PIN as full-width"]);
}

/// The shim must see the calls: without it every fault would pass.
#[test]
fn a_fault_before_the_first_answer_keeps_the_store_from_opening() {
    let report = io_faults::run_one(1, io_faults::Fault::IoForEver);
    assert_eq!((report.faults, report.acknowledged), (1, 0));
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let midway = u64::midpoint(io_faults::count_calls_of_opening(), io_faults::count_calls());
    let late = io_faults::run_one(midway, io_faults::Fault::IoForEver);
    assert!(late.acknowledged > 0 && late.refused > 0, "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_fails_anywhere_can_be_made_again_and_loses_nothing_it_has_shown() {
    let program = program::Program::install().await;
    let failed = program.fail(8);
    assert!(failed.findings.is_empty(), "{:#?}", failed.findings);
    let lost = program.lose_power(1, 48);
    assert!(lost.findings.is_empty(), "{:#?}", lost.findings);
    assert!(failed.faults > 15 && lost.acknowledged > 0, "{failed:?} {lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_or_a_restore_that_is_killed_anywhere_leaves_no_half_of_it_to_be_taken_for_the_whole() {
    let drill = interrupted::Drill::prepare(program::Program::install().await);
    let (backups, restores) = (drill.backups(12), drill.restores(12));
    assert!(backups.findings.is_empty(), "{:#?}", backups.findings);
    assert!(restores.findings.is_empty(), "{:#?}", restores.findings);
    assert!(backups.killed > 10 && restores.killed > 20, "{backups:?} {restores:?}");
    // Some died before their work was done, and some after.
    assert!(backups.whole < backups.killed && restores.whole < restores.killed, "{backups:?} {restores:?}");
}
