//! The N-th I/O call fails, or the process dies there: whatever was acknowledged is there afterwards.

use std::path::Path;

use super::judge::{Acks, judge};
pub use super::shim::Fault;
use super::shim::{Shim, calls};
use super::site::{Site, scratch};
use super::work::Work;
use super::worker::{Ended, Worker};
use super::{block_on, in_parallel};

/// Three clients, so that several jobs share a transaction; from the first start over the end of a month to the closing.
const WORK: Work = Work { clients: 3, before: 12, after: 8, purge: true, june_is_over: false, round: 0 };

/// What many faults showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that failed, or at which the process died.
    pub faults: u64,
    /// Calls of a run without a fault.
    pub calls: u64,
    /// Successes that the processes had said.
    pub acknowledged: u64,
    /// Steps that ended in an error, as they should.
    pub refused: u64,
    /// Acknowledged, and not there.
    pub false_acks: u64,
    /// Each broken promise, with what shows it again.
    pub findings: Vec<String>,
}

/// Fails every `stride`-th call of the whole work, each in the next of the ways to fail; with `all_ways` in each of them.
pub fn run(stride: u64, all_ways: bool) -> Report {
    let mut all = Report { calls: count_calls(), ..Report::default() };
    let last = all.calls;
    let ways = if all_ways { Fault::ALL.len() as u64 } else { 1 };
    let reports = in_parallel(0, last.div_ceil(stride) * ways, |index| {
        let fault = Fault::ALL[usize::try_from(index).unwrap_or(0) % Fault::ALL.len()];
        run_one(1 + index / ways * stride, fault)
    });
    for mut report in reports {
        all.faults += report.faults;
        all.acknowledged += report.acknowledged;
        all.refused += report.refused;
        all.false_acks += report.false_acks;
        all.findings.append(&mut report.findings);
    }
    all
}

/// How many calls opening a new store and closing it makes.
///
/// # Panics
/// It does not open.
pub fn count_calls_of_opening() -> u64 {
    let directory = scratch();
    let (ended, calls) = write(directory.path(), Work::default(), None);
    assert!(ended.status.is_some_and(|status| status.success()), "{}", ended.complained);
    calls
}

/// How many calls the work makes when nothing fails.
///
/// # Panics
/// The work does not succeed, or the shim does not see its calls.
pub fn count_calls() -> u64 {
    let directory = scratch();
    let (ended, calls) = write(directory.path(), WORK, None);
    assert!(ended.status.is_some_and(|status| status.success()), "{}", ended.complained);
    assert!(ended.said.ends_with("C\n") && !ended.said.contains("\nE"), "{}", ended.said);
    calls
}

/// One fault: how a finding is looked at again.
pub fn run_one(at: u64, fault: Fault) -> Report {
    let directory = scratch();
    let (ended, calls) = write(directory.path(), WORK, Some((at, fault)));
    let mut acks = Acks::default();
    acks.hear(&ended.said);
    let verdict = block_on(judge(&Site::at(&directory.path().join("site")), &acks));
    let hung = ended.status.is_none().then(|| "the process hung".to_owned());
    let again = |finding| format!("{finding} (run again: io_faults::run_one({at}, Fault::{fault:?}))");
    Report {
        faults: u64::from(calls >= at),
        calls,
        acknowledged: acks.count(),
        refused: acks.errors,
        false_acks: verdict.lost,
        findings: verdict.findings.into_iter().chain(hung).map(again).collect(),
    }
}

fn write(directory: &Path, work: Work, fault: Option<(u64, Fault)>) -> (Ended, u64) {
    let root = directory.join("site");
    std::fs::create_dir(&root).expect("a directory");
    let counter = directory.join("counter");
    let shim = Shim { root: root.clone(), counter: Some(counter.clone()), fault, record: None };
    let ended = Worker::start(&root, directory, work, Some(&shim)).wait();
    (ended, calls(&counter))
}
