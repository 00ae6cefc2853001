//! `shikakud backup` and `shikakud restore`, killed at one I/O call after the other: what bears a backup's name is a whole one,
//! the data it was made of stays as it is, and a restore that was cut short is never taken for the data, only begun again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::in_parallel;
use super::program::{CREATED, EXISTS, Program};
use super::recovery::copy;
use super::shim::Fault;
use super::site::scratch;
use crate::process::shikakud;

/// What many interruptions showed.
#[derive(Debug, Default)]
pub struct Report {
    /// Commands killed and judged.
    pub killed: u64,
    /// Commands that had done their work when they were killed, or were not reached by the kill any more.
    pub whole: u64,
    /// Each broken promise, with the call that shows it again.
    pub findings: Vec<String>,
}

/// A machine with an account and a backup of it.
pub struct Drill {
    program: Program,
    /// With data, a recovery key and an empty directory for backups.
    machine: TempDir,
    /// The backup's file.
    archive: PathBuf,
}

/// Where things are below a machine's directory.
const KEY: &str = "site/recovery.key";
const TARGET: &str = "site/backups";
const ARCHIVE: &str = "site/archive.backup";

impl Drill {
    /// Sets the machine up and makes the backup.
    ///
    /// # Panics
    /// That does not work even without an interruption.
    pub fn prepare(program: Program) -> Self {
        let machine = scratch();
        assert!(add(&program, machine.path()).said.contains(CREATED), "an account");
        let key = Command::new(shikakud()).arg("recovery-key").arg(machine.path().join(KEY)).output();
        assert!(key.expect("shikakud starts").status.success(), "a recovery key");
        let made = scratch();
        copy(machine.path(), made.path());
        fs::create_dir(made.path().join(TARGET)).expect("a directory");
        let ran = back_up(&program, made.path(), None);
        assert!(ran.succeeded, "a backup: {}", ran.complained);
        let archive = backups(made.path()).pop().expect("its file");
        let kept = machine.path().join(ARCHIVE);
        fs::copy(archive, &kept).expect("a copy");
        fs::create_dir(machine.path().join(TARGET)).expect("a directory");
        Self { program, machine, archive: kept }
    }

    /// Kills a backup at every `stride`-th call, before and after it by turns.
    pub fn backups(&self, stride: u64) -> Report {
        let calls = back_up(&self.program, self.copied().path(), None).calls;
        every(calls, stride, |at, fault| self.backup(at, fault))
    }

    /// Kills a restore into an empty directory, and one over existing data, at every `stride`-th call.
    pub fn restores(&self, stride: u64) -> Report {
        let mut all = Report::default();
        for over_data in [false, true] {
            let calls = self.restore(self.place(over_data).path(), over_data, None).calls;
            let report = every(calls, stride, |at, fault| self.restoring(over_data, at, fault));
            all.killed += report.killed;
            all.whole += report.whole;
            all.findings.extend(report.findings);
        }
        all
    }

    /// One backup that is killed.
    fn backup(&self, at: u64, fault: Fault) -> Judged {
        let place = self.copied();
        let killed = back_up(&self.program, place.path(), Some((at, fault)));
        let made = backups(place.path());
        let mut judged = Judged { whole: !made.is_empty(), findings: Vec::new() };
        judged.expect(!killed.succeeded || !made.is_empty(), || {
            "a backup was reported and is not there".to_owned()
        });
        for archive in &made {
            let elsewhere = self.place(false);
            fs::copy(archive, elsewhere.path().join(ARCHIVE)).expect("a copy");
            let restored = self.restore(elsewhere.path(), false, None);
            judged.expect(restored.succeeded, || {
                format!("what bears a backup's name is none: {}", restored.complained)
            });
        }
        let verified = self.program.run(place.path(), &["audit", "verify"], None, None);
        judged.expect(verified.succeeded, || {
            format!("the log is damaged: {}{}", verified.said, verified.complained)
        });
        judged.has_the_account(&self.program, place.path());
        let again = back_up(&self.program, place.path(), None);
        judged.expect(again.succeeded, || format!("no backup afterwards: {}", again.complained));
        let left: Vec<_> = entries(&place.path().join(TARGET)).filter(|path| !is_backup(path)).collect();
        judged.expect(left.is_empty(), || format!("left behind: {left:?}"));
        judged
    }

    fn restoring(&self, over_data: bool, at: u64, fault: Fault) -> Judged {
        let place = self.place(over_data);
        let killed = self.restore(place.path(), over_data, Some((at, fault)));
        let mut judged = Judged { whole: killed.succeeded, findings: Vec::new() };
        // Whoever starts something now must not be given an empty store instead of the data.
        let started = self.program.run(place.path(), &["account", "list"], None, None);
        let empty = started.succeeded && !started.said.contains("receipt");
        let untouched = !over_data && !place.path().join("site/data/restore.tmp.db").exists();
        judged.expect(!empty || untouched, || "a start found nothing and went on".to_owned());
        // Whether or not it had come to its end, and whatever that start left: with --set-aside it always goes.
        let again = self.restore(place.path(), true, None);
        judged.expect(again.succeeded, || format!("no second restore: {}", again.complained));
        judged.has_the_account(&self.program, place.path());
        let verified = self.program.run(place.path(), &["audit", "verify"], None, None);
        judged.expect(verified.succeeded, || {
            format!("the log is damaged: {}{}", verified.said, verified.complained)
        });
        judged
    }

    fn restore(&self, directory: &Path, set_aside: bool, fault: Option<(u64, Fault)>) -> super::program::Ran {
        let (key, archive) = (directory.join(KEY), directory.join(ARCHIVE));
        let (key, archive) = (text(&key), text(&archive));
        let mut arguments = vec!["restore", "--recovery-key", &key];
        arguments.extend(set_aside.then_some("--set-aside"));
        arguments.push(&archive);
        self.program.run(directory, &arguments, fault, None)
    }

    /// A copy of the machine.
    fn copied(&self) -> TempDir {
        let place = scratch();
        copy(self.machine.path(), place.path());
        place
    }

    /// Where a backup is restored: over the data it was made of, or where there is none.
    fn place(&self, over_data: bool) -> TempDir {
        if over_data {
            return self.copied();
        }
        let place = scratch();
        fs::create_dir(place.path().join("site")).expect("a directory");
        fs::copy(&self.archive, place.path().join(ARCHIVE)).expect("a copy");
        fs::copy(self.machine.path().join(KEY), place.path().join(KEY)).expect("a copy");
        place
    }
}

/// Judges a kill at every `stride`-th of so many calls.
fn every(calls: u64, stride: u64, one: impl Fn(u64, Fault) -> Judged + Sync) -> Report {
    let mut all = Report::default();
    let judged = in_parallel(0, calls.div_ceil(stride), |index| {
        let fault = if index % 2 == 0 { Fault::Killed } else { Fault::KilledAfter };
        let at = 1 + index * stride;
        let judged = one(at, fault);
        let findings =
            judged.findings.iter().map(|finding| format!("{finding} (call {at}, {fault:?})")).collect();
        Judged { findings, ..judged }
    });
    for Judged { whole, findings } in judged {
        all.killed += 1;
        all.whole += u64::from(whole);
        all.findings.extend(findings);
    }
    all
}

struct Judged {
    whole: bool,
    findings: Vec<String>,
}

impl Judged {
    fn expect(&mut self, holds: bool, finding: impl FnOnce() -> String) {
        if !holds {
            self.findings.push(finding());
        }
    }

    fn has_the_account(&mut self, program: &Program, directory: &Path) {
        let again = add(program, directory);
        self.expect(again.complained.contains(EXISTS), || {
            format!("the account is lost: {}", again.complained)
        });
    }
}

fn add(program: &Program, directory: &Path) -> super::program::Ran {
    program.run(directory, &["account", "add", "--role", "receipt-computer", "receipt"], None, None)
}

fn back_up(program: &Program, directory: &Path, fault: Option<(u64, Fault)>) -> super::program::Ran {
    let (key, target) = (text(&directory.join(KEY)), text(&directory.join(TARGET)));
    program.run(directory, &["backup", "--recovery-key", &key, &target], fault, None)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path())
}

fn is_backup(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "backup")
}

fn backups(directory: &Path) -> Vec<PathBuf> {
    entries(&directory.join(TARGET)).filter(|path| is_backup(path)).collect()
}
