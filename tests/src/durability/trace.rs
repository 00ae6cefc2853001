//! What the shim has recorded: every call that changed a file, in order, and between them what was acknowledged.

use std::path::PathBuf;

/// One call that succeeded, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A new file with its inode.
    Create(PathBuf, u64),
    /// Bytes at an offset of an inode.
    Write(u64, usize, Vec<u8>),
    /// A new length of an inode.
    Truncate(u64, usize),
    /// An inode's content reached the disk.
    Sync(u64),
    /// It may never reach it.
    SyncFailed(u64),
    /// A directory's names reached the disk.
    SyncNames(PathBuf),
    /// They did not, this time.
    SyncNamesFailed,
    /// A new name.
    Rename(PathBuf, PathBuf),
    /// A name less.
    Unlink(PathBuf),
    /// A new directory.
    MakeDirectory(PathBuf),
    /// The process said something.
    Said(String),
}

/// Reads the shim's log; a last record without its end was cut by the death of the process.
pub(super) fn parse(mut log: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = take(&mut log) {
        events.push(event);
    }
    events
}

fn take(log: &mut &[u8]) -> Option<Event> {
    let mut number = || {
        let (bytes, rest) = log.split_first_chunk::<8>()?;
        *log = rest;
        Some(u64::from_ne_bytes(*bytes))
    };
    let (operation, inode, offset, length) = (number()?, number()?, number()?, number()?);
    let lengths = number()?.to_ne_bytes();
    let length_of = |half: &[u8]| half.try_into().map(u32::from_ne_bytes).map_or(0, |length| length as usize);
    let (first, second) = (length_of(&lengths[..4]), length_of(&lengths[4..]));
    let length = usize::try_from(length).ok()?;
    let mut text = |length: usize| {
        let (bytes, rest) = log.split_at_checked(length)?;
        *log = rest;
        Some(bytes.to_vec())
    };
    let mut path = |length| Some(PathBuf::from(String::from_utf8(text(length)?).ok()?));
    let (path, to) = (path(first)?, path(second)?);
    Some(match u8::try_from(operation).ok()? {
        b'C' => Event::Create(path, inode),
        b'W' => Event::Write(inode, usize::try_from(offset).ok()?, text(length)?),
        b'T' => Event::Truncate(inode, length),
        b'S' => Event::Sync(inode),
        b's' => Event::SyncFailed(inode),
        b'D' => Event::SyncNames(path),
        b'd' => Event::SyncNamesFailed,
        b'R' => Event::Rename(path, to),
        b'U' => Event::Unlink(path),
        b'M' => Event::MakeDirectory(path),
        b'A' => Event::Said(String::from_utf8(text(length)?).ok()?),
        other => panic!("the shim has recorded an unknown operation {other}"),
    })
}
