//! Files that only this user may read: checked before use, written atomically, overwritten before they are removed.
//!
//! What makes a file private is the system's affair ([`owned`]). Symbolic links are never followed, so nobody can direct a
//! write elsewhere.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::system::owned::{self, Exposure, OPEN_DIRECTORY, OPEN_FILE, WRONG_OWNER};

/// Why a file or directory is not used. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Others could get at it, or it is not what it should be.
    #[error("{path} は安全に使えません: {problem}")]
    NotPrivate {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The operating system refused.
    #[error("{path} を読み書きできません: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

const SYMLINK: &str = "シンボリックリンクです。設定には実際の場所を書いてください";
const WRONG_KIND: &str =
    "通常のファイルでないか、別の名前（ハードリンク）があります。別の場所に移してください";
const NOT_A_DIRECTORY: &str = "ディレクトリではありません。別の場所に移してください";

const LARGEST_SECRET_FILE: u64 = 1 << 20;

fn io_error(path: &Path, source: io::Error) -> FileError {
    if owned::is_link(&source) {
        return FileError::NotPrivate { path: path.to_owned(), problem: SYMLINK };
    }
    FileError::Io { path: path.to_owned(), source }
}

fn refuse(path: &Path, problem: &'static str) -> FileError {
    FileError::NotPrivate { path: path.to_owned(), problem }
}

/// Refuses a symbolic link anywhere in a path, however far up: whoever may change one decides where the data goes.
pub(super) fn refuse_links(path: &Path) -> Result<(), FileError> {
    let whole = std::path::absolute(path).map_err(|e| io_error(path, e))?;
    for part in whole.ancestors() {
        match fs::symlink_metadata(part) {
            Ok(found) if found.is_symlink() => return Err(refuse(part, SYMLINK)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(part, error)),
        }
    }
    Ok(())
}

/// Makes sure of a directory that is ours alone; creates the last part of the path if it is missing. Its
/// name is durable afterwards, also if a process that died had created it.
pub(super) fn private_directory(path: &Path) -> Result<(), FileError> {
    match owned::create_directory(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error(path, error)),
    }
    check_directory(path)?;
    match sync_directory(&directory_of(path)) {
        // A directory that we may not even list is not one in which we have just created something.
        Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Makes the names in a directory durable: new ones, changed ones and those that are gone.
pub(super) fn sync_directory(path: &Path) -> Result<(), FileError> {
    owned::sync_directory(path).map_err(|e| io_error(path, e))
}

/// Makes sure that an existing directory is ours alone.
pub(super) fn check_directory(path: &Path) -> Result<(), FileError> {
    let found = fs::symlink_metadata(path).map_err(|e| io_error(path, e))?;
    if found.is_symlink() {
        Err(refuse(path, SYMLINK))
    } else if !found.is_dir() {
        Err(refuse(path, NOT_A_DIRECTORY))
    } else {
        match owned::exposure(path, &found).map_err(|e| io_error(path, e))? {
            Exposure::Private => Ok(()),
            Exposure::OfAnother => Err(refuse(path, WRONG_OWNER)),
            Exposure::Open(_) => Err(refuse(path, OPEN_DIRECTORY)),
        }
    }
}

/// The directory a file lies in.
pub(super) fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether something, even a dangling link, is there under this name.
pub(super) fn exists(path: &Path) -> Result<bool, FileError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error(path, error)),
    }
}

/// Whether a directory holds something whose name is such a one.
pub(super) fn has_name(directory: &Path, is_one: impl Fn(&str) -> bool) -> Result<bool, FileError> {
    let failed = |error| io_error(directory, error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        if is_one(&entry.map_err(failed)?.file_name().to_string_lossy()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens an existing private file, or says `None` if there is none.
pub(super) fn open_private(path: &Path, write: bool) -> Result<Option<File>, FileError> {
    let file = match owned::private_unfollowed().read(true).write(write).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, error)),
    };
    let found = file.metadata().map_err(|e| io_error(path, e))?;
    if !found.is_file() || owned::names(&file, &found).map_err(|e| io_error(path, e))? > 1 {
        return Err(refuse(path, WRONG_KIND));
    }
    match owned::exposure(path, &found).map_err(|e| io_error(path, e))? {
        Exposure::Private => Ok(Some(file)),
        Exposure::OfAnother => Err(refuse(path, WRONG_OWNER)),
        Exposure::Open(_) => Err(refuse(path, OPEN_FILE)),
    }
}

/// Creates a new private file; an existing one, of whatever kind, is an error.
fn create_private(path: &Path) -> Result<File, FileError> {
    let file =
        owned::private_unfollowed().write(true).create_new(true).open(path).map_err(|e| io_error(path, e))?;
    owned::close_to_others(&file).map_err(|e| io_error(path, e))?;
    Ok(file)
}

/// Makes sure of a private file, empty if it is new. The caller keeps it open only if it wants to.
pub(super) fn ensure_private(path: &Path) -> Result<File, FileError> {
    match open_private(path, true)? {
        Some(file) => Ok(file),
        None => create_private(path),
    }
}

/// Reads a private file of at most a megabyte; `None` if there is none. What was read is wiped on drop.
pub(super) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let Some(file) = open_private(path, false)? else { return Ok(None) };
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LARGEST_SECRET_FILE).read_to_end(&mut content).map_err(|e| io_error(path, e))?;
    Ok(Some(content))
}

/// Replaces a file in one step: after a crash either the old or the new content is there, whole.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    // What a crash left behind.
    remove(&temporary)?;
    let mut file = create_private(&temporary)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| io_error(&temporary, e))?;
    rename(&temporary, path)
}

/// Renames within one directory and makes the new name durable.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    owned::patiently(|| fs::rename(from, to)).map_err(|e| io_error(to, e))?;
    sync_directory(&directory_of(to))
}

/// Overwrites a secret in place. File systems and drives that write elsewhere keep a copy of the old blocks: a limit
/// that only disk encryption removes.
pub(super) fn overwrite(path: &Path) -> Result<(), FileError> {
    let Some(mut file) = open_private(path, true)? else { return Ok(()) };
    let length = file.metadata().map_err(|e| io_error(path, e))?.len().min(LARGEST_SECRET_FILE);
    let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
    file.write_all(&zeros).and_then(|()| file.sync_all()).map_err(|e| io_error(path, e))
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> Result<(), FileError> {
    match owned::patiently(|| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}
