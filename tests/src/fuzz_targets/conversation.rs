//! A whole card session with a card that answers whatever the input says.

use daemon::app::ports::{CardError, Opening, Signing};
use daemon::card::drive::{Transmit, TransmitError};
use daemon::card::protocol::Rung;
use daemon::card::{session, tlv};

use super::{RUNGS, pin};

const CHALLENGE: &[u8] = b"a challenge of the central system";

/// What lies in the file of an honest card.
const CERTIFICATE: &[u8] = include_bytes!("../../fuzz/corpus/certificate/synthetic-card");

/// The labels of card and phones, padded.
const LABELS: [&[u8; 32]; 3] = [
    b"JPKIAPICCTOKEN2                 ",
    b"JPKIAPGPSETOKEN                 ",
    b"JPKIAPIOSTOKEN                  ",
];

/// A session: the first byte says how it begins, the rest is the card's answers.
///
/// It ends; the PIN is presented at most once, only after the card said that a try is left, and the last try only when
/// it was confirmed; except by an iPhone nothing is signed without it; nothing is sent to a card that has left.
pub fn card_conversation(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut rung: Rung = RUNGS[usize::from(first & 0x03) % RUNGS.len()];
    let last_try_confirmed = first & 0x04 != 0;
    let opening = match first & 0x18 {
        0x10 => Opening::AndroidPin { pin: pin(), last_try_confirmed },
        0x18 => Opening::Iphone,
        _ => Opening::CardPin { pin: pin(), last_try_confirmed },
    };
    let verifies = usize::from(!matches!(opening, Opening::Iphone));
    let mut card = Dealt { rest, confirmed: last_try_confirmed, due: verifies, ..Dealt::default() };
    let result = session::open_and_sign(&mut card, &mut rung, opening, CHALLENGE);
    match result {
        Ok(Signing::Signed(signed)) => {
            assert_eq!((card.verifies, card.signs), (verifies, 1), "signed without a PIN");
            assert_eq!(signed.signature.len(), 256);
            assert_eq!(tlv::certificate_length(&signed.certificate), Ok(Some(signed.certificate.len())));
        }
        Ok(Signing::OneTryLeft(back)) => {
            assert!(!last_try_confirmed, "asked again for what was confirmed");
            assert_eq!((card.verifies, back.digits()), (0, b"1234"));
        }
        // A status word can look like the PIN.
        Err(CardError::Unusable { .. }) => {}
        Err(error) => assert!(!format!("{error:?} {error}").contains("1234"), "an error shows the PIN"),
    }
}

/// A card that answers what it was dealt, then leaves.
#[derive(Default)]
struct Dealt<'a> {
    rest: &'a [u8],
    confirmed: bool,
    may_verify: bool,
    /// How often the PIN is presented before anything may be signed.
    due: usize,
    verifies: usize,
    signs: usize,
    left: bool,
}

impl Transmit for Dealt<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        assert!(!self.left, "a command to a card that has left");
        let is_pin = command.get(1) == Some(&0x20);
        let presents = is_pin && command.len() > 4;
        assert!(
            presents || !command.windows(4).any(|bytes| bytes == b"1234"),
            "the PIN is in a command that does not present it"
        );
        if presents {
            assert!(self.may_verify, "presented although no try was known to be left");
            self.verifies += 1;
            assert_eq!(self.verifies, 1, "presented twice");
        }
        if command.get(1) == Some(&0x2A) {
            assert_eq!(self.verifies, self.due, "signed without a PIN");
            self.signs += 1;
            assert_eq!(self.signs, 1, "signed twice");
        }
        let answer = self.deal();
        self.left =
            matches!(answer, Err(TransmitError::Removed)) || answer.as_ref().is_ok_and(|a| a.len() < 2);
        if is_pin && !presents {
            let tries = answer.as_deref().ok().and_then(<[u8]>::last_chunk::<2>).copied();
            self.may_verify = match tries {
                Some([0x90, 0x00]) => true,
                Some([0x63, left @ 0xC0..=0xCF]) => left > 0xC1 || (left == 0xC1 && self.confirmed),
                _ => false,
            };
        }
        answer
    }
}

impl Dealt<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> &[u8] {
        let length = self.byte().map_or(0, usize::from).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes
    }

    /// One byte chooses a kind of answer: those that lead deep into a session, and any others.
    fn deal(&mut self) -> Result<Vec<u8>, TransmitError> {
        const OK: [u8; 2] = [0x90, 0x00];
        let Some(kind) = self.byte() else { return Err(TransmitError::Removed) };
        Ok(match kind % 11 {
            0 => OK.to_vec(),
            1 => vec![0x63, 0xC0 | self.byte().unwrap_or(3) & 0x0F],
            2 => [CERTIFICATE, &OK].concat(),
            3 => [&[0x5A; 256][..], &OK].concat(),
            4 => vec![self.byte().unwrap_or(0x6F), self.byte().unwrap_or(0)],
            5 => [self.bytes(), &OK].concat(),
            6 => self.bytes().to_vec(),
            7 => {
                return Err(match self.byte().unwrap_or(0) % 6 {
                    0 => TransmitError::Removed,
                    1 => TransmitError::NotTransacted,
                    2 => TransmitError::Reset,
                    3 => TransmitError::ReaderGone,
                    4 => TransmitError::ServiceGone,
                    _ => TransmitError::Other,
                });
            }
            8 => vec![0x67, 0x00],
            9 => vec![0x6A, 0x86],
            _ => [&LABELS[usize::from(self.byte().unwrap_or(0)) % LABELS.len()][..], &OK].concat(),
        })
    }
}
