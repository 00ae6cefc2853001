//! The simulated card behind a real pcscd, through the same `pcsc` crate that the daemon uses.

use harness::card::{Faults, SimCard};
use harness::lane::READER;
use harness::personas::Personas;
use harness::pki::CardPki;
use pcsc::{Card, Context, Disposition, MAX_BUFFER_SIZE_EXTENDED, Protocols, Scope, ShareMode, State};

use crate::lane;

fn taro() -> SimCard {
    let taro = Personas::builtin().by_name("taro").expect("a built-in persona");
    SimCard::for_persona(taro, &CardPki::new(), "2026-04-10T00:00:00Z".parse().expect("a timestamp"))
}

fn connect() -> Card {
    let context = Context::establish(Scope::System).expect("pcscd answers");
    context.connect(READER, ShareMode::Exclusive, Protocols::ANY).expect("the card is in the reader")
}

fn transmit(card: &Card, command: &[u8]) -> Result<Vec<u8>, pcsc::Error> {
    let mut buffer = vec![0; MAX_BUFFER_SIZE_EXTENDED];
    card.transmit(command, &mut buffer).map(<[u8]>::to_vec)
}

const SELECT_JPKI: &[u8] = b"\x00\xA4\x04\x0C\x0A\xD3\x92\xF0\x00\x26\x01\x00\x00\x00\x01";
const READ_CERTIFICATE: &[u8] = b"\x00\xB0\x8A\x00\x00\x00\x00";

#[test]
fn a_certificate_is_read_in_one_piece_through_pcscd() {
    lane::run("pcsc_lane::a_certificate_is_read_in_one_piece_through_pcscd", |lane| {
        let link = lane.insert(taro());
        let card = connect();
        assert_eq!(transmit(&card, SELECT_JPKI), Ok(vec![0x90, 0x00]));
        let answer = transmit(&card, READ_CERTIFICATE).expect("an extended answer passes");
        card.disconnect(Disposition::UnpowerCard).map_err(|(_, error)| error).expect("disconnects");

        let simulated = link.card();
        let simulated = simulated.lock().expect("no panic while it was held");
        assert_eq!(answer[..answer.len() - 2], simulated.identity().certificate_der);
        assert_eq!(simulated.apdu_count(), 2, "pcscd adds no commands of its own");
    });
}

#[test]
fn a_card_taken_out_is_gone_and_comes_back_without_its_session() {
    lane::run("pcsc_lane::a_card_taken_out_is_gone_and_comes_back_without_its_session", |lane| {
        let link = lane.insert(taro());
        let card = connect();
        assert_eq!(transmit(&card, SELECT_JPKI), Ok(vec![0x90, 0x00]));
        link.remove();
        // An error, or success without a single byte: it depends on what vpcd notices first.
        let answer = transmit(&card, READ_CERTIFICATE).unwrap_or_default();
        assert!(answer.is_empty(), "no card, no answer: {answer:02X?}");
        lane.wait_for(State::EMPTY);
        // The old handle stays dead, and holds the reader for as long as it lives.
        drop(card);
        link.insert();
        lane.wait_for(State::PRESENT);
        let card = connect();
        assert_eq!(transmit(&card, READ_CERTIFICATE), Ok(vec![0x6A, 0x82]), "nothing is selected");
    });
}

#[test]
fn a_card_torn_out_during_a_command_leaves_the_reader() {
    lane::run("pcsc_lane::a_card_torn_out_during_a_command_leaves_the_reader", |lane| {
        let mut torn = taro();
        torn.set_faults(Faults { tear_after: Some(1), ..Faults::default() });
        let link = lane.insert(torn);
        let card = connect();
        assert_eq!(transmit(&card, SELECT_JPKI), Ok(vec![0x90, 0x00]));
        // vpcd 3.3 reports success with no bytes at all, not even a status word; others report an error.
        let answer = transmit(&card, READ_CERTIFICATE).unwrap_or_default();
        assert!(answer.is_empty(), "torn out before it answered: {answer:02X?}");
        drop(card);
        lane.wait_for(State::EMPTY);
        link.insert();
        lane.wait_for(State::PRESENT);
        assert_eq!(transmit(&connect(), SELECT_JPKI), Ok(vec![0x90, 0x00]));
    });
}

#[test]
fn the_card_returns_by_itself_when_pcscd_is_restarted() {
    lane::run("pcsc_lane::the_card_returns_by_itself_when_pcscd_is_restarted", |lane| {
        let _link = lane.insert(taro());
        lane.stop_pcscd();
        assert_eq!(Context::establish(Scope::System).err(), Some(pcsc::Error::NoService));
        lane.start_pcscd();
        lane.wait_for(State::PRESENT);
        assert_eq!(transmit(&connect(), SELECT_JPKI), Ok(vec![0x90, 0x00]));
    });
}
