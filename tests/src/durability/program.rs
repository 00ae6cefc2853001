//! The shipped program's first start (`shikakud account add`) under the same faults: what it has shown as created is there
//! afterwards, and what it has not can be created again; it never locks itself out.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use daemon::system::{OsRandom, SystemClock};
use tempfile::TempDir;

use super::in_parallel;
use super::shim::{Fault, Shim, calls};
use super::site::scratch;
use super::states::{Disk, restore};
use super::trace::{Event, parse};
use crate::dice::Dice;
use crate::process::Installation;
use crate::upstream::{Options, SimUpstream};

/// What many first starts showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Starts in which a call failed or the process died, and losses of power afterwards.
    pub faults: u64,
    /// Accounts that were shown as created.
    pub acknowledged: u64,
    /// Each broken promise, with what shows it again.
    pub findings: Vec<String>,
}

/// Says that the account was created: its password is shown once.
pub(super) const CREATED: &str = "パスワード:";
/// Says that it was there before.
pub(super) const EXISTS: &str = "同じ名前のアカウントがあります";

/// A configuration to be used from many directories.
pub struct Program {
    installation: Installation,
    _directory: TempDir,
    _upstream: SimUpstream,
}

impl Program {
    /// With a simulated central system that its configuration names.
    pub async fn install() -> Self {
        let options = Options::new(Arc::new(SystemClock), Arc::new(OsRandom));
        let upstream = SimUpstream::start(options).await.expect("the central system starts");
        let directory = scratch();
        let installation = Installation::write(directory.path(), &upstream, None, "warn");
        Self { installation, _directory: directory, _upstream: upstream }
    }

    /// Fails every `stride`-th call of a first start, each in the next of the ways to fail.
    pub fn fail(&self, stride: u64) -> Report {
        let calls = self.add(scratch().path(), None, None).calls;
        let reports = in_parallel(0, calls.div_ceil(stride), |index| {
            let fault = Fault::ALL[usize::try_from(index).unwrap_or(0) % Fault::ALL.len()];
            self.fail_one(1 + index * stride, fault)
        });
        reports.into_iter().sum()
    }

    /// One fault: how a finding is looked at again.
    pub fn fail_one(&self, at: u64, fault: Fault) -> Report {
        let directory = scratch();
        let first = self.add(directory.path(), Some((at, fault)), None);
        let again = format!("run again: fail_one({at}, Fault::{fault:?})");
        self.judge(directory.path(), first.created, &again)
    }

    /// Loses power at `states` instants of first starts.
    pub fn lose_power(&self, seed: u64, states: u64) -> Report {
        let (directory, beside) = (scratch(), scratch());
        let log = beside.path().join("log");
        self.add(directory.path(), None, Some(&log));
        let events = parse(&fs::read(log).expect("the shim has recorded"));
        in_parallel(seed, states, |seed| {
            let mut dice = Dice::new(seed);
            // The account is shown at the very end.
            let cut = if dice.percent(20) { events.len() } else { 1 + dice.below(events.len()) };
            let mut disk = Disk::new(false);
            events[..cut].iter().for_each(|event| disk.apply(event));
            let created = |event: &Event| matches!(event, Event::Said(text) if text.contains(CREATED));
            let place = scratch();
            fs::create_dir(place.path().join("site")).expect("a directory");
            restore(
                &disk.after_power_loss(&mut dice),
                &directory.path().join("site"),
                &place.path().join("site"),
            );
            let again = format!("after {cut} calls; seed {seed}");
            self.judge(place.path(), events[..cut].iter().any(created), &again)
        })
        .into_iter()
        .sum()
    }

    fn judge(&self, directory: &Path, created: bool, again: &str) -> Report {
        let second = self.add(directory, None, None);
        let mut findings = Vec::new();
        if created && second.created {
            findings.push(format!("the account is lost ({again})"));
        } else if !second.created && !second.complaint.contains(EXISTS) {
            findings.push(format!("no second start: {} ({again})", second.complaint));
        }
        Report { faults: 1, acknowledged: u64::from(created), findings }
    }

    fn add(&self, directory: &Path, fault: Option<(u64, Fault)>, record: Option<&Path>) -> Added {
        let arguments = ["account", "add", "--role", "receipt-computer", "receipt"];
        let ran = self.run(directory, &arguments, fault, record);
        Added { created: ran.said.contains(CREATED), complaint: ran.complained, calls: ran.calls }
    }

    /// Runs a command of the program in a directory of its own, with a fault or a record of its calls.
    pub(super) fn run(
        &self,
        directory: &Path,
        arguments: &[&str],
        fault: Option<(u64, Fault)>,
        record: Option<&Path>,
    ) -> Ran {
        let root = directory.join("site");
        if !root.exists() {
            fs::create_dir(&root).expect("a directory");
        }
        let place = |name: &str| directory.join(name);
        let (said, counter) = (place("said"), place("counter"));
        let shim = Shim {
            root: root.clone(),
            counter: Some(counter.clone()),
            fault,
            record: record.map(|log| (log.to_owned(), said.clone())),
        };
        let copied: PathBuf = root.join("shikakud.toml");
        let installation = self.installation.copied_to(&copied);
        let mut command = installation.command(arguments);
        shim.put_before(&mut command);
        command.stdin(Stdio::null()).stdout(File::create(&said).expect("a file")).stderr(Stdio::piped());
        let output = command.output().expect("shikakud starts");
        Ran {
            succeeded: output.status.success(),
            said: fs::read_to_string(&said).expect("what it said"),
            complained: String::from_utf8_lossy(&output.stderr).into_owned(),
            calls: calls(&counter),
        }
    }
}

/// What a command came to.
pub(super) struct Ran {
    pub(super) succeeded: bool,
    pub(super) said: String,
    pub(super) complained: String,
    /// I/O calls below its directory.
    pub(super) calls: u64,
}

struct Added {
    created: bool,
    complaint: String,
    calls: u64,
}

impl std::iter::Sum for Report {
    fn sum<I: Iterator<Item = Self>>(reports: I) -> Self {
        let mut all = Self::default();
        for mut report in reports {
            all.faults += report.faults;
            all.acknowledged += report.acknowledged;
            all.findings.append(&mut report.findings);
        }
        all
    }
}
