//! The daemon's card path on simulated cards: what the operator and the patient can do, and how many commands it takes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon::app::ports::{
    CardDesk as _, CardError, CardEvent, DeskView, Opening, ReaderName, ReaderState, Signing,
};
use daemon::card::desk::Desk;
use daemon::card::drive::{Transmit, TransmitError};
use daemon::card::protocol::Rung;
use daemon::card::{session, tlv};
use daemon::domain::personal::Pin;
use harness::card::readers::{SharedCard, SimReaders, SimReadersHandle, Trouble};
use harness::card::{Behaviour, Faults, SimCard};
use harness::personas::Personas;
use harness::pki::CardPki;
use proptest::prelude::*;

const READER: &str = "Front desk 0";
const CHALLENGE: &[u8] = b"a challenge of the central system";

//------------ Steps --------------------------------------------------------------------------------------------------

fn card_of(persona: &str) -> SharedCard {
    let persona = Personas::builtin().by_name(persona).expect("a built-in persona");
    let now = "2026-04-10T00:00:00Z".parse().expect("a timestamp");
    Arc::new(Mutex::new(SimCard::for_persona(persona, &CardPki::new(), now)))
}

fn on<T>(card: &SharedCard, act: impl FnOnce(&mut SimCard) -> T) -> T {
    act(&mut card.lock().expect("the card"))
}

/// A reception: one reader, its desk, and the hand that holds cards.
struct Reception {
    desk: Desk,
    hand: SimReadersHandle,
}

impl Reception {
    fn open() -> Self {
        let (readers, hand) = SimReaders::new(&[READER]);
        Self { desk: Desk::start(Box::new(readers)).expect("a thread"), hand }
    }

    /// Waits until the desk shows what is wanted.
    async fn shows(&self, wanted: impl Fn(&DeskView) -> bool) {
        let mut view = self.desk.watch();
        let seen = tokio::time::timeout(Duration::from_secs(10), view.wait_for(|view| wanted(view))).await;
        seen.expect("the desk shows it in time").expect("the desk runs");
    }

    /// Puts a card on the reader and waits until the desk sees it.
    async fn tap(&self, card: &SharedCard) -> CardEvent {
        let before = self.card();
        self.hand.insert(READER, card);
        self.shows(|view| card_on(view).is_some_and(|now| Some(now) != before)).await;
        self.card().expect("the card that was just seen")
    }

    fn card(&self) -> Option<CardEvent> {
        card_on(&self.desk.watch().borrow())
    }

    async fn sign(&self, card: &CardEvent, pin: &str) -> Result<Signing, CardError> {
        let pin = Pin::parse(pin).map_err(|_| "four digits").expect("a PIN");
        self.desk.sign(card, pin, CHALLENGE, false).await
    }
}

fn card_on(view: &DeskView) -> Option<CardEvent> {
    match view.state(&ReaderName(READER.to_owned())) {
        Some(ReaderState::Card(card)) => Some(card.clone()),
        _ => None,
    }
}

/// Checks that the central system would accept it, and from whom it is.
#[track_caller]
fn assert_signed_by(result: Result<Signing, CardError>, persona: &str) {
    let Ok(Signing::Signed(signed)) = result else { panic!("not signed: {result:?}") };
    let pki = CardPki::new();
    let holder =
        pki.verify(&signed.certificate, CHALLENGE, &signed.signature).expect("a signature by a known card");
    assert_eq!(pki.persona_of_subject_cn(&holder.subject_cn), Some(persona));
}

//------------ What a card is asked -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_check_with_pin_takes_five_commands_and_the_central_system_accepts_the_signature() {
    let reception = Reception::open();
    let card = card_of("taro");
    let event = reception.tap(&card).await;
    assert_signed_by(reception.sign(&event, "1234").await, "taro");
    let headers: Vec<_> = on(&card, |card| card.log().iter().map(|record| record.header).collect());
    let expected = [
        [0x00, 0xA4, 0x04, 0x0C],
        [0x00, 0xB0, 0x8A, 0x00],
        [0x00, 0x20, 0x00, 0x98],
        [0x00, 0x20, 0x00, 0x98],
        [0x80, 0x2A, 0x00, 0x97],
    ];
    assert_eq!(headers, expected);
    assert_eq!(reception.card(), Some(event), "our own session is no new card");
}

#[tokio::test]
async fn without_extended_length_it_takes_twelve_commands_at_first_contact_and_eleven_from_then_on() {
    let reception = Reception::open();
    let card = card_of("taro");
    on(&card, |card| card.behaviour.extended = false);
    let length = on(&card, |card| card.identity().certificate_der.len());
    assert!((1537..=1792).contains(&length), "{length} bytes are not the size of a real certificate");
    for expected in [12, 11, 11] {
        on(&card, SimCard::clear_log);
        let event = reception.tap(&card).await;
        assert_signed_by(reception.sign(&event, "1234").await, "taro");
        assert_eq!(on(&card, |card| card.apdu_count()), expected);
    }
}

#[tokio::test]
async fn a_certificate_alone_takes_two_commands_or_eight_and_comes_without_filler() {
    let reception = Reception::open();
    for (extended, expected) in [(true, 2), (false, 9), (false, 8)] {
        let card = card_of("hanako");
        on(&card, |card| card.behaviour = Behaviour { extended, filler: 300, ..Behaviour::default() });
        let event = reception.tap(&card).await;
        let read = reception.desk.read_certificate(&event).await.expect("a certificate");
        assert_eq!(read.der, on(&card, |card| card.identity().certificate_der.clone()));
        assert_eq!(on(&card, |card| card.apdu_count()), expected);
    }
}

#[tokio::test]
async fn the_first_command_after_power_on_may_fail_once() {
    let reception = Reception::open();
    let card = card_of("taro");
    on(&card, |card| card.set_faults(Faults { status: [(0, 0x6F00)].into(), ..Faults::default() }));
    let event = reception.tap(&card).await;
    assert_signed_by(reception.sign(&event, "1234").await, "taro");
}

/// Sends a phone's session with extended length and without, and counts its commands.
async fn commands_of(persona: &str, opening: impl Fn() -> Opening) -> [usize; 3] {
    let reception = Reception::open();
    let mut counted = [0; 3];
    for (count, extended) in counted.iter_mut().zip([true, false, false]) {
        let phone = card_of(persona);
        on(&phone, |phone| phone.behaviour.extended = extended);
        let event = reception.tap(&phone).await;
        assert_signed_by(reception.desk.open_and_sign(&event, opening(), CHALLENGE).await, persona);
        *count = on(&phone, |phone| phone.apdu_count());
    }
    counted
}

#[tokio::test]
async fn phones_take_seven_and_six_commands_and_six_more_without_extended_length() {
    let pin = || Pin::parse("1234").map_err(|_| "four digits").expect("a PIN");
    let android = || Opening::AndroidPin { pin: pin(), last_try_confirmed: false };
    // The middle number is the first contact with a reader that refuses extended length.
    assert_eq!(commands_of("android", android).await, [7, 14, 13]);
    assert_eq!(commands_of("iphone", || Opening::Iphone).await, [6, 13, 12]);
}

#[tokio::test]
async fn a_read_that_fails_twice_is_repeated_and_a_verify_never() {
    let reception = Reception::open();
    let card = card_of("taro");
    let script =
        |status: &[(usize, u16)]| Faults { status: status.iter().copied().collect(), ..Faults::default() };
    on(&card, |card| card.set_faults(script(&[(1, 0x6581), (2, 0x6400)])));
    let event = reception.tap(&card).await;
    assert_signed_by(reception.sign(&event, "1234").await, "taro");
    assert_eq!(on(&card, |card| (card.apdu_count(), card.verify_count())), (7, 1));

    for (index, status) in [(3, 0x6581), (3, 0x6F00), (4, 0x6400), (4, 0x6F00)] {
        on(&card, SimCard::clear_log);
        on(&card, |card| card.set_faults(script(&[(index, status)])));
        let event = reception.tap(&card).await;
        let error = reception.sign(&event, "1234").await.expect_err("refused");
        assert_eq!(error, CardError::Unusable { status: Some(status) });
        assert_eq!(on(&card, |card| card.apdu_count()), index + 1, "nothing follows");
    }
}

//------------ PIN ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_wrong_pin_costs_exactly_one_try_and_the_last_one_needs_a_yes() {
    let reception = Reception::open();
    let card = card_of("taro");
    let event = reception.tap(&card).await;
    for (tries_left, verifies) in [(2, 1), (1, 2)] {
        let error = reception.sign(&event, "9999").await.expect_err("a wrong PIN");
        assert_eq!(error, CardError::WrongPin { tries_left });
        assert_eq!(on(&card, |card| (card.tries_left(), card.verify_count())), (tries_left, verifies));
    }
    let Ok(Signing::OneTryLeft(pin)) = reception.sign(&event, "1234").await else {
        panic!("the last try must be confirmed first")
    };
    assert_eq!(on(&card, |card| card.verify_count()), 2, "nothing was presented");
    assert_signed_by(reception.desk.sign(&event, pin, CHALLENGE, true).await, "taro");
    assert_eq!(on(&card, |card| card.tries_left()), 3, "a right PIN gives all tries back");
}

#[tokio::test]
async fn the_last_wrong_pin_locks_and_a_locked_card_gets_no_verify() {
    let reception = Reception::open();
    let card = card_of("taro");
    on(&card, |card| card.set_tries_left(1));
    let event = reception.tap(&card).await;
    let pin = Pin::parse("9999").map_err(|_| "four digits").expect("a PIN");
    let locking = reception.desk.sign(&event, pin, CHALLENGE, true).await;
    assert_eq!(locking.expect_err("a wrong PIN"), CardError::PinLocked);
    assert_eq!(on(&card, |card| card.verify_count()), 1);
    assert_eq!(reception.sign(&event, "1234").await.expect_err("locked"), CardError::PinLocked);
    assert_eq!(on(&card, |card| card.verify_count()), 1);
    // The certificate is free of the PIN: the visual way stays open.
    reception.desk.read_certificate(&event).await.expect("a certificate");
}

#[tokio::test]
async fn a_right_pin_does_not_outlive_its_session() {
    let reception = Reception::open();
    let card = card_of("taro");
    let event = reception.tap(&card).await;
    assert_signed_by(reception.sign(&event, "1234").await, "taro");
    assert_eq!(reception.sign(&event, "0000").await.err(), Some(CardError::WrongPin { tries_left: 2 }));
}

//------------ Removal and swap ---------------------------------------------------------------------------------------

/// Executed or not before it is torn out: a VERIFY is on the wire at most once, and the next tap works.
#[tokio::test]
async fn a_card_torn_out_at_any_command_sees_at_most_one_verify_and_works_at_the_next_tap() {
    let reception = Reception::open();
    for tear_executes in [false, true] {
        for index in 0..5 {
            let card = card_of("taro");
            let script = Faults { tear_after: Some(index), tear_executes, ..Faults::default() };
            on(&card, |card| card.set_faults(script));
            let event = reception.tap(&card).await;
            let error = reception.sign(&event, "1234").await.expect_err("torn out");
            assert_eq!(error, CardError::Removed, "at {index}");
            assert!(on(&card, |card| card.verify_count()) <= 1, "at {index}");
            reception.shows(|view| card_on(view).is_none()).await;

            on(&card, SimCard::clear_log);
            let again = reception.tap(&card).await;
            assert_signed_by(reception.sign(&again, "1234").await, "taro");
            assert_eq!(on(&card, |card| card.apdu_count()), 5, "the reader keeps its fast way of reading");
        }
    }
}

#[tokio::test]
async fn a_pin_entered_for_one_card_is_never_presented_to_another() {
    let reception = Reception::open();
    let event = reception.tap(&card_of("taro")).await;
    let other = card_of("hanako");
    reception.hand.insert(READER, &other);
    assert_eq!(reception.sign(&event, "1234").await.err(), Some(CardError::Removed));
    assert_eq!(on(&other, |card| card.apdu_count()), 0);
}

#[tokio::test]
async fn the_same_card_taken_away_and_put_back_is_a_new_card() {
    let reception = Reception::open();
    let card = card_of("taro");
    let first = reception.tap(&card).await;
    let second = reception.tap(&card).await;
    assert!(second.insertion > first.insertion);
    assert_eq!(reception.sign(&first, "1234").await.err(), Some(CardError::Removed));
    assert_eq!(on(&card, |card| card.apdu_count()), 0);
}

//------------ Readers and service ------------------------------------------------------------------------------------

#[tokio::test]
async fn readers_in_trouble_are_told_apart_and_recover() {
    let reception = Reception::open();
    let event = reception.tap(&card_of("taro")).await;
    reception.hand.set_trouble(READER, Some(Trouble::InUse));
    assert_eq!(reception.sign(&event, "1234").await.err(), Some(CardError::InUse));
    reception.hand.set_trouble(READER, Some(Trouble::Mute));
    reception.shows(|view| card_on(view).is_none()).await;
    assert_eq!(reception.sign(&event, "1234").await.err(), Some(CardError::Removed));
    reception.hand.set_trouble(READER, Some(Trouble::Unavailable));
    reception.shows(|view| view.readers.iter().any(|reader| reader.state == ReaderState::Unavailable)).await;
    assert_eq!(reception.sign(&event, "1234").await.err(), Some(CardError::ReaderUnavailable));
    reception.hand.set_trouble(READER, None);
    reception.shows(|view| card_on(view).is_some_and(|card| card != event)).await;
    let event = reception.card().expect("a card");
    assert_signed_by(reception.sign(&event, "1234").await, "taro");
    reception.hand.unplug(READER);
    reception.shows(|view| view.readers.is_empty()).await;
    assert_eq!(reception.sign(&event, "1234").await.err(), Some(CardError::ReaderUnavailable));
}

#[tokio::test]
async fn after_the_service_came_back_the_card_must_be_seen_anew() {
    let reception = Reception::open();
    let card = card_of("taro");
    let before = reception.tap(&card).await;
    reception.hand.stop_service();
    reception.shows(|view| !view.service_available()).await;
    assert_eq!(reception.sign(&before, "1234").await.err(), Some(CardError::ServiceUnavailable));
    reception.hand.start_service();
    reception.shows(|view| card_on(view).is_some()).await;
    let after = reception.card().expect("a card");
    assert_ne!(after, before);
    assert_signed_by(reception.sign(&after, "1234").await, "taro");
    assert_eq!(on(&card, |card| card.log().iter().filter(|record| record.is_sign()).count()), 1);
}

//------------ Any card -----------------------------------------------------------------------------------------------

/// A card that answers whatever it was dealt, then leaves.
struct Dealt {
    answers: std::vec::IntoIter<Vec<u8>>,
    verifies: usize,
    signs: usize,
    commands: usize,
}

impl Transmit for Dealt {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        self.commands += 1;
        self.verifies += usize::from(command[1] == 0x20 && command.len() > 4);
        self.signs += usize::from(command[1] == 0x2A);
        self.answers.next().ok_or(TransmitError::Removed)
    }
}

/// A certificate that the session understands.
fn certificate() -> Vec<u8> {
    on(&card_of("taro"), |card| card.identity().certificate_der.clone())
}

/// Answers that lead deep into a session, and any others.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let status = prop_oneof![
        5 => Just([0x90, 0x00]),
        2 => Just([0x63, 0xC2]),
        1 => Just([0x67, 0x00]),
        1 => Just([0x6A, 0x86]),
        2 => any::<[u8; 2]>(),
    ];
    let data = prop_oneof![
        2 => Just(Vec::new()),
        2 => Just(certificate()),
        1 => Just(b"\x30\x03\x02\x01\x00".to_vec()),
        1 => Just(vec![0x5A; 256]),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    let whole = (data, status).prop_map(|(data, status)| [&data[..], &status].concat());
    prop_oneof![12 => whole, 1 => proptest::collection::vec(any::<u8>(), 0..2)]
}

proptest! {
    #[test]
    fn whatever_a_card_answers_a_session_ends_and_presents_the_pin_at_most_once(
        answers in proptest::collection::vec(answer(), 0..24),
        rung in prop_oneof![Just(Rung::ExtendedSfi), Just(Rung::ShortSfi), Just(Rung::SelectEf)],
    ) {
        let dealt = answers.len();
        let mut card = Dealt { answers: answers.into_iter(), verifies: 0, signs: 0, commands: 0 };
        let pin = Pin::parse("1234").map_err(|_| "four digits").expect("a PIN");
        let mut rung = rung;
        let result = session::sign_with_pin(&mut card, &mut rung, pin, CHALLENGE, false);
        prop_assert!(card.verifies <= 1);
        prop_assert!(card.signs <= card.verifies);
        prop_assert!(card.commands <= dealt + 1, "nothing is sent to a card that has left");
        if let Ok(Signing::Signed(signed)) = result {
            prop_assert_eq!(signed.signature.len(), 256);
            prop_assert_eq!(tlv::certificate_length(&signed.certificate), Ok(Some(signed.certificate.len())));
        }
    }

    #[test]
    fn any_bytes_have_a_certificate_length_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
        if let Ok(Some(length)) = tlv::certificate_length(&bytes) {
            prop_assert!((3..=tlv::LONGEST).contains(&length));
            prop_assert_eq!(bytes[0], 0x30);
        }
    }
}
