//! The seam to the readers: what the desk's thread needs from PC/SC, and what a simulated reader implements.
//!
//! One thread looks at the readers ([`Readers`]); card sessions are held on threads of their own, one a [`Line`], because
//! a call for one reader may block for long. All of it may block, except [`Wake`]. A backend looks at readers and opens
//! connections; it decides nothing.
//!
//! How to write one in memory: keep the readers in a mutex with a condition variable. An insertion sets [`Presence::Card`]
//! and adds one to `event_count`, a removal sets [`Presence::Empty`] and adds one; both notify the condition variable.
//! [`Readers::wait`] waits on it until the readers differ from what it last returned, or until woken, or until the timeout.
//! [`Line::connect`] hands out a connection to the card that is there at that moment; after a removal the connection
//! answers [`TransmitError::Removed`](super::drive::TransmitError::Removed) for ever, also when a card is put back.

use std::sync::Arc;
use std::time::Duration;

use super::drive::Transmit;
use crate::app::ports::{CardError, ReaderName};

/// What lies on a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nothing.
    Empty,
    /// A card that answers to power-on.
    Card,
    /// Something that does not answer.
    Mute,
    /// Unknown: the reader itself does not answer.
    Unavailable,
}

/// One reader as seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its name.
    pub name: ReaderName,
    /// What lies on it.
    pub presence: Presence,
    /// Changes with every insertion and removal, so that a quick swap shows even if it was not seen happening. Must not
    /// change through our own connecting and disconnecting.
    pub event_count: u32,
}

/// Why the readers cannot be seen. The backend has let go of everything and starts afresh at the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadersError {
    /// The PC/SC service is not running, or ended.
    #[error("the PC/SC service does not answer")]
    ServiceGone,
    /// The PC/SC service refuses us (a polkit rule is missing).
    #[error("the PC/SC service refuses access")]
    Refused,
}

/// Why a card cannot be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The PC/SC service is gone.
    #[error("the PC/SC service does not answer")]
    ServiceGone,
    /// The PC/SC service refuses us (a polkit rule is missing).
    #[error("the PC/SC service refuses access")]
    Refused,
    /// The reader is gone or does not answer.
    #[error("the reader is gone")]
    ReaderGone,
    /// Another program is connected.
    #[error("another program is using the card")]
    InUse,
    /// No card on the reader, or another one than was asked for.
    #[error("no card")]
    NoCard,
    /// The card does not answer to power-on, or not in a way the reader understands.
    #[error("the card does not answer")]
    Mute,
}

impl From<ReadersError> for CardError {
    fn from(error: ReadersError) -> Self {
        match error {
            ReadersError::ServiceGone => Self::ServiceUnavailable,
            ReadersError::Refused => Self::ServiceRefused,
        }
    }
}

impl From<ConnectError> for CardError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::ServiceGone => Self::ServiceUnavailable,
            ConnectError::Refused => Self::ServiceRefused,
            ConnectError::ReaderGone => Self::ReaderUnavailable,
            ConnectError::InUse => Self::InUse,
            ConnectError::NoCard => Self::Removed,
            ConnectError::Mute => Self::Unusable { status: None },
        }
    }
}

/// An exclusive connection to one card. Dropping it powers the card off, which alone surely forgets a presented PIN.
pub trait CardConnection: Transmit {}

/// The readers of a machine.
pub trait Readers: Send {
    /// All readers as they are now.
    ///
    /// Returns at once if they differ from what the last call returned, or if nothing was returned yet; otherwise after a
    /// change, a [`Wake::wake`], or `timeout` (zero: at once). May return early without a change.
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Observed>, ReadersError>;

    /// A line of its own to the same readers. Nothing is asked of the service until it is used.
    fn line(&self) -> Box<dyn Line>;

    /// What interrupts [`Readers::wait`] from another thread.
    fn waker(&self) -> Arc<dyn Wake>;
}

/// A line to the readers on which one card session at a time is held, whatever happens on other lines.
pub trait Line: Send {
    /// Connects exclusively to a card and powers it on, if it is the one that was observed on this reader with this event
    /// count; another card is not even powered. While another program holds the card, tries again for two seconds.
    fn connect(
        &mut self,
        reader: &ReaderName,
        event_count: u32,
    ) -> Result<Box<dyn CardConnection>, ConnectError>;
}

/// Interrupts a wait.
pub trait Wake: Send + Sync {
    /// Makes the wait under way, or else the next one, return early. Never blocks; never gets lost.
    fn wake(&self);
}
