//! Schedules of whole checks: staff, patients and cards at one desk or at two, on the real use case and the real desk.

use std::sync::Arc;

use daemon::app::access::Actor;
use daemon::app::checks::{Checks, ChecksParts, NewCheck, Patience, Terminal};
use daemon::app::idempotency::Idempotency;
use daemon::app::maintenance::MaintenanceCalendar;
use daemon::app::ports::{AuditSource, Origin, ReaderName, Role, TerminalId};
use daemon::app::tasks::Tasks;
use daemon::domain::check::{Method, Phase};
use daemon::domain::personal::Pin;
use jiff::Timestamp;

use super::desk::{Bench, action, script};
use super::floor::{Action, Entry, Floor, READERS};
use super::ports::{Central, Store};
use crate::ambient::{HeldClock, SeededRandom};
use crate::dice::Dice;

/// Moves after which staff cancel, and after which a check that has not ended never will.
const PATIENCE: (usize, usize) = (40, 120);

struct Facility {
    bench: Bench,
    checks: Checks,
    central: Arc<Central>,
    tasks: Tasks,
    actor: Actor,
}

/// One desk of the reception.
struct Counter {
    number: usize,
    check: Option<String>,
    moves: usize,
    visits: usize,
    /// The latest insertion that an earlier check may have used.
    used: u64,
}

/// One schedule: some checks at each of `desks` desks, their moves in random order.
pub(super) async fn play(floor: &Floor, dice: &mut Dice, desks: usize) {
    let facility = Facility::open(floor, dice);
    let visits = 1 + dice.below(2);
    let mut counters: Vec<Counter> =
        (0..desks).map(|number| Counter { number, check: None, moves: 0, visits, used: 0 }).collect();
    loop {
        let active: Vec<usize> = (0..desks).filter(|desk| counters[*desk].visits > 0).collect();
        if active.is_empty() {
            break;
        }
        facility.make_a_move(&mut counters[dice.pick(&active)], dice).await;
    }
    facility.tasks.finish().await;
    facility.bench.close().await;
}

impl Facility {
    fn open(floor: &Floor, dice: &mut Dice) -> Self {
        let bench = Bench::open(floor);
        let (central, store, tasks) =
            (Arc::new(Central::default()), Arc::new(Store::default()), Tasks::default());
        let terminals = READERS.map(|reader| Terminal {
            id: TerminalId(reader.to_owned()),
            reader: Some(ReaderName(reader.to_owned())),
        });
        let parts = ChecksParts {
            desk: bench.desk.clone(),
            central: central.clone(),
            store: store.clone(),
            room: store.clone(),
            idempotency: Idempotency::new(store.clone()),
            audit: store.clone(),
            settings: store,
            terminal_authentication: None,
            maintenance: MaintenanceCalendar::default(),
            clock: Arc::new(HeldClock::at(Timestamp::UNIX_EPOCH)),
            random: Arc::new(SeededRandom::new(dice.below(1 << 30) as u64)),
            tasks: tasks.clone(),
            terminals: terminals.into(),
            patience: Patience::default(),
            origin: Origin::Sandbox,
            tally: Arc::default(),
        };
        let actor =
            Actor { account: "reception".to_owned(), role: Role::Operator, source: AuditSource::Daemon };
        Self { bench, checks: Checks::new(parts), central, tasks, actor }
    }

    /// What happens next at a desk.
    async fn make_a_move(&self, counter: &mut Counter, dice: &mut Dice) {
        counter.moves += 1;
        let Some(id) = counter.check.clone() else { return self.begin(counter, dice).await };
        let Ok(view) = self.checks.view(&self.actor, &id) else {
            self.bench.floor.finding(format!("check {id} is not known"));
            return self.end(counter).await;
        };
        if counter.moves > PATIENCE.0 && !view.phase.is_end() {
            // Refused once the central system is asked.
            drop(self.checks.cancel(&self.actor, &id).await);
        }
        if counter.moves > PATIENCE.1 {
            self.bench.floor.finding(format!("a check is stuck in {:?}", view.phase));
            return self.end(counter).await;
        }
        let floor = &self.bench.floor;
        match view.phase {
            Phase::WaitingForPin => self.type_pin(counter, &id, dice).await,
            Phase::WaitingForCard => self.present(counter.number, dice).await,
            Phase::ConfirmingLastTry => self.last_try(counter.number, &id, dice).await,
            phase => {
                if phase != Phase::FetchingChallenge {
                    floor.with_entry(counter.number, |entry| entry.bound = true);
                }
                if phase.is_end() {
                    return self.end(counter).await;
                }
                self.wait(&id, dice).await;
            }
        }
    }

    /// Lets the daemon go on, to the end of what its desk is doing or not even that.
    async fn wait(&self, check: &str, dice: &mut Dice) {
        tokio::select! {
            biased;
            () = self.bench.steps.give_up() => {
                self.bench.steps.gone();
                drop(self.checks.cancel(&self.actor, check).await);
            }
            () = async { if dice.percent(50) { self.bench.settle().await } } => {}
        }
        tokio::task::yield_now().await;
    }

    /// A patient comes: with the card on the reader already, or not yet.
    async fn begin(&self, counter: &mut Counter, dice: &mut Dice) {
        let floor = &self.bench.floor;
        let desk = counter.number;
        if dice.percent(60) {
            self.bench.set_out(dice, desk, desk);
        } else {
            floor.tidy();
            if dice.percent(70) {
                floor.act(Action::Take(desk));
            }
        }
        self.bench.settle().await;
        let new = NewCheck {
            method: if dice.percent(90) { Method::CardPin } else { Method::Visual },
            terminal: Some(TerminalId(READERS[desk].to_owned())),
            reader: None,
            card_kind: None,
            entered_by: None,
            visual_after_lock_of: None,
        };
        // Refused while the other desk's trouble lasts; tried again at the next move.
        if let Ok(view) = self.checks.create(&self.actor, &new, None).await {
            counter.check = Some(view.id);
            tokio::task::yield_now().await;
        }
    }

    /// The patient types a PIN; nothing else moves while it is handed over.
    async fn type_pin(&self, counter: &Counter, id: &str, dice: &mut Dice) {
        let floor = &self.bench.floor;
        let desk = counter.number;
        match dice.below(10) {
            0 => drop(self.checks.cancel(&self.actor, id).await),
            1 => drop(floor.act(action(dice))),
            2 => {
                floor.act(Action::Put(desk, dice.below(3)));
            }
            _ => {}
        }
        let held = floor.hold();
        let before = self.bench.shown(desk);
        let lying = floor.lies_on(desk);
        let pin = floor.pin(lying.or(Some(desk)).filter(|_| dice.percent(70)));
        let entry = Entry { open_for_next: lying.is_none(), bound: false, ..Entry::new(pin.clone(), lying) };
        floor.enter(desk, entry);
        let pin = Pin::parse(&pin).expect("four digits");
        let taken = self.checks.enter_pin(&self.actor, id, pin).await;
        let after = self.bench.shown(desk);
        if taken.is_err() {
            // Refused: it must reach no card at all.
            floor.leave(desk);
        } else if after.as_ref().is_some_and(|card| card.insertion > counter.used) && before == after {
            floor.with_entry(desk, |entry| entry.bound = true);
        }
        self.bench.steps.play(script(dice));
        drop(held);
        tokio::task::yield_now().await;
    }

    /// The patient holds the card on the reader, again if nothing happens.
    async fn present(&self, desk: usize, dice: &mut Dice) {
        let floor = &self.bench.floor;
        floor.tidy();
        match floor.lies_on(desk) {
            None => {
                floor.act(Action::Put(desk, desk));
            }
            Some(card) if dice.percent(30) => {
                floor.act(Action::Take(desk));
                floor.act(Action::Put(desk, card));
            }
            Some(_) => {}
        }
        self.bench.settle().await;
        tokio::task::yield_now().await;
    }

    /// Staff ask the patient about the last try; meanwhile anything can happen to the card.
    async fn last_try(&self, desk: usize, id: &str, dice: &mut Dice) {
        let floor = &self.bench.floor;
        floor.with_entry(desk, |entry| entry.bound = true);
        match dice.below(10) {
            0 => drop(self.checks.cancel(&self.actor, id).await),
            1 => drop(floor.act(action(dice))),
            2 => drop(floor.act(Action::Put(desk, dice.below(3)))),
            3 => self.bench.settle().await,
            _ => {
                floor.with_entry(desk, |entry| entry.last_try_confirmed = true);
                self.bench.steps.play(script(dice));
                drop(self.checks.confirm_last_try(&self.actor, id).await);
            }
        }
        tokio::task::yield_now().await;
    }

    /// The check is over: whatever was signed must be of the card that the PIN was typed for.
    async fn end(&self, counter: &mut Counter) {
        let floor = &self.bench.floor;
        self.bench.settle().await;
        counter.used = self.bench.shown(counter.number).map_or(counter.used, |card| card.insertion);
        for (challenge, certificate, signature) in self.central.proofs() {
            floor.count(|tally| tally.signatures += 1);
            let cards = (0..READERS.len()).filter_map(|desk| floor.meant(desk));
            let mut good =
                cards.map(|card| floor.is_signed_by(card, &certificate, &signature, challenge.as_bytes()));
            if !good.any(|good| good) {
                floor.count(|tally| tally.mixups += 1);
                floor.finding(format!("{challenge} was answered by a card that it was not asked of"));
            }
        }
        floor.leave(counter.number);
        *counter = Counter { check: None, moves: 0, visits: counter.visits - 1, ..*counter };
    }
}
