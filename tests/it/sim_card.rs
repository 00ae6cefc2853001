//! The simulated card answers the bytes that are known of real cards.

mod flags;

use harness::card::{Faults, SimCard};
use harness::personas::Personas;
use harness::pki::{CardPki, digest_info};

const SELECT_JPKI: &str = "00A4040C0AD392F000260100000001";
const SELECT_ISD: &str = "00A4040C07A0000001510000";
const VERIFY_1234: &str = "002000980431323334";

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXUPPER_PERMISSIVE.decode(text.replace(' ', "").as_bytes()).expect("hexadecimal")
}

fn card(persona: &str) -> SimCard {
    let persona = Personas::builtin().by_name(persona).expect("a built-in persona");
    let now = "2026-04-10T00:00:00Z".parse().expect("a timestamp");
    let mut card = SimCard::for_persona(persona, &CardPki::new(), now);
    card.power_on();
    card
}

/// Status word and data of a command.
fn send(card: &mut SimCard, command: &str) -> (u16, Vec<u8>) {
    let mut answer = card.transmit(&hex(command));
    let status = answer.split_off(answer.len() - 2);
    (u16::from_be_bytes([status[0], status[1]]), answer)
}

/// Plays a transcript of commands and expected status words.
#[track_caller]
fn transcript(card: &mut SimCard, lines: &[(&str, u16)]) {
    for (command, expected) in lines {
        let (status, _) = send(card, command);
        assert_eq!(status, *expected, "{command}: {status:04X}, expected {expected:04X}");
    }
}

/// SIGN of SHA-256("challenge") with a key reference.
fn sign_command(p2: &str) -> String {
    format!("802A00{p2}33{}00", data_encoding::HEXUPPER.encode(&digest_info(b"challenge")))
}

#[test]
fn selection_finds_applications_and_files_by_full_name_only() {
    transcript(
        &mut card("taro"),
        &[
            ("00A4020C02000A", 0x6A82), // no files outside the JPKI application
            (SELECT_JPKI, 0x9000),
            ("00A4040C09D392F0002601000000", 0x6A82), // a prefix of the name
            ("00A4040C0CA000000063504B43532D3135", 0x6A82), // PKCS#15: another card
            ("00A4020C02000A", 0x9000),
            ("00A4020C021234", 0x6A82),
            ("00A4090C02000A", 0x6A86),                 // only P1 02 selects files
            ("00A4040C0AD3921000310001010408", 0x9000), // 券面事項入力補助
            ("00A4020C02000A", 0x6A82),
        ],
    );
}

#[test]
fn selection_with_p2_00_returns_the_name() {
    let (status, answer) = send(&mut card("taro"), "00A404000AD392F00026010000000100");
    assert_eq!((status, answer), (0x9000, hex("6F0C840AD392F000260100000001")));
}

#[test]
fn the_certificate_is_read_by_selection_by_short_identifier_and_in_one_piece() {
    let mut card = card("taro");
    let certificate = card.identity().certificate_der.clone();
    send(&mut card, SELECT_JPKI);
    assert_eq!(send(&mut card, "00B0000004").0, 0x6986, "no file is current");

    // 256 bytes at a time: seven commands, the last one short.
    send(&mut card, "00A4020C02000A");
    let mut selected = Vec::new();
    let mut commands = 0;
    while selected.len() < certificate.len() {
        let (status, part) = send(&mut card, &format!("00B0{:04X}00", selected.len()));
        assert_eq!(status, 0x9000);
        selected.extend(part);
        commands += 1;
    }
    assert_eq!((commands, &selected), (7, &certificate));
    assert_eq!(send(&mut card, &format!("00B0{:04X}00", certificate.len())).0, 0x6B00);

    // The short identifier makes the file current.
    send(&mut card, "00A4020C020018");
    assert_eq!(send(&mut card, "00B08A0010"), (0x9000, certificate[..16].to_vec()));
    assert_eq!(send(&mut card, "00B0001010"), (0x9000, certificate[16..32].to_vec()));
    assert_eq!(send(&mut card, "00B08AFF01"), (0x9000, certificate[255..256].to_vec()));

    assert_eq!(send(&mut card, "00B08A00000000"), (0x9000, certificate));
}

#[test]
fn an_extended_read_returns_the_filler_too_or_is_refused_where_extended_lengths_do_not_pass() {
    let mut card = card("taro");
    card.behaviour.filler = 300;
    send(&mut card, SELECT_JPKI);
    let length = card.identity().certificate_der.len();
    assert_eq!(send(&mut card, "00B08A00000000").1.len(), length + 300);

    card.behaviour.extended = false;
    assert_eq!(send(&mut card, "00B08A00000000").0, 0x6700);
    assert_eq!(send(&mut card, "00B08A0000").1.len(), 256);
}

#[test]
fn protected_files_and_files_of_another_type_are_refused() {
    let mut card = card("taro");
    transcript(
        &mut card,
        &[
            (SELECT_JPKI, 0x9000),
            ("00B0810004", 0x6982), // signature certificate
            ("00B0890004", 0x6982), // protected, purpose unknown
            ("00B0970004", 0x6981), // a key
            ("00B0980004", 0x6981), // a PIN
            ("00B0820004", 0x9000),
            ("00B08B0004", 0x9000),
            (VERIFY_1234, 0x9000),
            ("00B0810004", 0x6982), // the other PIN opens it
            ("0020009B06414243313233", 0x9000),
            ("00B0810004", 0x9000),
        ],
    );
    assert_eq!(send(&mut card, "00B0880000"), (0x9000, hex("8F8F00")));
}

#[test]
fn token_information_names_the_kind_of_token() {
    for (persona, label) in
        [("taro", "JPKIAPICCTOKEN2"), ("android", "JPKIAPGPSETOKEN"), ("iphone", "JPKIAPIOSTOKEN")]
    {
        let mut card = card(persona);
        send(&mut card, SELECT_JPKI);
        let (status, info) = send(&mut card, "00B0860000");
        assert_eq!((status, info.len()), (0x9000, 160));
        assert_eq!(String::from_utf8_lossy(&info[..32]), format!("{label:<32}"));
        assert_eq!(info[96..100], [0, 0, 0x04, 0x0D]);
        assert_eq!(info[116..124], [0, 0, 0, 16, 0, 0, 0, 6]);
        assert_eq!(info[144..], [b'9'; 16]);
    }
}

#[test]
fn an_android_token_gives_its_certificate_only_after_the_pin() {
    transcript(
        &mut card("android"),
        &[(SELECT_JPKI, 0x9000), ("00B08A0000", 0x6982), (VERIFY_1234, 0x9000), ("00B08A0000", 0x9000)],
    );
}

#[test]
fn wrong_pins_count_down_and_block_and_power_does_not_help() {
    let mut card = card("taro");
    let wrong = "002000980439393939";
    transcript(
        &mut card,
        &[
            (SELECT_JPKI, 0x9000),
            ("00200098", 0x63C3),
            (wrong, 0x63C2),
            ("00200098", 0x63C2), // a query costs nothing
            (wrong, 0x63C1),
            (wrong, 0x63C0),
            (wrong, 0x6984),
            (VERIFY_1234, 0x6984),
            ("00200098", 0x63C0),
        ],
    );
    card.power_off();
    card.power_on();
    transcript(&mut card, &[(SELECT_JPKI, 0x9000), ("00200098", 0x63C0), (VERIFY_1234, 0x6984)]);
    assert_eq!((card.tries_left(), card.verify_count()), (0, 6));
}

#[test]
fn a_right_pin_resets_the_counter_and_a_query_still_answers_the_tries() {
    transcript(
        &mut card("leading-zero-pin"),
        &[
            (SELECT_JPKI, 0x9000),
            ("00A4020C020018", 0x9000),
            ("002000800439393939", 0x63C2),
            ("002000800430313233", 0x9000), // 0123
            ("00200080", 0x63C3),
            ("00A4020C02001B", 0x9000),
            ("00200080", 0x63C5),
            ("00A4020C020017", 0x9000),
            ("00200080", 0x6981), // a key is no PIN
        ],
    );
}

#[test]
fn a_face_authentication_card_is_blocked_from_the_start() {
    transcript(
        &mut card("face-card"),
        &[(SELECT_JPKI, 0x9000), ("00200098", 0x63C0), (VERIFY_1234, 0x6984), ("00B08A0000", 0x9000)],
    );
}

#[test]
fn a_signature_by_selection_and_by_short_identifier_is_the_same_and_verifies() {
    let mut card = card("taro");
    send(&mut card, SELECT_JPKI);
    assert_eq!(send(&mut card, &sign_command("97")).0, 0x6982);
    send(&mut card, VERIFY_1234);
    let (status, by_short_identifier) = send(&mut card, &sign_command("97"));
    assert_eq!((status, by_short_identifier.len()), (0x9000, 256));
    send(&mut card, "00A4020C020017");
    let (_, by_selection) = send(&mut card, &sign_command("80"));
    assert_eq!(by_selection, by_short_identifier);

    let certificate = &card.identity().certificate_der;
    CardPki::new().verify(certificate, b"challenge", &by_selection).expect("the signature verifies");
    assert!(!card.rsa_time().is_zero());
}

#[test]
fn the_card_signs_whatever_fits_and_refuses_other_schemes() {
    let mut card = card("taro");
    send(&mut card, SELECT_JPKI);
    send(&mut card, VERIFY_1234);
    let longest = format!("802A0097F5{}00", "42".repeat(245));
    let too_long = format!("802A0097F6{}00", "42".repeat(246));
    let pss = format!("802A049720{}00", "42".repeat(32));
    let prehashed = format!("802A029720{}00", "42".repeat(32));
    transcript(
        &mut card,
        &[
            (longest.as_str(), 0x9000),
            (too_long.as_str(), 0x6700),
            (pss.as_str(), 0x6A86),
            (prehashed.as_str(), 0x9000),
            (sign_command("9A").as_str(), 0x6982), // the signature key has its own PIN
            (sign_command("98").as_str(), 0x6981), // a PIN is no key
        ],
    );
}

#[test]
fn a_verified_pin_is_lost_with_another_application_or_power_but_not_by_reselection_or_warm_reset() {
    let mut card = card("taro");
    let sign = sign_command("97");
    transcript(
        &mut card,
        &[(SELECT_JPKI, 0x9000), (VERIFY_1234, 0x9000), (SELECT_JPKI, 0x9000), (&sign, 0x9000)],
    );
    card.warm_reset();
    transcript(&mut card, &[(&sign, 0x9000), (SELECT_ISD, 0x9000), (SELECT_JPKI, 0x9000), (&sign, 0x6982)]);
    send(&mut card, VERIFY_1234);
    card.power_off();
    assert!(card.transmit(&hex(SELECT_JPKI)).is_empty(), "no power, no answer");
    card.power_on();
    transcript(&mut card, &[(SELECT_JPKI, 0x9000), (&sign, 0x6982)]);
}

#[test]
fn reselection_and_warm_reset_can_be_made_to_forget_the_pin() {
    let mut card = card("taro");
    let sign = sign_command("97");
    card.behaviour.reselect_clears = true;
    transcript(
        &mut card,
        &[(SELECT_JPKI, 0x9000), (VERIFY_1234, 0x9000), (SELECT_JPKI, 0x9000), (&sign, 0x6982)],
    );
    card.behaviour.warm_reset_clears = true;
    send(&mut card, VERIFY_1234);
    card.warm_reset();
    transcript(&mut card, &[(&sign, 0x6A82), (SELECT_JPKI, 0x9000), (&sign, 0x6982)]);
}

#[test]
fn commands_that_the_application_does_not_know_get_the_observed_status() {
    let mut plastic = card("taro");
    transcript(
        &mut plastic,
        &[
            (SELECT_JPKI, 0x9000),
            ("01B0000004", 0x6881), // logical channel
            ("0CB0000004", 0x6882), // secure messaging
            ("A0A4000002", 0x6E00),
            ("00CADF3005", 0x6A88),
            ("00CB3FFF00", 0x6D00),
            ("80AE000000", 0x6982),
            ("80A2000000", 0x6A86),
            ("80FC0000", 0x6700),
            ("0020", 0x6700),
            ("00200198", 0x6A86),
            ("0020009804313233", 0x6700), // Lc says four
            ("00B0E00004", 0x6A86),
            ("00840000", 0x6700),
        ],
    );
    let (first, second) = (send(&mut plastic, "0084000008"), send(&mut plastic, "0084000008"));
    assert_eq!((first.0, first.1.len()), (0x9000, 8));
    assert_ne!(first, second);
    transcript(&mut card("iphone"), &[(SELECT_JPKI, 0x9000), ("80FC0000", 0x9000)]);
}

#[test]
fn a_script_replaces_answers_and_tears_the_card_out() {
    let mut card = card("taro");
    card.set_faults(Faults { status: [(0, 0x6F00)].into(), tear_after: Some(2), ..Faults::default() });
    transcript(&mut card, &[(SELECT_JPKI, 0x6F00), (SELECT_JPKI, 0x9000)]);
    assert!(card.transmit(&hex(VERIFY_1234)).is_empty());
    assert!(card.is_torn());
    card.power_on();
    assert!(card.transmit(&hex(SELECT_JPKI)).is_empty(), "power does not bring it back");
    assert_eq!((card.verify_count(), card.apdu_count()), (0, 2));

    card.reinsert();
    card.power_on();
    transcript(&mut card, &[(SELECT_JPKI, 0x9000)]);
}

#[test]
fn a_card_torn_out_after_executing_has_counted_the_wrong_pin() {
    let mut card = card("taro");
    send(&mut card, SELECT_JPKI);
    card.set_faults(Faults { tear_after: Some(0), tear_executes: true, ..Faults::default() });
    assert!(card.transmit(&hex("002000980439393939")).is_empty());
    assert_eq!(card.tries_left(), 2);
    let last = card.log().last().expect("the command was executed");
    assert_eq!((last.sw, last.delivered, last.is_verify()), (0x63C2, false, true));
}

#[test]
fn the_log_holds_headers_and_lengths_but_no_pin() {
    let mut card = card("taro");
    send(&mut card, SELECT_JPKI);
    send(&mut card, VERIFY_1234);
    send(&mut card, &sign_command("97"));
    let [select, verify, sign] = card.log() else { panic!("three commands") };
    assert_eq!((select.header, select.lc, select.le), ([0x00, 0xA4, 0x04, 0x0C], 10, None));
    assert_eq!((verify.header, verify.lc, verify.sw), ([0x00, 0x20, 0x00, 0x98], 4, 0x9000));
    assert_eq!((sign.lc, sign.le, sign.extended, sign.is_sign()), (51, Some(256), false, true));
    assert!(!format!("{:?}", card.log()).contains("49, 50, 51, 52"), "no PIN bytes");
}

#[test]
fn the_shortest_session_takes_four_commands_with_extended_lengths() {
    let mut card = card("taro");
    let sign = sign_command("97");
    transcript(
        &mut card,
        &[(SELECT_JPKI, 0x9000), ("00B08A00000000", 0x9000), (VERIFY_1234, 0x9000), (&sign, 0x9000)],
    );
    assert_eq!((card.apdu_count(), card.verify_count()), (4, 1));
}

#[test]
fn a_garbled_answer_arrives_as_scripted_and_the_command_counts() {
    let mut card = card("taro");
    send(&mut card, SELECT_JPKI);
    card.set_faults(Faults { garbled: [(0, vec![0x63])].into(), ..Faults::default() });
    assert_eq!(card.transmit(&hex("002000980439393939")), [0x63]);
    assert_eq!(card.tries_left(), 2);
    transcript(&mut card, &[("00200098", 0x63C2)]);
}
