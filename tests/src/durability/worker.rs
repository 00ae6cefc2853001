//! The process that writes, as the harness starts it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::shim::Shim;
use super::work::Work;

/// Longer than any work takes, shorter than a hung test.
const PATIENCE: Duration = Duration::from_mins(1);

/// `store-worker` as built beside this program.
pub(super) fn program() -> PathBuf {
    crate::process::built("store-worker")
}

/// A child has its parent's open files until it runs its own program, and with them locks that the parent lets go of
/// meanwhile: so no two are started at once.
static SPAWNING: Mutex<()> = Mutex::new(());

/// A process that writes into a directory and says what it has done.
pub(super) struct Worker {
    child: Child,
    said: PathBuf,
    complained: PathBuf,
}

/// How a process ended.
pub(super) struct Ended {
    /// What it said.
    pub(super) said: String,
    /// What it complained of.
    pub(super) complained: String,
    /// `None` if it had to be killed because it hung.
    pub(super) status: Option<ExitStatus>,
}

impl Worker {
    /// Starts it; `beside` is a directory for what it says, outside the one it writes into.
    pub(super) fn start(root: &Path, beside: &Path, work: Work, shim: Option<&Shim>) -> Self {
        let (said, complained) = (beside.join(SAID), beside.join("complained"));
        let mut command = Command::new(program());
        command.arg("write").arg(root).args(arguments(work));
        if let Some(shim) = shim {
            shim.put_before(&mut command);
        }
        let create = |path: &Path| File::create(path).expect("a file for what it says");
        command.stdin(Stdio::null()).stdout(create(&said)).stderr(create(&complained));
        let _alone = SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn().expect("store-worker starts");
        Self { child, said, complained }
    }

    /// Waits until it has opened the store, or has ended.
    #[expect(clippy::disallowed_methods, reason = "a process that hangs is killed after some real time")]
    pub(super) fn wait_open(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let silent = |said: &Path| fs::metadata(said).is_ok_and(|metadata| metadata.len() == 0);
        while silent(&self.said)
            && self.child.try_wait().expect("a child").is_none()
            && Instant::now() < deadline
        {
            thread::park_timeout(Duration::from_micros(200));
        }
    }

    /// Kills it (SIGKILL) after so long, unless it has ended by then.
    pub(super) fn kill_after(mut self, time: Duration) -> Ended {
        thread::park_timeout(time);
        // Fails only if it has ended.
        let _ = self.child.kill();
        let status = self.child.wait().expect("a child");
        self.ended(Some(status))
    }

    /// Waits for its end.
    #[expect(clippy::disallowed_methods, reason = "a process that hangs is a finding, after some real time")]
    pub(super) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return self.ended(Some(status));
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return self.ended(None);
            }
            // Bounded polling of a process that tells of its end in no other way.
            thread::park_timeout(Duration::from_micros(500));
        }
    }

    fn ended(&self, status: Option<ExitStatus>) -> Ended {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        Ended { said: read(&self.said), complained: read(&self.complained), status }
    }
}

/// The file that a process says its successes into.
pub(super) const SAID: &str = "said";

fn arguments(work: Work) -> Vec<String> {
    let Work { clients, before, after, purge, june_is_over, round } = work;
    let mut arguments = Vec::new();
    for (name, value) in
        [("clients", clients as u64), ("before", before as u64), ("after", after as u64), ("round", round)]
    {
        arguments.push(format!("--{name}={value}"));
    }
    arguments.extend(purge.then(|| "--purge".to_owned()));
    arguments.extend(june_is_over.then(|| "--june-is-over".to_owned()));
    arguments
}
