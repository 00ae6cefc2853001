//! Slow clients: they hold connections by sending a head, sending a body, or reading an answer, almost not at all, while somebody
//! else works.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::raw_http::exchange;

/// What an attacker does slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sends a head that never ends.
    Head,
    /// Sends a body that never ends.
    Body,
    /// Reads answers that do not fit anywhere, a few bytes at a time.
    Read,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Head, Self::Body, Self::Read];
}

/// What came of an attack.
#[derive(Debug)]
pub struct Report {
    /// When the last attacker was closed, after it had connected; `None` if one of them never was.
    pub all_closed_after: Option<Duration>,
    /// How long each call of somebody else took meanwhile, connection and all.
    pub calls: Vec<Duration>,
    /// Calls that were not answered 200.
    pub failed_calls: usize,
}

impl Report {
    /// The time within which 99 of 100 calls were answered.
    pub fn p99(&self) -> Duration {
        let mut calls = self.calls.clone();
        calls.sort_unstable();
        calls.get(calls.len() * 99 / 100).copied().unwrap_or(Duration::MAX)
    }
}

/// Longest that an attacker is watched.
const WATCH: Duration = Duration::from_secs(20);
/// How often an attacker does its little.
const PACE: Duration = Duration::from_millis(250);
/// How often somebody else calls.
const CALLS: Duration = Duration::from_millis(10);

/// Attacks with so many connections until all of them are closed; `call` is what somebody else asks for meanwhile.
pub async fn attack(mode: Mode, address: SocketAddr, attackers: usize, call: &str) -> Report {
    let mut attacking = JoinSet::new();
    for _ in 0..attackers {
        attacking.spawn(hold(mode, address));
    }
    let mut report = Report { all_closed_after: Some(Duration::ZERO), calls: Vec::new(), failed_calls: 0 };
    while !attacking.is_empty() {
        let began = Instant::now();
        match exchange(address, call).await {
            Ok(reply) if reply.status == 200 => report.calls.push(began.elapsed()),
            _ => report.failed_calls += 1,
        }
        sleep(CALLS).await;
        while let Some(ended) = attacking.try_join_next() {
            let held = ended.ok().flatten();
            report.all_closed_after =
                report.all_closed_after.zip(held).map(|(before, held)| before.max(held));
        }
    }
    report
}

/// Holds one connection for as long as the server lets it; `None` if it was still open at the end of the watch.
async fn hold(mode: Mode, address: SocketAddr) -> Option<Duration> {
    let Ok(mut stream) = connect(mode, address).await else { return Some(Duration::ZERO) };
    let began = Instant::now();
    let opening = opening(mode, address);
    let mut failed = stream.write_all(opening.as_bytes()).await.is_err();
    while !failed && began.elapsed() < WATCH {
        sleep(PACE).await;
        failed = is_closed(a_little(mode, &stream));
    }
    failed.then(|| began.elapsed())
}

async fn connect(mode: Mode, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if mode == Mode::Read {
        // The smaller the window, the less the server's kernel can get rid of.
        socket.set_recv_buffer_size(4096)?;
    }
    socket.connect(address).await
}

fn opening(mode: Mode, address: SocketAddr) -> String {
    match mode {
        Mode::Head => format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n"),
        Mode::Body => format!(
            "POST /v1/sessions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{{"
        ),
        Mode::Read => format!("GET /openapi.yaml HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(40),
    }
}

/// Does as little as keeps a connection busy. A server that has gone says so at a read, or at the second write after it.
fn a_little(mode: Mode, stream: &TcpStream) -> io::Result<usize> {
    let mut few = [0; 16];
    let read = match stream.try_read(&mut few) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        other => other,
    };
    if is_closed(read) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    stream.try_write(match mode {
        Mode::Head => b"x: 1\r\n",
        Mode::Body => b" ",
        Mode::Read => b"\r\n",
    })
}

fn is_closed(done: io::Result<usize>) -> bool {
    done.is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
}
