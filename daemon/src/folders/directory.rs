//! The folders on disk. Everything is reached from the root's own handle, one name at a time, and no link is ever followed: what
//! lies outside the root cannot be read, written or removed. Blocking; knows nothing of what the files mean.
//!
//! One file a kind of system: each offers [`Root`] and [`Subdirectory`] with the same functions. What is made of these stands here.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

use jiff::Timestamp;

#[cfg(unix)]
pub(super) use unix::{Root, Subdirectory};
#[cfg(windows)]
pub(super) use windows::{Root, Subdirectory};

use crate::domain::folder_file::{is_temporary, temporary_name};
/// Whether another program has a file open, so that nothing can be done with it for a while.
pub(super) use crate::system::owned::is_held;

/// Entries of a directory that are looked at: nobody fills one with more by accident.
const MOST_ENTRIES: usize = 50_000;

/// What a file looked like: whoever wrote to it since has changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Which file of its volume it is.
    inode: u64,
    size: u64,
    /// When it was last written, seconds and nanoseconds since 1970.
    changed: (i64, u64),
}

impl Stamp {
    /// When it was last written, to the second.
    pub(super) fn written_at(self) -> Timestamp {
        Timestamp::from_second(self.changed.0).unwrap_or(Timestamp::MAX)
    }
}

/// A file as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All of it.
    Whole(Vec<u8>, Stamp),
    /// It is longer than was asked for.
    TooLong(Stamp),
    /// Somebody is writing to it just now.
    Moving,
    /// Nothing of this name is there.
    Absent,
    /// Something that is no plain file: a link, a directory, a pipe.
    NoFile,
}

impl Subdirectory {
    /// Writes a file under a temporary name and gives it its own, unless there is one of that name: the answer says which.
    /// The name is durable only after [`Subdirectory::sync`].
    pub(super) fn publish(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let temporary = temporary_name(name);
        let outcome = self.write_new(&temporary, bytes).and_then(|()| self.rename(&temporary, self, name));
        if !matches!(outcome, Ok(true)) {
            // What stays is removed at the next start.
            let _ = self.remove(&temporary);
        }
        outcome
    }

    /// Moves a file to another subdirectory, unless the name is taken there.
    pub(super) fn move_to(&self, other: &Self, name: &str) -> io::Result<bool> {
        self.rename(name, other, name)
    }

    /// Removes what a run before left half written.
    pub(super) fn remove_unfinished(&self) -> io::Result<()> {
        self.names(is_temporary)?.iter().try_for_each(|name| match self.remove(name) {
            // It stays for the next time, in nobody's way.
            Err(error) if is_held(&error) => Ok(()),
            outcome => outcome,
        })
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
