//! What happens in one card session, in order. Each session is given a freshly connected card and ends with it.
//!
//! Commands on the wire, the tries query included, with extended length and without (for a certificate of 1,537 to 1,792
//! bytes; one more when a reader is found not to support extended length):
//!
//! | session | extended | short | in order |
//! |---|---|---|---|
//! | certificate alone | 2 | 8 | SELECT, READ |
//! | plastic card, PIN | 5 | 11 | SELECT, READ, tries, VERIFY, SIGN |
//! | Android, PIN | 7 | 13 | SELECT, label (2), tries, VERIFY, READ, SIGN |
//! | iPhone | 6 | 12 | SELECT, label (2), READ, SIGN, last command |
//!
//! VERIFY and the signature are sent at most once. SELECT is repeated once after the `6F00` that some cards answer to their
//! first command, a READ at most twice.
//!
//! The plastic card follows public observations of real cards. That an Android phone gives its certificate only after the
//! PIN, the labels, and the iPhone's last command were observed by the authors of jpki/myna and myna-card. Inferred, and
//! proven by the simulator alone: that phones know the short file ids of VERIFY, READ and SIGN, that an Android phone answers
//! the tries query, and that an iPhone whose owner was not recognised refuses the signature with `6982`.

use super::apdu::Status;
use super::drive::{DriveError, Transmit, TransmitError, drive};
use super::protocol::{
    LastCommand, ProtocolError, ReadCertificate, ReadTokenLabel, Rung, SelectJpki, Sign, Tries, TriesLeft,
    VerifyPin,
};
use super::x509::{self, Malformed};
use crate::app::ports::{
    CardCertificate, CardError, CardExchange, Opening, SignedChallenge, Signing, TerminalAuthentication,
};
use crate::domain::check::Token;
use crate::domain::personal::Pin;

/// How often a READ is begun again after the reader failed to carry it.
const READ_AGAIN: usize = 2;

/// Reads the user-authentication certificate of a plastic card; no PIN. `rung` is what the reader is known to support, and is
/// updated.
pub fn read_certificate(card: &mut dyn Transmit, rung: &mut Rung) -> Result<CardCertificate, CardError> {
    drive(SelectJpki::default(), card)?;
    plastic_certificate(card, rung)
}

/// Reads the certificate of whatever is there, as far as it is free of the PIN, and what it is. For the doctor, who does not
/// mind what is in it.
pub fn survey(card: &mut dyn Transmit, rung: &mut Rung) -> Result<(Vec<u8>, Token), CardError> {
    drive(SelectJpki::default(), card)?;
    let der = certificate(card, rung)?;
    // What has no known label is taken for a card: the labels were added for the phones.
    let token = drive(ReadTokenLabel::default(), card).unwrap_or(Token::Plastic);
    Ok((der, token))
}

/// Reads the certificate, opens the key and signs SHA-256 of `challenge`.
pub fn open_and_sign(
    card: &mut dyn Transmit,
    rung: &mut Rung,
    opening: Opening,
    challenge: &[u8],
) -> Result<Signing, CardError> {
    match opening {
        Opening::CardPin { pin, last_try_confirmed } => {
            sign_with_pin(card, rung, pin, challenge, last_try_confirmed)
        }
        Opening::AndroidPin { pin, last_try_confirmed } => {
            sign_on_android(card, rung, pin, challenge, last_try_confirmed)
        }
        Opening::Iphone => sign_on_iphone(card, rung, challenge),
        Opening::Terminal(terminal) => sign_as_terminal(card, rung, &*terminal, challenge),
    }
}

/// Plastic card: reads the certificate, asks for the tries left, presents the PIN and signs SHA-256 of `challenge`.
///
/// A locked PIN, and one try left without `last_try_confirmed`, end the session before VERIFY. So does a certificate that
/// cannot be read: the PIN would be spent for nothing.
pub fn sign_with_pin(
    card: &mut dyn Transmit,
    rung: &mut Rung,
    pin: Pin,
    challenge: &[u8],
    last_try_confirmed: bool,
) -> Result<Signing, CardError> {
    drive(SelectJpki::default(), card)?;
    let certificate = plastic_certificate(card, rung)?;
    if let Some(pin) = present(card, pin, last_try_confirmed)? {
        return Ok(Signing::OneTryLeft(pin));
    }
    Ok(signed(certificate, drive(Sign::new(challenge), card)?))
}

/// Android phone: as the plastic card, but its certificate can be read only after the PIN, so the label tells beforehand
/// that the PIN goes to a phone.
pub fn sign_on_android(
    card: &mut dyn Transmit,
    rung: &mut Rung,
    pin: Pin,
    challenge: &[u8],
    last_try_confirmed: bool,
) -> Result<Signing, CardError> {
    drive(SelectJpki::default(), card)?;
    expect(card, Token::Android)?;
    if let Some(pin) = present(card, pin, last_try_confirmed)? {
        return Ok(Signing::OneTryLeft(pin));
    }
    let certificate = understood(certificate(card, rung)?)?.0;
    Ok(signed(certificate, drive(Sign::new(challenge), card)?))
}

/// iPhone: no PIN; the phone has recognised its owner before it was held on the reader, or refuses to sign.
pub fn sign_on_iphone(
    card: &mut dyn Transmit,
    rung: &mut Rung,
    challenge: &[u8],
) -> Result<Signing, CardError> {
    drive(SelectJpki::default(), card)?;
    expect(card, Token::Iphone)?;
    let certificate = understood(certificate(card, rung)?)?.0;
    let signature = match drive(Sign::new(challenge), card) {
        Err(DriveError::Protocol(ProtocolError::Unusable(Status::SECURITY_STATUS))) => {
            Err(CardError::NotUnlocked)
        }
        other => other.map_err(CardError::from),
    };
    if matches!(signature, Ok(_) | Err(CardError::NotUnlocked)) {
        // The signature is what counts: a phone that is gone by now has done its part.
        let _ = drive(LastCommand, card);
    }
    Ok(signed(certificate, signature?))
}

/// Plastic card, compared by sight: the terminal opens the key.
pub fn sign_as_terminal(
    card: &mut dyn Transmit,
    rung: &mut Rung,
    terminal: &dyn TerminalAuthentication,
    challenge: &[u8],
) -> Result<Signing, CardError> {
    drive(SelectJpki::default(), card)?;
    let certificate = plastic_certificate(card, rung)?;
    terminal.open_key(&mut Wire(card))?;
    Ok(signed(certificate, drive(Sign::new(challenge), card)?))
}

fn signed(certificate: CardCertificate, signature: Vec<u8>) -> Signing {
    let CardCertificate { der, facts } = certificate;
    Signing::Signed(SignedChallenge { certificate: der, facts, signature })
}

/// Asks for the tries left and presents the PIN, once; gives it back if it is the last try and nobody confirmed that.
///
/// It is presented even if the card says that one still holds: who presented that one is unknown.
fn present(card: &mut dyn Transmit, pin: Pin, last_try_confirmed: bool) -> Result<Option<Pin>, CardError> {
    match drive(TriesLeft, card)? {
        Tries::Locked => return Err(CardError::PinLocked),
        Tries::Left(1) if !last_try_confirmed => return Ok(Some(pin)),
        Tries::Left(_) | Tries::Verified => {}
    }
    drive(VerifyPin::new(pin), card)?;
    Ok(None)
}

/// Makes sure by the label what is on the reader.
fn expect(card: &mut dyn Transmit, wanted: Token) -> Result<(), CardError> {
    let found = drive(ReadTokenLabel::default(), card)?;
    if found == wanted { Ok(()) } else { Err(CardError::WrongToken { found }) }
}

/// The certificate of a plastic card. The label is asked for only where the certificate could be a phone's: where it is
/// protected, or has another policy than cards have.
fn plastic_certificate(card: &mut dyn Transmit, rung: &mut Rung) -> Result<CardCertificate, CardError> {
    let der = match certificate(card, rung) {
        Err(DriveError::Protocol(ProtocolError::Unusable(Status::SECURITY_STATUS))) => {
            expect(card, Token::Plastic)?;
            return Err(CardError::Unusable { status: Some(Status::SECURITY_STATUS.0) });
        }
        other => other?,
    };
    let (certificate, is_plastic) = understood(der)?;
    if !is_plastic {
        expect(card, Token::Plastic)?;
    }
    Ok(certificate)
}

/// The certificate with its facts, and whether it is surely one of a plastic card.
fn understood(der: Vec<u8>) -> Result<(CardCertificate, bool), CardError> {
    let reading = x509::read(&der).map_err(|Malformed| CardError::Unusable { status: None })?;
    Ok((CardCertificate { der, facts: reading.facts }, reading.is_plastic))
}

fn certificate(card: &mut dyn Transmit, rung: &mut Rung) -> Result<Vec<u8>, DriveError> {
    let mut from = *rung;
    let mut result = drive(ReadCertificate::new(from), card);
    for _ in 0..READ_AGAIN {
        let Err(DriveError::Transmit(TransmitError::NotTransacted | TransmitError::Other)) = result else {
            break;
        };
        // Some readers fail the exchange instead of passing a command of extended length on. Reading again is harmless,
        // and fails at once if the card was pulled.
        if from == Rung::ExtendedSfi {
            from = Rung::ShortSfi;
        }
        result = drive(ReadCertificate::new(from), card);
    }
    let read = result?;
    *rung = read.rung;
    Ok(read.der)
}

/// The card as terminal authentication sees it.
struct Wire<'c>(&'c mut dyn Transmit);

impl CardExchange for Wire<'_> {
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        let answer = self.0.transmit(command).map_err(DriveError::Transmit)?;
        if answer.len() < 2 { Err(CardError::Removed) } else { Ok(answer) }
    }
}

impl From<DriveError> for CardError {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Protocol(ProtocolError::NotJpki) => Self::NotJpki,
            DriveError::Protocol(ProtocolError::WrongPin { tries_left }) => Self::WrongPin { tries_left },
            DriveError::Protocol(ProtocolError::PinLocked) => Self::PinLocked,
            DriveError::Protocol(ProtocolError::Unusable(Status(status))) => {
                Self::Unusable { status: Some(status) }
            }
            DriveError::Transmit(
                TransmitError::Removed | TransmitError::NotTransacted | TransmitError::Reset,
            ) => Self::Removed,
            DriveError::Transmit(TransmitError::ReaderGone) => Self::ReaderUnavailable,
            DriveError::Transmit(TransmitError::ServiceGone) => Self::ServiceUnavailable,
            DriveError::Transmit(TransmitError::Other) => Self::Unusable { status: None },
        }
    }
}

#[cfg(test)]
mod phones;

#[cfg(test)]
mod tests {
    use super::super::scripted::{CERTIFICATE_LENGTH, CHALLENGE, RIGHT_PIN, ScriptedCard};
    use super::*;

    #[expect(clippy::unwrap_in_result, reason = "a PIN of the test itself")]
    fn sign(
        card: &mut ScriptedCard,
        rung: &mut Rung,
        pin: &str,
        confirmed: bool,
    ) -> Result<Signing, CardError> {
        sign_with_pin(card, rung, Pin::parse(pin).unwrap(), CHALLENGE, confirmed)
    }

    #[test]
    fn a_signature_takes_five_commands_with_extended_length() {
        let mut card = ScriptedCard::new();
        let Ok(Signing::Signed(signed)) = sign(&mut card, &mut Rung::default(), RIGHT_PIN, false) else {
            panic!("not signed")
        };
        assert_eq!(signed.certificate.len(), CERTIFICATE_LENGTH);
        assert_eq!(signed.signature, ScriptedCard::signature());
        assert_eq!(card.instructions(), [0xA4, 0xB0, 0x20, 0x20, 0x2A]);
    }

    #[test]
    fn without_extended_length_it_takes_twelve_at_first_contact_and_eleven_from_then_on() {
        let mut rung = Rung::default();
        for expected in [12, 11] {
            let mut card = ScriptedCard::new().refusing_extended_length();
            assert!(matches!(sign(&mut card, &mut rung, RIGHT_PIN, false), Ok(Signing::Signed(_))));
            assert_eq!(card.instructions().len(), expected);
        }
    }

    #[test]
    fn a_certificate_alone_takes_two_commands_or_eight() {
        let mut card = ScriptedCard::new();
        let read = read_certificate(&mut card, &mut Rung::default()).unwrap();
        assert_eq!((read.der.len(), card.instructions().len()), (CERTIFICATE_LENGTH, 2));

        let mut card = ScriptedCard::new().refusing_extended_length();
        let read = read_certificate(&mut card, &mut Rung::ShortSfi.clone()).unwrap();
        assert_eq!((read.der.len(), card.instructions().len()), (CERTIFICATE_LENGTH, 8));
    }

    #[test]
    fn a_reader_that_fails_on_extended_length_is_read_in_short_commands_and_remembered() {
        for failure in [TransmitError::NotTransacted, TransmitError::Other] {
            let mut rung = Rung::default();
            let mut card = ScriptedCard::new().failing_extended_length(failure);
            assert!(matches!(sign(&mut card, &mut rung, RIGHT_PIN, false), Ok(Signing::Signed(_))));
            assert_eq!(rung, Rung::ShortSfi);
            assert_eq!(card.verifies(), 1);
        }
    }

    #[test]
    fn a_card_removed_at_any_command_is_reported_and_sees_at_most_one_verify() {
        for loss in [TransmitError::Removed, TransmitError::NotTransacted, TransmitError::Reset] {
            for index in 0..5 {
                let mut rung = Rung::default();
                let mut card = ScriptedCard::new().torn_at(index, Err(loss));
                let result = sign(&mut card, &mut rung, RIGHT_PIN, false);
                assert!(matches!(result, Err(CardError::Removed)), "{loss:?} at {index}: {result:?}");
                assert_eq!(card.verifies(), usize::from(index >= 3), "{loss:?} at {index}");
                // The failure tells nothing about the reader unless a later read worked.
                assert_eq!(rung, Rung::ExtendedSfi);
            }
        }
    }

    #[test]
    fn an_answer_without_a_status_word_means_removed() {
        for index in 0..5 {
            for answer in [vec![], vec![0x90]] {
                let mut card = ScriptedCard::new().torn_at(index, Ok(answer));
                let result = sign(&mut card, &mut Rung::default(), RIGHT_PIN, false);
                assert!(matches!(result, Err(CardError::Removed)), "{index}: {result:?}");
                assert_eq!(card.instructions().len(), index + 1, "nothing is sent after the loss");
            }
        }
    }

    #[test]
    fn lost_reader_and_lost_service_are_told_apart() {
        for (loss, expected) in [
            (TransmitError::ReaderGone, CardError::ReaderUnavailable),
            (TransmitError::ServiceGone, CardError::ServiceUnavailable),
        ] {
            let mut card = ScriptedCard::new().torn_at(3, Err(loss));
            assert_eq!(sign(&mut card, &mut Rung::default(), RIGHT_PIN, false).unwrap_err(), expected);
        }
    }

    #[test]
    fn another_card_is_refused_before_anything_else() {
        let mut card = ScriptedCard::new().without_jpki();
        let error = sign(&mut card, &mut Rung::default(), RIGHT_PIN, false).unwrap_err();
        assert_eq!(error, CardError::NotJpki);
        assert_eq!(card.instructions(), [0xA4]);
    }

    #[test]
    fn a_wrong_pin_costs_one_try_and_signs_nothing() {
        let mut card = ScriptedCard::new();
        let error = sign(&mut card, &mut Rung::default(), "9999", false).unwrap_err();
        assert_eq!(error, CardError::WrongPin { tries_left: 2 });
        assert_eq!((card.tries(), card.verifies()), (2, 1));
        assert_eq!(card.instructions().last(), Some(&0x20));
    }

    #[test]
    fn a_locked_pin_is_found_by_the_query_and_no_verify_is_sent() {
        let mut card = ScriptedCard::new().with_tries(0);
        let error = sign(&mut card, &mut Rung::default(), RIGHT_PIN, true).unwrap_err();
        assert_eq!(error, CardError::PinLocked);
        assert_eq!(card.verifies(), 0);
    }

    #[test]
    fn the_last_try_is_used_only_when_confirmed() {
        let mut card = ScriptedCard::new().with_tries(1);
        let Ok(Signing::OneTryLeft(pin)) = sign(&mut card, &mut Rung::default(), RIGHT_PIN, false) else {
            panic!("the PIN must come back")
        };
        assert_eq!(pin.digits(), RIGHT_PIN.as_bytes());
        assert_eq!(card.verifies(), 0);
        assert!(matches!(sign(&mut card, &mut Rung::default(), RIGHT_PIN, true), Ok(Signing::Signed(_))));
    }

    #[test]
    fn the_last_try_with_a_wrong_pin_locks() {
        let mut card = ScriptedCard::new().with_tries(1);
        assert_eq!(sign(&mut card, &mut Rung::default(), "9999", true).unwrap_err(), CardError::PinLocked);
        assert_eq!((card.tries(), card.verifies()), (0, 1));
    }
}
