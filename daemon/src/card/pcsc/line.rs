//! One line to the readers: a context of its own, on which one card at a time is connected to.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, ShareMode, State};

use super::contexts::{Contexts, Counted};
use super::{errors, names, presence};
use crate::app::ports::ReaderName;
use crate::card::drive::{Transmit, TransmitError};
use crate::card::readers::{CardConnection, ConnectError, Line, Presence};

/// How often a card that another program holds is looked at again, and how long each time: two seconds in all. Other card
/// software reads every new card for a moment; that should not end a check.
const LOOKS: usize = 20;
const LOOK: Duration = Duration::from_millis(100);

/// A line; its context is established when first needed and lives as long as it works.
pub struct PcscLine {
    contexts: Arc<Contexts>,
    context: Option<Arc<Counted>>,
}

impl PcscLine {
    pub fn new(contexts: Arc<Contexts>) -> Self {
        Self { contexts, context: None }
    }

    fn context(&mut self) -> Result<Arc<Counted>, Error> {
        if let Some(context) = &self.context {
            return Ok(Arc::clone(context));
        }
        let context = self.contexts.establish()?;
        self.context = Some(Arc::clone(&context));
        Ok(context)
    }

    fn attempt(&mut self, reader: &CStr, event_count: u32) -> Result<PcscCard, Error> {
        let context = self.context()?;
        let card = connect_when_free(context.get(), reader, event_count)?;
        Ok(PcscCard::new(card, context))
    }
}

impl Line for PcscLine {
    fn connect(
        &mut self,
        reader: &ReaderName,
        event_count: u32,
    ) -> Result<Box<dyn CardConnection>, ConnectError> {
        let name = names::written(&reader.0).ok_or(ConnectError::ReaderGone)?;
        let is_used = self.context.is_some();
        let mut result = self.attempt(&name, event_count);
        if let Err(error) = result
            && errors::connect(error) == ConnectError::ServiceGone
        {
            self.context = None;
            // The service may have been restarted since the last session; nobody told this line.
            if is_used {
                result = self.attempt(&name, event_count);
            }
        }
        match result {
            Ok(card) => Ok(Box::new(card)),
            Err(error) => {
                tracing::warn!(reader = reader.0, %error, "no connection to the card");
                let reason = errors::connect(error);
                if matches!(reason, ConnectError::ServiceGone | ConnectError::Refused) {
                    self.context = None;
                }
                Err(reason)
            }
        }
    }
}

/// Connects as soon as no other program uses the card.
fn connect_when_free(context: &Context, reader: &CStr, event_count: u32) -> Result<Card, Error> {
    let mut states = [ReaderState::new(reader, State::UNAWARE)];
    // Nothing is known yet: the first look returns at once.
    for _ in 0..LOOKS {
        match context.get_status_change(LOOK, &mut states) {
            Ok(()) | Err(Error::Timeout | Error::Cancelled) => {}
            Err(error) => return Err(error),
        }
        for state in &mut states {
            is_ours_to_take(state, event_count)?;
            if !state.event_state().intersects(State::INUSE | State::EXCLUSIVE) {
                match context.connect(reader, ShareMode::Exclusive, Protocols::ANY) {
                    // Another program was faster.
                    Err(Error::SharingViolation) => {}
                    other => return other,
                }
            }
            state.sync_current_state();
        }
    }
    Err(Error::SharingViolation)
}

fn is_ours_to_take(state: &ReaderState, event_count: u32) -> Result<(), Error> {
    match presence(state.event_state()) {
        Presence::Card if state.event_count() == event_count => Ok(()),
        Presence::Card => Err(Error::RemovedCard),
        Presence::Empty => Err(Error::NoSmartcard),
        Presence::Mute => Err(Error::UnresponsiveCard),
        Presence::Unavailable => Err(Error::ReaderUnavailable),
    }
}

/// A connected card; powered off on drop.
struct PcscCard {
    card: Option<Card>,
    buffer: Box<[u8]>,
    /// The card holds its context: it counts as open until the card is gone.
    _context: Arc<Counted>,
}

impl PcscCard {
    fn new(card: Card, context: Arc<Counted>) -> Self {
        let buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED].into_boxed_slice();
        Self { card: Some(card), buffer, _context: context }
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
