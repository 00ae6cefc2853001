//! Looks at a folder without writing anything, for the doctor.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::survey;
#[cfg(windows)]
pub use windows::survey;

/// What is looked at: the root and its four subdirectories.
const LOOKED_AT: [&str; 5] = ["", "face", "req", "res", "trash"];

/// What was seen of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surveyed {
    /// It can be used. Rights of others beside owner and group, as three bits (zero on Windows); and whether it lies on a network share.
    Usable {
        /// `rwx` of everybody else.
        others: u32,
        /// Notifications get lost there.
        network: bool,
    },
    /// The root or a subdirectory is missing; which.
    Missing(String),
    /// It is no directory, or a link.
    NoDirectory(String),
    /// We may not write there.
    ReadOnly(String),
    /// It cannot be looked at.
    Unreadable(String),
}
