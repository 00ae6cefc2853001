//! A private lane to the real PC/SC: pcscd with vpcd's virtual reader in network, mount and process namespaces of its
//! own, so that lanes run side by side and never meet the machine's own pcscd or readers.
//!
//! The readers are vpcd's, or those of our own driver, which can be unplugged and of which there can be several.
//!
//! A program re-executes itself with [`command`]; the copy calls [`Lane::start`]. Whatever the copy leaves behind dies
//! with its process namespace.

#![expect(clippy::expect_used, reason = "a lane that cannot be built ends its test with the reason")]

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcsc::{Context, ReaderState, Scope, State};
use rustix::process::{Pid, Signal, kill_process};

use crate::card::SimCard;
use crate::card::ifd::IfdLink;
use crate::card::vpcd::{Event, VpcdLink};
use crate::ifd_driver;

/// Set in the environment of a process inside a lane.
const MARK: &str = "SHIKAKU_LANE";
/// pcscd's socket. Not the default path: a client that misses the variable finds nothing rather than another pcscd.
const SOCKET: &str = "/run/pcscd/lane.comm";
const LOG: &str = "/run/pcscd/log";
const READERS: &str = "/run/lane-readers";
const PLACES: &str = "/run/lane-places";
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

/// What the lane's pcscd has logged.
pub fn log() -> String {
    fs::read_to_string(LOG).unwrap_or_default()
}

/// Lays a disk of `mib` MiB into memory, only inside a lane; returns where it is. It vanishes with the lane.
pub fn small_disk(mib: u32) -> PathBuf {
    assert!(inside().is_some(), "only inside a lane: this would change the machine's own /run");
    run(Command::new("mount").args([
        "-t",
        "tmpfs",
        "-o",
        &format!("size={mib}m,mode=0700"),
        "tmpfs",
        "/run",
    ]));
    PathBuf::from("/run")
}

/// A running pcscd with one virtual reader of vpcd, [`READER`], or with readers of our own driver.
pub struct Lane {
    pcscd: Option<Child>,
}

/// Where a reader of our own driver has its files. pcscd's configuration knows no blanks in paths.
fn place(reader: &str) -> PathBuf {
    Path::new(PLACES).join(reader.replace(' ', "-"))
}

impl Lane {
    /// Prepares the namespaces and starts pcscd with vpcd; only inside a lane.
    pub fn start() -> Self {
        let mut lane = Self::prepare();
        let (_, port) = VPCD.rsplit_once(':').expect("HOST:PORT");
        configure("Lane", &format!("/dev/null:{port}"), Path::new(DRIVER));
        lane.start_pcscd();
        lane
    }

    /// Prepares the namespaces and starts pcscd with these readers of our own driver; only inside a lane. pcscd adds two
    /// numbers to each name; [`Lane::names`] tells.
    pub fn with_readers(readers: &[&str]) -> Self {
        let mut lane = Self::prepare();
        lane.configure_readers(readers);
        lane.start_pcscd();
        lane
    }

    fn prepare() -> Self {
        assert!(inside().is_some(), "only inside a lane: this would change the machine's own /run");
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]));
        for directory in ["/run/pcscd", READERS, PLACES] {
            fs::create_dir(directory).expect("the lane's own /run is writable");
        }
        Self { pcscd: None }
    }

    /// Sets the readers of our own driver that the next pcscd has, in this order.
    pub fn configure_readers(&self, readers: &[&str]) {
        for old in fs::read_dir(READERS).expect("the lane's own /run") {
            fs::remove_file(old.expect("an entry").path()).expect("a file of ours");
        }
        let driver = ifd_driver::path();
        // pcscd reads the files in no order, but the entries of one file in theirs.
        let entries = readers.iter().map(|reader| {
            fs::write(place(reader), "").expect("the lane's own /run");
            entry(reader, &place(reader).display().to_string(), &driver)
        });
        fs::write(Path::new(READERS).join("lane"), entries.collect::<String>()).expect("the configuration");
    }

    /// The names of all readers as PC/SC clients see them.
    pub fn names(&self) -> Vec<String> {
        let context = Context::establish(Scope::System).expect("pcscd answers");
        let names = context.list_readers_owned().expect("pcscd lists its readers");
        names.into_iter().map(|name| name.into_string().expect("an ASCII name")).collect()
    }

    /// Puts a card into a reader of our own driver, as soon as it is there. Does not wait until pcscd sees it.
    pub fn insert_into(&self, reader: &str, card: SimCard) -> IfdLink {
        self.insert_watched(reader, card, |_| {})
    }

    /// As [`Lane::insert_into`]; `on_event` is told what happens on the link, on the link's thread.
    pub fn insert_watched(
        &self,
        reader: &str,
        card: SimCard,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> IfdLink {
        let socket = format!("{}.sock", place(reader).display());
        IfdLink::start(Arc::new(Mutex::new(card)), socket, on_event).expect("the link's thread starts")
    }

    /// Pulls a reader of our own driver out of its port.
    pub fn unplug(&self, reader: &str) {
        unplug(reader);
    }

    /// Plugs it in again.
    pub fn plug_in(&self, reader: &str) {
        fs::remove_file(unplugged(reader)).expect("it was unplugged");
    }

    /// The process of pcscd.
    pub fn pcscd(&self) -> Pid {
        let child = self.pcscd.as_ref().expect("pcscd runs");
        Pid::from_child(child)
    }

    /// Lets pcscd hang: it keeps its sockets and answers nothing.
    pub fn freeze_pcscd(&self) {
        kill_process(self.pcscd(), Signal::STOP).expect("pcscd runs");
    }

    /// Lets a hanging pcscd go on.
    pub fn thaw_pcscd(&self) {
        kill_process(self.pcscd(), Signal::CONT).expect("pcscd runs");
    }

    /// Asks pcscd to end, and waits for it.
    pub fn terminate_pcscd(&mut self) {
        kill_process(self.pcscd(), Signal::TERM).expect("pcscd runs");
        if let Some(mut pcscd) = self.pcscd.take() {
            pcscd.wait().expect("a child");
        }
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
            panic!("{wanted:?} not seen: {reason}\npcscd says:\n{}", log());
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

/// Pulls a reader of our own driver out of its port; for the threads of links, which have no [`Lane`].
pub fn unplug(reader: &str) {
    fs::write(unplugged(reader), "").expect("the lane's own /run");
}

fn unplugged(reader: &str) -> String {
    format!("{}.unplugged", place(reader).display())
}

fn entry(reader: &str, device: &str, driver: &Path) -> String {
    format!("FRIENDLYNAME \"{reader}\"\nDEVICENAME {device}\nLIBPATH {}\nCHANNELID 0\n\n", driver.display())
}

fn configure(reader: &str, device: &str, driver: &Path) {
    let file = Path::new(READERS).join("lane");
    fs::write(file, entry(reader, device, driver)).expect("the reader's configuration");
}

fn run(command: &mut Command) {
    let status = command.status().expect("the command exists");
    assert!(status.success(), "{command:?}: {status}");
}
