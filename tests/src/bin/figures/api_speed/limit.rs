//! The bare limit as a process: `api-limit`.

use std::path::PathBuf;
use std::process::{Child, Command};

use harness::process::{built, free_address};
use tempfile::TempDir;

use super::load::{Connection, Target};
use super::site::request;
use super::watch::{SERVER, pin};

/// A running `api-limit`.
pub struct Limit {
    /// The process.
    pub target: Target,
    child: Child,
    _directory: TempDir,
}

/// Makes the table of a plain program: rows of so many bytes as JSON.
pub fn create(database: &PathBuf, rows: i64, row_bytes: usize) {
    let status = command(database, rows, row_bytes).status().expect("api-limit starts");
    assert!(status.success(), "api-limit: {status}");
}

fn command(database: &PathBuf, rows: i64, row_bytes: usize) -> Command {
    let mut command = Command::new(built("api-limit"));
    command.arg("--database").arg(database);
    command.args(["--rows", &rows.to_string(), "--row-bytes", &row_bytes.to_string()]);
    command
}

impl Limit {
    /// Makes its table and starts it.
    pub fn start(rows: i64, row_bytes: usize) -> Self {
        let directory = TempDir::new().expect("a directory");
        let database = directory.path().join("limit.db");
        create(&database, rows, row_bytes);
        let address = free_address();
        let child = command(&database, rows, row_bytes).args(["--listen", &address.to_string()]).spawn();
        let child = child.expect("api-limit starts");
        let target = Target { address, process: child.id(), tls: None };
        wait_until_it_listens(&target);
        pin(target.process, &[SERVER]);
        Self { target, child, _directory: directory }
    }

    /// Reads every row in process; seconds.
    pub fn read_all(&self) -> f64 {
        let mut connection = Connection::open(&self.target);
        assert_eq!(connection.exchange(&request(self.target.address, "GET", "/read", "", "")), 200);
        let answer = connection.last();
        answer.split("\r\n\r\n").nth(1).and_then(|seconds| seconds.parse().ok()).expect("seconds")
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a program that we started.
#[expect(clippy::disallowed_methods, reason = "waits for a real process")]
pub fn wait_until_it_listens(target: &Target) {
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(target.address).is_err() {
        assert!(begun.elapsed().as_secs() < 600, "process {} does not listen", target.process);
        // It has no other way to say so.
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}
