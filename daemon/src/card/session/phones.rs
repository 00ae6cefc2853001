//! Scenarios of phones, terminals and tokens of the wrong kind, on scripted cards.

use std::sync::Arc;

use super::super::scripted::{CERTIFICATE, CHALLENGE, RIGHT_PIN, ScriptedCard};
use super::*;

const ANY: [Token; 3] = [Token::Plastic, Token::Android, Token::Iphone];

fn token_card(token: Token) -> ScriptedCard {
    if token == Token::Plastic { ScriptedCard::new() } else { ScriptedCard::phone(token, true) }
}

fn open(card: &mut ScriptedCard, opening: Opening) -> Result<Signing, CardError> {
    open_and_sign(card, &mut Rung::default(), opening, CHALLENGE)
}

fn android(pin: &str, last_try_confirmed: bool) -> Opening {
    Opening::AndroidPin { pin: Pin::parse(pin).unwrap(), last_try_confirmed }
}

fn card_pin() -> Opening {
    Opening::CardPin { pin: Pin::parse(RIGHT_PIN).unwrap(), last_try_confirmed: false }
}

#[test]
fn an_android_phone_gives_its_certificate_after_the_pin_in_seven_commands() {
    let mut card = ScriptedCard::phone(Token::Android, false);
    assert!(matches!(open(&mut card, android(RIGHT_PIN, false)), Ok(Signing::Signed(_))));
    assert_eq!(card.instructions(), [0xA4, 0xA4, 0xB0, 0x20, 0x20, 0xB0, 0x2A]);
    let mut card = ScriptedCard::phone(Token::Android, false).refusing_extended_length();
    let mut rung = Rung::ShortSfi;
    let signed = open_and_sign(&mut card, &mut rung, android(RIGHT_PIN, false), CHALLENGE);
    assert!(matches!(signed, Ok(Signing::Signed(_))));
    assert_eq!(card.instructions().len(), 13);
}

#[test]
fn the_rules_of_the_pin_hold_for_a_phone() {
    let mut card = ScriptedCard::phone(Token::Android, false);
    let wrong = open(&mut card, android("9999", false)).unwrap_err();
    assert_eq!((wrong, card.tries()), (CardError::WrongPin { tries_left: 2 }, 2));
    let mut card = ScriptedCard::phone(Token::Android, false).with_tries(1);
    assert!(matches!(open(&mut card, android(RIGHT_PIN, false)), Ok(Signing::OneTryLeft(_))));
    assert_eq!(card.verifies(), 0);
    assert!(matches!(open(&mut card, android(RIGHT_PIN, true)), Ok(Signing::Signed(_))));
    let mut card = ScriptedCard::phone(Token::Android, false).with_tries(0);
    assert_eq!(open(&mut card, android(RIGHT_PIN, true)).unwrap_err(), CardError::PinLocked);
    assert_eq!(card.verifies(), 0);
}

#[test]
fn an_iphone_signs_without_a_pin_and_is_told_the_last_command() {
    let mut card = ScriptedCard::phone(Token::Iphone, true);
    assert!(matches!(open(&mut card, Opening::Iphone), Ok(Signing::Signed(_))));
    assert_eq!(card.instructions(), [0xA4, 0xA4, 0xB0, 0xB0, 0x2A, 0xFC]);

    let mut card = ScriptedCard::phone(Token::Iphone, false);
    assert_eq!(open(&mut card, Opening::Iphone).unwrap_err(), CardError::NotUnlocked);
    assert_eq!(card.instructions().last(), Some(&0xFC));
}

#[test]
fn an_iphone_torn_away_after_its_signature_has_done_its_part() {
    let mut card = ScriptedCard::phone(Token::Iphone, true).torn_at(5, Err(TransmitError::Removed));
    assert!(matches!(open(&mut card, Opening::Iphone), Ok(Signing::Signed(_))));
    for index in 0..5 {
        let mut card = ScriptedCard::phone(Token::Iphone, true).torn_at(index, Err(TransmitError::Removed));
        assert_eq!(open(&mut card, Opening::Iphone).unwrap_err(), CardError::Removed);
        assert_eq!(card.instructions().len(), index + 1, "nothing is sent after the loss");
    }
}

#[test]
fn a_token_of_another_kind_is_named_and_never_sees_a_pin() {
    // The certificate of a phone has another policy; this one's is changed in place (…0.30 → …0.93).
    let policy = [0x08, 0x05, 0x01, 0x00, 0x1E];
    let place = CERTIFICATE.windows(5).position(|window| window == policy).unwrap();
    let mut phones = CERTIFICATE.to_vec();
    phones[place + 4] = 0x5D;
    for (wanted, opening) in [
        (Token::Plastic, card_pin as fn() -> Opening),
        (Token::Android, || android(RIGHT_PIN, false)),
        (Token::Iphone, || Opening::Iphone),
    ] {
        for found in ANY.into_iter().filter(|found| *found != wanted) {
            let certificate = if found == Token::Plastic { CERTIFICATE } else { &phones };
            let mut card = token_card(found).with_certificate(certificate);
            assert_eq!(open(&mut card, opening()).unwrap_err(), CardError::WrongToken { found });
            assert_eq!(card.verifies(), 0, "{found:?} for {wanted:?}");
        }
    }
    let mut phone = ScriptedCard::phone(Token::Android, false);
    let refused = read_certificate(&mut phone, &mut Rung::default()).unwrap_err();
    assert_eq!(refused, CardError::WrongToken { found: Token::Android });
    // A plastic card with a policy that nobody knows yet is still a card.
    let mut card = ScriptedCard::new().with_certificate(&phones);
    assert!(matches!(open(&mut card, card_pin()), Ok(Signing::Signed(_))));
    assert_eq!(card.instructions().len(), 7);
}

#[test]
fn a_certificate_that_is_none_is_found_before_the_pin_is_spent() {
    let mut garbage = CERTIFICATE.to_vec();
    garbage[4..].fill(0xA5);
    let mut card = ScriptedCard::new().with_certificate(&garbage);
    assert_eq!(open(&mut card, card_pin()).unwrap_err(), CardError::Unusable { status: None });
    assert_eq!(card.verifies(), 0);
}

/// Sends one command that the scripted card takes for terminal authentication.
struct Terminal;

impl TerminalAuthentication for Terminal {
    fn open_key(&self, card: &mut dyn CardExchange) -> Result<(), CardError> {
        card.exchange(&[0x80, 0xA2, 0x00, 0x00]).map(drop)
    }
}

#[test]
fn a_terminal_opens_the_key_without_a_pin_or_ends_the_session() {
    let mut card = ScriptedCard::new().with_tries(0);
    assert!(matches!(open(&mut card, Opening::Terminal(Arc::new(Terminal))), Ok(Signing::Signed(_))));
    assert_eq!(card.instructions(), [0xA4, 0xB0, 0xA2, 0x2A]);
    for answer in [Ok(vec![]), Err(TransmitError::Removed)] {
        let mut card = ScriptedCard::new().torn_at(2, answer);
        let torn = open(&mut card, Opening::Terminal(Arc::new(Terminal))).unwrap_err();
        assert_eq!((torn, card.instructions().len()), (CardError::Removed, 3));
    }
}
