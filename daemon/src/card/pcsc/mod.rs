//! The readers over PC/SC (pcsc-lite on Linux, winscard on Windows).
//!
//! What each call returns in each situation was measured against a real pcscd; the rules that follow from it:
//! a dead service kills its context for good, so the context is dropped and a new one established; a command is passed on
//! once with the largest answer buffer, because a buffer too small is reported after the card executed the command; and
//! every connection ends with power-off, because a reset leaves a presented PIN valid on some cards.

mod bell;
mod errors;

use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};

use self::bell::Bell;
use super::drive::{Transmit, TransmitError};
use super::readers::{CardConnection, ConnectError, Observed, Presence, Readers, ReadersError, Wake};
use crate::app::ports::ReaderName;

/// How often the reader list is read again when a reader vanishes between listing and looking.
const LISTINGS: usize = 3;

/// The readers that the PC/SC service of this machine offers.
pub struct PcscReaders {
    context: Option<Context>,
    /// The pseudo reader that reports changes of the list, then every listed reader with its last known state.
    states: Vec<ReaderState>,
    bell: Arc<Bell>,
}

impl PcscReaders {
    /// Prepares; the service is first asked by [`Readers::wait`]. Fails only if no thread can be started.
    pub fn new() -> io::Result<Self> {
        Ok(Self { context: None, states: Vec::new(), bell: Bell::start()? })
    }

    fn context(&mut self) -> Result<Context, Error> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let context = Context::establish(Scope::System)?;
        self.bell.belongs_to(Some(context.clone()));
        self.context = Some(context.clone());
        tracing::info!("connected to the PC/SC service");
        Ok(context)
    }

    /// Lets go of the context and everything learned through it.
    fn let_go(&mut self) {
        self.bell.belongs_to(None);
        self.context = None;
        self.states.clear();
    }

    fn look(&mut self, timeout: Duration) -> Result<Vec<Observed>, Error> {
        let context = self.context()?;
        for _ in 0..LISTINGS {
            let is_news = self.list(&context)?;
            let timeout = if is_news || self.bell.has_rung() { Duration::ZERO } else { timeout };
            match context.get_status_change(timeout, &mut self.states) {
                Ok(()) | Err(Error::Timeout | Error::Cancelled) => {
                    self.states.iter_mut().for_each(ReaderState::sync_current_state);
                    return Ok(self.observed());
                }
                // A reader left between listing and looking.
                Err(Error::UnknownReader) => self.states.clear(),
                Err(error) => return Err(error),
            }
        }
        Err(Error::UnknownReader)
    }

    /// Brings the states in line with the reader list; `true` if the list is not what it was.
    fn list(&mut self, context: &Context) -> Result<bool, Error> {
        let names = context.list_readers_owned()?;
        let known = self.states.iter().skip(1).map(ReaderState::name);
        if !self.states.is_empty() && known.eq(names.iter().map(CString::as_c_str)) {
            return Ok(false);
        }
        let mut old = std::mem::take(&mut self.states);
        let mut keep = |name: &CStr| match old.iter().position(|state| state.name() == name) {
            Some(index) => old.swap_remove(index),
            None => ReaderState::new(name, State::UNAWARE),
        };
        self.states = vec![keep(pcsc::PNP_NOTIFICATION())];
        self.states.extend(names.iter().map(|name| keep(name)));
        Ok(true)
    }

    fn observed(&self) -> Vec<Observed> {
        let listed = self.states.iter().skip(1);
        let observe = |state: &ReaderState| Observed {
            name: ReaderName(state.name().to_string_lossy().into_owned()),
            presence: presence(state.event_state()),
            event_count: state.event_count(),
        };
        listed.map(observe).collect()
    }
}

impl Readers for PcscReaders {
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Observed>, ReadersError> {
        let seen = self.look(timeout);
        self.bell.heard();
        seen.map_err(|error| {
            self.let_go();
            errors::readers(error)
        })
    }

    fn connect(&mut self, reader: &ReaderName) -> Result<Box<dyn CardConnection>, ConnectError> {
        let connect = |readers: &mut Self| {
            let name = CString::new(reader.0.as_str()).map_err(|_| Error::UnknownReader)?;
            readers.context()?.connect(&name, ShareMode::Exclusive, Protocols::ANY)
        };
        match connect(self) {
            Ok(card) => Ok(Box::new(PcscCard::new(card))),
            Err(error) => {
                tracing::warn!(reader = reader.0, %error, "no connection to the card");
                let reason = errors::connect(error);
                if reason == ConnectError::ServiceGone {
                    self.let_go();
                }
                Err(reason)
            }
        }
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.bell) as Arc<dyn Wake>
    }
}

impl Drop for PcscReaders {
    fn drop(&mut self) {
        self.let_go();
        self.bell.end();
    }
}

/// What a reader's state flags say. Total: drivers report combinations that should not exist, such as
/// `UNAVAILABLE | EXCLUSIVE`.
fn presence(state: State) -> Presence {
    if state.intersects(State::UNAVAILABLE | State::UNKNOWN) {
        Presence::Unavailable
    } else if state.contains(State::EMPTY) {
        Presence::Empty
    } else if state.contains(State::MUTE) {
        Presence::Mute
    } else if state.contains(State::PRESENT) {
        // UNPOWERED, EXCLUSIVE and INUSE come and go with our own sessions.
        Presence::Card
    } else {
        Presence::Unavailable
    }
}

/// A connected card; powered off on drop.
struct PcscCard {
    card: Option<Card>,
    buffer: Box<[u8]>,
}

impl PcscCard {
    fn new(card: Card) -> Self {
        Self { card: Some(card), buffer: vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED].into_boxed_slice() }
    }
}

impl Transmit for PcscCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let card = self.card.as_ref().ok_or(TransmitError::Removed)?;
        match card.transmit(command, &mut self.buffer) {
            Ok(answer) => Ok(answer.to_vec()),
            Err(error) => {
                tracing::debug!(%error, "no answer from the card");
                Err(errors::transmit(error))
            }
        }
    }
}

impl CardConnection for PcscCard {}

impl Drop for PcscCard {
    fn drop(&mut self) {
        let Some(card) = self.card.take() else { return };
        if let Err((card, error)) = card.disconnect(Disposition::UnpowerCard) {
            // Normal after a removal. Dropping the card asks for a reset, the best that is left.
            tracing::debug!(%error, "the card could not be powered off");
            drop(card);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_flags_are_read_in_every_combination_that_was_seen() {
        let present = State::PRESENT | State::CHANGED;
        for (state, expected) in [
            (State::EMPTY | State::CHANGED, Presence::Empty),
            (present, Presence::Card),
            (present | State::UNPOWERED, Presence::Card),
            (present | State::EXCLUSIVE | State::INUSE, Presence::Card),
            (present | State::MUTE, Presence::Mute),
            (present | State::MUTE | State::UNPOWERED, Presence::Mute),
            (State::UNAVAILABLE | State::CHANGED, Presence::Unavailable),
            (State::UNAVAILABLE | State::EXCLUSIVE, Presence::Unavailable),
            (State::UNAVAILABLE | State::PRESENT, Presence::Unavailable),
            (State::UNKNOWN | State::IGNORE, Presence::Unavailable),
            (State::UNAWARE, Presence::Unavailable),
            (State::CHANGED, Presence::Unavailable),
        ] {
            assert_eq!(presence(state), expected, "{state:?}");
        }
    }
}
