//! A private lane to the real PC/SC: pcscd with vpcd's virtual reader in network, mount and process namespaces of its
//! own, so that lanes run side by side and never meet the machine's own pcscd or readers.
//!
//! A program re-executes itself with [`command`]; the copy calls [`Lane::start`]. Whatever the copy leaves behind dies
//! with its process namespace.

#![expect(clippy::expect_used, reason = "a lane that cannot be built ends its test with the reason")]

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcsc::{Context, ReaderState, Scope, State};

use crate::card::SimCard;
use crate::card::vpcd::VpcdLink;

/// Set in the environment of a process inside a lane.
const MARK: &str = "SHIKAKU_LANE";
/// pcscd's socket. Not the default path: a client that misses the variable finds nothing rather than another pcscd.
const SOCKET: &str = "/run/pcscd/lane.comm";
const LOG: &str = "/run/pcscd/log";
const READERS: &str = "/run/lane-readers";
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// Where vpcd listens; the network namespace makes it nobody else's.
pub const VPCD: &str = "127.0.0.1:35963";
/// The first slot of the virtual reader; vpcd has a second one, always empty.
pub const READER: &CStr = c"Lane 00 00";
/// Longer than any start seen (0.8 s), shorter than a hung test.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a lane needs, and the Debian package it comes from.
const NEEDED: [(&str, &str); 4] = [
    ("/usr/sbin/pcscd", "pcscd"),
    (DRIVER, "vsmartcard-vpcd"),
    ("/usr/bin/unshare", "util-linux"),
    ("/sbin/ip", "iproute2"),
];

/// The command that runs `program` inside a new lane; `mark` is what [`inside`] returns there.
///
/// # Panics
/// A Debian package is missing; the message names it.
pub fn command(program: impl AsRef<OsStr>, mark: &str) -> Command {
    for (path, package) in NEEDED {
        assert!(Path::new(path).exists(), "{path} is missing: install the Debian package {package}");
    }
    let mut command = Command::new("/usr/bin/unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]).arg("--").arg(program);
    command.env(MARK, mark).env("PCSCLITE_CSOCK_NAME", SOCKET);
    command
}

/// The mark of the lane this process runs in, if it runs in one.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is how a re-executed test knows that it is inside"
)]
pub fn inside() -> Option<String> {
    std::env::var(MARK).ok()
}

/// A running pcscd with one virtual reader, [`READER`].
pub struct Lane {
    pcscd: Option<Child>,
}

impl Lane {
    /// Prepares the namespaces and starts pcscd; only inside a lane.
    pub fn start() -> Self {
        assert!(inside().is_some(), "only inside a lane: this would change the machine's own /run");
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]));
        for directory in ["/run/pcscd", READERS] {
            fs::create_dir(directory).expect("the lane's own /run is writable");
        }
        let (_, port) = VPCD.rsplit_once(':').expect("HOST:PORT");
        let reader = format!(
            "FRIENDLYNAME \"Lane\"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVER}\nCHANNELID {port}\n"
        );
        fs::write(Path::new(READERS).join("lane"), reader).expect("the reader's configuration");
        let mut lane = Self { pcscd: None };
        lane.start_pcscd();
        lane
    }

    /// Starts pcscd by socket activation: the socket takes connections before pcscd is ready, so that nobody waits for
    /// it by trial.
    pub fn start_pcscd(&mut self) {
        // Left behind by a pcscd that was stopped.
        let _ = fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET).expect("the socket path is free");
        let log = File::options().create(true).append(true).open(LOG).expect("pcscd's log");
        let script =
            "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec /usr/sbin/pcscd -f -c \"$0\"";
        let pcscd = Command::new("/bin/sh")
            .args(["-c", script, READERS])
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::from(log.try_clone().expect("a second handle of the log")))
            .stderr(log)
            .spawn()
            .expect("sh starts");
        self.pcscd = Some(pcscd);
    }

    /// Kills pcscd; its clients lose everything.
    pub fn stop_pcscd(&mut self) {
        if let Some(mut pcscd) = self.pcscd.take() {
            // Fails only if it is dead already.
            let _ = pcscd.kill();
            let _ = pcscd.wait();
        }
        let _ = fs::remove_file(SOCKET);
    }

    /// Puts a card into the reader and waits until pcscd sees it.
    pub fn insert(&self, card: SimCard) -> VpcdLink {
        let link =
            VpcdLink::start(Arc::new(Mutex::new(card)), VPCD, |_| {}).expect("the link's thread starts");
        self.wait_for(State::PRESENT);
        link
    }

    /// Waits until the reader's state has `wanted`.
    ///
    /// # Panics
    /// It has not after a while; the message holds pcscd's log.
    pub fn wait_for(&self, wanted: State) {
        if let Err(reason) = wait_for(READER, wanted) {
            let log = fs::read_to_string(LOG).unwrap_or_default();
            panic!("{wanted:?} not seen: {reason}\npcscd says:\n{log}");
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.stop_pcscd();
    }
}

fn wait_for(reader: &CStr, wanted: State) -> Result<(), pcsc::Error> {
    let context = Context::establish(Scope::System)?;
    let mut states = [ReaderState::new(CString::from(reader), State::UNAWARE)];
    loop {
        context.get_status_change(PATIENCE, &mut states)?;
        if states.iter().all(|state| state.event_state().contains(wanted)) {
            return Ok(());
        }
        for state in &mut states {
            state.sync_current_state();
        }
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("the command exists");
    assert!(status.success(), "{command:?}: {status}");
}
