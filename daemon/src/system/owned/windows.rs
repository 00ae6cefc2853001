//! Access lists. A new file takes the list of its directory, so it is the directories that are made private: for the system, the
//! administrators, the service's own account and the user of this process.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_permissions::constants::{SeObjectType, SecurityInformation};
use windows_permissions::utilities::current_process_sid;
use windows_permissions::wrappers::{GetNamedSecurityInfo, SetNamedSecurityInfo, SetSecurityInfo};
use windows_permissions::{Acl, LocalBox, SecurityDescriptor, Sid};

use super::access_list::Descriptor;
use super::{Exposure, NewPrivate, patience};
use crate::system::SERVICE_SID;

/// What to do about a file of another user's.
pub const WRONG_OWNER: &str = "所有者が違います。中身を確かめ、管理者のコマンドプロンプトで icacls \"パス\" /setowner *S-1-5-32-544 /T、\
     続けて shikakud service install を実行してください";
/// What to do about a file that others may use.
pub const OPEN_FILE: &str = "ほかのユーザーが読み書きできます。管理者のコマンドプロンプトで shikakud service install を実行してください\
     （C:\\ProgramData\\Shikaku の外にあるなら、ほかのユーザーが入れないフォルダーに移してください）";
/// What to do about a directory that others may use.
pub const OPEN_DIRECTORY: &str = "ほかのユーザーが入れます。管理者のコマンドプロンプトで shikakud service install を実行してください\
     （C:\\ProgramData\\Shikaku の外にあるなら、SYSTEM、Administrators、NT SERVICE\\ShikakuBridge だけを許可してください）";

/// `GENERIC_WRITE`, and `WRITE_DAC` to set the access list.
const WRITE_AND_CLOSE: u32 = 0x4000_0000 | 0x0004_0000;
/// `FILE_SHARE_DELETE` alone: as long as it is open nobody else reads it, but what was not finished can be taken away.
const UNREAD: u32 = 0x4;
/// `FILE_FLAG_OPEN_REPARSE_POINT`: a link is opened itself, and is then found to be no file.
const OPEN_LINK_ITSELF: u32 = 0x0020_0000;

/// Options under which a new file is its owner's alone: it takes the list of its directory.
pub fn private() -> OpenOptions {
    OpenOptions::new()
}

/// The same, and a link at the end of the path is not followed.
pub fn private_unfollowed() -> OpenOptions {
    let mut options = private();
    options.custom_flags(OPEN_LINK_ITSELF);
    options
}

/// Makes a file at a place that a person chose, whose directory may let everybody in: nobody opens it before the list is set, which
/// lets in the system, the administrators and the user of this process.
///
/// # Errors
/// There is one already, or the system refuses.
pub fn create_new_private(path: &Path) -> io::Result<NewPrivate> {
    let mut file = OpenOptions::new()
        .write(true)
        .access_mode(WRITE_AND_CLOSE)
        .share_mode(UNREAD)
        .create_new(true)
        .open(path)?;
    let closed = list("", &[own_sid()?.as_str()])
        .and_then(|wanted| set_list(&mut file, SeObjectType::SE_FILE_OBJECT, &wanted));
    Ok(NewPrivate { file, open_because: closed.err() })
}

/// Takes a pipe from everybody but the system, the administrators, the service's account and the user of this process.
///
/// # Errors
/// The system's refusal.
pub fn close_pipe(pipe: &mut impl AsRawHandle) -> io::Result<()> {
    let wanted = list("", &[SERVICE_SID, own_sid()?.as_str()])?;
    set_list(pipe, SeObjectType::SE_KERNEL_OBJECT, &wanted)
}

/// A list that takes nothing from above and lets in the system, the administrators and those.
fn list(flags: &str, others: &[&str]) -> io::Result<LocalBox<SecurityDescriptor>> {
    let allowed = ["SY", "BA"].iter().chain(others);
    let entries: Vec<_> = allowed.map(|who| format!("(A;{flags};FA;;;{who})")).collect();
    format!("D:P{}", entries.concat()).parse()
}

fn set_list(
    handle: &mut impl AsRawHandle,
    kind: SeObjectType,
    wanted: &SecurityDescriptor,
) -> io::Result<()> {
    let parts = SecurityInformation::Dacl | SecurityInformation::ProtectedDacl;
    SetSecurityInfo(handle, kind, parts, None, None, wanted.dacl(), None)
}

/// Sets parts of what lies at a path: its owner, its access list.
fn set_at(
    path: &Path,
    parts: SecurityInformation,
    owner: Option<&Sid>,
    list: Option<&Acl>,
) -> io::Result<()> {
    let kind = SeObjectType::SE_FILE_OBJECT;
    SetNamedSecurityInfo(path.as_os_str(), kind, parts, owner, None, list, None)
}

/// Whether a file was not opened because it is a link; here it is opened and judged by what it is.
pub fn is_link(_error: &io::Error) -> bool {
    false
}

/// A file has the list of its directory already.
///
/// # Errors
/// None on this system.
pub fn close_to_others(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a directory that lets nobody else in, whatever its parent does.
///
/// # Errors
/// `AlreadyExists`, or the system's refusal.
pub fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    close_directory(path)?;
    // Its parent may let everybody in, who may have been quick.
    if fs::read_dir(path)?.next().is_some() {
        return Err(io::Error::other("作ったばかりのフォルダーに、ほかのプログラムがファイルを置きました"));
    }
    Ok(())
}

/// Makes what is missing of a path; only what was made new is closed to others.
///
/// # Errors
/// The system's refusal.
pub fn create_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directories(parent)?;
    }
    match create_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Lets the system, the administrators and the service's account in, and nobody else; what lies below follows. Only somebody who is
/// none of them, as who tries the program out, is let in by name.
///
/// # Errors
/// The system's refusal.
pub fn close_directory(path: &Path) -> io::Result<()> {
    let own = own_sid()?;
    let mut allowed = vec![SERVICE_SID];
    if !is_administrator() && own != SERVICE_SID {
        allowed.push(&own);
    }
    let wanted = list("OICI", &allowed)?;
    let parts = SecurityInformation::Dacl | SecurityInformation::ProtectedDacl;
    set_at(path, parts, None, wanted.dacl())
}

/// Closes again what lies below a directory that is closed itself: whoever was let in by name, as Explorer does it, is out again, and
/// a file takes the list of its directory. What belongs to somebody else is left for the next start to find; no link is followed.
///
/// # Errors
/// The system's refusal.
pub fn close_below(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        match close_again(&entry?.path()) {
            // The files of a daemon that runs come and go.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn close_again(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() || exposure(path, &found)? == Exposure::OfAnother {
        return Ok(());
    }
    leave_to_administrators(path)?;
    if found.is_dir() {
        close_directory(path)?;
        return close_below(path);
    }
    let inherited: LocalBox<SecurityDescriptor> = "D:".parse()?;
    let parts = SecurityInformation::Dacl | SecurityInformation::UnprotectedDacl;
    set_at(path, parts, None, inherited.dacl())
}

/// What an administrator copied may belong to that person by name, whom the service does not know.
fn leave_to_administrators(path: &Path) -> io::Result<()> {
    let text = descriptor(path)?;
    let own = own_sid()?;
    let is_own =
        text.to_str().and_then(Descriptor::parse).is_some_and(|read| read.owner == Some(own.as_str()));
    if !is_own || own == SERVICE_SID {
        return Ok(());
    }
    let administrators: LocalBox<Sid> = "S-1-5-32-544".parse()?;
    set_at(path, SecurityInformation::Owner, Some(&administrators), None)
}

fn descriptor(path: &Path) -> io::Result<OsString> {
    let parts = SecurityInformation::Owner | SecurityInformation::Dacl;
    GetNamedSecurityInfo(path.as_os_str(), SeObjectType::SE_FILE_OBJECT, parts)?.as_sddl()
}

fn own_sid() -> io::Result<String> {
    let own: LocalBox<Sid> = current_process_sid()?;
    Ok(own.to_string())
}

/// Who may get at it.
///
/// # Errors
/// The access list cannot be read.
pub fn exposure(path: &Path, _found: &Metadata) -> io::Result<Exposure> {
    let text = descriptor(path)?;
    let read = text.to_str().and_then(Descriptor::parse).ok_or(io::ErrorKind::InvalidData)?;
    let own = own_sid()?;
    // The creator owner (CO) and the owner's rights (OW) are whoever owns it.
    let allowed = ["SY", "BA", "CO", "OW", SERVICE_SID, own.as_str()];
    Ok(if !read.owner.is_some_and(|owner| allowed.contains(&owner)) {
        Exposure::OfAnother
    } else if read.is_only_for(&allowed) {
        Exposure::Private
    } else {
        Exposure::Open(0)
    })
}

/// Whether others may get at it; there is no mode to show.
///
/// # Errors
/// The access list cannot be read.
pub fn open_to(path: &Path, found: &Metadata) -> io::Result<Option<u32>> {
    Ok((exposure(path, found)? != Exposure::Private).then_some(0))
}

/// Whether a file is private: there is no systemd that would share it with us.
///
/// # Errors
/// The access list cannot be read.
pub fn is_credential(path: &Path, found: &Metadata) -> io::Result<bool> {
    Ok(exposure(path, found)? == Exposure::Private)
}

/// What [`rights`] shows.
pub const RIGHTS: &str = "sddl";

/// Who may do what, for somebody who helps.
pub fn rights(path: &Path, _found: &Metadata) -> String {
    descriptor(path).map_or_else(|error| error.to_string(), |text| text.to_string_lossy().into_owned())
}

/// How many names a file has.
///
/// # Errors
/// The system's refusal.
pub fn names(file: &File, _found: &Metadata) -> io::Result<u64> {
    Ok(winapi_util::file::information(file)?.number_of_links())
}

/// NTFS keeps names in its own journal, and Windows gives no safe way to wait for them: a power cut within seconds may take back
/// the newest names, never tear one.
///
/// # Errors
/// None on this system.
pub fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes what a file holds durable, whoever wrote it: Windows lets only those do it who may write.
///
/// # Errors
/// The system's refusal.
pub fn sync_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).and_then(|file| file.sync_all())
}

/// Whether another program, as one that looks for viruses or makes backups, has the file open, so that it can be neither opened,
/// renamed nor removed for a while: `ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION`, `ERROR_LOCK_VIOLATION`.
pub fn is_held(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 32 | 33))
}

/// Does it, and again for at most half a second while another program has the file open. Holds up its thread as a slow disk does.
///
/// # Errors
/// The system's refusal; the last one, if the file was held until the end.
#[expect(clippy::disallowed_methods, reason = "Windows tells nobody when a file is let go")]
pub fn patiently<T>(act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    patience::tried(is_held, || std::thread::sleep(patience::PAUSE), act)
}

/// Writes at a place in a file.
///
/// # Errors
/// The system's refusal.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let (mut rest, mut at) = (bytes, offset);
    while !rest.is_empty() {
        let written = file.seek_write(rest, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(written..).unwrap_or_default();
        at = at.saturating_add(u64::try_from(written).unwrap_or_default());
    }
    Ok(())
}

/// A new file takes the list of its directory, which lets the service in.
///
/// # Errors
/// None on this system.
pub fn share_with_service(_new: &Path, _file: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether data belongs to another user: here it is always the service's, because what an administrator makes may belong to that
/// person by name.
pub fn is_of_another(_directory: &Path) -> bool {
    true
}

/// Whether this process may do an administrator's work: it may write where only they may.
pub fn is_administrator() -> bool {
    use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
    ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CREATE_SERVICE).is_ok()
}
