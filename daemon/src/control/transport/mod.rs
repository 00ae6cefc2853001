//! The pipe under the control channel: lines of text between this machine's commands and the daemon, for its owner alone.
//!
//! One file a kind of system. Each offers [`Listener`] and [`Connection`] with the same functions. Knows nothing of what the lines
//! mean.

#[cfg(any(windows, test))]
mod proof;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{Connection, Listener, PipeError, connect};
#[cfg(windows)]
pub use windows::{Connection, Listener, PipeError, connect};

/// Longest line in bytes; more is a broken peer.
pub(super) const LONGEST_LINE: u64 = 1 << 20;
