//! The queue of inquiry numbers as a model: whatever happens in whichever order, nothing is lost, doubled or overtaken.

use std::collections::{BTreeMap, BTreeSet};

use daemon::domain::identifiers::InsuranceIdentifiers;
use daemon::domain::queue::{
    BulkId, Full, JobId, Kind, LONGEST_WAIT, Later, MOST_IN_FLIGHT, MOST_SINGLES, Outcome, Queue, Receipt,
    Step, Waiting, number_is_taken,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn person(index: u8) -> InsuranceIdentifiers {
    InsuranceIdentifiers::parse("123456", None, &index.to_string(), None).expect("identifiers")
}

fn job(id: i64, of: u8, bulk: Option<i64>) -> Waiting {
    Waiting {
        id: JobId(id),
        person: person(of),
        bulk: bulk.map(BulkId),
        taken_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::MAX,
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("an instant")
}

#[derive(Debug, Clone)]
enum Act {
    Add { person: u8, bulk: Option<i64> },
    Pass { millis: i64 },
    Begin,
    End { which: usize, how: u8, jitter: u16 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = prop_oneof![
        3 => (0..4_u8, prop::option::of(1..3_i64)).prop_map(|(person, bulk)| Act::Add { person, bulk }),
        2 => (0..40_000_i64).prop_map(|millis| Act::Pass { millis }),
        4 => Just(Act::Begin),
        4 => (any::<usize>(), 0..6_u8, any::<u16>()).prop_map(|(which, how, jitter)| Act::End { which, how, jitter }),
    ];
    prop::collection::vec(one, 1..120)
}

/// The queue, and what must hold about it.
struct Model {
    queue: Queue,
    now: Timestamp,
    /// What was taken in and has not ended, in order, for each person.
    open: BTreeMap<u8, Vec<JobId>>,
    whose: BTreeMap<JobId, u8>,
    flying: Vec<Step>,
    received: BTreeSet<JobId>,
    ended: Vec<JobId>,
}

impl Model {
    fn new() -> Self {
        Self {
            queue: Queue::default(),
            now: Timestamp::UNIX_EPOCH,
            open: BTreeMap::new(),
            whose: BTreeMap::new(),
            flying: Vec::new(),
            received: BTreeSet::new(),
            ended: Vec::new(),
        }
    }

    fn add(&mut self, of: u8, bulk: Option<i64>) {
        let id = i64::try_from(self.whose.len()).expect("few") + 1;
        let kind = if bulk.is_some() { Kind::Bulk } else { Kind::Single };
        self.queue.take_room(kind, 1).expect("room");
        self.queue.add(job(id, of, bulk));
        self.whose.insert(JobId(id), of);
        self.open.entry(of).or_default().push(JobId(id));
    }

    fn begin(&mut self) -> bool {
        let Some(step) = self.queue.next(self.now) else { return false };
        for id in step.jobs() {
            let of = self.whose[id];
            assert_eq!(self.open[&of].first(), Some(id), "{id:?} overtakes another number of its person");
            assert!(
                self.flying.iter().all(|other| !other.jobs().contains(id)),
                "{id:?} is sent twice at a time"
            );
        }
        self.flying.push(step);
        assert!(self.flying.len() <= MOST_IN_FLIGHT);
        true
    }

    fn end(&mut self, which: usize, how: u8, jitter: u16) {
        if self.flying.is_empty() {
            return;
        }
        let step = self.flying.remove(which % self.flying.len());
        let outcome = match (&step, how) {
            (_, 0) => Outcome::Later(Later::Unreachable),
            (_, 1) => Outcome::Later(Later::NotStored),
            (Step::SendBulk(ids), 2 | 3) => {
                self.received.extend(ids);
                Outcome::Received(Receipt(format!("{}", ids[0].0)))
            }
            (Step::Poll(..), 2) => Outcome::Running,
            (Step::SendBulk(_) | Step::Poll(..), 4) => Outcome::RefusedWhole,
            _ => Outcome::Ended,
        };
        if outcome == Outcome::Ended {
            for id in step.jobs() {
                let line = self.open.get_mut(&self.whose[id]).expect("a line");
                assert_eq!(line.remove(0), *id);
                self.ended.push(*id);
            }
        }
        self.queue.finish(&step, outcome, self.now, jitter);
    }

    /// Lets the central system answer everything from now on.
    fn drain(&mut self) {
        for _ in 0..10_000 {
            while self.begin() {}
            if self.flying.is_empty() {
                let Some(due) = self.queue.next_due(self.now) else { return };
                assert!(due > self.now, "something is due and is not begun");
                assert!(due.duration_since(self.now) <= LONGEST_WAIT);
                self.now = due;
            } else {
                self.end(0, 9, 0);
            }
        }
        panic!("the queue does not end");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_overtaken_and_never_more_than_two_are_in_flight(acts in acts()) {
        let mut model = Model::new();
        for act in acts {
            match act {
                Act::Add { person, bulk } => model.add(person, bulk),
                Act::Pass { millis } => {
                    model.now = model.now.checked_add(SignedDuration::from_millis(millis)).expect("a time");
                }
                Act::Begin => {
                    model.begin();
                }
                Act::End { which, how, jitter } => model.end(which, how, jitter),
            }
            prop_assert_eq!(model.queue.view().depth, model.whose.len() - model.ended.len());
        }
        model.drain();
        model.ended.sort();
        prop_assert_eq!(model.ended, model.whose.keys().copied().collect::<Vec<_>>());
        prop_assert_eq!(model.queue.view().depth, 0);
    }
}

/// A queue with single jobs of different people.
fn queue_of(jobs: i64) -> Queue {
    let mut queue = Queue::default();
    for id in 1..=jobs {
        queue.take_room(Kind::Single, 1).expect("room");
        queue.add(job(id, u8::try_from(id).expect("few"), None));
    }
    queue
}

#[test]
fn after_an_outage_one_goes_first_and_then_two_at_a_time() {
    let mut queue = queue_of(5);
    let first = queue.next(later(0)).expect("the first");
    assert_eq!(queue.next(later(0)), None, "nobody knows yet whether it works");
    queue.finish(&first, Outcome::Later(Later::Timeout), later(0), u16::MAX);
    assert_eq!((queue.next(later(0)), queue.waits(later(0))), (None, Some(Later::Timeout)));
    let probe = queue.next(later(1)).expect("the probe");
    assert_ne!(probe, first, "the least tried goes first");
    assert_eq!(queue.next(later(1)), None);
    queue.finish(&probe, Outcome::Ended, later(1), 0);
    assert!(queue.next(later(1)).is_some() && queue.next(later(1)).is_some());
    assert_eq!(queue.next(later(1)), None);
}

#[test]
fn the_wait_doubles_up_to_a_minute_and_half_of_it_is_chance() {
    for (jitter, expected) in [
        (u16::MAX, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
        (0, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]),
    ] {
        let mut queue = queue_of(1);
        let mut now = later(0);
        for millis in expected {
            let step = queue.next(now).expect("due");
            queue.finish(&step, Outcome::Later(Later::Unreachable), now, jitter);
            let due = queue.next_due(now).expect("a next time");
            assert_eq!(due.duration_since(now), SignedDuration::from_millis(millis));
            assert_eq!(queue.next(due - SignedDuration::from_millis(1)), None);
            now = due;
        }
    }
}

#[test]
fn two_failures_of_the_same_moment_are_one_outage() {
    let mut queue = queue_of(4);
    let first = queue.next(later(0)).expect("the first");
    queue.finish(&first, Outcome::Ended, later(0), 0);
    let pair = [queue.next(later(0)).expect("one"), queue.next(later(0)).expect("another")];
    for step in &pair {
        queue.finish(step, Outcome::Later(Later::Unreachable), later(0), u16::MAX);
    }
    assert_eq!(queue.next_due(later(0)), Some(later(1)));
}

#[test]
fn a_clock_set_back_does_not_stop_the_queue() {
    let mut queue = queue_of(1);
    let step = queue.next(later(100_000)).expect("due");
    queue.finish(&step, Outcome::Later(Later::Unreachable), later(100_000), 0);
    assert!(queue.next(later(10)).is_some());
}

#[test]
fn a_bulk_goes_in_chunks_and_a_person_twice_in_it_goes_in_two() {
    let mut queue = Queue::default();
    queue.take_room(Kind::Bulk, 1_203).expect("room");
    for id in 1..=1_202 {
        let identifiers = InsuranceIdentifiers::parse("1", None, &id.to_string(), None).expect("identifiers");
        queue.add(Waiting { person: identifiers, ..job(id, 0, Some(1)) });
    }
    let again = InsuranceIdentifiers::parse("1", None, "1", None).expect("identifiers");
    queue.add(Waiting { person: again, ..job(1_203, 0, Some(1)) });
    let mut sizes = Vec::new();
    while let Some(step) = queue.next(later(0)) {
        assert!(step.jobs().is_sorted());
        sizes.push(step.jobs().len());
        queue.finish(&step, Outcome::Ended, later(0), 0);
    }
    assert_eq!(sizes, [500, 500, 203]);
    assert_eq!(queue.view().depth, 0);
}

#[test]
fn a_bulk_refused_as_a_whole_goes_one_by_one() {
    let mut queue = Queue::default();
    queue.take_room(Kind::Bulk, 3).expect("room");
    for id in 1..=3 {
        queue.add(job(id, u8::try_from(id).expect("few"), Some(1)));
    }
    let whole = queue.next(later(0)).expect("the bulk");
    assert_eq!(whole, Step::SendBulk(vec![JobId(1), JobId(2), JobId(3)]));
    queue.finish(&whole, Outcome::RefusedWhole, later(0), 0);
    assert_eq!(queue.next(later(0)), Some(Step::Send(JobId(1))));
    assert_eq!(queue.next(later(0)), Some(Step::Send(JobId(2))));
}

/// A bulk of two items that was received, and single numbers of other people.
fn received(singles: i64, expires_at: Timestamp) -> (Queue, Step) {
    let mut queue = Queue::default();
    queue.take_room(Kind::Bulk, 2).expect("room");
    for id in 1..=2 {
        queue.add(Waiting { expires_at, ..job(id, u8::try_from(id).expect("few"), Some(1)) });
    }
    let bulk = queue.next(later(0)).expect("the bulk");
    let receipt = Receipt("R".to_owned());
    queue.finish(&bulk, Outcome::Received(receipt.clone()), later(0), 0);
    for id in 3..3 + singles {
        queue.take_room(Kind::Single, 1).expect("room");
        queue.add(job(id, u8::try_from(id).expect("few"), None));
    }
    (queue, Step::Poll(receipt, vec![JobId(1), JobId(2)]))
}

#[test]
fn a_receipt_that_is_answered_with_garbage_each_time_holds_no_number_up() {
    let (mut queue, poll) = received(0, Timestamp::MAX);
    let mut now = later(1);
    for _ in 0..10 {
        assert_eq!(queue.next(now), Some(poll.clone()));
        queue.finish(&poll, Outcome::Later(Later::Malformed), now, u16::MAX);
        now = now.checked_add(LONGEST_WAIT).expect("an instant");
    }
    for id in 3..6 {
        queue.take_room(Kind::Single, 1).expect("room");
        queue.add(job(id, u8::try_from(id).expect("few"), None));
        let step = queue.next(now).expect("the number");
        assert_eq!(step, Step::Send(JobId(id)), "it was tried less often than the receipt");
        queue.finish(&step, Outcome::Ended, now, 0);
    }
    assert_eq!(queue.next(now), Some(poll), "and the receipt is not forgotten");
}

#[test]
fn a_receipt_that_is_answered_with_garbage_each_time_does_not_keep_others_from_being_asked_about() {
    let mut queue = Queue::default();
    let receipts = ["A", "B"].map(|name| Receipt(name.to_owned()));
    queue.take_room(Kind::Bulk, 2).expect("room");
    for (id, receipt) in (1..).zip(&receipts) {
        queue.add(job(id, u8::try_from(id).expect("few"), Some(id)));
        queue.resume(receipt.clone(), vec![JobId(id)], later(0));
    }
    let mut now = later(0);
    let mut asked = Vec::new();
    for _ in 0..4 {
        let step = queue.next(now).expect("a poll");
        let Step::Poll(receipt, _) = &step else { panic!("{step:?}") };
        let outcome =
            if *receipt == receipts[0] { Outcome::Later(Later::Malformed) } else { Outcome::Running };
        asked.push(receipt.clone());
        queue.finish(&step, outcome, now, 0);
        now = now.checked_add(LONGEST_WAIT).expect("an instant");
    }
    assert_eq!(asked.iter().filter(|receipt| **receipt == receipts[1]).count(), 3, "{asked:?}");
}

#[test]
fn a_receipt_goes_with_its_items_at_the_end_of_their_retention() {
    let (mut queue, poll) = received(1, later(100));
    assert_eq!(queue.next(later(99)), Some(poll.clone()));
    assert_eq!(queue.expire(later(100)), [], "what is in flight ends first");
    queue.finish(&poll, Outcome::Later(Later::Malformed), later(100), 0);
    assert_eq!(queue.expire(later(100)), [JobId(1), JobId(2)]);
    assert_eq!(queue.view().depth, 1);
    let step = queue.next(later(200)).expect("the number");
    queue.finish(&step, Outcome::Ended, later(200), 0);
    assert_eq!((queue.next(later(300)), queue.next_due(later(300))), (None, None));
    assert_eq!(queue.take_room(Kind::Bulk, 10_000), Ok(()), "its room is free");
}

#[test]
fn the_queue_is_bounded_and_a_bulk_does_not_close_it_to_single_numbers() {
    let mut queue = Queue::default();
    assert_eq!(queue.take_room(Kind::Bulk, 10_000), Ok(()));
    assert_eq!(queue.take_room(Kind::Bulk, 1), Err(Full));
    assert_eq!(queue.take_room(Kind::Single, MOST_SINGLES), Ok(()));
    assert!(queue.view().full);
    assert_eq!(queue.take_room(Kind::Single, 1), Err(Full));
    queue.give_back(Kind::Single, 1);
    assert_eq!(queue.take_room(Kind::Single, 1), Ok(()));
}

#[test]
fn what_waits_past_its_retention_is_dropped_and_what_is_in_flight_is_not() {
    let mut queue = Queue::default();
    for id in 1..=3 {
        queue.take_room(Kind::Single, 1).expect("room");
        let expires_at = later(if id < 3 { 100 } else { 200 });
        queue.add(Waiting { expires_at, ..job(id, u8::try_from(id).expect("few"), None) });
    }
    let flying = queue.next(later(0)).expect("the first");
    assert_eq!(queue.expire(later(99)), []);
    assert_eq!(queue.expire(later(100)), [JobId(2)]);
    queue.finish(&flying, Outcome::Ended, later(100), 0);
    assert_eq!(queue.view().depth, 1);
}

#[test]
fn a_number_on_others_results_only_is_taken() {
    let (one, two) = (person(1), person(2));
    assert!(!number_is_taken(&one, &[], false));
    assert!(number_is_taken(&one, &[], true));
    for others in [false, true] {
        let linked = [two.clone(), one.clone()];
        assert!(!number_is_taken(&one, &linked, others), "the central system linked them");
        assert!(number_is_taken(&one, std::slice::from_ref(&two), others));
    }
}
