//! One exchange with the card is one value: it says what to send, is told what came back, and ends with its output.
//!
//! Sans-IO: nothing here knows PC/SC, threads or time, and each protocol's test is a written conversation. Byte values
//! come from OpenSC's card-jpki.c, jpki/myna and the crate myna-card.

mod certificate;
mod label;
mod last;
mod pin;
mod select;
mod sign;

pub use certificate::{CertificateRead, ReadCertificate, Rung};
pub use label::ReadTokenLabel;
pub use last::LastCommand;
pub use pin::{Tries, TriesLeft, VerifyPin};
pub use select::SelectJpki;
pub use sign::Sign;

use super::apdu::{Command, Response, Status};

/// An exchange of one or more commands with the card.
pub trait Protocol {
    /// What it ends with.
    type Output;

    /// The first command. Called once.
    fn start(&mut self) -> Command;

    /// Takes the answer to the last command.
    fn receive(&mut self, response: Response) -> Result<Step<Self::Output>, ProtocolError>;
}

/// How an exchange goes on.
#[derive(Debug)]
pub enum Step<T> {
    /// Another command.
    Send(Command),
    /// It is over.
    Done(T),
}

/// How the card refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The JPKI application is not on the card.
    #[error("not a JPKI card")]
    NotJpki,
    /// The PIN was wrong.
    #[error("wrong PIN, {tries_left} tries left")]
    WrongPin {
        /// Tries left, at least one.
        tries_left: u8,
    },
    /// The PIN is locked.
    #[error("the PIN is locked")]
    PinLocked,
    /// An answer that the protocol has no rule for: a status word, or data that cannot be used.
    #[error("unusable answer (status {0})")]
    Unusable(Status),
}

/// How often a READ may still be sent again. Contactless reads fail now and then while the card stays where it is; reading
/// again changes nothing on the card. Never used for VERIFY or a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries(u8);

impl Retries {
    /// At most two, for everything that one exchange reads.
    pub const READS: Self = Self(2);

    /// Uses up one, if the trouble may pass by itself and there is one left.
    pub fn allow(&mut self, trouble: Trouble) -> bool {
        let passing = match trouble {
            Trouble::Status(status) => {
                matches!(status, Status::UNKNOWN | Status::EXECUTION_ERROR | Status::MEMORY_FAILURE)
            }
            Trouble::Garbled => true,
        };
        let allowed = passing && self.0 > 0;
        self.0 -= u8::from(allowed);
        allowed
    }
}

/// What was wrong with the answer to a READ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The status word.
    Status(Status),
    /// The data.
    Garbled,
}

#[cfg(test)]
mod conversation {
    use super::*;

    /// Bytes from hex with spaces.
    pub fn hex(text: &str) -> Vec<u8> {
        let compact: String = text.split_whitespace().collect();
        data_encoding::HEXUPPER_PERMISSIVE.decode(compact.as_bytes()).unwrap()
    }

    /// Plays a conversation of (sent, answered) in hex and checks every command, that all of it was said, and the end.
    #[track_caller]
    pub fn check<P>(protocol: P, exchanges: &[(&str, &str)], expected: Result<P::Output, ProtocolError>)
    where
        P: Protocol,
        P::Output: PartialEq + std::fmt::Debug,
    {
        let exchanges: Vec<_> = exchanges.iter().map(|(sent, answered)| (hex(sent), hex(answered))).collect();
        check_bytes(protocol, &exchanges, expected);
    }

    /// Like [`check`], for conversations that are computed.
    #[expect(clippy::needless_pass_by_value, reason = "the expected end is written in place")]
    #[track_caller]
    pub fn check_bytes<P>(
        mut protocol: P,
        exchanges: &[(Vec<u8>, Vec<u8>)],
        expected: Result<P::Output, ProtocolError>,
    ) where
        P: Protocol,
        P::Output: PartialEq + std::fmt::Debug,
    {
        let mut command = protocol.start();
        let mut left = exchanges.iter();
        let end = loop {
            let Some((sent, answered)) = left.next() else { panic!("one command too many: {command:?}") };
            assert_eq!(command.bytes(), sent, "the wrong command was sent");
            match protocol.receive(Response::parse(answered.clone()).unwrap()) {
                Ok(Step::Send(next)) => command = next,
                Ok(Step::Done(output)) => break Ok(output),
                Err(error) => break Err(error),
            }
        };
        assert_eq!(end, expected);
        assert_eq!(left.count(), 0, "the protocol ended before the conversation");
    }
}
