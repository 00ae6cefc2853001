//! Owners and modes. The umask is not relied upon: every mode is set explicitly.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use rustix::fs::OFlags;

use super::{Exposure, NewPrivate};

/// What to do about a file of another user's.
pub const WRONG_OWNER: &str = "所有者が違います。chown で shikakud を動かすユーザーの所有にしてください";
/// What to do about a file that others may use.
pub const OPEN_FILE: &str = "ほかのユーザーが読み書きできます。chmod 600 を実行してください";
/// What to do about a directory that others may use.
pub const OPEN_DIRECTORY: &str = "ほかのユーザーが入れます。chmod 700 を実行してください";

const GROUP_AND_OTHERS: u32 = 0o077;
const OTHERS: u32 = 0o007;

/// Options under which a new file is its owner's alone.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// The same, and a link at the end of the path is not followed. `NONBLOCK`: a pipe must not stop the start.
pub fn private_unfollowed() -> OpenOptions {
    let mut options = private();
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Makes a file of its owner's alone at a place that a person chose.
///
/// # Errors
/// There is one already, or the system refuses.
pub fn create_new_private(path: &Path) -> io::Result<NewPrivate> {
    let file = private().write(true).create_new(true).open(path)?;
    Ok(NewPrivate { file, open_because: None })
}

/// Whether a file was not opened because it is a link.
pub fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Takes a file of ours from everybody else.
///
/// # Errors
/// It is not ours.
pub fn close_to_others(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Makes a directory that is its owner's alone.
///
/// # Errors
/// `AlreadyExists`, or the system's refusal.
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    // The umask may have taken bits away from the new directory.
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Makes what is missing of a path, each for its owner alone.
///
/// # Errors
/// The system's refusal.
pub fn create_directories(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Who may get at it.
///
/// # Errors
/// None on this system.
pub fn exposure(_path: &Path, found: &Metadata) -> io::Result<Exposure> {
    Ok(if found.uid() != rustix::process::geteuid().as_raw() {
        Exposure::OfAnother
    } else if found.mode() & GROUP_AND_OTHERS != 0 {
        Exposure::Open(found.mode() & 0o777)
    } else {
        Exposure::Private
    })
}

/// Whether others may get at it, whoever owns it: its mode then.
///
/// # Errors
/// None on this system.
pub fn open_to(_path: &Path, found: &Metadata) -> io::Result<Option<u32>> {
    Ok((found.mode() & GROUP_AND_OTHERS != 0).then_some(found.mode() & 0o777))
}

/// Whether a file is one that systemd laid down for this service: ours or root's, and nobody else's. systemd lets the service's user
/// in by an access list, which shows in the group's bits; others never have any.
///
/// # Errors
/// None on this system.
pub fn is_credential(_path: &Path, found: &Metadata) -> io::Result<bool> {
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
    Ok(ours && found.mode() & OTHERS == 0)
}

/// What [`rights`] shows.
pub const RIGHTS: &str = "mode\tuid:gid";

/// Who may do what, for somebody who helps.
pub fn rights(_path: &Path, found: &Metadata) -> String {
    format!("{:04o}\t{}:{}", found.mode() & 0o7777, found.uid(), found.gid())
}

/// How many names a file has.
///
/// # Errors
/// None on this system.
pub fn names(_file: &File, found: &Metadata) -> io::Result<u64> {
    Ok(found.nlink())
}

/// Makes the names in a directory durable: new ones, changed ones and those that are gone.
///
/// # Errors
/// The system's refusal.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|directory| directory.sync_all())
}

/// Makes what a file holds durable, whoever wrote it.
///
/// # Errors
/// The system's refusal.
pub fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|file| file.sync_all())
}

/// Whether another program has the file open, so that it can be neither opened, renamed nor removed for a while: here it always can.
pub fn is_held(_error: &io::Error) -> bool {
    false
}

/// Does it: nobody's open file stands in the way.
///
/// # Errors
/// The system's refusal.
pub fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    act()
}

/// Writes at a place in a file.
///
/// # Errors
/// The system's refusal.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Where the directory of a file belongs to a group of its own, the service's, that group may read the new file that will lie there.
///
/// # Errors
/// The system's refusal.
pub fn share_with_service(new: &Path, file: &Path) -> io::Result<()> {
    let directory = fs::metadata(file.parent().unwrap_or(Path::new("/")))?;
    if is_administrator() && directory.gid() != 0 {
        std::os::unix::fs::chown(new, None, Some(directory.gid()))?;
        fs::set_permissions(new, Permissions::from_mode(0o640))?;
    }
    Ok(())
}

/// Whether a directory is there and belongs to another user.
pub fn is_of_another(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|found| found.uid() != rustix::process::getuid().as_raw())
}

/// Whether this process is the administrator's.
pub fn is_administrator() -> bool {
    rustix::process::getuid().is_root()
}
