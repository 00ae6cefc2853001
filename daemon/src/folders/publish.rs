//! Files that are settled get their names: each at most once, as far as a folder can tell.
//!
//! A file that is there with the same bytes is out; one that a consumer has moved to `trash/` is out as well. A file that is
//! in neither and was settled by an earlier run was never out, or was deleted: that cannot be told, so the same bytes are
//! published (again) and counted.

use std::io;
use std::path::Path;

use super::directory::{Found, Root, Subdirectory};
use crate::app::folders::FolderTrouble;
use crate::app::ports::DueFile;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Publication {
    /// It has its name now.
    Published,
    /// It was out already.
    WasOut,
    /// Another file has its name.
    Blocked,
}

/// Publishes files in `face/` or `res/`; returns what became of those before the first error, and that error.
pub(super) fn publish(
    root: &Path,
    subdirectory: &str,
    files: &[DueFile],
) -> (Vec<(i64, Publication)>, io::Result<()>) {
    let mut done = Vec::with_capacity(files.len());
    let outcome = open(root, subdirectory).and_then(|(to, trash)| {
        let all = files.iter().try_for_each(|file| {
            done.push((file.id, one(&to, &trash, file)?));
            Ok(())
        });
        // Only a name that is durable is out.
        to.sync().inspect_err(|_| done.clear())?;
        all
    });
    (done, outcome)
}

fn open(root: &Path, subdirectory: &str) -> io::Result<(Subdirectory, Subdirectory)> {
    let root = Root::open(root)?;
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let open = |name| root.subdirectory(name)?.ok_or_else(missing);
    Ok((open(subdirectory)?, open("trash")?))
}

fn one(to: &Subdirectory, trash: &Subdirectory, file: &DueFile) -> io::Result<Publication> {
    let bytes = file.bytes.expose();
    match to.read(&file.name, bytes.len())? {
        Found::Whole(there, _) if there == bytes => return Ok(Publication::WasOut),
        Found::Absent => {}
        Found::Whole(..) | Found::TooLong(_) | Found::Moving | Found::NoFile => {
            return Ok(Publication::Blocked);
        }
    }
    if trash.holds(&file.name)? {
        return Ok(Publication::WasOut);
    }
    match to.publish(&file.name, bytes) {
        Ok(true) => Ok(Publication::Published),
        Ok(false) => Ok(Publication::Blocked),
        // Somebody made a directory of its temporary name.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(Publication::Blocked),
        Err(error) => Err(error),
    }
}

/// What an error means to the people who have to do something.
pub(super) fn trouble(error: &io::Error) -> FolderTrouble {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FolderTrouble::Full,
        _ => FolderTrouble::Unavailable,
    }
}
