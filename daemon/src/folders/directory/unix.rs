//! Directory handles, and system calls that take a name below them.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::{Found, MOST_ENTRIES, Stamp};

const LOOK: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder of one receipt computer.
pub(in super::super) struct Root(OwnedFd);

/// A subdirectory of it.
pub(in super::super) struct Subdirectory(OwnedFd);

fn stamp_of(stat: &Stat) -> Stamp {
    Stamp {
        inode: stat.st_ino,
        size: stat.st_size.unsigned_abs(),
        changed: (stat.st_mtime, stat.st_mtime_nsec),
    }
}

impl Root {
    /// Opens it; the path's last part may be no link.
    pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(CWD, path, LOOK | OFlags::DIRECTORY, Mode::empty())?))
    }

    /// Opens a subdirectory; `None` if there is none. Never makes one: where a share is not mounted, an empty directory lies
    /// in its place.
    pub(in super::super) fn subdirectory(&self, name: &str) -> io::Result<Option<Subdirectory>> {
        match rustix::fs::openat(&self.0, name, LOOK | OFlags::DIRECTORY, Mode::empty()) {
            Ok(directory) => Ok(Some(Subdirectory(directory))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Subdirectory {
    /// The names in it that fit, sorted; those that are no text cannot fit.
    pub(in super::super) fn names(&self, fits: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)?.take(MOST_ENTRIES) {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str().ok().filter(|name| fits(name)) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn stat(&self, name: &str) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether anything has this name.
    pub(in super::super) fn holds(&self, name: &str) -> io::Result<bool> {
        Ok(self.stat(name)?.is_some())
    }

    /// What the plain file of this name looks like.
    pub(in super::super) fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        Ok(self.stat(name)?.filter(is_file).map(|stat| stamp_of(&stat)))
    }

    /// Reads a file of at most so many bytes, if nobody writes to it meanwhile.
    pub(in super::super) fn read(&self, name: &str, most: usize) -> io::Result<Found> {
        match self.stat(name)? {
            None => return Ok(Found::Absent),
            // A pipe would be waited for at its opening.
            Some(stat) if !is_file(&stat) => return Ok(Found::NoFile),
            Some(_) => {}
        }
        let file = match rustix::fs::openat(&self.0, name, LOOK | OFlags::NONBLOCK, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Found::Absent),
            Err(Errno::LOOP) => return Ok(Found::NoFile),
            Err(error) => return Err(error.into()),
        };
        let before = rustix::fs::fstat(&file)?;
        if !is_file(&before) {
            return Ok(Found::NoFile);
        }
        let stamp = stamp_of(&before);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        if stamp.size > most {
            return Ok(Found::TooLong(stamp));
        }
        let (file, mut bytes) = (File::from(file), Vec::new());
        (&file).take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        let after = stamp_of(&rustix::fs::fstat(&file)?);
        let same = after == stamp && u64::try_from(bytes.len()).is_ok_and(|length| length == stamp.size);
        Ok(if same { Found::Whole(bytes, stamp) } else { Found::Moving })
    }

    pub(super) fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.remove(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        // Whoever may use the folder may use what lies there: the process's own umask lets nobody.
        let allowed = Mode::from_raw_mode(rustix::fs::fstat(&self.0)?.st_mode & 0o666);
        match rustix::fs::fchmod(&file, allowed | Mode::RUSR | Mode::WUSR) {
            // A share that has rights of its own.
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Renames within the root; `false` if the name is taken.
    pub(super) fn rename(&self, from: &str, to: &Self, name: &str) -> io::Result<bool> {
        match rustix::fs::renameat_with(&self.0, from, &to.0, name, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            // Network file systems may not know the flag; then there is only looking first.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                if to.holds(name)? {
                    return Ok(false);
                }
                rustix::fs::renameat(&self.0, from, &to.0, name)?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes names durable.
    pub(in super::super) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.0) {
            // Shares that know no such thing keep names themselves.
            Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::BADF) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file or a link, never a directory; one that is gone is no error.
    pub(in super::super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}
