//! The machine's clock and randomness, and the process hardening that no library does for us.
//!
//! The only places where the bans of clippy.toml are lifted.

mod process;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::process::Command;

pub use self::process::OwnProcess;
use crate::app::ports::{Clock, KernelClock, Random};

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
        let time = clock_gettime(ClockId::Boottime);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        )
    }
}

/// The kernel's word on its own clock, as the service manager passes it on: `adjtimex` itself has no safe binding.
///
/// systemd-timedated reads the kernel's flag, which any time service (timesyncd, chrony, ntpsec) sets and which a clock
/// set by hand clears. Where it does not answer, the mark of systemd-timesyncd counts, which only says that the clock
/// was synchronised once since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemdClock;

/// How long timedated may take: it is started by the question, and whoever asks holds up what must be destroyed.
const TIMEDATED_PATIENCE: Duration = Duration::from_secs(5);

#[async_trait]
impl KernelClock for SystemdClock {
    async fn is_synchronised(&self) -> Option<bool> {
        let mut ask = Command::new("timedatectl");
        ask.args(["show", "--property=NTPSynchronized", "--value"]);
        // It tells a service manager how it has ended, which is not meant for ours.
        ask.env_remove("NOTIFY_SOCKET");
        let said = answer_within(TIMEDATED_PATIENCE, &mut ask).await;
        said.and_then(|said| yes_or_no(&said)).or_else(timesyncd)
    }
}

/// What a program writes if it ends well in time; one that does not is killed.
async fn answer_within(patience: Duration, program: &mut Command) -> Option<Vec<u8>> {
    let asked = program.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, asked).await.ok()?.ok()?;
    output.status.success().then_some(output.stdout)
}

fn yes_or_no(said: &[u8]) -> Option<bool> {
    match said.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

fn timesyncd() -> Option<bool> {
    let state = Path::new("/run/systemd/timesync");
    state.is_dir().then(|| state.join("synchronized").exists())
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
#[expect(clippy::disallowed_methods, reason = "systemd names them in the environment and nowhere else")]
pub fn handed_socket_names() -> Vec<String> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    names.split(':').map(ToOwned::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up_and_one_that_fails_says_nothing() {
        let hung = answer_within(Duration::from_millis(20), Command::new("sleep").arg("600")).await;
        assert_eq!(hung, None);
        let patience = Duration::from_mins(1);
        assert_eq!(answer_within(patience, &mut Command::new("false")).await, None);
        assert_eq!(answer_within(patience, &mut Command::new("/no/such/program")).await, None);
        assert_eq!(
            answer_within(patience, Command::new("echo").arg("no")).await.as_deref(),
            Some(&b"no\n"[..])
        );
    }

    #[test]
    fn only_a_plain_yes_or_no_counts() {
        for (said, meant) in
            [(&b"yes\n"[..], Some(true)), (b"no\n", Some(false)), (b"", None), (b"yes no", None)]
        {
            assert_eq!(yes_or_no(said), meant);
        }
    }
}
