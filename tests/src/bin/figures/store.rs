//! Store: nothing acknowledged is lost, nothing is kept or served too long, nothing secret is written, no forgery passes.

use harness::durability::{
    audit_edits, interrupted, io_faults, kill, power, program, purge, recovery, retention, secrets, site,
};
use harness::lane::{self, Lane};

use crate::schedules::complain;
use crate::{figure, store_accounts};

/// The part with a real reader.
pub const MARK: &str = "figures-store";

/// How often each thing is done.
struct Rounds {
    kills: u64,
    all_ways: bool,
    states: u64,
    edits: u64,
}

const SHORT: Rounds = Rounds { kills: 200, all_ways: false, states: 2_000, edits: 10_000 };
const LONG: Rounds = Rounds { kills: 2_000, all_ways: true, states: 20_000, edits: 100_000 };
const CANARIES: u64 = 10_000;

/// Measures everything; findings go to standard error.
pub fn measure(long: bool) {
    let rounds = if long { LONG } else { SHORT };
    killed(rounds.kills);
    io_fails(&rounds);
    power_fails(rounds.states);
    let program = runtime().block_on(program::Program::install());
    first_starts(&program, long);
    interrupted(program, long);
    runtime().block_on(retained());
    purged();
    let program = std::env::current_exe().expect("this program has a path");
    let status = lane::command(&program, MARK).args(["--only", "store"]).status().expect("unshare starts");
    assert!(status.success(), "the part {MARK}: {status}");
    forged(rounds.edits);
    runtime().block_on(store_accounts::measure());
    recovered(long);
}

/// The part with a real reader, in a process of its own.
pub fn in_lane() {
    runtime().block_on(look_for_secrets(&Lane::start()));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

fn recovered(long: bool) {
    let runtime = runtime();
    let damage = runtime.block_on(recovery::damage(1, if long { 5_000 } else { 500 }));
    complain(&damage.findings);
    figure("store.corruption_cases", damage.cases);
    figure("store.corruption_refused", damage.refused);
    figure("store.corruption_read_errors", damage.read_errors);
    figure("store.corruption_wrong_rows", damage.wrong_rows);
    let rows = if long { 100_000 } else { 10_000 };
    let timed = runtime.block_on(recovery::time(rows));
    figure("store.affected_rows", rows);
    figure("store.affected_seconds", format!("{:.2}", timed.affected.as_secs_f64()));
    figure("store.audit_verify_seconds", format!("{:.2}", timed.verify.as_secs_f64()));
    figure("store.backup_seconds", format!("{:.2}", timed.backup.as_secs_f64()));
    figure("store.recovery_seconds", format!("{:.2}", timed.recovery.as_secs_f64()));
    figure("store.commit_ms", format!("{:.3}", timed.commit_ms));
    figure("store.anchor_ms", format!("{:.3}", timed.anchor_ms));
}

fn killed(rounds: u64) {
    let report = kill::run(1, rounds);
    complain(&report.findings);
    figure("store.kill_rounds", report.rounds);
    figure("store.kill_acknowledged", report.acknowledged);
    figure("store.kill_purges_cut", report.purges_cut);
    figure("store.kill_lost", report.lost);
    figure("store.kill_doubled", report.doubled);
    figure("store.kill_findings", report.findings.len());
    figure("store.kill_reopen_ms_max", format!("{:.1}", report.slowest_reopening.as_secs_f64() * 1000.0));
}

fn io_fails(rounds: &Rounds) {
    let report = io_faults::run(1, rounds.all_ways);
    complain(&report.findings);
    figure("store.io_fault_calls", report.faults);
    figure("store.io_fault_refused", report.refused);
    figure("store.io_fault_false_acks", report.false_acks);
    figure("store.io_fault_findings", report.findings.len());
}

fn power_fails(states: u64) {
    let report = power::run(1, states);
    complain(&report.findings);
    let names = power::names_not_durable_after_a_second_start();
    figure("store.power_states", report.states);
    figure("store.power_acknowledged", report.acknowledged);
    figure("store.power_lost", report.lost);
    figure("store.power_findings", report.findings.len());
    figure("store.power_names_not_durable", names.len());
}

fn first_starts(program: &program::Program, long: bool) {
    let failed = program.fail(1);
    let lost = program.lose_power(1, if long { 2_000 } else { 200 });
    complain(&failed.findings);
    complain(&lost.findings);
    figure("store.first_start_faults", failed.faults + lost.faults);
    figure("store.first_start_findings", failed.findings.len() + lost.findings.len());
}

/// Backup and restore, killed at every call; in the short lane at every eighth.
fn interrupted(program: program::Program, long: bool) {
    let drill = interrupted::Drill::prepare(program);
    let stride = if long { 1 } else { 8 };
    let (backups, restores) = (drill.backups(stride), drill.restores(stride));
    complain(&backups.findings);
    complain(&restores.findings);
    figure("store.backup_kills", backups.killed);
    figure("store.restore_kills", restores.killed);
    figure("store.backup_restore_findings", backups.findings.len() + restores.findings.len());
}

async fn retained() {
    let rule = retention::check_rule();
    complain(&rule.wrong);
    let served = retention::serve().await;
    figure("store.retention_days_checked", rule.days);
    figure("store.retention_rule_wrong", rule.wrong.len());
    figure("store.retention_served_late", served.late);
    figure("store.retention_served_early", served.early);
}

fn purged() {
    let directory = site::scratch();
    let report = purge::run(directory.path(), CANARIES);
    figure("store.purge_canaries", report.purged.results);
    figure("store.purge_canaries_left", report.left + report.left_after_closing);
}

async fn look_for_secrets(lane: &Lane) {
    let report = secrets::whole_life(lane).await;
    complain(&report.hits);
    complain(&report.blind);
    assert!(report.blind.is_empty(), "a scan that does not find what was planted");
    figure("store.secret_canaries", report.canaries);
    figure("store.secret_bytes_scanned", report.bytes);
    figure("store.secret_canary_hits", report.hits.len());
}

fn forged(edits: u64) {
    let report = audit_edits::run(1, edits, audit_edits::by_anchor);
    complain(&report.findings);
    figure("store.audit_edits", report.edits);
    figure("store.audit_edits_seen_by_head_alone", report.seen_by_head_alone);
    figure("store.audit_edits_missed", report.missed);
}
