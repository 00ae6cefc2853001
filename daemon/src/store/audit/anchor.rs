//! The anchor: count and head of the audit log in a file outside the database, so that rows cut off its end show.
//!
//! ```text
//! slot 0 | slot 1      each 512 bytes, used in turn by the number of the commit
//! magic 16 · batch 8 · count 8 · head 32 · HMAC 32 · zeros
//! ```
//! A commit that wrote audit rows is followed by the anchor, in place and synced, before anybody hears of it and before the next
//! commit (which may be prepared meanwhile). The slots take turns, so a write torn by a crash leaves the one before. Hence exactly this is accepted: the anchor's row is
//! in the log, and all rows after it were written by one commit. The log may be ahead of its anchor by its last commit,
//! never more, and never behind.
//!
//! If the anchor cannot be written, whoever waits hears of a failure, and the next commit begins only once it could. The file is
//! opened again for that, because the handle of a disk that was gone stays dead after it is back; what lies there must be the anchor
//! that was left, whatever else is a matter for the next start.
//!
//! What it does not show: database and anchor put back together to an earlier state. So it is best kept on another disk.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use subtle::ConstantTimeEq;
use tokio::task::{JoinError, JoinHandle};

use super::super::files::{self, FileError};
use super::super::keyring::SystemKeys;
use crate::app::ports::StoreError;
use crate::system::owned::write_all_at;

const MAGIC: &[u8; 16] = b"shikaku anchor 1";
const SLOT: usize = 512;
const USED: usize = 96;

/// Where the log stands after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Mark {
    /// Number of the commit that wrote the last row.
    pub(in super::super) batch: i64,
    /// Number of the last row.
    pub(in super::super) count: i64,
    /// Its keyed hash.
    pub(in super::super) head: [u8; 32],
}

impl Mark {
    /// The end of the log as it was read: number, commit and code of its last row.
    pub(super) fn found((count, batch, mac): (i64, i64, Vec<u8>)) -> Result<Self, StoreError> {
        let corrupt =
            |_| StoreError::Corrupt { table: "audit", row: count, reason: "its code is cut off".to_owned() };
        Ok(Self { batch, count, head: mac.try_into().map_err(corrupt)? })
    }

    fn bytes(&self, keys: &SystemKeys) -> Result<[u8; SLOT], StoreError> {
        let (batch, count) = (self.batch.to_be_bytes(), self.count.to_be_bytes());
        let proof = keys.anchor.hash(&[&batch, &count, &self.head])?;
        let used = [MAGIC.as_slice(), &batch, &count, &self.head, &proof].concat();
        let mut slot = [0; SLOT];
        slot[..USED].copy_from_slice(&used);
        Ok(slot)
    }

    fn read(slot: &[u8], keys: &SystemKeys) -> Option<Self> {
        let rest = slot.strip_prefix(MAGIC)?;
        let (batch, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (head, rest) = rest.split_first_chunk::<32>()?;
        let (proof, _) = rest.split_first_chunk::<32>()?;
        let expected = keys.anchor.hash(&[batch, count, head]).ok()?;
        bool::from(expected.ct_eq(proof)).then(|| Self {
            batch: i64::from_be_bytes(*batch),
            count: i64::from_be_bytes(*count),
            head: *head,
        })
    }
}

/// What lies where the anchor should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Seen {
    /// Nothing, or a file that has not got its first mark: a crash while it is made leaves it empty or all zero.
    Missing,
    /// A file in which neither slot is ours.
    Unreadable,
    /// An anchor.
    Mark(Mark),
}

/// Reads the anchor as it lies there.
pub(in super::super) fn read(path: &Path, keys: &SystemKeys) -> Result<Seen, FileError> {
    let Some(content) = files::read_private(path)? else { return Ok(Seen::Missing) };
    Ok(seen_in(&content, keys))
}

fn seen_in(content: &[u8], keys: &SystemKeys) -> Seen {
    if content.iter().all(|byte| *byte == 0) {
        return Seen::Missing;
    }
    let marks = content.chunks(SLOT).take(2).filter_map(|slot| Mark::read(slot, keys));
    marks.max_by_key(|mark| mark.batch).map_or(Seen::Unreadable, Seen::Mark)
}

/// Opens the anchor anew after a failure: with the checks of a start, and nothing but one of the marks that may lie there.
fn reopen(path: &Path, keys: &SystemKeys, expected: [Mark; 2]) -> Result<File, StoreError> {
    let unusable = |error: FileError| StoreError::Failed(error.to_string());
    let other = || StoreError::Failed(format!("{} is not the audit anchor that was left", path.display()));
    let directory = files::directory_of(path);
    files::refuse_links(&directory).and_then(|()| files::check_directory(&directory)).map_err(unusable)?;
    let file = files::open_private(path, true).map_err(unusable)?.ok_or_else(other)?;
    let mut content = Vec::with_capacity(2 * SLOT);
    let read = (&file).take(2 * SLOT as u64).read_to_end(&mut content);
    read.map_err(|source| unusable(FileError::Io { path: path.to_owned(), source }))?;
    match seen_in(&content, keys) {
        Seen::Mark(mark) if expected.contains(&mark) => Ok(file),
        Seen::Mark(_) | Seen::Missing | Seen::Unreadable => Err(other()),
    }
}

/// Writes a mark, durably.
fn write(file: &File, keys: &SystemKeys, mark: &Mark) -> Result<(), StoreError> {
    let slot = mark.bytes(keys)?;
    let offset = if mark.batch % 2 == 0 { 0 } else { SLOT as u64 };
    let written = write_all_at(file, &slot, offset).and_then(|()| file.sync_data());
    written.map_err(|error| StoreError::Failed(format!("the audit anchor was not written: {error}")))
}

/// The writing of a mark on a blocking thread.
pub(in super::super) type Writing = JoinHandle<Result<Arc<File>, StoreError>>;

/// The open anchor; the writer alone has it.
pub(in super::super) struct Anchor {
    file: Arc<File>,
    path: PathBuf,
    keys: Arc<SystemKeys>,
    stands: Mark,
    owed: Option<Mark>,
    /// Whether the last write failed, so that the handle may be one of a disk that was gone.
    is_stale: bool,
}

impl Anchor {
    /// Opens the file, or creates it with both slots empty. `stands` is what the next commits are held against; nothing
    /// is written yet, so that what was found stays until it is in the log.
    pub(in super::super) fn open(
        path: &Path,
        keys: Arc<SystemKeys>,
        stands: Mark,
    ) -> Result<Self, FileError> {
        let is_new = !files::exists(path)?;
        let file = files::ensure_private(path)?;
        let io = |source| FileError::Io { path: path.to_owned(), source };
        if file.metadata().map_err(io)?.len() < 2 * SLOT as u64 {
            write_all_at(&file, &[0; 2 * SLOT], 0).and_then(|()| file.sync_all()).map_err(io)?;
        }
        if is_new {
            files::sync_directory(&files::directory_of(path))?;
        }
        Ok(Self { file: Arc::new(file), path: path.to_owned(), keys, stands, owed: None, is_stale: false })
    }

    /// Number of the last commit that it knows.
    pub(in super::super) fn batch(&self) -> i64 {
        self.owed.map_or(self.stands.batch, |owed| owed.batch)
    }

    /// The log's end as the last commit with audit rows left it.
    pub(in super::super) fn stands(&self) -> Mark {
        self.owed.unwrap_or(self.stands)
    }

    /// Where it lies.
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what the last commit owes, if its write had failed. Until this succeeds nothing more is committed.
    pub(in super::super) async fn settle(&mut self) -> Result<(), StoreError> {
        match self.owed {
            Some(owed) => self.keep(owed).await,
            None => Ok(()),
        }
    }

    /// Writes what is owed, or else the same bytes again in the same place: whether that is possible.
    pub(in super::super) async fn affirm(&mut self) -> Result<(), StoreError> {
        let mark = self.stands();
        let writing = self.begin(mark);
        self.written(mark, writing.await)
    }

    /// Writes a mark, durably, if it is news or its last write failed.
    pub(in super::super) async fn keep(&mut self, mark: Mark) -> Result<(), StoreError> {
        if mark.batch <= self.stands.batch && self.owed.is_none() {
            return Ok(());
        }
        let writing = self.begin(mark);
        self.written(mark, writing.await)
    }

    /// Begins to write a mark on a blocking thread; it is owed until [`Anchor::written`] hears how that ended.
    pub(super) fn begin(&mut self, mark: Mark) -> Writing {
        self.owed = Some(mark);
        let (file, keys) = (Arc::clone(&self.file), Arc::clone(&self.keys));
        let anew = self.is_stale.then(|| (self.path.clone(), [self.stands, mark]));
        tokio::task::spawn_blocking(move || {
            let file = match anew {
                Some((path, expected)) => Arc::new(reopen(&path, &keys, expected)?),
                None => file,
            };
            write(&file, &keys, &mark)?;
            Ok(file)
        })
    }

    /// Takes note of how writing a mark ended; what failed stays owed.
    pub(super) fn written(
        &mut self,
        mark: Mark,
        ended: Result<Result<Arc<File>, StoreError>, JoinError>,
    ) -> Result<(), StoreError> {
        let interrupted = |_| StoreError::Failed("writing the audit anchor was interrupted".to_owned());
        let written = ended.map_err(interrupted).flatten();
        self.is_stale = written.is_err();
        match written {
            Ok(file) => {
                self.file = file;
                self.stands = mark;
                self.owed = None;
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the audit anchor");
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
impl Anchor {
    /// An anchor in a file that is open in this way.
    pub(in super::super) fn in_file(file: File, keys: Arc<SystemKeys>) -> Self {
        let stands = Mark { batch: -1, count: 0, head: [0; 32] };
        Self { file: Arc::new(file), path: PathBuf::new(), keys, stands, owed: None, is_stale: false }
    }

    /// Goes on in another file, as a disk that came back does.
    pub(in super::super) fn repair(&mut self, file: File) {
        self.file = Arc::new(file);
        self.is_stale = false;
    }
}
