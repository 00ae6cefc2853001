//! Files and directories that only the user of this process may use: how they are made, how they were found, and what to do where
//! others got in.
//!
//! One file a kind of system, with the same functions. Unix has owners and modes; Windows has access lists, which new files take
//! from their directory. Knows nothing of what the files hold.

#[cfg(any(windows, test))]
mod access_list;
#[cfg(any(windows, test))]
mod patience;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io;

#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// Who beside this process's user may get at a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Nobody.
    Private,
    /// It belongs to somebody else, who may let in whom he likes.
    OfAnother,
    /// Others may; their rights as the system shows them (a mode on Unix, zero on Windows).
    Open(u32),
}

/// A new file at a place that a person chose: written through this handle, and read by nobody else.
#[derive(Debug)]
pub struct NewPrivate {
    /// The file.
    pub file: File,
    /// Why others may read it all the same, if they may: where it lies nobody can be shut out, as on a medium with FAT.
    pub open_because: Option<io::Error>,
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_made_for_its_owner_is_private() {
        let directory = std::env::temp_dir().join(format!("shikaku-owned-{}", std::process::id()));
        create_directory(&directory).unwrap();
        assert!(create_directory(&directory).is_err());
        assert_eq!(
            exposure(&directory, &fs::symlink_metadata(&directory).unwrap()).unwrap(),
            Exposure::Private
        );
        let path = directory.join("secret");
        let file = private_unfollowed().write(true).create_new(true).open(&path).unwrap();
        close_to_others(&file).unwrap();
        write_all_at(&file, b"secret", 0).unwrap();
        let found = file.metadata().unwrap();
        assert_eq!(exposure(&path, &found).unwrap(), Exposure::Private);
        assert_eq!(names(&file, &found).unwrap(), 1);
        sync_directory(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_is_written_where_everybody_looks_is_private_and_never_over_something_else() {
        // The directory of a person: it may let in whom it likes.
        let directory = std::env::temp_dir().join(format!("shikaku-chosen-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let path = directory.join("recovery.key");
        let mut made = create_new_private(&path).unwrap();
        assert!(made.open_because.is_none(), "{:?}", made.open_because);
        made.file.write_all(b"secret").unwrap();
        assert_eq!(exposure(&path, &made.file.metadata().unwrap()).unwrap(), Exposure::Private);
        assert!(create_new_private(&path).is_err());
        // What was not finished is taken away while it is open.
        fs::remove_file(&path).unwrap();
        drop(made);
        fs::remove_dir_all(&directory).unwrap();
    }
}
