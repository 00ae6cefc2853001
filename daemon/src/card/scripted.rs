//! A card for unit tests: just enough of the JPKI application to hold a conversation and to fail on command.
//!
//! The faithful card (keys, certificates, file rules) is the harness's; this one only counts and answers.

use super::drive::{Transmit, TransmitError};
use crate::domain::check::Token;

pub const RIGHT_PIN: &str = "0123";
pub const CHALLENGE: &[u8] = b"sixteen bytes ..";

/// A certificate of the harness's synthetic authority; a test there makes sure that it is.
pub const CERTIFICATE: &[u8] = include_bytes!("scripted.der");
pub const CERTIFICATE_LENGTH: usize = CERTIFICATE.len();

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a script")]
pub struct ScriptedCard {
    jpki: bool,
    token: Token,
    certificate: Vec<u8>,
    /// Opens the key without a PIN: the phone's own recognition, or terminal authentication.
    unlocked: bool,
    extended: Option<Result<Vec<u8>, TransmitError>>,
    tear: Option<(usize, Result<Vec<u8>, TransmitError>)>,
    torn: bool,
    tries: u8,
    verified: bool,
    commands: Vec<Vec<u8>>,
}

impl ScriptedCard {
    pub fn new() -> Self {
        Self {
            jpki: true,
            token: Token::Plastic,
            certificate: CERTIFICATE.to_vec(),
            unlocked: false,
            extended: None,
            tear: None,
            torn: false,
            tries: 3,
            verified: false,
            commands: Vec::new(),
        }
    }

    pub fn without_jpki(mut self) -> Self {
        self.jpki = false;
        self
    }

    /// A phone; whether it has recognised its owner matters to an iPhone.
    pub fn phone(token: Token, unlocked: bool) -> Self {
        Self { token, unlocked, ..Self::new() }
    }

    pub fn with_certificate(mut self, certificate: &[u8]) -> Self {
        self.certificate = certificate.to_vec();
        self
    }

    pub fn refusing_extended_length(mut self) -> Self {
        self.extended = Some(Ok(vec![0x67, 0x00]));
        self
    }

    pub fn failing_extended_length(mut self, failure: TransmitError) -> Self {
        self.extended = Some(Err(failure));
        self
    }

    /// The command with this index, and every later one, is answered so.
    pub fn torn_at(mut self, index: usize, answer: Result<Vec<u8>, TransmitError>) -> Self {
        self.tear = Some((index, answer));
        self
    }

    pub fn with_tries(mut self, tries: u8) -> Self {
        self.tries = tries;
        self
    }

    /// Power off: forgets what was presented.
    pub fn power_off(&mut self) {
        self.verified = false;
    }

    pub fn tries(&self) -> u8 {
        self.tries
    }

    /// The INS byte of every command that was sent.
    pub fn instructions(&self) -> Vec<u8> {
        self.commands.iter().map(|command| command[1]).collect()
    }

    /// How many PINs were presented (queries are not counted).
    pub fn verifies(&self) -> usize {
        self.commands.iter().filter(|command| command[1] == 0x20 && command.len() > 4).count()
    }

    pub fn signature() -> Vec<u8> {
        vec![0x5A; 256]
    }

    fn file(&self) -> Vec<u8> {
        let mut file = self.certificate.clone();
        file.resize(2000, 0xFF);
        file
    }

    fn label(&self) -> Vec<u8> {
        let label = match self.token {
            Token::Plastic => "JPKIAPICCTOKEN2",
            Token::Android => "JPKIAPGPSETOKEN",
            Token::Iphone => "JPKIAPIOSTOKEN",
        };
        format!("{label:<32}").into_bytes()
    }

    fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let ok = |data: &[u8]| [data, &[0x90, 0x00]].concat();
        match *command {
            [0x00, 0xA4, 0x04, ..] if self.jpki => ok(&[]),
            [0x00, 0xA4, 0x02, 0x0C, 0x02, 0x00, 0x06] => ok(&[]),
            [0x00, 0xA4, ..] => vec![0x6A, 0x82],
            [0x00, 0xB0, 0x00, 0x00, 0x20] => ok(&self.label()),
            [0x00, 0xB0, ..] if self.token == Token::Android && !self.verified => vec![0x69, 0x82],
            [0x00, 0xB0, 0x8A, 0x00, 0x00, 0x00, 0x00] => ok(&self.file()),
            [0x00, 0xB0, 0x8A, 0x00, 0x00] => ok(&self.file()[..256]),
            [0x00, 0xB0, high, low, 0x00] => {
                let offset = usize::from(u16::from_be_bytes([high, low]));
                ok(self.file()[offset..].chunks(256).next().unwrap())
            }
            [0x00, 0x20, 0x00, 0x98] => vec![0x63, 0xC0 | self.tries],
            [0x00, 0x20, 0x00, 0x98, 0x04, ref pin @ ..] => {
                if self.tries == 0 {
                    return vec![0x69, 0x84];
                }
                self.verified = pin == RIGHT_PIN.as_bytes();
                self.tries = if self.verified { 3 } else { self.tries - 1 };
                if self.verified { ok(&[]) } else { vec![0x63, 0xC0 | self.tries] }
            }
            [0x80, 0x2A, 0x00, 0x97, 0x33, ..] if self.verified || self.unlocked => ok(&Self::signature()),
            [0x80, 0x2A, ..] => vec![0x69, 0x82],
            // Stands for terminal authentication, whose commands are not public.
            [0x80, 0xA2, ..] => {
                self.unlocked = true;
                ok(&[])
            }
            [0x80, 0xFC, 0x00, 0x00] if self.token == Token::Iphone => ok(&[]),
            _ => vec![0x6D, 0x00],
        }
    }
}

impl Transmit for ScriptedCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let index = self.commands.len();
        self.commands.push(command.to_vec());
        if let Some((from, answer)) = &self.tear
            && (self.torn || index >= *from)
        {
            self.torn = true;
            return answer.clone();
        }
        let is_extended = command.len() == 7 && command[1] == 0xB0;
        match &self.extended {
            Some(answer) if is_extended => answer.clone(),
            _ => Ok(self.answer(command)),
        }
    }
}
