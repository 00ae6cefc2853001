//! The readers over PC/SC (pcsc-lite on Linux, winscard on Windows).
//!
//! What each call returns in each situation was measured against a real pcscd; the rules that follow from it:
//! a dead service kills its context for good, so the context is dropped and a new one established; one context serves one
//! call at a time, so that every card session has its own; connecting blocks without limit while another program holds a
//! transaction (PCSC#254), so a card that another program uses is not connected to; a command is passed on once with the
//! largest answer buffer, because a buffer too small is reported after the card executed the command; and every connection
//! ends with power-off, because a reset leaves a presented PIN valid on some cards.

mod bell;
mod contexts;
mod errors;
mod line;
mod names;
mod settle;

use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use pcsc::{Context, Error, ReaderState, State};

use self::bell::Bell;
pub use self::contexts::Contexts;
use self::contexts::Counted;
use self::line::PcscLine;
use super::readers::{Line, Observed, Presence, Readers, ReadersError, Wake};
use crate::app::ports::ReaderName;

/// How often the reader list is read again when a reader vanishes between listing and looking.
const LISTINGS: usize = 3;

/// The readers that the PC/SC service of this machine offers.
pub struct PcscReaders {
    contexts: Arc<Contexts>,
    context: Option<Arc<Counted>>,
    /// The pseudo reader that reports changes of the list, then every listed reader with its last known state.
    states: Vec<ReaderState>,
    /// What the last look brought.
    seen: Vec<Observed>,
    bell: Arc<Bell>,
}

impl PcscReaders {
    /// Prepares; the service is first asked by [`Readers::wait`]. Fails only if no thread can be started.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            contexts: Arc::default(),
            context: None,
            states: Vec::new(),
            seen: Vec::new(),
            bell: Bell::start()?,
        })
    }

    /// Where the open contexts of these readers and their lines are counted.
    pub fn contexts(&self) -> Arc<Contexts> {
        Arc::clone(&self.contexts)
    }

    fn context(&mut self) -> Result<Arc<Counted>, Error> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let context = self.contexts.establish()?;
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
        self.seen.clear();
    }

    fn look_until_settled(&mut self, timeout: Duration) -> Result<Vec<Observed>, Error> {
        let first = self.look(timeout)?;
        let before = std::mem::take(&mut self.seen);
        self.seen = settle::settle(&before, first, || self.look(Duration::ZERO))?;
        Ok(self.seen.clone())
    }

    fn look(&mut self, timeout: Duration) -> Result<Vec<Observed>, Error> {
        let counted = self.context()?;
        let context = counted.get();
        for _ in 0..LISTINGS {
            let is_news = self.list(context)?;
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
            name: ReaderName(names::read(state.name())),
            presence: presence(state.event_state()),
            event_count: state.event_count(),
        };
        listed.map(observe).collect()
    }
}

impl Readers for PcscReaders {
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Observed>, ReadersError> {
        let seen = self.look_until_settled(timeout);
        self.bell.heard();
        seen.map_err(|error| {
            self.let_go();
            errors::readers(error)
        })
    }

    fn line(&self) -> Box<dyn Line> {
        Box::new(PcscLine::new(Arc::clone(&self.contexts)))
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
