//! Modes, effective rights and kinds of file systems.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, FileType, OFlags};

use super::{LOOKED_AT, Surveyed};

/// Looks at the root and its four subdirectories.
pub fn survey(root: &Path) -> Surveyed {
    let mut others = 0;
    for name in LOOKED_AT {
        let path = if name.is_empty() { root.to_owned() } else { root.join(name) };
        let shown = path.display().to_string();
        let stat = match rustix::fs::statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => return Surveyed::Missing(shown),
            Err(_) => return Surveyed::Unreadable(shown),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Surveyed::NoDirectory(shown);
        }
        others |= stat.st_mode & 0o007;
        let wanted = if name.is_empty() {
            Access::EXEC_OK
        } else {
            Access::WRITE_OK | Access::READ_OK | Access::EXEC_OK
        };
        match rustix::fs::accessat(CWD, &path, wanted, AtFlags::EACCESS) {
            Ok(()) => {}
            Err(_) => return Surveyed::ReadOnly(shown),
        }
    }
    Surveyed::Usable { others, network: is_network(root).unwrap_or(false) }
}

/// Whether the file system is one of those that other machines write to without telling.
fn is_network(root: &Path) -> io::Result<bool> {
    const NFS: i64 = 0x6969;
    const SMB: i64 = 0x517B;
    const CIFS: i64 = 0xFF53_4D42;
    const SMB2: i64 = 0xFE53_4D42;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, root, flags, rustix::fs::Mode::empty())?;
    let kind = rustix::fs::fstatfs(root)?.f_type;
    Ok([NFS, SMB, CIFS, SMB2].contains(&kind))
}
