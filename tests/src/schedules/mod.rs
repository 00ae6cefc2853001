//! Random fault schedules: seeded runs of the daemon's desk and checks in which cards are inserted, taken and swapped
//! between any two steps, torn out at any command, answer anything, readers and service come and go, and people type
//! right and wrong PINs, give up and confirm.
//!
//! What counts is seen at the cards: no PIN reaches a card other than the one it was typed for, none is presented twice,
//! and no try is lost that the holder did not lose. Never run with paused time: the desk is an OS thread, and a wait for
//! it counts as idle.

#![expect(clippy::expect_used, reason = "a bench that does not stand ends the run with the reason")]

mod checks;
mod desk;
mod floor;
mod ports;
mod steps;

use std::ops::AddAssign;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::floor::Floor;
use crate::dice::Dice;

/// What a schedule drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Card sessions on the desk alone.
    Desk,
    /// Whole checks at one reception desk.
    Checks,
    /// Whole checks at two reception desks at once, each with its reader.
    TwoDesks,
}

/// What happened over many schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Schedules run.
    pub schedules: u64,
    /// PINs typed.
    pub entries: u64,
    /// PINs that reached a card.
    pub verifies: u64,
    /// Signatures handed out.
    pub signatures: u64,
    /// Tries lost at cards, for whatever reason.
    pub tries_lost: u64,
    /// Tries lost that no holder lost by a wrong PIN for that very card.
    pub burnt: u64,
    /// PINs at, or signatures of, a card that they were not meant for.
    pub mixups: u64,
    /// PINs presented more than once.
    pub repeated: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.entries += other.entries;
        self.verifies += other.verifies;
        self.signatures += other.signatures;
        self.tries_lost += other.tries_lost;
        self.burnt += other.burnt;
        self.mixups += other.mixups;
        self.repeated += other.repeated;
    }
}

/// Many schedules together.
#[derive(Debug, Default)]
pub struct Report {
    /// The figures.
    pub tally: Tally,
    /// Broken promises, each with kind and seed of its schedule; empty if all is well.
    pub findings: Vec<String>,
}

/// How many schedules run at once.
const AT_ONCE: usize = 12;

/// How long one schedule may take before it counts as stuck; it takes milliseconds.
const STUCK: Duration = Duration::from_secs(30);

/// Runs schedules with the seeds `first`, `first + 1`, … until `count` have run or `time` is over, several at once:
/// a schedule with a lost service mostly waits.
#[expect(clippy::disallowed_methods, reason = "a lane is given an amount of real time")]
pub fn run(kind: Kind, first: u64, count: u64, time: Duration) -> Report {
    // Making keys takes longer than many schedules.
    let floors: [Floor; AT_ONCE] = std::array::from_fn(|_| Floor::new());
    let end = Instant::now() + time;
    let next = AtomicU64::new(first);
    let report = Mutex::new(Report::default());
    thread::scope(|scope| {
        for floor in &floors {
            let (next, report) = (&next, &report);
            scope.spawn(move || {
                while Instant::now() < end {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let mut one = run_on(floor, kind, seed);
                    let mut all = report.lock().unwrap_or_else(PoisonError::into_inner);
                    all.tally += one.tally;
                    all.findings.append(&mut one.findings);
                }
            });
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the schedule with one seed: how a finding is looked at again.
pub fn run_one(kind: Kind, seed: u64) -> Report {
    run_on(&Floor::new(), kind, seed)
}

fn run_on(floor: &Floor, kind: Kind, seed: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut dice = Dice::new(seed);
    let schedule = async {
        match kind {
            Kind::Desk => desk::play(floor, &mut dice).await,
            Kind::Checks => checks::play(floor, &mut dice, 1).await,
            Kind::TwoDesks => checks::play(floor, &mut dice, 2).await,
        }
    };
    let stuck = runtime.block_on(async { tokio::time::timeout(STUCK, schedule).await.is_err() });
    let (mut tally, mut findings) = floor.report();
    tally.schedules = 1;
    if stuck {
        findings.push("the schedule is stuck".to_owned());
    }
    let again = |finding| format!("{finding} (run again: schedules::run_one(Kind::{kind:?}, {seed}))");
    Report { tally, findings: findings.into_iter().map(again).collect() }
}
