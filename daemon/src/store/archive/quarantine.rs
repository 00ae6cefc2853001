//! What is set aside: damaged files are moved, never deleted and never half used, and the store stays closed until an
//! administrator restores a backup or starts empty on purpose.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::error::OpenError;
use super::super::files::{self, FileError};
use super::super::{StoreConfig, lock, prepare_directories};
use super::{backup, restore, upgrade};

/// Says that the data was set aside, and where.
const MARKER: &str = "damaged";
/// What the names of the directories begin with.
const ASIDE: &str = "quarantine-";

/// Why nothing was set aside.
pub type QuarantineError = OpenError;

/// Refuses to open while damaged data waits for an administrator, or a restore was interrupted.
pub(in super::super) fn guard(config: &StoreConfig) -> Result<(), OpenError> {
    if files::exists(&config.data_dir.join(restore::UNFINISHED))? {
        return Err(OpenError::RestoreUnfinished);
    }
    let Some(words) = files::read_private(&config.data_dir.join(MARKER))? else { return Ok(()) };
    Err(OpenError::SetAside(PathBuf::from(String::from_utf8_lossy(&words).into_owned())))
}

/// Whether there is data that a store could be opened or put back from.
pub(super) fn has_data(config: &StoreConfig) -> Result<bool, FileError> {
    for file in [config.database()].iter().chain(&upgrade::copies(config)) {
        if files::exists(file)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves database, its copies, keyring and anchor into a directory of their own beside them. The master key stays where it is: the
/// keyring that went with the data opens only with it. A restore replaces it, and so does the first start of an empty store in
/// its place, which ends what was set aside.
pub(in super::super) fn set_aside(config: &StoreConfig, now: Timestamp) -> Result<PathBuf, FileError> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let name = |number: u32| config.data_dir.join(format!("{ASIDE}{stamp}-{number}"));
    let free = (0..100).map(name).find(|path| !path.exists());
    let directory = free.unwrap_or_else(|| name(100));
    files::private_directory(&directory)?;
    // The marker comes first: after a crash in the middle nothing opens what is left.
    files::replace_private(&config.data_dir.join(MARKER), directory.display().to_string().as_bytes())?;
    let database = config.database();
    let beside = ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    // The copies before the database: one that stayed would be put back over what is begun in its place.
    let copies = upgrade::copies(config);
    let of_backup = backup::leftovers(config);
    for file in beside.iter().chain(&copies).chain(&of_backup).chain([
        &config.keyring,
        &config.audit_anchor(),
        &database,
    ]) {
        move_into(&directory, file)?;
    }
    Ok(directory)
}

/// Whether data of an earlier store of this installation was set aside.
pub(in super::super) fn has_aside(config: &StoreConfig) -> Result<bool, FileError> {
    files::has_name(&config.data_dir, |name| name.starts_with(ASIDE))
}

fn move_into(directory: &Path, file: &Path) -> Result<(), FileError> {
    let Some(name) = file.file_name() else { return Ok(()) };
    if !files::exists(file)? {
        return Ok(());
    }
    match files::rename(file, &directory.join(name)) {
        // An anchor on another disk stays there under another name.
        Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::CrossesDevices => {
            let mut aside = file.as_os_str().to_owned();
            aside.push(".aside");
            files::rename(file, Path::new(&aside))
        }
        moved => moved,
    }
}

pub(super) fn forget_marker(config: &StoreConfig) -> Result<(), FileError> {
    files::remove(&config.data_dir.join(MARKER))
}

/// Sets aside whatever is there, so that the next start begins with nothing.
pub fn start_empty(config: &StoreConfig, now: Timestamp) -> Result<Option<PathBuf>, QuarantineError> {
    prepare_directories(config)?;
    let _lock = lock(&config.data_dir)?;
    files::remove(&config.data_dir.join(restore::UNFINISHED))?;
    let has_any = has_data(config)? || files::exists(&config.keyring)?;
    let aside = if has_any { Some(set_aside(config, now)?) } else { None };
    forget_marker(config)?;
    Ok(aside)
}
