//! The shipped binary as a process: an installation on disk, and `shikakud` running in it.

#![expect(clippy::expect_used, reason = "an installation that does not work ends its test with the reason")]

use std::fs::{self, File};
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use rustix::process::{Pid, Signal, kill_process};

use crate::ambient::MovedClock;
use crate::c_library;
use crate::clinic::{Credentials, TERMINAL};
use crate::upstream::SimUpstream;

mod site;

pub use site::Site;

/// Moves a program's wall clock.
const CLOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clock/clock.c");
/// Longer than any start or stop seen, shorter than a hung test.
const PATIENCE: Duration = Duration::from_secs(20);

/// `shikakud` as built beside this program.
///
/// # Panics
/// It is not there; the message names the command that builds it.
pub fn shikakud() -> PathBuf {
    built("shikakud")
}

/// One of our programs as built beside this one.
///
/// # Panics
/// It is not there; the message names the command that builds it.
pub fn built(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("this program has a path");
    let mut places = here.ancestors().skip(1).take(2).map(|directory| directory.join(name));
    let program = places.find(|path| path.exists());
    program.unwrap_or_else(|| {
        panic!("{name} is not built: run `make test`, or `cargo build --workspace --bins` first")
    })
}

/// A port that is free now.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("an address")
}

/// A configuration file with everything it names.
pub struct Installation {
    /// Where the API will listen.
    pub api: SocketAddr,
    configuration: PathBuf,
    institution_code: String,
    /// By how much its programs' wall clock is ahead of the machine's.
    ahead: SignedDuration,
}

impl Installation {
    /// Writes an installation into a directory, pointing at the simulated central system.
    pub fn write(directory: &Path, upstream: &SimUpstream, reader: Option<&str>, log_filter: &str) -> Self {
        let secrets = directory.join("secrets");
        fs::create_dir_all(&secrets).expect("a directory for secrets");
        let files = upstream.write_files(&secrets).expect("the central system's files");
        let fragment = fs::read_to_string(&files.configuration).expect("its configuration");
        let api = free_address();
        let institution_code = upstream.facility().institution_code.clone();
        let reader = reader.map(|name| format!("reader = \"{name}\"\n")).unwrap_or_default();
        let text = format!(
            "institution_code = \"{institution_code}\"\nmode = \"sandbox\"\n\n[api]\nlisten = \"{api}\"\n\n\
             [store]\ndirectory = \"data\"\nmaster_key_file = \"key/master.key\"\n\n\
             [log]\nfilter = \"{log_filter}\"\n\n[[terminals]]\nid = \"{TERMINAL}\"\n{reader}\n{fragment}"
        );
        let configuration = directory.join("shikakud.toml");
        fs::write(&configuration, text).expect("a configuration file");
        Self { api, configuration, institution_code, ahead: SignedDuration::ZERO }
    }

    /// Adds lines to the configuration; they begin with the name of their section.
    pub fn configure(&self, lines: &str) {
        let mut file = File::options().append(true).open(&self.configuration).expect("the configuration");
        writeln!(file, "\n{lines}").expect("a writable file");
    }

    /// From now on its programs live by this clock.
    pub fn live_by(&mut self, clock: MovedClock) {
        self.ahead = clock.ahead();
    }

    /// The same configuration as another file, with data of its own beside it.
    #[must_use]
    pub fn copied_to(&self, configuration: &Path) -> Self {
        fs::copy(&self.configuration, configuration).expect("a configuration file");
        let institution_code = self.institution_code.clone();
        Self { api: self.api, configuration: configuration.to_owned(), institution_code, ahead: self.ahead }
    }

    /// `shikakud` with arguments and this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(shikakud());
        command.args(arguments).arg("--config").arg(&self.configuration);
        if !self.ahead.is_zero() {
            let library = c_library::path("libclock.so", Path::new(CLOCK), &[], &[("/usr/bin/gcc", "gcc")]);
            command.env("LD_PRELOAD", library).env("CLOCK_AHEAD_S", self.ahead.as_secs().to_string());
        }
        command
    }

    /// Creates an account with `shikakud account add`.
    pub fn add_account(&self, name: &str, role: &str) -> Credentials {
        let output =
            self.command(&["account", "add", "--role", role, name]).output().expect("shikakud starts");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let after = |label: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(label));
            line.expect("the enrolment is shown").trim().to_owned()
        };
        let otpauth = after("認証アプリに登録するURI:");
        Credentials {
            institution_code: self.institution_code.clone(),
            account: name.to_owned(),
            password: after("パスワード:"),
            totp_secret: secret_of(&otpauth),
            otpauth,
        }
    }

    /// Starts `shikakud run`; its log goes to a file.
    pub fn run(&self) -> Running {
        self.start(&mut self.command(&["run"]))
    }

    /// As [`Installation::run`], by a service manager: with what it says in the environment.
    pub fn run_managed(&self, environment: &[(&str, String)]) -> Running {
        self.start(self.command(&["run"]).envs(environment.iter().map(|(name, value)| (*name, value))))
    }

    /// As [`Installation::run`], by a service manager that has opened a socket already and gives it a name.
    pub fn run_activated(&self, name: &str, socket: TcpListener) -> Running {
        let run = self.command(&["run"]);
        let mut command = Command::new("/bin/sh");
        // Descriptors that are handed over begin with 3 and are meant for one process.
        command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&0 </dev/null", "sh"]);
        command.arg(run.get_program()).args(run.get_args()).env("LISTEN_FDNAMES", name);
        self.start(command.stdin(OwnedFd::from(socket)))
    }

    /// As [`Installation::run`], with its log at a terminal and more in its environment.
    ///
    /// # Panics
    /// It does not start.
    pub fn run_at_terminal(&self, terminal: OwnedFd, environment: &[(&str, &str)]) -> Running {
        let mut command = self.command(&["run"]);
        command.env_remove("NO_COLOR").envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(terminal).spawn().expect("shikakud starts");
        Running { child, api: self.api, log: self.log_file() }
    }

    /// As [`Installation::run`], never as root: where the test is, as a user of its own who owns everything installed.
    pub fn run_unprivileged(&self) -> Running {
        const NOBODY: u32 = 65_534;
        let mut command = self.command(&["run"]);
        if rustix::process::getuid().is_root() {
            own(self.configuration.parent().expect("a directory"), NOBODY);
            command.uid(NOBODY).gid(NOBODY);
        }
        self.start(&mut command)
    }

    fn start(&self, command: &mut Command) -> Running {
        let log = self.log_file();
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("shikakud starts");
        Running { child, api: self.api, log }
    }

    /// What the last run wrote to its standard error, also after its end.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.configuration.with_file_name("shikakud.log")
    }
}

/// Gives a folder and everything below it to a user.
fn own(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).expect("root may");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            own(&entry.expect("an entry").path(), user);
        }
    }
}

/// The Base32 secret in an `otpauth://` address.
pub fn secret_of(otpauth: &str) -> String {
    let address = url::Url::parse(otpauth).expect("an otpauth address");
    let secret = address.query_pairs().find(|(key, _)| key == "secret");
    secret.map(|(_, value)| value.into_owned()).expect("its secret")
}

/// A running `shikakud`.
pub struct Running {
    child: Child,
    api: SocketAddr,
    log: PathBuf,
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its directory below `/proc`. In a lane that shows the processes of the machine, under other numbers.
    ///
    /// # Panics
    /// It is not there.
    pub fn proc_directory(&self) -> PathBuf {
        let namespace = |process: &Path| fs::read_link(process.join("ns/pid")).ok();
        let ours = namespace(Path::new("/proc/self")).expect("our own namespace");
        let is_it = |process: &Path| {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            let id = ids.split_whitespace().last().and_then(|id| id.parse().ok());
            id == Some(self.child.id()) && namespace(process).as_ref() == Some(&ours)
        };
        let mut processes = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
        processes.find(|process| is_it(process)).expect("the process runs")
    }

    /// Waits until it answers; returns how long that took from now.
    ///
    /// # Panics
    /// It ended or does not answer; the message holds its log.
    #[expect(clippy::disallowed_methods, reason = "measures a real process")]
    pub fn wait_ready(&mut self) -> Duration {
        let begun = Instant::now();
        while !answers(self.api) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "shikakud is not ready:\n{}", self.log());
            // Bounded polling of a process that has no other way to say that it listens; a fraction of what is measured.
            std::thread::park_timeout(Duration::from_micros(500));
        }
        begun.elapsed()
    }

    /// Waits until it has a file open, which it opens while it starts.
    ///
    /// # Panics
    /// It ended or does not open it; the message holds its log.
    #[expect(clippy::disallowed_methods, reason = "watches a real process")]
    pub fn wait_open(&mut self, file: &Path) {
        let begun = Instant::now();
        let descriptors = self.proc_directory().join("fd");
        let is_open = || {
            let open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
            open.into_iter().any(|one| fs::read_link(one.path()).is_ok_and(|target| target == file))
        };
        while !is_open() {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "it opens nothing:\n{}", self.log());
            // As for readiness: it has no other way to say how far it is.
            std::thread::park_timeout(Duration::from_micros(500));
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A field of `/proc/PID/status` in KiB.
    pub fn memory_kib(&self, field: &str) -> Option<u64> {
        let status = File::open(format!("/proc/{}/status", self.child.id())).ok()?;
        let lines = io::BufReader::new(status).lines().map_while(Result::ok);
        let value = lines.into_iter().find_map(|line| line.strip_prefix(field).map(ToOwned::to_owned))?;
        value.trim_start_matches(':').split_whitespace().next()?.parse().ok()
    }

    /// Waits for its own end.
    ///
    /// # Panics
    /// It does not end.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("a child")
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub fn stop(self) -> ExitStatus {
        self.end_by(Signal::TERM)
    }

    /// As [`Running::stop`]; also says how long that took.
    #[expect(clippy::disallowed_methods, reason = "measures a real process")]
    pub fn stop_in(self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        (self.stop(), begun.elapsed())
    }

    /// Makes it crash (SIGABRT, which writes a core dump where that is allowed) and waits for its end.
    pub fn abort(self) -> ExitStatus {
        self.end_by(Signal::ABORT)
    }

    fn end_by(mut self, signal: Signal) -> ExitStatus {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("the process runs");
        self.child.wait().expect("a child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answers(api: SocketAddr) -> bool {
    let exchange = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(api)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"HTTP/1.1 200")
    };
    exchange().unwrap_or(false)
}
