//! A terminal to look at: what a program writes where a person sits before it.

#![expect(clippy::expect_used, reason = "a machine without terminals ends the test with the reason")]

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Both ends of a terminal.
pub struct Terminal {
    ours: File,
    name: std::ffi::CString,
}

impl Terminal {
    /// A new one, nobody's controlling terminal.
    ///
    /// # Panics
    /// The machine has none left.
    pub fn open() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("a terminal of ours");
        unlockpt(&ours).expect("a terminal that can be opened");
        let name = ptsname(&ours, Vec::new()).expect("a terminal with a name");
        Self { ours: ours.into(), name }
    }

    /// The end that a program writes to.
    ///
    /// # Panics
    /// It cannot be opened.
    pub fn for_program(&self) -> OwnedFd {
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(&*self.name, flags, Mode::empty()).expect("the program's end")
    }

    /// Everything that was written, once every program has closed it.
    pub fn seen(mut self) -> String {
        let mut seen = Vec::new();
        // The end is told as an error, with what came before it already read.
        self.ours.read_to_end(&mut seen).ok();
        String::from_utf8_lossy(&seen).into_owned()
    }
}

/// Runs a program whose standard error is a terminal: how it ended, and what the terminal and a file as its standard output got.
///
/// # Panics
/// It does not start.
pub fn run_at_terminal(command: &mut Command) -> (ExitStatus, String, String) {
    use std::io::Seek as _;
    let (terminal, mut out) = (Terminal::open(), tempfile::tempfile().expect("a file"));
    command.stdin(Stdio::null()).stdout(out.try_clone().expect("a file")).stderr(terminal.for_program());
    let mut child = command.spawn().expect("the program starts");
    // Ours would keep the terminal open.
    command.stderr(Stdio::null());
    let seen = terminal.seen();
    let status = child.wait().expect("a child");
    let mut text = String::new();
    out.rewind().and_then(|()| out.read_to_string(&mut text)).expect("text");
    (status, seen, text)
}
