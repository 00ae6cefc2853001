//! Random fault schedules and fuzzing: what must never happen, counted.

use std::time::Duration;

use harness::fuzz_targets::{TARGETS, mutate};
use harness::schedules::{Kind, Tally, run};

use super::figure;

/// Time that no run is meant to reach: the number of schedules ends it.
const NO_LIMIT: Duration = Duration::from_hours(1);

/// Prints `card.pin_tries_burnt`, `card.mixups`, `card.schedules` and `card.fuzz_panics`; findings go to standard error.
pub fn measure(long: bool) {
    // The two-desk schedules are a thousand in either case; the others make it ten thousand together.
    let (desk, checks) = if long { (5_000, 4_000) } else { (1_000, 500) };
    let two = if long { 1_000 } else { 200 };
    let mut all = Tally::default();
    let mut findings = Vec::new();
    for (kind, count) in [(Kind::Desk, desk), (Kind::Checks, checks), (Kind::TwoDesks, two)] {
        let mut report = run(kind, 1, count, NO_LIMIT);
        all += report.tally;
        findings.append(&mut report.findings);
    }
    complain(&findings);
    figure("card.schedules", all.schedules);
    figure("card.schedule_pins_typed", all.entries);
    figure("card.schedule_pins_presented", all.verifies);
    figure("card.schedule_signatures", all.signatures);
    figure("card.pin_tries_burnt", all.burnt);
    figure("card.pins_presented_twice", all.repeated);
    figure("card.mixups", all.mixups);
    figure("card.schedule_findings", findings.len());
    fuzz(if long { 60 } else { 5 });
}

fn fuzz(seconds: u64) {
    let (mut runs, mut panics) = (0, 0);
    for target in TARGETS {
        let outcome = mutate::run(target, 1, Duration::from_secs(seconds));
        let inputs = outcome.failures.iter().map(|input| data_encoding::HEXUPPER.encode(input));
        complain(&inputs.map(|input| format!("{} breaks on {input}", target.name)).collect::<Vec<_>>());
        runs += outcome.runs;
        panics += outcome.failures.len();
    }
    figure("card.fuzz_runs", runs);
    figure("card.fuzz_panics", panics);
}

/// Prints findings to standard error.
pub fn complain(findings: &[String]) {
    use std::io::Write as _;
    for finding in findings {
        writeln!(std::io::stderr(), "{finding}").expect("standard error");
    }
}
