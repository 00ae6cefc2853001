//! What each command does: selection, security state, one function per instruction.

use std::time::Instant;

use rand_chacha::rand_core::RngCore as _;

use super::SimCard;
use super::apdu::{Command, sw};
use super::files::{Access, Application, ElementaryFile, PinId};
use crate::personas::Token;
use crate::pki;

/// Longest PIN the card takes.
const LONGEST_PIN: usize = 16;
/// Longest input of PKCS#1 v1.5 padding with an RSA-2048 key.
const LONGEST_INPUT: usize = 245;
/// Bytes of an RSA-2048 signature.
const SIGNATURE_LENGTH: usize = 256;

/// An answer: data and status word; `Err` is a status word alone.
pub(super) type Answer = Result<Vec<u8>, u16>;

impl SimCard {
    /// Executes one command.
    pub(super) fn execute(&mut self, bytes: &[u8]) -> Answer {
        let command = Command::decode(bytes).ok_or(sw::WRONG_LENGTH)?;
        if command.extended && !self.behaviour.extended {
            return Err(sw::WRONG_LENGTH);
        }
        let [class, instruction, ..] = command.header;
        match class {
            0x00 | 0x80 => {}
            0x01..=0x03 => return Err(sw::NO_CHANNELS),
            0x04..=0x0F => return Err(sw::NO_SECURE_MESSAGING),
            _ => return Err(sw::UNKNOWN_CLA),
        }
        match (class, instruction) {
            (0x00, 0xA4) => self.select(&command),
            (0x00, 0xB0) => self.read_binary(&command),
            (0x00, 0x20) => self.verify(&command),
            (0x00, 0x84) => self.get_challenge(&command),
            (0x00, 0x82) if self.behaviour.terminal_key.is_some() => self.external_authenticate(&command),
            (0x00, 0xCA) => Err(sw::NO_DATA_OBJECT),
            (0x80, 0x2A) => self.sign(&command),
            // Secure messaging and terminal authentication exist on real cards, but their protocols are not public.
            (0x80, 0xAE) if self.application == Some(Application::Jpki) => Err(sw::SECURITY_STATUS),
            (0x80, 0xA2) if self.application == Some(Application::Jpki) => Err(sw::WRONG_P1_P2),
            // "Last command" of the iPhone profile.
            (0x80, 0xFC) if self.persona.card.token == Token::Iphone => Ok(Vec::new()),
            (0x80, 0xFC) => Err(sw::WRONG_LENGTH),
            _ => Err(sw::UNKNOWN_INS),
        }
    }

    /// SELECT: an application by its name (P1 04) or an elementary file by its identifier (P1 02).
    fn select(&mut self, command: &Command<'_>) -> Answer {
        let [_, _, p1, p2] = command.header;
        if !matches!(p2, 0x00 | 0x0C) {
            return Err(sw::WRONG_P1_P2);
        }
        match p1 {
            0x04 => {
                let found = Application::by_name(command.data, self.persona.card.token);
                let application = found.ok_or(sw::NOT_FOUND)?;
                if self.application != Some(application) || self.behaviour.reselect_clears {
                    self.clear_pins();
                }
                self.application = Some(application);
                self.current = None;
                Ok(control_information(p2, command, application.name()))
            }
            0x02 => {
                let id = <[u8; 2]>::try_from(command.data).map_err(|_| sw::WRONG_LENGTH)?;
                self.current = Some(self.file(u16::from_be_bytes(id))?);
                Ok(Vec::new())
            }
            _ => Err(sw::WRONG_P1_P2),
        }
    }

    /// READ BINARY: of the current file, or by short identifier, which makes the file current.
    fn read_binary(&mut self, command: &Command<'_>) -> Answer {
        let [_, _, p1, p2] = command.header;
        let wanted = command.le.filter(|_| command.data.is_empty()).ok_or(sw::WRONG_LENGTH)?;
        let (file, offset) = if p1 & 0x80 == 0 {
            (self.current.ok_or(sw::NO_CURRENT_EF)?, usize::from(u16::from_be_bytes([p1, p2])))
        } else if p1 & 0x60 == 0 {
            (self.file(u16::from(p1 & 0x1F))?, usize::from(p2))
        } else {
            return Err(sw::WRONG_P1_P2);
        };
        self.current = Some(file);
        match file.read_access(self.persona.card.token) {
            Access::Free => {}
            Access::Pin(pin) if self.pin(pin).is_verified() => {}
            Access::Pin(_) | Access::Never => return Err(sw::SECURITY_STATUS),
            Access::WrongType => return Err(sw::WRONG_FILE_TYPE),
        }
        let content = self.content(file);
        let rest = content.get(offset..).filter(|rest| !rest.is_empty()).ok_or(sw::PAST_END)?;
        Ok(rest.iter().take(wanted).copied().collect())
    }

    /// VERIFY, or, without data, the retry query.
    fn verify(&mut self, command: &Command<'_>) -> Answer {
        let ElementaryFile::Pin(id) = self.referenced(command)? else { return Err(sw::WRONG_FILE_TYPE) };
        if command.le.is_some() || command.data.len() > LONGEST_PIN {
            return Err(sw::WRONG_LENGTH);
        }
        let status = if command.data.is_empty() {
            self.pin(id).query()
        } else {
            let status = self.pin_mut(id).verify(command.data);
            self.tell_watch(id, command.data, status);
            status
        };
        if status == sw::OK { Ok(Vec::new()) } else { Err(status) }
    }

    /// PSO COMPUTE DIGITAL SIGNATURE. P1 00 pads whatever it is given; 02 is given a SHA-256 hash and adds the
    /// DigestInfo. The schemes of real cards with other P1 are not modelled.
    fn sign(&mut self, command: &Command<'_>) -> Answer {
        let [class, instruction, p1, p2] = command.header;
        let reference = Command { header: [class, instruction, 0, p2], ..*command };
        let ElementaryFile::Key(id) = self.referenced(&reference)? else { return Err(sw::WRONG_FILE_TYPE) };
        let input = match p1 {
            0x00 if command.data.len() <= LONGEST_INPUT => command.data.to_vec(),
            0x02 if command.data.len() == 32 => pki::digest_info_of_hash(command.data),
            0x00 | 0x02 => return Err(sw::WRONG_LENGTH),
            _ => return Err(sw::WRONG_P1_P2),
        };
        if input.is_empty() || command.le.is_none_or(|le| le < SIGNATURE_LENGTH) {
            return Err(sw::WRONG_LENGTH);
        }
        if !self.is_open(id) {
            return Err(sw::SECURITY_STATUS);
        }
        let began = monotonic_now();
        let signature = match id {
            PinId::UserAuthentication => pki::sign_padded(&self.identity.key, &input),
            PinId::DigitalSignature => pki::sign_padded(&self.signature_identity().key, &input),
        };
        self.rsa_time += monotonic_now().duration_since(began);
        signature.ok_or(sw::WRONG_LENGTH)
    }

    fn get_challenge(&mut self, command: &Command<'_>) -> Answer {
        if command.header[2..] != [0, 0] {
            return Err(sw::WRONG_P1_P2);
        }
        let length = command.le.filter(|le| *le <= 256 && command.data.is_empty()).ok_or(sw::WRONG_LENGTH)?;
        let mut challenge = vec![0; length];
        self.random.fill_bytes(&mut challenge);
        self.challenge.clone_from(&challenge);
        Ok(challenge)
    }

    /// The invented terminal authentication of [`super::terminal`]. A challenge is answered once.
    fn external_authenticate(&mut self, command: &Command<'_>) -> Answer {
        let challenge = std::mem::take(&mut self.challenge);
        let expected = self.behaviour.terminal_key.map(|key| super::terminal::response(&key, &challenge));
        self.terminal_accepted = !challenge.is_empty() && expected.as_deref() == Some(command.data);
        if self.terminal_accepted { Ok(Vec::new()) } else { Err(sw::SECURITY_STATUS) }
    }

    /// Whether a key may be used: after its PIN, or, for user authentication, by an iPhone's owner or a terminal.
    fn is_open(&self, id: PinId) -> bool {
        let without_pin = match self.persona.card.token {
            Token::Iphone => self.behaviour.owner_recognised,
            Token::Plastic => self.terminal_accepted,
            Token::Android => false,
        };
        self.pin(id).is_verified() || (id == PinId::UserAuthentication && without_pin)
    }

    /// The file that P2 of VERIFY and SIGN means: 80 is the current one, 80 + n the one with short identifier n,
    /// which does not become current.
    fn referenced(&self, command: &Command<'_>) -> Result<ElementaryFile, u16> {
        match command.header {
            [_, _, 0x00, 0x80] => self.current.ok_or(sw::NO_CURRENT_EF),
            [_, _, 0x00, p2 @ 0x81..=0x9E] => self.file(u16::from(p2 & 0x1F)),
            _ => Err(sw::WRONG_P1_P2),
        }
    }

    /// A file of the current application; only the JPKI application has any here.
    fn file(&self, id: u16) -> Result<ElementaryFile, u16> {
        if self.application != Some(Application::Jpki) {
            return Err(sw::NOT_FOUND);
        }
        ElementaryFile::by_id(id).ok_or(sw::NOT_FOUND)
    }
}

/// File control information, given only where P2 asks for it and an answer is expected.
fn control_information(p2: u8, command: &Command<'_>, name: &[u8]) -> Vec<u8> {
    if p2 == 0x00 && command.le.is_some() {
        pki::der::tlv(0x6F, &[&pki::der::tlv(0x84, &[name])])
    } else {
        Vec::new()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures the simulator's own RSA, so that figures can leave it out"
)]
fn monotonic_now() -> Instant {
    Instant::now()
}
