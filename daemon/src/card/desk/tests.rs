//! Scenarios of the desk on readers in memory.

#![expect(clippy::unwrap_in_result, reason = "a broken test bench is to panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, MutexGuard};

use super::*;
use crate::app::ports::{CardService, ReaderName, ReaderState};
use crate::card::drive::{Transmit, TransmitError};
use crate::card::readers::{CardConnection, ConnectError, Line, Observed, Presence, ReadersError, Wake};
use crate::card::scripted::{CERTIFICATE_LENGTH, CHALLENGE, RIGHT_PIN, ScriptedCard};
use crate::domain::personal::Pin;

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a script")]
struct Table {
    readers: BTreeMap<String, Slot>,
    service_error: Option<ReadersError>,
    panic_once: bool,
    woken: bool,
    returned: Option<Result<Vec<Observed>, ReadersError>>,
    connect_error: Option<ConnectError>,
    /// Readers whose connecting hangs, and whether looking at all readers does.
    hanging: BTreeSet<String>,
    looking_hangs: bool,
    swap_at_connect: bool,
    power_offs: usize,
    connects: usize,
}

#[derive(Default)]
struct Slot {
    card: Option<ScriptedCard>,
    event_count: u32,
    presence: Option<Presence>,
}

impl Table {
    fn observe(&self) -> Result<Vec<Observed>, ReadersError> {
        if let Some(error) = self.service_error {
            return Err(error);
        }
        let observed = |(name, slot): (&String, &Slot)| Observed {
            name: ReaderName(name.clone()),
            presence: slot.presence.unwrap_or(if slot.card.is_some() {
                Presence::Card
            } else {
                Presence::Empty
            }),
            event_count: slot.event_count,
        };
        Ok(self.readers.iter().map(observed).collect())
    }

    fn insert(&mut self, reader: &str, card: ScriptedCard) {
        let slot = self.readers.entry(reader.to_owned()).or_default();
        slot.card = Some(card);
        slot.event_count += 1;
    }

    fn remove(&mut self, reader: &str) {
        let slot = self.readers.get_mut(reader).unwrap();
        slot.card = None;
        slot.event_count += 1;
    }
}

/// Both ends: the desk's backend and the test's hand.
#[derive(Clone, Default)]
struct Bench(Arc<(Mutex<Table>, Condvar)>);

impl Bench {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.0.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let result = change(&mut self.table());
        self.0.1.notify_all();
        result
    }

    fn card<T>(&self, reader: &str, look: impl FnOnce(&ScriptedCard) -> T) -> T {
        look(self.table().readers[reader].card.as_ref().unwrap())
    }

    fn hang(&self, reader: &str) {
        self.change(|table| table.hanging.insert(reader.to_owned()));
    }

    fn go_on(&self, reader: &str) {
        self.change(|table| table.hanging.remove(reader));
    }

    fn desk(&self) -> Desk {
        Desk::start(Box::new(self.clone())).unwrap()
    }
}

impl Wake for Bench {
    fn wake(&self) {
        self.change(|table| table.woken = true);
    }
}

impl Readers for Bench {
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Observed>, ReadersError> {
        let unchanged =
            |table: &mut Table| !table.woken && !table.panic_once && table.returned == Some(table.observe());
        let (table, _) = self.0.1.wait_timeout_while(self.table(), timeout, unchanged).unwrap();
        let mut table = self.0.1.wait_while(table, |table| table.looking_hangs).unwrap();
        table.woken = false;
        if std::mem::take(&mut table.panic_once) {
            drop(table);
            panic!("asked to panic by the test");
        }
        let observed = table.observe();
        table.returned = Some(observed.clone());
        observed
    }

    fn line(&self) -> Box<dyn Line> {
        Box::new(self.clone())
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(self.clone())
    }
}

impl Line for Bench {
    fn connect(
        &mut self,
        reader: &ReaderName,
        event_count: u32,
    ) -> Result<Box<dyn CardConnection>, ConnectError> {
        let mut table = self.0.1.wait_while(self.table(), |table| table.hanging.contains(&reader.0)).unwrap();
        if let Some(error) = table.connect_error {
            return Err(error);
        }
        let current = table.readers.get(&reader.0).map(|slot| slot.event_count);
        if current.is_some_and(|current| current != event_count) {
            return Err(ConnectError::NoCard);
        }
        table.connects += 1;
        if table.swap_at_connect {
            table.remove(&reader.0);
            table.insert(&reader.0, ScriptedCard::new());
        }
        let slot = table.readers.get(&reader.0).ok_or(ConnectError::ReaderGone)?;
        slot.card.as_ref().ok_or(ConnectError::NoCard)?;
        let connection =
            Connection { bench: self.clone(), reader: reader.0.clone(), event_count: slot.event_count };
        Ok(Box::new(connection))
    }
}

struct Connection {
    bench: Bench,
    reader: String,
    event_count: u32,
}

impl Transmit for Connection {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let mut table = self.bench.table();
        let slot = table.readers.get_mut(&self.reader).ok_or(TransmitError::ReaderGone)?;
        match &mut slot.card {
            Some(card) if slot.event_count == self.event_count => card.transmit(command),
            _ => Err(TransmitError::Removed),
        }
    }
}

impl CardConnection for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut table = self.bench.table();
        table.power_offs += 1;
        if let Some(card) = table.readers.get_mut(&self.reader).and_then(|slot| slot.card.as_mut()) {
            card.power_off();
        }
    }
}

const READER: &str = "Reader A";

/// Waits until the desk shows what is wanted.
async fn shown(desk: &Desk, wanted: impl Fn(&DeskView) -> bool) -> DeskView {
    let mut view = desk.watch();
    let seen = timeout(Duration::from_secs(10), view.wait_for(|view| wanted(view))).await;
    seen.expect("the desk must show it").unwrap().clone()
}

fn card_on(view: &DeskView, reader: &str) -> Option<CardEvent> {
    match view.state(&ReaderName(reader.to_owned())) {
        Some(ReaderState::Card(card)) => Some(card.clone()),
        _ => None,
    }
}

/// Waits for a card other than `before`.
async fn card(desk: &Desk, before: Option<&CardEvent>) -> CardEvent {
    let is_new = |view: &DeskView| card_on(view, READER).is_some_and(|card| Some(&card) != before);
    card_on(&shown(desk, is_new).await, READER).unwrap()
}

/// A desk with one reader and this card on it.
async fn desk_with(given: ScriptedCard) -> (Bench, Desk, CardEvent) {
    let bench = Bench::default();
    bench.change(|table| table.insert(READER, given));
    let desk = bench.desk();
    let card = card(&desk, None).await;
    (bench, desk, card)
}

async fn sign(desk: &Desk, card: &CardEvent, pin: &str) -> Result<Signing, CardError> {
    desk.sign(card, Pin::parse(pin).unwrap(), CHALLENGE, false).await
}

#[tokio::test]
async fn a_card_is_seen_read_and_made_to_sign_and_is_powered_off_each_time() {
    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    assert_eq!(desk.read_certificate(&card).await.unwrap().der.len(), CERTIFICATE_LENGTH);
    let Ok(Signing::Signed(signed)) = sign(&desk, &card, RIGHT_PIN).await else { panic!("not signed") };
    assert_eq!(signed.signature, ScriptedCard::signature());
    assert_eq!(bench.table().power_offs, 2);
    assert_eq!(card_on(&desk.watch().borrow(), READER), Some(card), "our own session is no new card");
}

#[tokio::test]
async fn a_card_that_was_swapped_after_the_pin_was_entered_never_sees_the_pin() {
    let (bench, desk, old) = desk_with(ScriptedCard::new()).await;
    bench.change(|table| {
        table.remove(READER);
        table.insert(READER, ScriptedCard::new());
    });
    assert_eq!(sign(&desk, &old, RIGHT_PIN).await.unwrap_err(), CardError::Removed);
    assert!(bench.card(READER, ScriptedCard::instructions).is_empty(), "no command may reach the other card");
    assert_eq!(bench.table().connects, 0, "nor may it be powered");

    let new = card(&desk, Some(&old)).await;
    assert!(new.insertion > old.insertion);
    assert!(matches!(sign(&desk, &new, RIGHT_PIN).await, Ok(Signing::Signed(_))));
}

#[tokio::test]
async fn a_card_that_is_swapped_while_it_is_connected_to_gets_no_command() {
    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    bench.change(|table| table.swap_at_connect = true);
    assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), CardError::Removed);
    assert!(bench.card(READER, ScriptedCard::instructions).is_empty());
    assert_eq!(bench.table().power_offs, 1);
}

#[tokio::test]
async fn a_card_removed_at_any_command_ends_as_removed_and_is_powered_off() {
    for index in 0..5 {
        let torn = ScriptedCard::new().torn_at(index, Err(TransmitError::Removed));
        let (bench, desk, card) = desk_with(torn).await;
        assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), CardError::Removed, "at {index}");
        assert!(bench.card(READER, ScriptedCard::verifies) <= 1);
        assert_eq!(bench.table().power_offs, 1);
    }
}

#[tokio::test]
async fn refusals_of_the_card_reach_the_caller() {
    let (_, desk, card) = desk_with(ScriptedCard::new().without_jpki()).await;
    assert_eq!(desk.read_certificate(&card).await.unwrap_err(), CardError::NotJpki);

    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    assert_eq!(sign(&desk, &card, "9999").await.unwrap_err(), CardError::WrongPin { tries_left: 2 });
    assert_eq!(sign(&desk, &card, "9999").await.unwrap_err(), CardError::WrongPin { tries_left: 1 });
    let Ok(Signing::OneTryLeft(pin)) = sign(&desk, &card, "9999").await else { panic!("must ask first") };
    assert_eq!(bench.card(READER, ScriptedCard::verifies), 2);
    assert_eq!(desk.sign(&card, pin, CHALLENGE, true).await.unwrap_err(), CardError::PinLocked);
    assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), CardError::PinLocked);
    assert_eq!(bench.card(READER, ScriptedCard::verifies), 3, "a locked PIN gets no further VERIFY");
}

#[tokio::test]
async fn a_reader_without_extended_length_is_remembered_until_it_leaves_the_list() {
    let (bench, desk, first) = desk_with(ScriptedCard::new().refusing_extended_length()).await;
    let count = || bench.card(READER, |card| card.instructions().len());
    sign(&desk, &first, RIGHT_PIN).await.unwrap();
    assert_eq!(count(), 12);
    sign(&desk, &first, RIGHT_PIN).await.unwrap();
    assert_eq!(count(), 12 + 11);

    bench.change(|table| table.readers.clear());
    shown(&desk, |view| view.readers.is_empty()).await;
    bench.change(|table| table.insert(READER, ScriptedCard::new().refusing_extended_length()));
    let again = card(&desk, Some(&first)).await;
    sign(&desk, &again, RIGHT_PIN).await.unwrap();
    assert_eq!(count(), 12);
}

#[tokio::test]
async fn a_lost_service_is_shown_refuses_jobs_and_comes_back_with_new_card_events() {
    let (bench, desk, before) = desk_with(ScriptedCard::new()).await;
    bench.change(|table| table.service_error = Some(ReadersError::ServiceGone));
    shown(&desk, |view| *view == DeskView::default()).await;
    assert_eq!(sign(&desk, &before, RIGHT_PIN).await.unwrap_err(), CardError::ServiceUnavailable);

    bench.change(|table| table.service_error = None);
    let after = card(&desk, Some(&before)).await;
    assert_eq!(sign(&desk, &before, RIGHT_PIN).await.unwrap_err(), CardError::Removed);
    assert!(matches!(sign(&desk, &after, RIGHT_PIN).await, Ok(Signing::Signed(_))));
}

#[tokio::test]
async fn readers_come_and_go_and_one_bad_reader_does_not_hide_the_others() {
    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    bench.change(|table| {
        table
            .readers
            .insert("Reader B".to_owned(), Slot { presence: Some(Presence::Unavailable), ..Slot::default() });
        table
            .readers
            .insert("Reader C".to_owned(), Slot { presence: Some(Presence::Mute), ..Slot::default() });
    });
    let view = shown(&desk, |view| view.readers.len() == 3).await;
    assert_eq!(view.state(&ReaderName("Reader B".to_owned())), Some(&ReaderState::Unavailable));
    assert_eq!(view.state(&ReaderName("Reader C".to_owned())), Some(&ReaderState::Mute));
    assert!(matches!(sign(&desk, &card, RIGHT_PIN).await, Ok(Signing::Signed(_))));

    bench.change(|table| table.readers.remove(READER));
    shown(&desk, |view| view.readers.len() == 2).await;
    assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), CardError::ReaderUnavailable);
}

#[tokio::test]
async fn what_hinders_connecting_is_told_apart() {
    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    for (error, expected) in [
        (ConnectError::InUse, CardError::InUse),
        (ConnectError::NoCard, CardError::Removed),
        (ConnectError::Mute, CardError::Unusable { status: None }),
        (ConnectError::ReaderGone, CardError::ReaderUnavailable),
        (ConnectError::ServiceGone, CardError::ServiceUnavailable),
        (ConnectError::Refused, CardError::ServiceRefused),
    ] {
        bench.change(|table| table.connect_error = Some(error));
        assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn a_caller_that_has_gone_gets_no_pin_presented() {
    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    bench.hang(READER);
    let gone = timeout(Duration::from_millis(20), sign(&desk, &card, RIGHT_PIN)).await;
    assert!(gone.is_err(), "the caller has left while the line connects");
    bench.go_on(READER);
    assert!(
        matches!(sign(&desk, &card, RIGHT_PIN).await, Ok(Signing::Signed(_))),
        "the next caller is served"
    );
    assert_eq!(bench.card(READER, ScriptedCard::verifies), 1, "only the PIN of the caller who stayed");
}

/// Short, so that a test sees what a caller sees after seconds.
const SHORT: Patience = Patience {
    look: Duration::from_millis(1_500),
    connect: Duration::from_millis(500),
    session: Duration::from_secs(10),
};

fn hasty_desk(bench: &Bench, readers: &[&str]) -> Desk {
    for reader in readers {
        bench.change(|table| table.insert(reader, ScriptedCard::new()));
    }
    Desk::with(Box::new(bench.clone()), SHORT).unwrap()
}

/// Waits until no more than so many readers hang: a line is free a moment after its connection has ended.
async fn hang_at_most(desk: &Desk, most: usize) {
    let fewer = async {
        while desk.hanging().len() > most {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), fewer).await.expect("the line comes back");
}

#[tokio::test]
async fn a_reader_that_hangs_hinders_no_other_and_recovers() {
    let bench = Bench::default();
    let desk = hasty_desk(&bench, &[READER, "B"]);
    let view = shown(&desk, |view| view.readers.len() == 2).await;
    let (stuck, other) = (card_on(&view, READER).unwrap(), card_on(&view, "B").unwrap());
    bench.hang(READER);
    assert_eq!(sign(&desk, &stuck, RIGHT_PIN).await.unwrap_err(), CardError::InUse);
    assert!(matches!(sign(&desk, &other, RIGHT_PIN).await, Ok(Signing::Signed(_))));
    assert_eq!(desk.hanging(), [stuck.reader.clone()].into(), "whoever counts usable readers leaves it out");
    // While it hangs nobody waits for it again, and it takes no further line.
    for _ in 0..LINES {
        assert_eq!(sign(&desk, &stuck, RIGHT_PIN).await.unwrap_err(), CardError::InUse);
    }
    assert!(matches!(sign(&desk, &other, RIGHT_PIN).await, Ok(Signing::Signed(_))));
    bench.go_on(READER);
    hang_at_most(&desk, 0).await;
    assert_eq!(bench.table().power_offs, 3);
    assert_eq!(bench.card(READER, |card| card.instructions().len()), 0, "nobody was left to talk for");
    assert!(matches!(sign(&desk, &stuck, RIGHT_PIN).await, Ok(Signing::Signed(_))));
    assert!(desk.hanging().is_empty());
}

#[tokio::test]
async fn when_all_lines_hang_work_is_refused_at_once_and_the_desk_stops_all_the_same() {
    let bench = Bench::default();
    let readers = ["A", "B", "C", "D"];
    let desk = hasty_desk(&bench, &readers);
    let view = shown(&desk, |view| view.readers.len() == readers.len()).await;
    for reader in &readers[..LINES] {
        bench.hang(reader);
        let card = card_on(&view, reader).unwrap();
        assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), CardError::InUse);
    }
    let last = card_on(&view, "D").unwrap();
    assert_eq!(sign(&desk, &last, RIGHT_PIN).await.unwrap_err(), CardError::ReaderUnavailable);
    bench.go_on("B");
    hang_at_most(&desk, LINES - 1).await;
    assert_eq!(bench.table().power_offs, 1);
    assert!(matches!(sign(&desk, &last, RIGHT_PIN).await, Ok(Signing::Signed(_))));
    assert_eq!(desk.stop().await, Err(DidNotStop));
    for reader in readers {
        bench.go_on(reader);
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_shown_as_gone_and_comes_back_with_new_card_events() {
    let bench = Bench::default();
    let desk = hasty_desk(&bench, &[READER]);
    let before = card(&desk, None).await;
    bench.change(|table| table.looking_hangs = true);
    shown(&desk, |view| *view == DeskView::default()).await;
    assert_eq!(sign(&desk, &before, RIGHT_PIN).await.unwrap_err(), CardError::ServiceUnavailable);
    bench.change(|table| table.looking_hangs = false);
    let after = card(&desk, Some(&before)).await;
    assert_eq!(sign(&desk, &before, RIGHT_PIN).await.unwrap_err(), CardError::Removed);
    assert!(matches!(sign(&desk, &after, RIGHT_PIN).await, Ok(Signing::Signed(_))));
}

#[tokio::test]
async fn a_service_that_refuses_us_is_told_from_one_that_is_gone() {
    let (bench, desk, before) = desk_with(ScriptedCard::new()).await;
    bench.change(|table| table.service_error = Some(ReadersError::Refused));
    shown(&desk, |view| view.service == CardService::Refused).await;
    assert_eq!(sign(&desk, &before, RIGHT_PIN).await.unwrap_err(), CardError::ServiceRefused);
    bench.change(|table| table.service_error = None);
    let after = card(&desk, Some(&before)).await;
    assert!(matches!(sign(&desk, &after, RIGHT_PIN).await, Ok(Signing::Signed(_))));
}

#[tokio::test]
async fn sessions_on_different_readers_run_side_by_side() {
    let bench = Bench::default();
    let desk = hasty_desk(&bench, &["A", "B", "C"]);
    let view = shown(&desk, |view| view.readers.len() == 3).await;
    let sessions = ["A", "B", "C"].map(|reader| card_on(&view, reader).unwrap());
    let [a, b, c] = &sessions;
    let signed = tokio::join!(sign(&desk, a, RIGHT_PIN), sign(&desk, b, RIGHT_PIN), sign(&desk, c, "9999"));
    assert!(matches!(signed.0, Ok(Signing::Signed(_))));
    assert!(matches!(signed.1, Ok(Signing::Signed(_))));
    assert_eq!(signed.2.unwrap_err(), CardError::WrongPin { tries_left: 2 });
}

#[tokio::test]
async fn a_panic_in_the_thread_is_shown_and_survived() {
    let (bench, desk, before) = desk_with(ScriptedCard::new()).await;
    bench.change(|table| table.panic_once = true);
    let after = card(&desk, Some(&before)).await;
    assert_eq!(sign(&desk, &before, RIGHT_PIN).await.unwrap_err(), CardError::Removed);
    assert!(matches!(sign(&desk, &after, RIGHT_PIN).await, Ok(Signing::Signed(_))));
}

#[tokio::test]
async fn a_stopped_desk_has_let_go_of_its_readers_and_refuses_jobs() {
    let (bench, desk, card) = desk_with(ScriptedCard::new()).await;
    desk.stop().await.unwrap();
    assert_eq!(*desk.watch().borrow(), DeskView::default());
    assert_eq!(sign(&desk, &card, RIGHT_PIN).await.unwrap_err(), CardError::ServiceUnavailable);
    desk.stop().await.unwrap();
    drop(desk);
    assert_eq!(Arc::strong_count(&bench.0), 1, "the backend was dropped");
}

#[tokio::test]
async fn after_the_first_look_the_service_is_known() {
    let desk = Bench::default().desk();
    desk.looked_once().await;
    assert_eq!(desk.watch().borrow().service, CardService::Available);
}
