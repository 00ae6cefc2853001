//! The threads that hold card sessions: one session a line, one line a reader, so that a reader whose calls hang takes its
//! own line down and nothing else.
//!
//! A hanging call cannot be broken off. Its caller gives up after a while, its reader refuses further work until the call
//! returns, and the other lines go on. There are as many lines as PC/SC contexts allow; when all of them hang, further work
//! is refused at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::job::{Claim, Job, Work};
use super::sight::Sight;
use crate::app::ports::{CardError, CardEvent, ReaderName};
use crate::card::readers::{CardConnection, Line};
use crate::card::session;

/// How many card sessions are held at once.
pub const LINES: usize = 3;

/// Jobs that may wait. A reader serves one check at a time, so more than a few mean that lines hang.
const MOST_WAITING: usize = 16;

/// The work of all lines.
#[derive(Default)]
pub struct Lines {
    floor: Mutex<Floor>,
    changed: Condvar,
}

#[derive(Default)]
struct Floor {
    waiting: VecDeque<Job>,
    /// The lines without a job, by number. The first of them takes the next: a line that is never needed opens no context.
    idle: BTreeSet<usize>,
    /// The readers on which a line works now.
    held: HashMap<ReaderName, Held>,
    stopping: bool,
}

/// A line at work on a reader.
struct Held {
    claim: Claim,
    /// Set when the caller gave up waiting for it: what others are told who want the same reader.
    hangs: Option<CardError>,
}

impl Lines {
    fn floor(&self) -> MutexGuard<'_, Floor> {
        // Every change is a single step, so a panic elsewhere leaves nothing half done.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job to the next free line, unless it is known that it would have to wait for a line that hangs.
    pub fn submit(&self, job: Job) -> Result<(), CardError> {
        let mut floor = self.floor();
        if floor.stopping {
            return Err(CardError::ServiceUnavailable);
        }
        if let Some(error) = floor.held.get(&job.card.reader).and_then(|held| held.hangs.clone()) {
            return Err(error);
        }
        floor.waiting.retain(|waiting| !waiting.claim.is_taken());
        let hanging = floor.held.values().filter(|held| held.hangs.is_some()).count();
        if hanging >= LINES || floor.waiting.len() >= MOST_WAITING {
            return Err(CardError::ReaderUnavailable);
        }
        floor.waiting.push_back(job);
        drop(floor);
        self.changed.notify_all();
        Ok(())
    }

    /// The caller of this work gives up: marks the reader, if a line works on it for this caller, and returns what to say.
    /// `untouched` tells that the work was not taken: no command has reached the card.
    pub fn give_up(&self, card: &CardEvent, claim: &Claim, untouched: bool) -> CardError {
        let mut floor = self.floor();
        match floor.held.get_mut(&card.reader) {
            // The call that connects hangs, which it does while another program holds a transaction.
            Some(held) if untouched => {
                if held.claim.is(claim) {
                    held.hangs = Some(CardError::InUse);
                }
                CardError::InUse
            }
            Some(held) => {
                if held.claim.is(claim) {
                    held.hangs = Some(CardError::ReaderUnavailable);
                }
                CardError::ReaderUnavailable
            }
            None => CardError::ReaderUnavailable,
        }
    }

    /// The readers whose line hangs.
    pub fn hanging(&self) -> BTreeSet<ReaderName> {
        let floor = self.floor();
        let hang = floor.held.iter().filter(|(_, held)| held.hangs.is_some());
        hang.map(|(reader, _)| reader.clone()).collect()
    }

    /// Ends all lines after the session that each of them holds. Jobs still waiting are dropped.
    pub fn stop(&self) {
        let mut floor = self.floor();
        floor.stopping = true;
        floor.waiting.clear();
        drop(floor);
        self.changed.notify_all();
    }

    /// Serves jobs on a line, by its number, until told to stop; `patience` is for a fresh look at the readers.
    pub fn serve(&self, number: usize, mut line: Box<dyn Line>, sight: &Sight, patience: Duration) {
        while let Some(job) = self.next(number) {
            let done = catch_unwind(AssertUnwindSafe(|| perform(&mut *line, sight, &job, patience)));
            // The line is free before the caller knows its result, so that the caller's next job takes no other line.
            self.done(number, &job.card.reader);
            if let Ok(answer) = done {
                answer();
            } else {
                tracing::error!(reader = job.card.reader.0, "a card session panicked");
            }
        }
    }

    /// Waits for a job on a reader that no other line works on.
    fn next(&self, number: usize) -> Option<Job> {
        let mut floor = self.floor();
        floor.idle.insert(number);
        loop {
            if floor.stopping {
                return None;
            }
            if floor.idle.first() == Some(&number)
                && let Some(job) = floor.take()
            {
                floor.idle.remove(&number);
                // There may be another job, for the line that comes first now.
                self.changed.notify_all();
                return Some(job);
            }
            floor = self.changed.wait(floor).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, number: usize, reader: &ReaderName) {
        let mut floor = self.floor();
        floor.held.remove(reader);
        floor.idle.insert(number);
        drop(floor);
        self.changed.notify_all();
    }
}

impl Floor {
    fn take(&mut self) -> Option<Job> {
        let is_free = |job: &Job| !self.held.contains_key(&job.card.reader);
        let job = self.waiting.iter().position(is_free).and_then(|index| self.waiting.remove(index))?;
        self.held.insert(job.card.reader.clone(), Held { claim: job.claim.clone(), hangs: None });
        Some(job)
    }
}

/// Tells the caller. A caller that has gone needs no answer.
type Answer = Box<dyn FnOnce()>;

/// One session; the connection ends (and the card is powered off) before the result is known.
fn perform(line: &mut dyn Line, sight: &Sight, job: &Job, patience: Duration) -> Answer {
    let nobody_waits = || Box::new(|| ());
    if job.claim.is_taken() {
        return nobody_waits();
    }
    let card = &job.card;
    let mut connection = match open(line, sight, card, patience) {
        Ok(connection) => connection,
        Err(error) => {
            return match job.claim.take() {
                Some(work) => Box::new(move || work.refuse(error)),
                None => nobody_waits(),
            };
        }
    };
    let Some(work) = job.claim.take() else { return nobody_waits() };
    let mut rung = sight.rung(&card.reader);
    match work {
        Work::ReadCertificate { reply } => {
            let result = session::read_certificate(&mut *connection, &mut rung);
            drop(connection);
            sight.remember_rung(&card.reader, rung);
            Box::new(move || drop(reply.send(result)))
        }
        Work::Sign { opening, challenge, reply } => {
            let result = session::open_and_sign(&mut *connection, &mut rung, opening, &challenge);
            drop(connection);
            sight.remember_rung(&card.reader, rung);
            Box::new(move || drop(reply.send(result)))
        }
    }
}

/// Connects to this very card.
///
/// The card is looked at before connecting, so that a foreign card is not even powered, and after, with a fresh look: from
/// then on the connection fails if the card leaves. The fresh look is the watching thread's, since only that knows whether
/// the service was restarted in between and counts events from the start again.
fn open(
    line: &mut dyn Line,
    sight: &Sight,
    card: &CardEvent,
    patience: Duration,
) -> Result<Box<dyn CardConnection>, CardError> {
    let event_count = sight.event_count(card)?;
    let connection = line.connect(&card.reader, event_count)?;
    sight.look_afresh(patience)?;
    sight.event_count(card)?;
    Ok(connection)
}
