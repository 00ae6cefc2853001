//! Paths below directories that are held open: as long as a handle without the right to delete is open, neither the directory nor
//! one above it can be renamed or replaced, so that a path leads where it led. A link or junction is opened itself, never followed,
//! and then found to be neither file nor directory.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Found, MOST_ENTRIES, Stamp, is_held};

/// `FILE_FLAG_BACKUP_SEMANTICS`: opens directories, too.
const DIRECTORIES: u32 = 0x0200_0000;
/// `FILE_FLAG_OPEN_REPARSE_POINT`: opens a link itself.
const LINK_ITSELF: u32 = 0x0020_0000;
/// `FILE_SHARE_READ`, `FILE_SHARE_WRITE`; without `FILE_SHARE_DELETE` nobody renames it.
const STAYS: u32 = 0x1 | 0x2;
/// `FILE_READ_ATTRIBUTES`, and `GENERIC_READ`.
const LOOK: u32 = 0x80;
const READ: u32 = 0x8000_0000;
/// Seconds from 1601, where Windows begins to count, to 1970.
const TO_1970: i64 = 11_644_473_600;
/// Units of 100 ns in a second.
const UNITS: u64 = 10_000_000;

/// A directory that stays where it is.
struct Held {
    path: PathBuf,
    _handle: File,
}

impl Held {
    fn open(path: PathBuf) -> io::Result<Self> {
        let handle = OpenOptions::new()
            .read(true)
            .share_mode(STAYS)
            .custom_flags(DIRECTORIES | LINK_ITSELF)
            .open(&path)?;
        let found = handle.metadata()?;
        if found.is_symlink() || !found.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path, _handle: handle })
    }

    /// One name below it; one that would lead elsewhere (a separator, a drive, a stream) is none.
    fn join(&self, name: &str) -> io::Result<PathBuf> {
        if name.is_empty() || name.contains(['/', '\\', ':', '\0']) || matches!(name, "." | "..") {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(self.path.join(name))
    }
}

/// The folder of one receipt computer.
pub(in super::super) struct Root(Held);

/// A subdirectory of it.
pub(in super::super) struct Subdirectory(Held);

impl Root {
    /// Opens it; the path's last part may be no link.
    pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Held::open(path.to_owned())?))
    }

    /// Opens a subdirectory; `None` if there is none. Never makes one: where a share is not mounted, an empty directory lies
    /// in its place.
    pub(in super::super) fn subdirectory(&self, name: &str) -> io::Result<Option<Subdirectory>> {
        Ok(unless_absent(Held::open(self.0.join(name)?))?.map(Subdirectory))
    }
}

impl Subdirectory {
    /// The names in it that fit, sorted; those that are no text cannot fit.
    pub(in super::super) fn names(&self, fits: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0.path)?.take(MOST_ENTRIES) {
            if let Some(name) = entry?.file_name().to_str().filter(|name| fits(name)) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn look(&self, name: &str) -> io::Result<Option<Metadata>> {
        unless_absent(fs::symlink_metadata(self.0.join(name)?))
    }

    /// Whether anything has this name.
    pub(in super::super) fn holds(&self, name: &str) -> io::Result<bool> {
        Ok(self.look(name)?.is_some())
    }

    fn open(&self, name: &str, access: u32) -> io::Result<Option<File>> {
        let opened =
            OpenOptions::new().access_mode(access).custom_flags(LINK_ITSELF).open(self.0.join(name)?);
        unless_absent(opened)
    }

    /// What the plain file of this name looks like.
    pub(in super::super) fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        if !self.look(name)?.is_some_and(|found| found.is_file()) {
            return Ok(None);
        }
        // Only what is known of it: so whoever writes to it, and lets nobody else read, is no hindrance.
        self.open(name, LOOK)?.map(|file| stamp(&file)).transpose()
    }

    /// Reads a file of at most so many bytes, if nobody writes to it meanwhile.
    pub(in super::super) fn read(&self, name: &str, most: usize) -> io::Result<Found> {
        match self.look(name)? {
            None => return Ok(Found::Absent),
            Some(found) if !found.is_file() => return Ok(Found::NoFile),
            Some(_) => {}
        }
        let file = match self.open(name, READ) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Found::Absent),
            // Whoever writes to it, or looks through it for viruses, lets nobody else open it.
            Err(error) if is_held(&error) => return Ok(Found::Moving),
            Err(error) => return Err(error),
        };
        if !file.metadata()?.is_file() {
            return Ok(Found::NoFile);
        }
        let before = stamp(&file)?;
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        if before.size > most {
            return Ok(Found::TooLong(before));
        }
        let mut bytes = Vec::new();
        match (&file).take(most.saturating_add(1)).read_to_end(&mut bytes) {
            // A part of it is locked.
            Err(error) if is_held(&error) => return Ok(Found::Moving),
            read => read?,
        };
        let same =
            stamp(&file)? == before && u64::try_from(bytes.len()).is_ok_and(|length| length == before.size);
        Ok(if same { Found::Whole(bytes, before) } else { Found::Moving })
    }

    /// Whoever may use the folder may use the file: it takes the folder's access list.
    pub(super) fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.remove(name)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(self.0.join(name)?)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Renames within the root; `false` if the name is taken. The system's own rename replaces, a second name does not.
    pub(super) fn rename(&self, from: &str, to: &Self, name: &str) -> io::Result<bool> {
        let (old, new) = (self.0.join(from)?, to.0.join(name)?);
        match fs::hard_link(&old, &new) {
            Ok(()) => {
                fs::remove_file(&old)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            // Shares and FAT know no second names; then there is only looking first.
            Err(_) => {
                if to.holds(name)? {
                    return Ok(false);
                }
                fs::rename(&old, &new)?;
                Ok(true)
            }
        }
    }

    /// Names are durable by the file system's own journal.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Unix, where it can fail")]
    pub(in super::super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Removes a file or a link, never a directory; one that is gone is no error.
    pub(in super::super) fn remove(&self, name: &str) -> io::Result<()> {
        unless_absent(fs::remove_file(self.0.join(name)?)).map(drop)
    }
}

fn unless_absent<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn stamp(file: &File) -> io::Result<Stamp> {
    let found = winapi_util::file::information(file)?;
    let units = found.last_write_time().unwrap_or_default();
    let seconds = i64::try_from(units / UNITS).unwrap_or(i64::MAX).saturating_sub(TO_1970);
    Ok(Stamp { inode: found.file_index(), size: found.file_size(), changed: (seconds, units % UNITS * 100) })
}
