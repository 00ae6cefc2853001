//! kill -9: eight clients write, the process dies at a random instant, and the next one goes on in the same directory.

use std::ops::AddAssign;
use std::time::Duration;

use super::judge::{Acks, Verdict, judge};
use super::site::{Site, scratch};
use super::work::Work;
use super::worker::{Ended, Worker};
use super::{block_on, in_parallel};
use crate::dice::Dice;

/// Processes that die one after the other in the same directory: the later ones begin with what the earlier left.
const DEATHS: u64 = 10;
/// Some hundred commits.
const LONGEST_LIFE_US: usize = 60_000;
/// More than anybody lives to do.
const ENDLESS: usize = 1_000_000;

/// What many rounds showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Processes killed and judged.
    pub rounds: u64,
    /// Successes that the processes had said.
    pub acknowledged: u64,
    /// Rounds in which the process died before it had opened the store.
    pub stillborn: u64,
    /// Purges that were under way when the process died.
    pub purges_cut: u64,
    /// Acknowledged and lost.
    pub lost: u64,
    /// Stored or audited twice.
    pub doubled: u64,
    /// The longest that opening took after a death.
    pub slowest_reopening: Duration,
    /// Each broken promise, with the seed that shows it again.
    pub findings: Vec<String>,
}

impl AddAssign for Report {
    fn add_assign(&mut self, mut other: Self) {
        self.rounds += other.rounds;
        self.acknowledged += other.acknowledged;
        self.stillborn += other.stillborn;
        self.purges_cut += other.purges_cut;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.slowest_reopening = self.slowest_reopening.max(other.slowest_reopening);
        self.findings.append(&mut other.findings);
    }
}

/// Kills `rounds` processes (rounded up to whole directories of ten), with the seeds from `first` on.
pub fn run(first: u64, rounds: u64) -> Report {
    let mut all = Report::default();
    for report in in_parallel(first, rounds.div_ceil(DEATHS), run_one) {
        all += report;
    }
    all
}

/// Ten deaths in one directory: how a finding is looked at again.
pub fn run_one(seed: u64) -> Report {
    let mut dice = Dice::new(seed);
    let directory = scratch();
    let root = directory.path().join("site");
    std::fs::create_dir(&root).expect("a directory");
    let site = Site::at(&root);
    let mut acks = Acks::default();
    let mut report = Report::default();
    for round in 0..DEATHS {
        let work = plan(&mut dice, &acks, round);
        let life = Duration::from_micros(dice.below(LONGEST_LIFE_US) as u64);
        let mut worker = Worker::start(&root, directory.path(), work, None);
        if dice.percent(75) {
            // The others may die while they open it.
            worker.wait_open();
        }
        let ended = worker.kill_after(life);
        let (before, purged_before) = (acks.count(), acks.purged);
        acks.hear(&ended.said);
        report.acknowledged += acks.count() - before;
        report.stillborn += u64::from(!ended.said.starts_with("O\n"));
        report.purges_cut += u64::from(work.purge && acks.purge_begun && !acks.purged && !purged_before);
        let verdict = block_on(judge(&site, &acks));
        report.take(verdict, &ended, &format!("kill::run_one({seed}), round {round}"));
    }
    report
}

/// In some rounds a month ends, early enough for the purge to be hit.
fn plan(dice: &mut Dice, acks: &Acks, round: u64) -> Work {
    let clients = 8;
    if acks.purge_begun {
        return Work { clients, after: ENDLESS, june_is_over: true, round, ..Work::default() };
    }
    let purge = dice.percent(30);
    let before = if purge { dice.below(8) } else { ENDLESS };
    Work { clients, before, after: ENDLESS, purge, june_is_over: false, round }
}

impl Report {
    fn take(&mut self, verdict: Verdict, ended: &Ended, again: &str) {
        self.rounds += 1;
        self.lost += verdict.lost;
        self.doubled += verdict.doubled;
        self.slowest_reopening = self.slowest_reopening.max(verdict.reopening);
        let complaint =
            (!ended.complained.is_empty()).then(|| format!("it complained: {}", ended.complained));
        self.findings
            .extend(verdict.findings.into_iter().chain(complaint).map(|it| format!("{it} ({again})")));
    }
}
