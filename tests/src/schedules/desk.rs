//! Schedules of the desk alone: one PIN at a time, everything that can happen around and within its card session.

use std::sync::Arc;

use daemon::app::ports::{CardDesk as _, CardEvent, ReaderName, ReaderState, Signing};
use daemon::card::desk::Desk;
use daemon::card::readers::{Readers as _, Wake};
use daemon::domain::personal::Pin;

use super::floor::{Action, Entry, Floor, READERS, behaviour, faults};
use super::steps::{SteppedReaders, Steps};
use crate::card::readers::{SimReaders, Trouble};
use crate::dice::Dice;

/// The cards of the floor.
const CARDS: usize = 3;

/// The desk of one schedule.
pub(super) struct Bench {
    pub(super) floor: Floor,
    pub(super) steps: Steps,
    pub(super) desk: Arc<Desk>,
    waker: Arc<dyn Wake>,
}

impl Bench {
    pub(super) fn open(floor: &Floor) -> Self {
        let (inner, hand) = SimReaders::new(&READERS);
        floor.open(hand);
        let steps = Steps::new(floor);
        let readers = SteppedReaders { inner, steps: steps.clone() };
        let waker = readers.waker();
        let desk = Desk::start(Box::new(readers)).expect("threads for the desk");
        Self { floor: floor.clone(), steps, desk: Arc::new(desk), waker }
    }

    /// Waits until the desk has finished what it was given before and has looked at the readers.
    pub(super) async fn settle(&self) {
        for reader in READERS {
            // Of an insertion that never was: refused without touching a card, once the reader is free.
            let nothing = CardEvent { reader: ReaderName(reader.to_owned()), insertion: 0 };
            drop(self.desk.read_certificate(&nothing).await);
        }
        if !self.steps.seen(&*self.waker) {
            self.floor.finding("the desk does not look at its readers".to_owned());
        }
    }

    /// The card on a reader as the desk shows it.
    pub(super) fn shown(&self, reader: usize) -> Option<CardEvent> {
        let view = self.desk.watch();
        let view = view.borrow();
        match view.state(&ReaderName(READERS[reader].to_owned())) {
            Some(ReaderState::Card(card)) => Some(card.clone()),
            _ => None,
        }
    }

    /// The readers in order, and a card of random kind freshly on one of them.
    pub(super) fn set_out(&self, dice: &mut Dice, reader: usize, card: usize) {
        self.steps.play(Vec::new());
        self.floor.tidy();
        let tries = dice.pick(&[3, 3, 3, 2, 1, 1, 0]);
        let faults = if dice.percent(60) { faults(dice) } else { crate::card::Faults::default() };
        self.floor.act(Action::Take(reader));
        self.floor.prepare(card, tries, behaviour(dice), faults);
        self.floor.act(Action::Put(reader, card));
    }

    pub(super) async fn close(self) {
        self.steps.play(Vec::new());
        self.floor.tidy();
        self.settle().await;
        if self.desk.stop().await.is_err() {
            self.floor.finding("the desk did not stop".to_owned());
        }
    }
}

/// Some actions at some steps of a session.
pub(super) fn script(dice: &mut Dice) -> Vec<(usize, Action)> {
    let count = dice.pick(&[0, 1, 1, 2, 3, 4]);
    (0..count).map(|_| (dice.below(18), action(dice))).collect()
}

pub(super) fn action(dice: &mut Dice) -> Action {
    let reader = dice.below(READERS.len());
    match dice.below(17) {
        0..=2 => Action::Take(reader),
        3..=8 => Action::Put(reader, dice.below(CARDS)),
        9 => Action::Trouble(reader, Some(dice.pick(&[Trouble::Mute, Trouble::Unavailable, Trouble::InUse]))),
        10 => Action::Trouble(reader, None),
        11 => Action::Unplug(reader),
        12 => Action::Plug(reader),
        13 => Action::StopService,
        14 => Action::StartService,
        15 => Action::Restart(reader, dice.below(CARDS)),
        _ => Action::GiveUp,
    }
}

/// One schedule: some PINs, one after the other.
pub(super) async fn play(floor: &Floor, dice: &mut Dice) {
    let bench = Bench::open(floor);
    let mut last = None;
    for round in 0..=dice.below(4) {
        round_of(&bench, dice, round, &mut last).await;
    }
    bench.close().await;
}

async fn round_of(bench: &Bench, dice: &mut Dice, round: usize, last: &mut Option<CardEvent>) {
    let floor = &bench.floor;
    let (reader, card) = (dice.below(READERS.len()), dice.below(CARDS));
    if round == 0 || dice.percent(70) {
        bench.set_out(dice, reader, card);
    }
    bench.settle().await;
    let shown = bench.shown(reader);
    // A late caller may ask about an insertion that is over.
    let stale = last.take().filter(|_| dice.percent(30));
    last.clone_from(&shown);
    let Some(event) = stale.or(shown) else { return };
    let reader = READERS.iter().position(|name| *name == event.reader.0).unwrap_or(reader);
    let mut meant = floor.lies_on(reader).filter(|_| bench.shown(reader).as_ref() == Some(&event));
    let right = dice.percent(65);
    let pin = floor.pin(meant.filter(|_| right));
    if dice.percent(20) {
        // Swapped, and nobody has looked since: the event is about a card that has gone.
        floor.act(Action::Put(reader, dice.below(CARDS)));
        meant = None;
    }
    let challenge = format!("challenge {round} {}", dice.below(1_000_000)).into_bytes();
    let entry = Entry { last_try_confirmed: dice.percent(30), ..Entry::new(pin.clone(), meant) };
    let mut confirmed = entry.last_try_confirmed;
    floor.enter(reader, entry);
    let mut pin = Pin::parse(&pin).expect("four digits");
    loop {
        bench.steps.play(script(dice));
        let signing = tokio::select! {
            signing = bench.desk.sign(&event, pin, &challenge, confirmed) => signing,
            () = bench.steps.give_up() => break,
        };
        match signing {
            Ok(Signing::Signed(signed)) => {
                floor.count(|tally| tally.signatures += 1);
                let good = meant.is_some_and(|card| {
                    floor.is_signed_by(card, &signed.certificate, &signed.signature, &challenge)
                });
                if !good {
                    floor.count(|tally| tally.mixups += 1);
                    floor.finding(format!("a signature was handed out that is not of card {meant:?}"));
                }
                break;
            }
            Ok(Signing::OneTryLeft(back)) if !confirmed && dice.percent(70) => {
                confirmed = true;
                floor.with_entry(reader, |entry| entry.last_try_confirmed = true);
                pin = back;
            }
            Ok(Signing::OneTryLeft(_)) => {
                if confirmed {
                    floor.finding("asked again for what was confirmed".to_owned());
                }
                break;
            }
            Err(_) => break,
        }
    }
    bench.steps.gone();
    // A session that was given up may still be under way.
    bench.settle().await;
    floor.leave(reader);
}
