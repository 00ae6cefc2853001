//! The wire to a card, and the loop that runs a protocol over it: all the IO there is.

use super::apdu::Response;
use super::protocol::{Protocol, ProtocolError, Step};

/// Sends bytes to a connected card. A command is passed on once: never repeated, whatever happens.
pub trait Transmit {
    /// Sends one command and waits for its answer (data and status word).
    ///
    /// An answer of fewer than two bytes means that the card left in the middle of the exchange.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError>;
}

/// Why there is no answer. Whether the card carried the command out is unknown in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransmitError {
    /// The card is gone.
    #[error("the card was removed")]
    Removed,
    /// The exchange failed: the card was just pulled, or the reader cannot carry this command.
    #[error("the command was not exchanged")]
    NotTransacted,
    /// The card was reset by someone else: selection and PIN state are lost.
    #[error("the card was reset")]
    Reset,
    /// The reader is gone or does not answer.
    #[error("the reader is gone")]
    ReaderGone,
    /// The PC/SC service is gone.
    #[error("the PC/SC service is gone")]
    ServiceGone,
    /// Anything else.
    #[error("the reader failed")]
    Other,
}

/// How running a protocol can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// The card refused.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// No answer.
    #[error(transparent)]
    Transmit(#[from] TransmitError),
}

/// Runs a protocol to its end. The protocol is consumed, so that whatever it holds (a PIN) is wiped with it.
pub fn drive<P: Protocol>(mut protocol: P, card: &mut dyn Transmit) -> Result<P::Output, DriveError> {
    let mut command = protocol.start();
    loop {
        let answer = card.transmit(command.bytes())?;
        let response = Response::parse(answer).ok_or(TransmitError::Removed)?;
        // Both sides' Debug shows header, lengths and status word only.
        tracing::trace!(?command, ?response, "card");
        match protocol.receive(response)? {
            Step::Send(next) => command = next,
            Step::Done(output) => return Ok(output),
        }
    }
}
