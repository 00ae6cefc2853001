//! Terminal authentication, INVENTED: it proves the daemon's seam and nothing about real cards.
//!
//! A real terminal presents a certificate from J-LIS by `80 A2`; parameters and cryptography are not public. Here terminal
//! and card share a key, and the terminal answers the card's challenge with SHA-256 over key and challenge.

use daemon::app::ports::{CardError, CardExchange, TerminalAuthentication};
use sha2::{Digest as _, Sha256};

/// GET CHALLENGE for 16 bytes.
const GET_CHALLENGE: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x10];
/// EXTERNAL AUTHENTICATE with 32 bytes.
const EXTERNAL_AUTHENTICATE: [u8; 5] = [0x00, 0x82, 0x00, 0x00, 0x20];

/// A terminal with the key that a card may accept ([`super::Behaviour::terminal_key`]).
pub struct SyntheticTerminal(pub [u8; 32]);

/// What a terminal with this key answers to a challenge.
pub(super) fn response(key: &[u8; 32], challenge: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(key).chain_update(challenge).finalize().to_vec()
}

impl TerminalAuthentication for SyntheticTerminal {
    fn open_key(&self, card: &mut dyn CardExchange) -> Result<(), CardError> {
        let given = card.exchange(&GET_CHALLENGE)?;
        let challenge = given.strip_suffix(&[0x90, 0x00]).ok_or(CardError::Unusable { status: None })?;
        let answer = [&EXTERNAL_AUTHENTICATE[..], &response(&self.0, challenge)].concat();
        match *card.exchange(&answer)? {
            [0x90, 0x00] => Ok(()),
            [.., high, low] => Err(CardError::Unusable { status: Some(u16::from_be_bytes([high, low])) }),
            _ => Err(CardError::Unusable { status: None }),
        }
    }
}
