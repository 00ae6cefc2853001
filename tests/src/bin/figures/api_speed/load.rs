//! A load: prebuilt requests over kept-alive connections, each with a thread that does nothing else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::watch::{CLIENT, Spent, pin_myself};

/// Longer than any answer.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server under load.
#[derive(Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub process: u32,
    /// How it is trusted, if it speaks HTTPS.
    pub tls: Option<Arc<ClientConfig>>,
}

/// What came of a load.
pub struct Measured {
    /// Time on the processor a request, in the whole process that answers, microseconds.
    pub cpu_us: f64,
    /// Requests a second.
    pub rate: f64,
    /// How long each request took, the quickest first.
    pub delays: Vec<Duration>,
}

/// Sends every request once, spread over so many connections. Every answer must have a status of `expected`.
///
/// # Panics
/// An answer is not as expected: what it says is the reason.
#[expect(clippy::disallowed_methods, reason = "measures with threads of its own")]
pub fn run(target: &Target, requests: &[Vec<u8>], connections: usize, expected: &[u16]) -> Measured {
    let (spent, begun) = (Spent::now(target.process), Instant::now());
    let one = |connection| {
        pin_myself(CLIENT);
        let mut stream = Connection::open(target);
        let own = requests.iter().skip(connection).step_by(connections);
        own.map(|request| stream.timed(request, expected)).collect::<Vec<_>>()
    };
    let mut delays = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|number| scope.spawn(move || one(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("all are answered")).collect::<Vec<_>>()
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let (count, cpu) = (as_f64(requests.len()), spent.until(&Spent::now(target.process)));
    delays.sort();
    Measured { cpu_us: cpu * 1e6 / count, rate: count / elapsed, delays }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A kept-alive connection; answers are read whole and forgotten.
pub struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    length: usize,
}

impl Connection {
    /// Connects.
    pub fn open(target: &Target) -> Self {
        let stream = TcpStream::connect(target.address).expect("it listens");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        let stream: Box<dyn Stream> = match &target.tls {
            Some(tls) => {
                let name = ServerName::from(target.address.ip());
                let client = ClientConnection::new(Arc::clone(tls), name).expect("a configuration");
                Box::new(StreamOwned::new(client, stream))
            }
            None => Box::new(stream),
        };
        Self { stream, received: vec![0; 1024 * 1024], length: 0 }
    }

    /// Sends a request, reads the whole answer, and says how long that took.
    #[expect(clippy::disallowed_methods, reason = "measures")]
    pub fn timed(&mut self, request: &[u8], expected: &[u16]) -> Duration {
        let begun = Instant::now();
        let status = self.exchange(request);
        let elapsed = begun.elapsed();
        assert!(expected.contains(&status), "{status}: {}", self.last());
        elapsed
    }

    /// Sends a request and reads the whole answer; its status.
    pub fn exchange(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).and_then(|()| self.stream.flush()).expect("it takes the request");
        self.length = 0;
        let head = loop {
            self.more();
            if let Some(end) = find(&self.received[..self.length], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&self.received[..head]).to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if status == 304 {
            // Has no body, whatever its head says.
        } else if let Some(length) = length {
            let whole = head + length.parse::<usize>().expect("a length");
            while self.length < whole {
                self.more();
            }
        } else if text.contains("transfer-encoding: chunked") {
            while !self.received[..self.length].ends_with(b"0\r\n\r\n") {
                self.more();
            }
        }
        status
    }

    /// The last answer.
    pub fn last(&self) -> String {
        String::from_utf8_lossy(&self.received[..self.length]).into_owned()
    }

    /// A header of the last answer.
    pub fn header(&self, name: &str) -> Option<String> {
        let answer = self.last();
        let mut lines = answer.split("\r\n\r\n").next()?.lines();
        lines.find_map(|line| {
            let (header, value) = line.split_once(": ")?;
            header.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }

    fn more(&mut self) {
        if self.length == self.received.len() {
            self.received.resize(self.length * 2, 0);
        }
        let read = self.stream.read(&mut self.received[self.length..]).expect("an answer");
        assert!(read > 0, "it closed the connection");
        self.length += read;
    }
}

/// A download, to the end of its connection.
pub struct Download {
    /// From the request to the last byte.
    pub seconds: f64,
    /// Time on the processors of the process that answers.
    pub cpu_seconds: f64,
    /// From the request to the first byte.
    pub first_byte_ms: f64,
    /// The last bytes.
    pub end: String,
}

/// So much of the end of a download is kept.
const END: usize = 256;

/// Downloads into nothing. The request must ask for `Connection: close`.
pub fn download(target: &Target, request: &[u8]) -> Download {
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            pin_myself(CLIENT);
            fetch(target, request)
        });
        client.join().expect("a download")
    })
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn fetch(target: &Target, request: &[u8]) -> Download {
    let mut stream = TcpStream::connect(target.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    let (spent, begun) = (Spent::now(target.process), Instant::now());
    stream.write_all(request).expect("it takes the request");
    let (mut piece, mut first_byte_ms, mut end) = (vec![0; 256 * 1024], 0.0, Vec::new());
    loop {
        let read = stream.read(&mut piece).expect("an answer");
        if end.is_empty() {
            first_byte_ms = begun.elapsed().as_secs_f64() * 1000.0;
            assert!(piece.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&piece[..read]));
        }
        if read == 0 {
            break;
        }
        end.extend_from_slice(&piece[read.saturating_sub(END)..read]);
        end.drain(..end.len().saturating_sub(END));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_seconds = spent.until(&Spent::now(target.process));
    Download { seconds, cpu_seconds, first_byte_ms, end: String::from_utf8_lossy(&end).into_owned() }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A count as a number with a fraction.
pub fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// The delay that this part of them does not exceed; milliseconds. They are in order.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
pub fn quantile_ms(sorted: &[Duration], part: f64) -> f64 {
    let place = (as_f64(sorted.len()) * part) as usize;
    sorted.get(place).or(sorted.last()).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1000.0)
}
