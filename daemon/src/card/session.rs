//! What happens in one card session, in order. Each session is given a freshly connected card and ends with it.
//!
//! Command budget, the tries query included: certificate and signature take 5 commands with extended length and 11 without
//! (for a certificate of 1,537 to 1,792 bytes), one more when a reader is found not to support extended length; the
//! certificate alone takes 2 and 8. VERIFY and the signature are sent at most once.

use super::apdu::Status;
use super::drive::{DriveError, Transmit, TransmitError, drive};
use super::protocol::{ProtocolError, ReadCertificate, Rung, SelectJpki, Sign, Tries, TriesLeft, VerifyPin};
use crate::app::ports::{CardCertificate, CardError, SignedChallenge, Signing};
use crate::domain::personal::Pin;

/// Reads the user-authentication certificate; no PIN. `rung` is what the reader is known to support, and is updated.
pub fn read_certificate(card: &mut dyn Transmit, rung: &mut Rung) -> Result<CardCertificate, CardError> {
    drive(SelectJpki::default(), card)?;
    Ok(CardCertificate { der: certificate(card, rung)? })
}

/// Reads the certificate, asks for the tries left, presents the PIN and signs SHA-256 of `challenge`.
///
/// A locked PIN, and one try left without `last_try_confirmed`, end the session before VERIFY. The PIN is presented even if
/// the card says that it still holds: who presented it before is unknown.
pub fn sign_with_pin(
    card: &mut dyn Transmit,
    rung: &mut Rung,
    pin: Pin,
    challenge: &[u8],
    last_try_confirmed: bool,
) -> Result<Signing, CardError> {
    drive(SelectJpki::default(), card)?;
    let certificate = certificate(card, rung)?;
    match drive(TriesLeft, card)? {
        Tries::Locked => return Err(CardError::PinLocked),
        Tries::Left(1) if !last_try_confirmed => return Ok(Signing::OneTryLeft(pin)),
        Tries::Left(_) | Tries::Verified => {}
    }
    drive(VerifyPin::new(pin), card)?;
    let signature = drive(Sign::new(challenge), card)?;
    Ok(Signing::Signed(SignedChallenge { certificate, signature }))
}

fn certificate(card: &mut dyn Transmit, rung: &mut Rung) -> Result<Vec<u8>, CardError> {
    let read = match drive(ReadCertificate::new(*rung), card) {
        // Some readers fail the exchange instead of passing a command of extended length on. Reading again is harmless,
        // and fails at once if the card was pulled.
        Err(DriveError::Transmit(TransmitError::NotTransacted | TransmitError::Other))
            if *rung == Rung::ExtendedSfi =>
        {
            drive(ReadCertificate::new(Rung::ShortSfi), card)
        }
        other => other,
    }?;
    *rung = read.rung;
    Ok(read.der)
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
