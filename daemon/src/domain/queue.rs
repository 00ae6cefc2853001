//! The queue of inquiry numbers (照会番号) on their way to the central system: who is next, and when.
//!
//! Knows jobs by their ids and persons, not how they are stored or sent. Time and chance are arguments. The rules:
//! - one person's numbers go in the order in which they were taken in, one after the other; people do not wait for each other;
//! - at most [`MOST_IN_FLIGHT`] requests at a time; after a start or an outage one goes first and shows whether it works;
//! - while the central system is away the whole queue waits, longer each time, up to [`LONGEST_WAIT`];
//! - items of one bulk go together, up to [`LARGEST_CHUNK`], and are asked for by their receipt number until they are done;
//! - what was tried least goes first, whether it is sent or asked for;
//! - a job ends when the central system took or refused it, or when its retention ends; nothing else ends it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::clock::has_come;
use super::identifiers::InsuranceIdentifiers;

/// Single numbers that may wait.
pub const MOST_SINGLES: usize = 10_000;
/// Items of bulks that may wait; counted apart, so that a bulk never closes the queue to the front desk.
pub const MOST_BULK_ITEMS: usize = 10_000;
/// Requests to the central system at the same time.
pub const MOST_IN_FLIGHT: usize = 2;
/// Items in one bulk message.
pub const LARGEST_CHUNK: usize = 500;
/// Longest wait before the central system is tried again.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// Longest wait before a receipt number is asked about again.
const LONGEST_POLL: SignedDuration = SignedDuration::from_secs(30);

/// Number of a job; jobs are numbered in the order in which they were taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub i64);

/// Our receipt number (受付番号) of a bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BulkId(pub i64);

/// The central system's receipt number (ReceptionNumber) of a bulk message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub String);

/// What the queue knows of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub id: JobId,
    /// Whose inquiry number it is.
    pub person: InsuranceIdentifiers,
    /// The bulk it came with.
    pub bulk: Option<BulkId>,
    /// When it was taken in.
    pub taken_at: Timestamp,
    /// First instant at which it must be gone: its month's retention, as for results.
    pub expires_at: Timestamp,
}

/// Why the central system is tried again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// It cannot be reached.
    Unreachable,
    /// It did not answer in time.
    Timeout,
    /// It is closed.
    Maintenance,
    /// The certificates were not accepted.
    Certificate,
    /// It wants a form of TLS that is not supported.
    Renegotiation,
    /// It refused our sign-in.
    SignIn,
    /// Its answer could not be used.
    Malformed,
    /// Its answer could not be stored here.
    NotStored,
}

/// One request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set one number.
    Send(JobId),
    /// Set the numbers of these items of one bulk.
    SendBulk(Vec<JobId>),
    /// Ask what became of a bulk message, with its items in the order in which they were sent.
    Poll(Receipt, Vec<JobId>),
}

impl Step {
    /// The jobs it is about.
    pub fn jobs(&self) -> &[JobId] {
        match self {
            Self::Send(id) => std::slice::from_ref(id),
            Self::SendBulk(ids) | Self::Poll(_, ids) => ids,
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its jobs were taken or refused, each for itself: they have ended.
    Ended,
    /// The bulk message was received and is being processed.
    Received(Receipt),
    /// The bulk message is still being processed.
    Running,
    /// The bulk message was refused as a whole, which says nothing about its items: each goes alone.
    RefusedWhole,
    /// Not now.
    Later(Later),
}

/// Whom room is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A single number.
    Single,
    /// Items of a bulk.
    Bulk,
}

/// The queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits.
    Queued,
    /// It was sent, or lies with the central system.
    Sending,
}

#[derive(Debug)]
struct Job {
    waiting: Waiting,
    stage: Stage,
    attempts: u32,
    alone: bool,
}

#[derive(Debug)]
struct Chunk {
    jobs: Vec<JobId>,
    due: Timestamp,
    polls: u32,
    /// Polls since the last one that was answered.
    failed: u32,
    polling: bool,
}

impl Chunk {
    fn new(jobs: Vec<JobId>, due: Timestamp) -> Self {
        Self { jobs, due, polls: 0, failed: 0, polling: false }
    }
}

/// What is known of the central system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Untried,
    Answering,
    Away { until: Timestamp, failures: u32, why: Later },
}

/// How the queue is, for health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueView {
    /// Jobs that have not ended.
    pub depth: usize,
    /// When the oldest of them was taken in.
    pub oldest: Option<Timestamp>,
    /// Why the queue waits, if it does.
    pub waits: Option<Later>,
    /// Whether it takes no more single numbers.
    pub full: bool,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    jobs: BTreeMap<JobId, Job>,
    lines: HashMap<InsuranceIdentifiers, VecDeque<JobId>>,
    /// First of their person's line and not sent, the least tried first: one that is answered with garbage each time
    /// does not hold the others up.
    ready: BTreeSet<(u32, JobId)>,
    chunks: BTreeMap<Receipt, Chunk>,
    /// Room taken, by [`Kind`]; includes what is being stored just now.
    singles: usize,
    bulk_items: usize,
    in_flight: usize,
    link: Link,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            lines: HashMap::new(),
            ready: BTreeSet::new(),
            chunks: BTreeMap::new(),
            singles: 0,
            bulk_items: 0,
            in_flight: 0,
            link: Link::Untried,
        }
    }
}

/// A wait that doubles from one second: half of it is certain, half by chance (`jitter`: 0 none, 65535 nearly all).
fn backoff(times: u32, longest: SignedDuration, jitter: u16) -> SignedDuration {
    let seconds = 1_i64.checked_shl(times.min(16)).unwrap_or(i64::MAX);
    let half = SignedDuration::from_secs(seconds).min(longest).as_millis() / 2;
    let chance = half * i128::from(jitter) / i128::from(u16::MAX);
    SignedDuration::from_millis(i64::try_from(half + chance).unwrap_or(i64::MAX))
}

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

impl Queue {
    /// Takes room for jobs that are about to be stored; [`Queue::add`] fills it, [`Queue::give_back`] returns it.
    pub fn take_room(&mut self, kind: Kind, count: usize) -> Result<(), Full> {
        let (room, most) = self.room(kind);
        let taken = room.saturating_add(count);
        if taken > most {
            return Err(Full);
        }
        *room = taken;
        Ok(())
    }

    /// Returns room that was not filled.
    pub fn give_back(&mut self, kind: Kind, count: usize) {
        let (room, _) = self.room(kind);
        *room = room.saturating_sub(count);
    }

    fn room(&mut self, kind: Kind) -> (&mut usize, usize) {
        match kind {
            Kind::Single => (&mut self.singles, MOST_SINGLES),
            Kind::Bulk => (&mut self.bulk_items, MOST_BULK_ITEMS),
        }
    }

    /// Puts a stored job at the end of its person's line. Its room was taken before.
    pub fn add(&mut self, waiting: Waiting) {
        let id = waiting.id;
        let line = self.lines.entry(waiting.person.clone()).or_default();
        line.push_back(id);
        if line.len() == 1 {
            self.ready.insert((0, id));
        }
        self.jobs.insert(id, Job { waiting, stage: Stage::Queued, attempts: 0, alone: false });
    }

    /// Takes over, at a start, what was stored as received by the central system. The jobs were added before.
    pub fn resume(&mut self, receipt: Receipt, jobs: Vec<JobId>, now: Timestamp) {
        for id in &jobs {
            self.mark_sending(*id);
        }
        self.chunks.insert(receipt, Chunk::new(jobs, now));
    }

    /// The next request to make now, which counts as in flight until [`Queue::finish`].
    pub fn next(&mut self, now: Timestamp) -> Option<Step> {
        if self.in_flight >= self.allowed(now) {
            return None;
        }
        let tried = self.ready.first().map(|(attempts, _)| *attempts);
        // The least tried first, here too: a receipt that is answered with garbage each time holds nobody up.
        let due = self.least_failed_due(now).filter(|(failed, _)| tried.is_none_or(|tried| *failed <= tried));
        let step = match due {
            Some((_, receipt)) => self.poll(receipt),
            None => self.first_ready(),
        }?;
        self.in_flight += 1;
        Some(step)
    }

    fn allowed(&self, now: Timestamp) -> usize {
        match self.link {
            Link::Answering => MOST_IN_FLIGHT,
            Link::Untried => 1,
            Link::Away { until, .. } => usize::from(has_come(until, now, LONGEST_WAIT)),
        }
    }

    /// The receipt that is due and of which the fewest polls have failed, with how many; of those the one that waits longest.
    fn least_failed_due(&self, now: Timestamp) -> Option<(u32, Receipt)> {
        let due =
            self.chunks.iter().filter(|(_, chunk)| !chunk.polling && has_come(chunk.due, now, LONGEST_WAIT));
        let (receipt, chunk) = due.min_by_key(|(_, chunk)| (chunk.failed, chunk.due))?;
        Some((chunk.failed, receipt.clone()))
    }

    fn poll(&mut self, receipt: Receipt) -> Option<Step> {
        let chunk = self.chunks.get_mut(&receipt)?;
        chunk.polling = true;
        Some(Step::Poll(receipt, chunk.jobs.clone()))
    }

    fn first_ready(&mut self) -> Option<Step> {
        let (_, first) = *self.ready.first()?;
        let bulk = self.jobs.get(&first).filter(|job| !job.alone).and_then(|job| job.waiting.bulk);
        let together = |id: &JobId| {
            self.jobs.get(id).is_some_and(|job| !job.alone && bulk.is_some() && job.waiting.bulk == bulk)
        };
        let ready = self.ready.iter().map(|(_, id)| *id);
        let mut ids: Vec<_> = ready.filter(together).take(LARGEST_CHUNK).collect();
        if ids.len() < 2 {
            self.mark_sending(first);
            return Some(Step::Send(first));
        }
        ids.sort_unstable();
        for id in &ids {
            self.mark_sending(*id);
        }
        Some(Step::SendBulk(ids))
    }

    fn mark_sending(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            self.ready.remove(&(job.attempts, id));
            job.stage = Stage::Sending;
        }
    }

    /// Takes a step back with its outcome. `jitter`: see [`Queue`]'s waits.
    pub fn finish(&mut self, step: &Step, outcome: Outcome, now: Timestamp, jitter: u16) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Later(why) => {
                self.wait(why, now, jitter);
                self.again(step, false, now, jitter);
                return;
            }
            Outcome::Ended => {
                if let Step::Poll(receipt, _) = step {
                    self.chunks.remove(receipt);
                }
                for id in step.jobs() {
                    self.remove(*id);
                }
            }
            Outcome::Received(receipt) => {
                let due = after(now, backoff(0, LONGEST_POLL, jitter));
                self.chunks.insert(receipt, Chunk::new(step.jobs().to_vec(), due));
            }
            Outcome::Running => self.again(step, true, now, jitter),
            Outcome::RefusedWhole => {
                if let Step::Poll(receipt, _) = step {
                    self.chunks.remove(receipt);
                }
                for id in step.jobs() {
                    if let Some(job) = self.jobs.get_mut(id) {
                        job.alone = true;
                    }
                    self.requeue(*id);
                }
            }
        }
        self.link = Link::Answering;
    }

    /// The whole queue waits. What fails while it waits already had begun before, and says nothing new.
    fn wait(&mut self, why: Later, now: Timestamp, jitter: u16) {
        let failures = match self.link {
            Link::Untried | Link::Answering => 0,
            Link::Away { until, failures, .. } if has_come(until, now, LONGEST_WAIT) => {
                failures.saturating_add(1)
            }
            Link::Away { .. } => return,
        };
        self.link = Link::Away { until: after(now, backoff(failures, LONGEST_WAIT, jitter)), failures, why };
    }

    /// A step that ended without an end: sent again, or asked about again.
    fn again(&mut self, step: &Step, answered: bool, now: Timestamp, jitter: u16) {
        match step {
            Step::Send(_) | Step::SendBulk(_) => {
                for id in step.jobs() {
                    self.requeue(*id);
                }
            }
            Step::Poll(receipt, _) => {
                if let Some(chunk) = self.chunks.get_mut(receipt) {
                    chunk.polls = chunk.polls.saturating_add(1);
                    chunk.failed = if answered { 0 } else { chunk.failed.saturating_add(1) };
                    chunk.due = after(now, backoff(chunk.polls, LONGEST_POLL, jitter));
                    chunk.polling = false;
                }
            }
        }
    }

    /// It stayed first in its person's line all the while.
    fn requeue(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.stage = Stage::Queued;
            job.attempts = job.attempts.saturating_add(1);
            self.ready.insert((job.attempts, id));
        }
    }

    fn remove(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.ready.remove(&(job.attempts, id));
        self.give_back(if job.waiting.bulk.is_some() { Kind::Bulk } else { Kind::Single }, 1);
        let Some(line) = self.lines.get_mut(&job.waiting.person) else { return };
        line.retain(|other| *other != id);
        match line.front() {
            None => {
                self.lines.remove(&job.waiting.person);
            }
            Some(head) => {
                if let Some(next) = self.jobs.get(head).filter(|next| next.stage == Stage::Queued) {
                    self.ready.insert((next.attempts, *head));
                }
            }
        }
    }

    /// Drops what has reached the end of its retention; returns it. What is in flight ends first; a receipt that only waits
    /// to be asked about again goes with its items.
    pub fn expire(&mut self, now: Timestamp) -> Vec<JobId> {
        // Jobs are numbered by their time of intake, so the expired ones come first.
        let expired = self.jobs.iter().take_while(|(_, job)| job.waiting.expires_at <= now);
        let expired: BTreeMap<_, _> = expired.map(|(id, job)| (*id, job.stage)).collect();
        let is_over = |chunk: &Chunk| !chunk.polling && chunk.jobs.iter().all(|id| expired.contains_key(id));
        let over = self.chunks.extract_if(.., |_, chunk| is_over(chunk)).flat_map(|(_, chunk)| chunk.jobs);
        let waited = expired.iter().filter(|(_, stage)| **stage == Stage::Queued).map(|(id, _)| *id);
        let gone: Vec<_> = over.chain(waited).collect();
        for id in &gone {
            self.remove(*id);
        }
        gone
    }

    /// When [`Queue::next`] should be asked again; `None` while only a new job or a step's end can change anything.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let polls = self.chunks.values().filter(|chunk| !chunk.polling).map(|chunk| chunk.due).min();
        let work = if self.ready.is_empty() { polls? } else { now };
        match self.link {
            Link::Away { until, .. } if self.in_flight == 0 => {
                Some(if has_come(until, now, LONGEST_WAIT) { work } else { work.max(until) })
            }
            Link::Untried if self.in_flight == 0 => Some(work),
            Link::Answering if self.in_flight < MOST_IN_FLIGHT => Some(work),
            Link::Away { .. } | Link::Untried | Link::Answering => None,
        }
    }

    /// Whether a job taken in now would not be sent now because the central system is away.
    pub fn waits(&self, now: Timestamp) -> Option<Later> {
        match self.link {
            Link::Away { until, why, .. } if !has_come(until, now, LONGEST_WAIT) => Some(why),
            Link::Away { .. } | Link::Untried | Link::Answering => None,
        }
    }

    /// Where a job is; `None` once it has ended.
    pub fn stage(&self, id: JobId) -> Option<Stage> {
        self.jobs.get(&id).map(|job| job.stage)
    }

    /// How the queue is.
    pub fn view(&self) -> QueueView {
        QueueView {
            depth: self.jobs.len(),
            oldest: self.jobs.values().next().map(|job| job.waiting.taken_at),
            waits: match self.link {
                Link::Away { why, .. } => Some(why),
                Link::Untried | Link::Answering => None,
            },
            full: self.singles >= MOST_SINGLES,
        }
    }
}

/// Whether a number stands on results of other people only, or stands nowhere and is on its way for others only, so that it
/// cannot be this person's without a word of the central system: it links two insurances by returning the number for both.
pub fn number_is_taken(
    person: &InsuranceIdentifiers,
    holders: &[InsuranceIdentifiers],
    on_its_way_for_others: bool,
) -> bool {
    if holders.is_empty() { on_its_way_for_others } else { !holders.contains(person) }
}
