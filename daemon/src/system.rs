//! The machine's clock and randomness, and the process hardening that no library does for us.
//!
//! The only places where the bans of clippy.toml are lifted.

mod disk;
#[cfg(windows)]
pub mod event_log;
#[cfg(target_os = "linux")]
mod listen;
pub mod owned;
mod process;
mod time_service;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

pub use self::disk::{free_bytes, reserve};
#[cfg(target_os = "linux")]
pub use self::listen::listen_ahead;
pub use self::process::OwnProcess;
pub use self::time_service::TimeService;
#[cfg(windows)]
pub use self::windows::*;
#[cfg(windows)]
use self::windows::{since_start, system_program, windows_version};
use crate::app::ports::{Clock, Random};

/// The wall clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Since the machine's start, its sleep included.
    fn steady(&self) -> Duration {
        since_start()
    }
}

#[cfg(unix)]
fn since_start() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Certificates are judged by the injected clock, like everything else that depends on time.
pub struct TlsTime(pub Arc<dyn Clock>);

impl fmt::Debug for TlsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTime")
    }
}

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// The operating system's random generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the operating system for randomness"
    )]
    #[expect(clippy::expect_used, reason = "without randomness no token or key is safe: stopping is right")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives randomness");
    }
}

/// Where systemd put this service's credentials (`LoadCredential=`), if it started it with any.
#[expect(clippy::disallowed_methods, reason = "systemd names the place in the environment and nowhere else")]
pub fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into)
}

/// The names of the sockets that systemd has opened for this service, in their order.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "systemd names them in the environment and nowhere else")]
pub fn handed_socket_names() -> Vec<String> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    names.split(':').map(ToOwned::to_owned).collect()
}

/// Whether standard error is a terminal that takes codes for colours and for writing a line over.
#[cfg(unix)]
pub fn terminal_takes_codes() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal()
}

/// Where the installed program looks for its configuration.
#[cfg(unix)]
pub fn default_configuration() -> PathBuf {
    "/etc/shikaku-bridge/config.toml".into()
}

/// Where the installed program looks for its configuration.
#[cfg(windows)]
pub fn default_configuration() -> PathBuf {
    home().join("config.toml")
}

/// What the system says of itself, each with its source, for somebody who helps.
#[cfg(unix)]
pub fn about_system() -> Vec<(&'static str, String)> {
    let said = |path| (path, std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string()));
    vec![said("/etc/os-release"), said("/proc/version")]
}

/// What the system says of itself, each with its source, for somebody who helps.
#[cfg(windows)]
pub fn about_system() -> Vec<(&'static str, String)> {
    vec![("Windows", windows_version())]
}

/// Keeps secrets out of core dumps and away from debuggers of the same user, and new files private to the owner.
///
/// # Errors
/// The system call that was refused; the daemon does not run without them.
#[cfg(target_os = "linux")]
pub fn harden_process() -> Result<(), std::io::Error> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}

/// Makes a panic say where it happened and nothing else: its message can hold anything.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}
