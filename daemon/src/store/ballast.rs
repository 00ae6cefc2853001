//! Room on the disk: a file that keeps space back for purging, and the free space below which nothing new is begun.
//!
//! On a full disk SQLite can neither delete nor empty its WAL, so the legal deletion would wait for somebody to tidy up.
//! The ballast is allocated at the start, given up while a purge needs the space, and allocated again afterwards.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{self, FileError};
use crate::system;

/// How much room is kept, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Size of the ballast file; 0: none.
    pub ballast: u64,
    /// Free space below which no new check is begun.
    pub low_water: u64,
}

/// Left free beside the ballast, in bytes: taking the last block for it would stop everybody at once.
const BESIDE: u64 = 1 << 20;

/// The file that keeps space back.
pub(super) struct Ballast {
    directory: PathBuf,
    path: PathBuf,
    room: Room,
}

impl Ballast {
    /// The ballast of a data directory; touches nothing.
    pub(super) fn new(directory: &Path, room: Room) -> Self {
        Self { directory: directory.to_owned(), path: directory.join("ballast"), room }
    }

    /// Free bytes that an ordinary user may still write.
    pub(super) fn free(&self) -> io::Result<u64> {
        system::free_bytes(&self.directory)
    }

    /// Whether new work may be begun. A file system that does not tell its space has room.
    pub(super) fn has_room(&self) -> bool {
        self.free().map_or(true, |free| free >= self.room.low_water)
    }

    /// Whether the whole ballast is there.
    pub(super) fn is_whole(&self) -> bool {
        self.room.ballast == 0
            || std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.len() == self.room.ballast)
    }

    /// Gives the ballast up if less than its size is free besides; says whether it did.
    pub(super) fn give_up(&self) -> Result<bool, FileError> {
        if self.free().is_ok_and(|free| free >= self.room.ballast) || !files::exists(&self.path)? {
            return Ok(false);
        }
        files::remove(&self.path)?;
        Ok(true)
    }

    /// Allocates the ballast, if there is room for it; says whether it is there.
    pub(super) fn restore(&self) -> Result<bool, FileError> {
        if self.is_whole() {
            return Ok(true);
        }
        files::remove(&self.path)?;
        if self.free().is_ok_and(|free| free < self.room.ballast.saturating_add(BESIDE)) {
            return Ok(false);
        }
        let file = files::ensure_private(&self.path)?;
        if let Err(source) = system::reserve(file, self.room.ballast) {
            files::remove(&self.path)?;
            if source.kind() == io::ErrorKind::StorageFull {
                return Ok(false);
            }
            return Err(FileError::Io { path: self.path.clone(), source });
        }
        Ok(true)
    }
}
