//! `tests/iofault/iofault.c`: stands before the C library of a process, fails one of its I/O calls or records them all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::c_library;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/iofault/iofault.c");

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This call fails with EIO.
    Io,
    /// This and every later call fails with EIO: the disk is gone.
    IoForEver,
    /// This call finds the disk full.
    Full,
    /// This and every later call finds the disk full.
    FullForEver,
    /// Half is written, then the disk is full for one call.
    ShortWrite,
    /// The process dies before the call.
    Killed,
    /// The process dies after the call, before it hears of it.
    KilledAfter,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Io,
        Self::FullForEver,
        Self::ShortWrite,
        Self::Killed,
        Self::Full,
        Self::IoForEver,
        Self::KilledAfter,
    ];

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Io => ("eio", "1"),
            Self::IoForEver => ("eio", "0"),
            Self::Full => ("enospc", "1"),
            Self::FullForEver => ("enospc", "0"),
            Self::ShortWrite => ("short", "1"),
            Self::Killed => ("kill", "1"),
            Self::KilledAfter => ("killafter", "1"),
        }
    }
}

/// What the shim is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Shim {
    /// Below this directory.
    pub(super) root: PathBuf,
    /// Where the number of calls is left.
    pub(super) counter: Option<PathBuf>,
    /// The first call that fails, from 1, and how.
    pub(super) fault: Option<(u64, Fault)>,
    /// Where calls are recorded, and the file whose writes are acknowledgements.
    pub(super) record: Option<(PathBuf, PathBuf)>,
}

impl Shim {
    /// Puts it before a command.
    pub(super) fn put_before(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("IOFAULT_DIR", &self.root);
        if let Some(counter) = &self.counter {
            command.env("IOFAULT_COUNTER", counter);
        }
        if let Some((at, fault)) = self.fault {
            let (kind, span) = fault.words();
            command.env("IOFAULT_AT", at.to_string()).env("IOFAULT_KIND", kind).env("IOFAULT_SPAN", span);
        }
        if let Some((log, acks)) = &self.record {
            command.env("IOFAULT_LOG", log).env("IOFAULT_ACKS", acks);
        }
    }
}

/// The number of calls that a counter shows.
pub(super) fn calls(counter: &Path) -> u64 {
    let bytes = fs::read(counter).expect("the shim has left its counter");
    u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
}

/// What makes every call that changes a file below `root` fail with EIO while the file `switch` exists, in the environment of a
/// program.
pub fn failing_while(root: &Path, switch: &Path) -> [(&'static str, String); 3] {
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    [("LD_PRELOAD", text(&library())), ("IOFAULT_DIR", text(root)), ("IOFAULT_WHILE", text(switch))]
}

fn library() -> PathBuf {
    c_library::path("libiofault.so", Path::new(SOURCE), &[], &[("/usr/bin/gcc", "gcc")])
}
