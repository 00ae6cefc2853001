//! Power loss: the calls of a writing process are recorded, and the store is opened on many of the states that the disk
//! could hold had the power failed at some instant. Some processes die, or a call fails, before the power does.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use super::judge::{Acks, judge};
use super::shim::{Fault, Shim};
use super::site::{Site, scratch};
use super::states::{Disk, State, restore};
use super::trace::{Event, parse};
use super::work::Work;
use super::worker::{SAID, Worker};
use super::{block_on, in_parallel};
use crate::dice::Dice;

/// States that are rebuilt from one recording.
const STATES: usize = 50;
/// Within the calls of one recorded process.
const CALLS: usize = 400;

/// What many states showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Different states that were opened.
    pub states: u64,
    /// Things acknowledged before the losses of power, summed over the states.
    pub acknowledged: u64,
    /// Acknowledged and lost.
    pub lost: u64,
    /// Stored or audited twice.
    pub doubled: u64,
    /// Each broken promise, with the seed that shows it again.
    pub findings: Vec<String>,
}

/// Opens about `states` states, from recordings with the seeds from `first` on.
pub fn run(first: u64, states: u64) -> Report {
    let mut all = Report::default();
    for mut report in in_parallel(first, states.div_ceil(STATES as u64), run_one) {
        all.states += report.states;
        all.acknowledged += report.acknowledged;
        all.lost += report.lost;
        all.doubled += report.doubled;
        all.findings.append(&mut report.findings);
    }
    all
}

/// Starts a store that a first process, killed at its N-th call, has left behind, for every N; returns the names that
/// are not durable once the second process says that it is open, and after how many calls the first one died.
pub fn names_not_durable_after_a_second_start() -> Vec<(u64, String)> {
    let calls = record_starts(None).1;
    let starts = in_parallel(1, calls, |at| (at, record_starts(Some((at, Fault::KilledAfter))).0));
    starts.into_iter().flat_map(|(at, names)| names.into_iter().map(move |name| (at, name))).collect()
}

/// The names that are not durable after the last start, and the number of calls of the first process.
fn record_starts(fault: Option<(u64, Fault)>) -> (Vec<String>, u64) {
    let directory = scratch();
    let (root, log) = (directory.path().join("site"), directory.path().join("log"));
    fs::create_dir(&root).expect("a directory");
    let counter = directory.path().join("counter");
    let record = Some((log.clone(), directory.path().join(SAID)));
    let shim = Shim { root: root.clone(), counter: Some(counter.clone()), fault, record };
    Worker::start(&root, directory.path(), Work::default(), Some(&shim)).wait();
    let calls = super::shim::calls(&counter);
    if fault.is_some() {
        Worker::start(&root, directory.path(), Work::default(), Some(&Shim { fault: None, ..shim })).wait();
    }
    let events = parse(&fs::read(log).expect("the shim has recorded"));
    let open = |event: &Event| matches!(event, Event::Said(line) if line == "O\n");
    let end = events.iter().rposition(open).expect("the store has opened");
    let mut disk = Disk::new(false);
    events[..end].iter().for_each(|event| disk.apply(event));
    // What nobody needs after a loss of power.
    let needless = |name: &str| ["/lock", "-shm", ".tmp"].iter().any(|end| name.ends_with(end));
    let names = disk.names_not_durable().into_iter().map(|path| path.display().to_string());
    (names.filter(|name| !needless(name)).collect(), calls)
}

/// One recording and its states: how a finding is looked at again.
pub fn run_one(seed: u64) -> Report {
    judge_states(seed, |_| true)
}

/// As [`run_one`], on a disk that ignores every sync of a file: what was acknowledged must be missed then.
pub fn run_one_without_syncs(seed: u64) -> Report {
    judge_states(seed, |event| !matches!(event, Event::Sync(_)))
}

fn judge_states(seed: u64, happens: impl Fn(&Event) -> bool) -> Report {
    let mut dice = Dice::new(seed);
    let directory = scratch();
    let root = directory.path().join("site");
    let mut events = record(directory.path(), &root, &mut dice);
    events.retain(happens);
    let mut report = Report::default();
    for (cut, state) in rebuild(&events, &mut dice) {
        let mut acks = Acks::default();
        for event in &events[..cut] {
            if let Event::Said(line) = event {
                acks.hear(line);
            }
        }
        let place = scratch();
        restore(&state, &root, place.path());
        let verdict = block_on(judge(&Site::at(place.path()), &acks));
        report.states += 1;
        report.acknowledged += acks.count();
        report.lost += verdict.lost;
        report.doubled += verdict.doubled;
        let again = |finding| format!("{finding} (after {cut} calls; run again: power::run_one({seed}))");
        report.findings.extend(verdict.findings.into_iter().map(again));
    }
    report
}

/// One process writes over the end of a month; in some recordings it dies or a call fails, and then a second one goes on.
fn record(directory: &Path, root: &Path, dice: &mut Dice) -> Vec<Event> {
    fs::create_dir(root).expect("a directory");
    let log = directory.join("log");
    let fault = dice.pick(&[None, Some(Fault::KilledAfter), Some(Fault::Killed), Some(Fault::Io)]);
    let shim = Shim {
        root: root.to_owned(),
        counter: None,
        fault: fault.map(|fault| (1 + dice.below(CALLS) as u64, fault)),
        record: Some((log.clone(), directory.join(SAID))),
    };
    let clients = 1 + dice.below(3);
    let work = Work {
        clients,
        before: 2 + dice.below(18 / clients),
        after: dice.below(10 / clients),
        purge: dice.percent(80),
        ..Work::default()
    };
    let ended = Worker::start(root, directory, work, Some(&shim)).wait();
    if fault.is_some() {
        let mut acks = Acks::default();
        acks.hear(&ended.said);
        let again = Work { june_is_over: acks.purge_begun, purge: !acks.purge_begun, round: 1, ..work };
        Worker::start(root, directory, again, Some(&Shim { fault: None, ..shim })).wait();
    }
    parse(&fs::read(log).expect("the shim has recorded"))
}

/// Different states after random numbers of calls.
fn rebuild(events: &[Event], dice: &mut Dice) -> Vec<(usize, State)> {
    let mut cuts: Vec<usize> = (0..2 * STATES).map(|_| 1 + dice.below(events.len())).collect();
    cuts.sort_unstable();
    let mut disk = Disk::new(dice.percent(50));
    let mut done = 0;
    let mut known = HashSet::new();
    let mut states = Vec::new();
    for cut in cuts {
        events[done..cut].iter().for_each(|event| disk.apply(event));
        done = cut;
        let state = disk.after_power_loss(dice);
        let mut hasher = DefaultHasher::new();
        (cut, &state).hash(&mut hasher);
        if known.insert(hasher.finish()) {
            states.push((cut, state));
        }
    }
    while states.len() > STATES {
        states.swap_remove(dice.below(states.len()));
    }
    states
}
