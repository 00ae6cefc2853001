//! What has expired is removed from all four subdirectories, whoever put it there: by name, under a clock that somebody
//! vouches for.

use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::directory::Root;
use crate::domain::folder_file::gone_at;

/// The subdirectories of the protocol.
const ALL: [&str; 4] = ["face", "res", "req", "trash"];

/// Removes what must be gone now; returns how many files.
pub(super) fn sweep(root: &Path, now: Timestamp) -> io::Result<usize> {
    let root = Root::open(root)?;
    let mut removed = 0;
    for name in ALL {
        let Some(directory) = root.subdirectory(name)? else { continue };
        for name in directory.names(|name| gone_at(name, Timestamp::MIN).is_some())? {
            let Some(stamp) = directory.stamp(&name)? else { continue };
            if gone_at(&name, stamp.written_at()).is_some_and(|gone_at| gone_at <= now) {
                directory.remove(&name)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
