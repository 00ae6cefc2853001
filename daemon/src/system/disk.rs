//! Room on a disk.

use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes that an ordinary user may still write below a directory.
///
/// # Errors
/// The system does not tell.
#[cfg(unix)]
pub fn free_bytes(directory: &Path) -> io::Result<u64> {
    let volume = rustix::fs::statvfs(directory)?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// Bytes that an ordinary user may still write below a directory.
///
/// # Errors
/// The system does not tell.
#[cfg(windows)]
pub fn free_bytes(directory: &Path) -> io::Result<u64> {
    let mut free = 0;
    let name = directory.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    winsafe::GetDiskFreeSpaceEx(Some(name), Some(&mut free), None, None).map_err(io::Error::other)?;
    Ok(free)
}

/// Gives a file blocks of its own, not a hole: a hole keeps nothing back.
///
/// # Errors
/// The system's refusal; `StorageFull` where there is no room.
#[cfg(unix)]
pub fn reserve(file: File, bytes: u64) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(file, bytes),
        other => Ok(other?),
    }
}

/// Gives a file blocks of its own, by writing them: a volume that is compressed keeps nothing back for a length alone.
///
/// # Errors
/// The system's refusal; `StorageFull` where there is no room.
#[cfg(windows)]
pub fn reserve(file: File, bytes: u64) -> io::Result<()> {
    fill(file, bytes)
}

fn fill(mut file: File, bytes: u64) -> io::Result<()> {
    use io::Write as _;
    let zeros = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(1 << 20);
        file.write_all(zeros.get(..usize::try_from(now).unwrap_or_default()).unwrap_or_default())?;
        left -= now;
    }
    file.sync_all()
}
