//! The reception floor of a schedule: what physically lies where, whose PIN was typed for which card, and the judge at
//! the cards.
//!
//! The judge knows nothing of the daemon. It sees every PIN that reaches a card and holds it against what was typed.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rsa::Pkcs1v15Sign;

use super::Tally;
use crate::card::readers::{SharedCard, SimReadersHandle, Trouble};
use crate::card::{Behaviour, Faults, SimCard};
use crate::dice::Dice;
use crate::personas::Personas;
use crate::pki::{CardPki, digest_info};

/// The readers of every schedule.
pub(super) const READERS: [&str; 2] = ["Desk 1", "Desk 2"];

/// Whose cards there are.
const HOLDERS: [&str; 3] = ["taro", "hanako", "kokuho"];

/// Each card's own PIN; wrong ones are counted up from [`FIRST_WRONG`].
const PINS: [&str; HOLDERS.len()] = ["0001", "0002", "0003"];
const FIRST_WRONG: u32 = 1000;

/// Something that somebody does, between any two steps of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Takes the card off a reader.
    Take(usize),
    /// Puts a card on a reader, in place of the one there, and wherever it was: a swap within no time at all.
    Put(usize, usize),
    /// Brings a reader out of order, or in order again.
    Trouble(usize, Option<Trouble>),
    /// Pulls a reader's plug.
    Unplug(usize),
    /// Puts the plug back.
    Plug(usize),
    /// The PC/SC service ends.
    StopService,
    /// The PC/SC service is back.
    StartService,
    /// The PC/SC service is restarted, and meanwhile a card is put on a reader.
    Restart(usize, usize),
    /// Whoever waits for the daemon gives up.
    GiveUp,
}

/// A PIN somebody typed, and what it is meant for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) pin: String,
    /// The card it is meant for; `None` until one is put on the empty reader, or if it must reach none.
    pub(super) card: Option<usize>,
    /// It may still be meant for the next card put on the reader.
    pub(super) open_for_next: bool,
    /// The daemon has chosen its card: whatever is swapped from now on must not get the PIN.
    pub(super) bound: bool,
    pub(super) last_try_confirmed: bool,
    /// How often it reached a card.
    pub(super) verifies: usize,
}

impl Entry {
    pub(super) fn new(pin: String, card: Option<usize>) -> Self {
        Self { pin, card, open_for_next: false, bound: true, last_try_confirmed: false, verifies: 0 }
    }
}

#[derive(Default)]
struct Hands {
    on: [Option<usize>; READERS.len()],
    unplugged: [bool; READERS.len()],
    held: bool,
}

#[derive(Default)]
struct Book {
    entries: [Option<Entry>; READERS.len()],
    tries: [u8; HOLDERS.len()],
    /// The card may answer the question for its tries with anything, so nobody can know when the last one is used.
    lies: [bool; HOLDERS.len()],
    wrong_pins: u32,
    tally: Tally,
    findings: Vec<String>,
}

/// The floor; cheap to clone.
#[derive(Clone)]
pub(super) struct Floor(Arc<Shared>);

struct Shared {
    cards: Vec<SharedCard>,
    readers: Mutex<Option<SimReadersHandle>>,
    hands: Mutex<Hands>,
    released: Condvar,
    book: Mutex<Book>,
}

thread_local! {
    /// The reader whose connection carries a command now, on the thread that carries it.
    static SPEAKING: Cell<Option<usize>> = const { Cell::new(None) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere is reported where it happened; the data stays usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Floor {
    /// A floor with its cards; making them takes time, so one floor serves many schedules one after the other.
    pub(super) fn new() -> Self {
        let now = Timestamp::constant(1_775_779_200, 0);
        let cards = HOLDERS.iter().map(|holder| {
            let persona = Personas::builtin().by_name(holder).expect("a built-in persona");
            Arc::new(Mutex::new(SimCard::for_persona(persona, &CardPki::new(), now)))
        });
        let floor = Self(Arc::new(Shared {
            cards: cards.collect(),
            readers: Mutex::new(None),
            hands: Mutex::new(Hands::default()),
            released: Condvar::new(),
            book: Mutex::new(Book::default()),
        }));
        for (number, card) in floor.0.cards.iter().enumerate() {
            let judge = Arc::downgrade(&floor.0);
            let mut card = lock(card);
            card.set_pin(PINS[number]);
            card.watch_pins(Box::new(move |pin, status| {
                if let Some(shared) = judge.upgrade() {
                    lock(&shared.book).judge(number, pin, status);
                }
            }));
        }
        floor
    }

    /// An empty floor with these readers; findings and figures so far stay.
    pub(super) fn open(&self, readers: SimReadersHandle) {
        *lock(&self.0.hands) = Hands::default();
        *lock(&self.0.readers) = Some(readers);
        let mut book = lock(&self.0.book);
        book.entries = [const { None }; READERS.len()];
        drop(book);
        for number in 0..HOLDERS.len() {
            self.prepare(number, 3, Behaviour::default(), Faults::default());
        }
    }

    /// Gives a card its state before it is used.
    pub(super) fn prepare(&self, number: usize, tries: u8, behaviour: Behaviour, faults: Faults) {
        let lies = !faults.status.is_empty() || !faults.garbled.is_empty();
        let mut card = lock(&self.0.cards[number]);
        card.reinsert();
        card.set_tries_left(tries);
        card.behaviour = behaviour;
        card.set_faults(faults);
        card.clear_log();
        drop(card);
        let mut book = lock(&self.0.book);
        book.tries[number] = tries;
        book.lies[number] = lies;
    }

    /// A card's own PIN, or one that nobody has.
    pub(super) fn pin(&self, right_for: Option<usize>) -> String {
        if let Some(card) = right_for {
            return PINS[card].to_owned();
        }
        let mut book = lock(&self.0.book);
        book.wrong_pins = (book.wrong_pins + 1) % 8000;
        (FIRST_WRONG + book.wrong_pins).to_string()
    }

    /// Whether certificate and signature are this card's, over this challenge. A card whose answers are scripted may have
    /// given any certificate.
    pub(super) fn is_signed_by(
        &self,
        number: usize,
        certificate: &[u8],
        signature: &[u8],
        challenge: &[u8],
    ) -> bool {
        let lies = lock(&self.0.book).lies[number];
        let card = lock(&self.0.cards[number]);
        let identity = card.identity();
        let padding = Pkcs1v15Sign::new_unprefixed();
        (lies || identity.certificate_der == certificate)
            && identity.key.to_public_key().verify(padding, &digest_info(challenge), signature).is_ok()
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        let hands = lock(&self.0.hands);
        self.0.released.wait_while(hands, |hands| hands.held).unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everybody's hands still until the guard is dropped.
    pub(super) fn hold(&self) -> Hold<'_> {
        self.hands().held = true;
        Hold(self)
    }

    /// What lies on a reader now.
    pub(super) fn lies_on(&self, reader: usize) -> Option<usize> {
        lock(&self.0.hands).on[reader]
    }

    /// Does something. Returns whether it could be done.
    pub(super) fn act(&self, action: Action) -> bool {
        let mut hands = self.hands();
        let Some(readers) = lock(&self.0.readers).clone() else { return false };
        match action {
            Action::Take(reader) => {
                readers.take(READERS[reader]);
                hands.on[reader] = None;
            }
            Action::Put(reader, card) => return self.put(&mut hands, &readers, reader, card),
            Action::Restart(reader, card) => {
                readers.stop_service();
                self.put(&mut hands, &readers, reader, card);
                readers.start_service();
            }
            Action::Trouble(reader, trouble) => {
                if hands.unplugged[reader] {
                    return false;
                }
                readers.set_trouble(READERS[reader], trouble);
            }
            Action::Unplug(reader) => {
                readers.unplug(READERS[reader]);
                hands.on[reader] = None;
                hands.unplugged[reader] = true;
            }
            Action::Plug(reader) => {
                if !std::mem::take(&mut hands.unplugged[reader]) {
                    return false;
                }
                readers.plug_in(READERS[reader]);
            }
            Action::StopService => readers.stop_service(),
            Action::StartService => readers.start_service(),
            Action::GiveUp => return false,
        }
        true
    }

    fn put(&self, hands: &mut Hands, readers: &SimReadersHandle, reader: usize, card: usize) -> bool {
        if hands.unplugged[reader] || !lock(&self.0.book).put(reader, card) {
            return false;
        }
        if let Some(other) = hands.on.iter().position(|on| *on == Some(card)) {
            readers.take(READERS[other]);
            hands.on[other] = None;
        }
        readers.insert(READERS[reader], &self.0.cards[card]);
        hands.on[reader] = Some(card);
        true
    }

    /// Everything in order again, the cards where they are.
    pub(super) fn tidy(&self) {
        self.act(Action::StartService);
        for reader in 0..READERS.len() {
            self.act(Action::Plug(reader));
            self.act(Action::Trouble(reader, None));
        }
    }

    /// Carries a command to a card through this reader. A card torn out by its script has left.
    pub(super) fn speak<T>(&self, reader: usize, exchange: impl FnOnce() -> T) -> T {
        SPEAKING.set(Some(reader));
        let answer = exchange();
        SPEAKING.set(None);
        let mut hands = lock(&self.0.hands);
        if let Some(card) = hands.on[reader]
            && lock(&self.0.cards[card]).is_torn()
        {
            hands.on[reader] = None;
        }
        answer
    }

    /// A PIN is typed at a reader.
    pub(super) fn enter(&self, reader: usize, entry: Entry) {
        let mut book = lock(&self.0.book);
        book.tally.entries += 1;
        book.entries[reader] = Some(entry);
    }

    /// Changes the entry at a reader, if there is one.
    pub(super) fn with_entry(&self, reader: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut lock(&self.0.book).entries[reader] {
            change(entry);
        }
    }

    /// The card that the entry at a reader is meant for.
    pub(super) fn meant(&self, reader: usize) -> Option<usize> {
        lock(&self.0.book).entries[reader].as_ref().and_then(|entry| entry.card)
    }

    /// The entry at a reader is over; a PIN that arrives now was kept.
    pub(super) fn leave(&self, reader: usize) -> Option<Entry> {
        lock(&self.0.book).entries[reader].take()
    }

    /// Notes a broken promise.
    pub(super) fn finding(&self, what: String) {
        lock(&self.0.book).findings.push(what);
    }

    /// Counts into the figures.
    pub(super) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut lock(&self.0.book).tally);
    }

    /// Takes the figures and findings out.
    pub(super) fn report(&self) -> (Tally, Vec<String>) {
        let mut book = lock(&self.0.book);
        (std::mem::take(&mut book.tally), std::mem::take(&mut book.findings))
    }
}

/// Keeps hands still.
pub(super) struct Hold<'a>(&'a Floor);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        lock(&self.0.0.hands).held = false;
        self.0.0.released.notify_all();
    }
}

impl Book {
    /// Whether a card may be put on a reader now without making it undecidable what an entry there is meant for.
    fn put(&mut self, reader: usize, card: usize) -> bool {
        match &mut self.entries[reader] {
            Some(entry) if entry.open_for_next => {
                entry.open_for_next = false;
                entry.card = Some(card);
                true
            }
            Some(entry) => entry.bound || entry.card == Some(card),
            None => true,
        }
    }

    /// A PIN has reached a card.
    fn judge(&mut self, card: usize, pin: &[u8], status: u16) {
        let lost_try = status != 0x9000 && self.tries[card] > 0;
        let was_last = self.tries[card] == 1;
        self.tries[card] = match status {
            0x9000 => 3,
            _ => self.tries[card].saturating_sub(1),
        };
        self.tally.verifies += 1;
        self.tally.tries_lost += u64::from(lost_try);
        let reader = SPEAKING.get();
        let Some(entry) = reader.and_then(|reader| self.entries[reader].as_mut()) else {
            self.tally.mixups += 1;
            self.tally.burnt += u64::from(lost_try);
            self.findings.push(format!("a PIN reached card {card} although none was typed at {reader:?}"));
            return;
        };
        entry.verifies += 1;
        let is_meant = entry.card == Some(card) && entry.pin.as_bytes() == pin;
        if !is_meant {
            self.tally.mixups += 1;
            self.findings.push(format!("a PIN meant for {:?} reached card {card} at {reader:?}", entry.card));
        }
        if entry.verifies > 1 {
            self.tally.repeated += 1;
            self.findings.push(format!("a PIN was presented {} times at {reader:?}", entry.verifies));
        }
        let unasked_last = was_last && !entry.last_try_confirmed && !self.lies[card];
        if unasked_last {
            self.findings.push(format!("the last try of card {card} was used without being confirmed"));
        }
        let right = PINS[card].as_bytes() == entry.pin.as_bytes();
        if lost_try && (!is_meant || entry.verifies > 1 || unasked_last || right) {
            self.tally.burnt += 1;
        }
    }
}

/// Misbehaviour of a card, any number of its kinds at once.
pub(super) fn faults(dice: &mut Dice) -> Faults {
    const STATUS: [u16; 10] =
        [0x6F00, 0x6984, 0x6982, 0x6700, 0x6983, 0x63C0, 0x63C1, 0x63C2, 0x6A82, 0x9000];
    let mut faults = Faults::default();
    if dice.percent(25) {
        faults.tear_after = Some(command(dice));
        faults.tear_executes = dice.percent(50);
    }
    while dice.percent(20) {
        faults.status.insert(command(dice), dice.pick(&STATUS));
    }
    if dice.percent(20) {
        let length = dice.pick(&[0, 0, 1, 1, 2, 3, 255, 258, 300]);
        let byte = dice.pick(&[0x00, 0x30, 0x63, 0x90, 0xFF]);
        faults.garbled.insert(command(dice), vec![byte; length]);
    }
    faults
}

/// A command of a session: it has five with extended length and twelve without.
fn command(dice: &mut Dice) -> usize {
    let length = dice.pick(&[5, 5, 12]);
    dice.below(length)
}

/// What kind of card and reader it is.
pub(super) fn behaviour(dice: &mut Dice) -> Behaviour {
    Behaviour {
        extended: dice.percent(70),
        filler: dice.pick(&[0, 0, 300]),
        reselect_clears: dice.percent(20),
        warm_reset_clears: dice.percent(20),
        ..Behaviour::default()
    }
}
