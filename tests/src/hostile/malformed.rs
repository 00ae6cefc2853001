//! Malformed requests: good ones of every operation, broken at random from a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use api::limits::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::shapes;
use crate::contract::Contract;
use crate::dice::Dice;

/// They would end the session that the others need.
const NOT_SENT: &[&str] = &["sign_out", "end_session", "end_other_sessions"];

/// Longest wait for an answer or the close; the limits of the server are far below.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests in flight at once.
const AT_ONCE: usize = 128;

/// What came of the requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers by their status; 0: closed without one.
    pub statuses: BTreeMap<u16, usize>,
    /// Requests that were answered 5xx, or neither answered nor closed.
    pub findings: Vec<String>,
}

impl Tally {
    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.statuses.values().sum()
    }

    /// How many were answered 5xx.
    pub fn five_hundreds(&self) -> usize {
        self.statuses.iter().filter(|(status, _)| **status >= 500).map(|(_, count)| count).sum()
    }
}

/// Limits under which half a request is soon given up, and no request is refused for being one too many: all the others are read.
pub fn limits(usual: Limits) -> Limits {
    let soon = Duration::from_millis(250);
    let many = 1_000_000;
    Limits {
        header_timeout: soon,
        body_timeout: soon,
        write_timeout: soon,
        requests_per_second: many,
        request_burst: many,
        strangers_per_second: many,
        stranger_burst: many,
        ..usual
    }
}

/// Sends `count` requests with the session of `token`; the same seed sends the same.
pub async fn run(address: SocketAddr, token: &str, seed: u64, count: usize) -> Tally {
    let good = good_requests(address, token);
    let mut dice = Dice::new(seed);
    let (mut tally, mut sending) = (Tally::default(), JoinSet::new());
    for _ in 0..count {
        if sending.len() >= AT_ONCE {
            take(&mut tally, sending.join_next().await);
        }
        let request = broken(&good, &mut dice);
        sending.spawn(async move { (send(address, &request).await, request) });
    }
    while !sending.is_empty() {
        take(&mut tally, sending.join_next().await);
    }
    tally
}

type Sent = Option<Result<(Option<u16>, Vec<u8>), tokio::task::JoinError>>;

fn take(tally: &mut Tally, sent: Sent) {
    let Some(Ok((status, request))) = sent else {
        tally.findings.push("a sender ended".to_owned());
        return;
    };
    if status.is_none_or(|status| status >= 500) {
        let text = request.escape_ascii().to_string();
        let start: String = text.chars().take(2_000).collect();
        tally.findings.push(format!("{status:?}: {start}"));
    }
    *tally.statuses.entry(status.unwrap_or(0)).or_default() += 1;
}

/// The status of the answer, 0 if the connection was closed without one, `None` if neither came.
async fn send(address: SocketAddr, request: &[u8]) -> Option<u16> {
    let exchange = async {
        let Ok(mut stream) = TcpStream::connect(address).await else { return 0 };
        let mut received = Vec::new();
        // Whoever is closed while it writes may have been answered all the same.
        let _ = stream.write_all(request).await;
        while received.len() < 12 {
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let status = received.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        status.unwrap_or(0)
    };
    timeout(PATIENCE, exchange).await.ok()
}

/// One good request of every operation, and every shape that smuggles.
fn good_requests(address: SocketAddr, token: &str) -> Vec<Vec<u8>> {
    let contract = Contract::committed();
    let operations = contract.operations();
    let kept = operations.iter().filter(|operation| !NOT_SENT.contains(&operation.id.as_str()));
    let mut all: Vec<Vec<u8>> = kept
        .map(|operation| {
            let body = contract.sample_body(operation).map(|body| body.to_string()).unwrap_or_default();
            let content = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
            let (method, path) = (&operation.method, operation.path.replace("{id}", "1"));
            format!(
                "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{}\r\n{body}",
                if body.is_empty() { "" } else { &content }
            )
            .into_bytes()
        })
        .collect();
    let smuggling = shapes::refused().into_iter().chain(shapes::last_of_their_connection());
    all.extend(smuggling.map(|shape| shape.bytes.replace("{host}", &address.to_string()).into_bytes()));
    all
}

/// What stands where it should not.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b"%",
    b"%00",
    b"%FF",
    b"%E3%81",
    b"..",
    b"//",
    b"?",
    b"&",
    b"=",
    b"#",
    b"\xff",
    b"\xfe\xff",
    b"\xed\xa0\x80",
    b"\xe3\x81",
    b"\x82\xa0",
    b"\x1b[2J",
    b"-1",
    b"99999999999999999999",
    b"1e999",
    b"0x10",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"' OR 1=1 --",
    b"<script>",
    b"${jndi:x}",
    b"../../etc/passwd",
    b"content-length: 0\r\n",
    b"transfer-encoding: chunked\r\n",
    b"host: evil.example\r\n",
    b"expect: 100-continue\r\n",
    b"upgrade: h2c\r\nconnection: upgrade\r\n",
    b"connection: close\r\n",
    b"content-encoding: gzip\r\n",
    b"range: bytes=0-\r\n",
    b"if-none-match: \"\r\n",
    b"accept: \xff\r\n",
    b"authorization: Bearer x\r\n",
];

fn broken(good: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut request = good[dice.below(good.len())].clone();
    for _ in 0..=dice.below(3) {
        let place = dice.below(request.len().max(1)).min(request.len());
        match dice.below(8) {
            0 => {
                if let Some(byte) = request.get_mut(place) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            1 => request.truncate(place),
            2 => {
                let odd = dice.pick(ODD);
                request.splice(place..place, odd.iter().copied());
            }
            3 => {
                let end = (place + 1 + dice.below(16)).min(request.len());
                request.drain(place..end);
            }
            4 => {
                let end = (place + 1 + dice.below(64)).min(request.len());
                let again = request[place..end].to_vec();
                request.splice(place..place, again);
            }
            5 => request.extend(
                (0..dice.below(64)).map(|_| u8::try_from(dice.below(256)).unwrap_or(0)).collect::<Vec<_>>(),
            ),
            6 => {
                // An odd value in place of a word.
                let odd = dice.pick(ODD);
                let end = request[place..].iter().position(|byte| b" \"\r:,}".contains(byte)).unwrap_or(0);
                request.splice(place..place + end, odd.iter().copied());
            }
            _ => {
                let many = 1 << dice.below(16);
                request.splice(place..place, std::iter::repeat_n(b'a', many));
            }
        }
    }
    request
}
