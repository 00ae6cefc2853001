//! An installation and what it needs around it: a directory and a central system of its own.

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use daemon::app::ports::Clock;
use daemon::system::{OsRandom, SystemClock};
use tempfile::TempDir;

use super::{Installation, Running};
use crate::upstream::{Options, SimUpstream};

/// An installation that lasts as long as this.
pub struct Site {
    /// What is installed.
    pub installation: Installation,
    /// The central system that its configuration names.
    pub upstream: SimUpstream,
    /// Where everything lies.
    pub directory: TempDir,
}

impl Site {
    /// One without readers.
    pub async fn open(log_filter: &str) -> Self {
        Self::with_reader(None, log_filter).await
    }

    /// One whose terminal has this reader.
    pub async fn with_reader(reader: Option<&str>, log_filter: &str) -> Self {
        Self::with_clock(Arc::new(SystemClock), reader, log_filter).await
    }

    /// One whose central system lives by this clock.
    pub async fn with_clock(clock: Arc<dyn Clock>, reader: Option<&str>, log_filter: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let upstream = SimUpstream::start(Options::new(clock, Arc::new(OsRandom))).await;
        let upstream = upstream.expect("the simulated central system starts");
        let installation = Installation::write(directory.path(), &upstream, reader, log_filter);
        Self { installation, upstream, directory }
    }

    /// Something in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts `shikakud run` and waits until it answers.
    pub fn run(&self) -> Running {
        let mut running = self.installation.run();
        running.wait_ready();
        running
    }

    /// Runs `shikakud` to its end, off the runtime's thread: the central system must go on answering.
    pub fn output(&self, arguments: &[&str]) -> Output {
        let mut command = self.installation.command(arguments);
        tokio::task::block_in_place(|| command.output()).expect("shikakud starts")
    }

    /// Runs a command that must succeed, and returns what it showed.
    pub fn shown(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
