//! The pipe under the control channel: lines of text between this machine's commands and the daemon, for its owner alone.
//!
//! One file a kind of system. Each offers [`Listener`] and [`Connection`] with the same functions; Windows would add a named
//! pipe with an access list for its owner. Knows nothing of what the lines mean.

mod unix;

pub use unix::{Connection, Listener, PipeError, connect};

/// Longest line in bytes; more is a broken peer.
pub(super) const LONGEST_LINE: u64 = 1 << 20;
