//! What has expired is removed from all four subdirectories, whoever put it there: by name, under a clock that somebody
//! vouches for.

use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::directory::{Root, Subdirectory};
use crate::domain::folder_file::gone_at;

/// The subdirectories of the protocol.
const ALL: [&str; 4] = ["face", "res", "req", "trash"];

/// Removes what must be gone now; returns how many files. One that cannot be removed, as because another program has it open, keeps
/// no other: the first such error comes at the end.
pub(super) fn sweep(root: &Path, now: Timestamp) -> io::Result<usize> {
    let root = Root::open(root)?;
    let mut swept = Swept { now, removed: 0, failed: None };
    for name in ALL {
        let outcome = swept.sweep(&root, name);
        swept.note(outcome);
    }
    swept.failed.map_or(Ok(swept.removed), Err)
}

struct Swept {
    now: Timestamp,
    removed: usize,
    failed: Option<io::Error>,
}

impl Swept {
    fn note(&mut self, outcome: io::Result<()>) {
        self.failed = self.failed.take().or(outcome.err());
    }

    fn sweep(&mut self, root: &Root, name: &str) -> io::Result<()> {
        let Some(directory) = root.subdirectory(name)? else { return Ok(()) };
        for name in directory.names(|name| gone_at(name, Timestamp::MIN).is_some())? {
            let outcome = self.sweep_file(&directory, &name);
            self.note(outcome);
        }
        Ok(())
    }

    fn sweep_file(&mut self, directory: &Subdirectory, name: &str) -> io::Result<()> {
        let Some(stamp) = directory.stamp(name)? else { return Ok(()) };
        if gone_at(name, stamp.written_at()).is_some_and(|gone_at| gone_at <= self.now) {
            directory.remove(name)?;
            self.removed += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_cannot_be_swept_is_told_and_keeps_nothing_else() {
        const EXPIRED: &str = "OQSsiquc01res_face_1_20260601000000.xml";
        let own = std::env::temp_dir().join(format!("shikaku-sweep-{}", std::process::id()));
        for name in ALL {
            fs::create_dir_all(own.join("root").join(name)).unwrap();
        }
        let trash = own.join("root/trash").join(EXPIRED);
        fs::write(&trash, "x").unwrap();
        // Somebody has made a link of one of them, which is not entered.
        fs::remove_dir(own.join("root/res")).unwrap();
        symlink(&own, own.join("root/res")).unwrap();
        let after = "2026-08-01T00:00:00Z".parse().unwrap();
        assert!(sweep(&own.join("root"), after).is_err());
        assert!(!trash.exists());

        fs::remove_file(own.join("root/res")).unwrap();
        fs::write(&trash, "x").unwrap();
        assert_eq!(sweep(&own.join("root"), after).unwrap(), 1);
        fs::remove_dir_all(&own).unwrap();
    }
}
