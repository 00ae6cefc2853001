//! What others would write in an afternoon, over the same table as the limit: programs and their versions in
//! `tests/tools/peers`. They have no sign-in, no encryption and no audit; we have.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use harness::process::free_address;
use tempfile::TempDir;

use super::limit;
use super::load::{self, Target};
use super::site::request;
use super::watch::{SERVER, pin};
use crate::{figure, median};

/// What we cost.
pub struct Ours {
    /// A page of 100, microseconds on the processor.
    pub page_us: f64,
    /// The whole period as JSON.
    pub export_seconds: f64,
}

/// A program: its name, how it is asked for a page, and how for everything (in one request or in many).
struct Peer {
    name: &'static str,
    page: &'static str,
    export: fn(i64) -> Vec<String>,
}

const PEERS: [Peer; 3] = [
    Peer { name: "express", page: "/results?limit=100", export: |_| vec!["/export".to_owned()] },
    Peer { name: "fastapi", page: "/results?limit=100", export: |_| vec!["/export".to_owned()] },
    Peer {
        name: "pocketbase",
        page: "/api/collections/results/records?perPage=100&sort=-confirmed_at&skipTotal=1",
        // The most that it gives at once.
        export: |rows| {
            let page = |page| {
                format!(
                    "/api/collections/results/records?perPage=1000&sort=-confirmed_at&skipTotal=1&page={page}"
                )
            };
            (1..=(rows + 999) / 1000).map(page).collect()
        },
    },
];

/// Prints `api.page_vs_peer_<name>` and `api.export_vs_peer_<name>`.
pub fn measure(rows: i64, row_bytes: usize, ours: &Ours) {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/peers");
    let installed = Command::new(tools.join("install.sh")).status().expect("a shell");
    assert!(installed.success(), "the peers do not install: {installed}");
    let directory = TempDir::new().expect("a directory");
    let database = directory.path().join("peers.db");
    limit::create(&database, rows, row_bytes);
    for peer in &PEERS {
        let running = Running::start(peer.name, &tools, &database, directory.path());
        let pages: Vec<_> = (0..400).map(|_| bare(running.target.address, peer.page, "")).collect();
        load::run(&running.target, &pages, 8, &[200]);
        let theirs = load::run(&running.target, &pages, 8, &[200]).cpu_us;
        figure(&format!("api.page_peer_{}_us", peer.name), format!("{theirs:.0}"));
        figure(&format!("api.page_vs_peer_{}", peer.name), format!("{:.3}", ours.page_us / theirs));
        let exports = (0..3).map(|_| {
            let requests = (peer.export)(rows);
            let ask = |path: &String| {
                let request = bare(running.target.address, path, "Connection: close\r\n");
                load::download(&running.target, &request)
            };
            requests.iter().map(ask).map(|download| download.seconds).sum::<f64>()
        });
        let theirs = median(exports.collect());
        figure(&format!("api.export_peer_{}_seconds", peer.name), format!("{theirs:.2}"));
        figure(&format!("api.export_vs_peer_{}", peer.name), format!("{:.3}", ours.export_seconds / theirs));
    }
}

fn bare(address: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
    request(address, "GET", path, headers, "")
}

/// A program that runs until this is dropped.
struct Running {
    target: Target,
    child: Child,
}

impl Running {
    /// `run.sh NAME PORT DATABASE DIRECTORY` replaces itself by the program.
    fn start(name: &str, tools: &Path, database: &Path, directory: &Path) -> Self {
        let address = free_address();
        let child = Command::new(tools.join("run.sh"))
            .args([name, &address.port().to_string()])
            .args([database, directory])
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let target = Target { address, process: child.id(), tls: None };
        limit::wait_until_it_listens(&target);
        pin(target.process, &[SERVER]);
        Self { target, child }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
