//! Random schedules of questions and answers: seeded runs of whole visits over a network that cuts, delays, doubles and
//! swaps answers, with collections and inquiry numbers at the same time.
//!
//! Everything of the daemon is real: the adapter from its seam to the network on, checks, collection, inquiry numbers,
//! the merge and the SQLite store. The central system is a model that keeps the truth, the cards sign at once. What counts
//! is seen in the store: each confirmation has one row, and it is that person's.
//!
//! A seed repeats what becomes of each question; the tasks of a schedule run beside each other, so that the order in
//! which they ask may differ from run to run. Never run with paused time: the store's threads count as idle.

#![expect(clippy::expect_used, reason = "a bench that does not stand ends the run with the reason")]

mod central;
mod desk;
mod judge;
mod network;
mod play;

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use daemon::app::tasks::Tasks;
use jiff::{SignedDuration, Timestamp};

use self::play::{SECONDS, Stage, play};
use crate::clinic::NOON;
use crate::durability::site::{OpenStore, Site, scratch};

/// What happened over many schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Schedules run.
    pub schedules: u64,
    /// Checks that came to an end.
    pub checks: u64,
    /// Checks with a result.
    pub done: u64,
    /// Confirmations that the central system gave; some of them never reached their check.
    pub confirmations: u64,
    /// Inquiry numbers that the central system took.
    pub numbers: u64,
    /// Questions that met something else than their answer.
    pub faults: u64,
    /// Rows beyond one for each confirmation.
    pub double_rows: u64,
    /// Results, checks and numbers that are with another person than theirs.
    pub mixups: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.checks += other.checks;
        self.done += other.done;
        self.confirmations += other.confirmations;
        self.numbers += other.numbers;
        self.faults += other.faults;
        self.double_rows += other.double_rows;
        self.mixups += other.mixups;
    }
}

/// Many schedules together.
#[derive(Debug, Default)]
pub struct Report {
    /// The figures.
    pub tally: Tally,
    /// Broken promises, each with the seed of its schedule; empty if all is well.
    pub findings: Vec<String>,
}

/// A defect made on purpose: what the judge must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// None.
    Nothing,
    /// The central system answers with somebody else's eligibility, under the right request id.
    MixUp,
    /// A confirmation is stored once more.
    Double,
}

/// Schedules of one store; then a new one is begun, so that it does not grow without bound.
const OF_ONE_STORE: u64 = 500;
/// How many schedules run at once in one store: most of their time they wait for a repetition.
const AT_ONCE: usize = 125;
/// How many stores are worked in at once.
const STORES: usize = 2;
/// How long one schedule may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(90);

/// What the workers share.
struct Work {
    first: u64,
    count: u64,
    end: Instant,
    next: AtomicU64,
    report: Mutex<Report>,
}

impl Work {
    /// The next seed, unless all have run or the time is over.
    #[expect(clippy::disallowed_methods, reason = "a lane is given an amount of real time")]
    fn take(&self) -> Option<u64> {
        if Instant::now() >= self.end {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.count).then_some(self.first + index)
    }

    fn add(&self, mut one: Report) {
        let mut all = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        all.tally += one.tally;
        all.findings.append(&mut one.findings);
    }
}

/// Runs schedules with the seeds `first`, `first + 1`, … until `count` have run or `time` is over, many at once. Needs a
/// runtime with several threads.
#[expect(clippy::disallowed_methods, reason = "a lane is given an amount of real time")]
pub async fn run(first: u64, count: u64, time: Duration) -> Report {
    let work = Arc::new(Work {
        first,
        count,
        end: Instant::now() + time,
        next: AtomicU64::new(0),
        report: Mutex::default(),
    });
    let lanes = (0..STORES).map(|_| async { while fill_a_store(&work).await {} });
    futures_util::future::join_all(lanes).await;
    std::mem::take(&mut *work.report.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Runs schedules in a new store until it is full; `false` if there are no more to run.
async fn fill_a_store(work: &Arc<Work>) -> bool {
    let directory = scratch();
    let open = Arc::new(open(&Site::at(directory.path())).await);
    let slots = Arc::new(AtomicU64::new(0));
    let tasks = Tasks::default();
    let over = Arc::new(AtomicU64::new(0));
    for _ in 0..AT_ONCE {
        let (work, open, slots, over) = (work.clone(), open.clone(), slots.clone(), over.clone());
        tasks.start(async move {
            loop {
                let slot = slots.fetch_add(1, Ordering::Relaxed);
                if slot >= OF_ONE_STORE {
                    return;
                }
                let Some(seed) = work.take() else {
                    over.store(1, Ordering::Relaxed);
                    return;
                };
                work.add(play_in(&open, slot, seed, Plant::Nothing).await);
            }
        });
    }
    tasks.finish().await;
    if let Ok(open) = Arc::try_unwrap(open) {
        open.close().await;
    }
    over.load(Ordering::Relaxed) == 0
}

/// Runs the schedule with one seed: how a finding is looked at again.
pub async fn run_one(seed: u64, plant: Plant) -> Report {
    let directory = scratch();
    let open = open(&Site::at(directory.path())).await;
    let report = play_in(&open, 0, seed, plant).await;
    open.close().await;
    report
}

async fn open(site: &Site) -> OpenStore {
    site.open(NOON.parse().expect("an instant")).await.expect("the store opens")
}

async fn play_in(open: &OpenStore, slot: u64, seed: u64, plant: Plant) -> Report {
    let now: Timestamp = NOON.parse().expect("an instant");
    let before = SECONDS * (1 + i64::try_from(slot).expect("few"));
    let stage = Stage { store: open.store.clone(), now, base: now - SignedDuration::from_secs(before) };
    let played = tokio::time::timeout(STUCK, play(&stage, seed, plant)).await;
    let mut report = played.unwrap_or_else(|_| Report {
        tally: Tally { schedules: 1, ..Tally::default() },
        findings: vec!["the schedule is stuck".to_owned()],
    });
    for finding in &mut report.findings {
        *finding = format!("{finding} (run again: exchanges::run_one({seed}, Plant::{plant:?}))");
    }
    report
}
