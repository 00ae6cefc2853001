//! Raw HTTP/1.1 over a socket: for requests that no decent client would send, and for answers as they are on the wire.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longest wait for an answer; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header with this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The `code` of a problem; empty if there is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Whatever bytes go over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One connection.
pub struct Raw {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: Box::new(TcpStream::connect(address).await?), received: Vec::new() })
    }

    /// Connects over TLS; the server must be this address.
    pub async fn connect_tls(address: SocketAddr, tls: Arc<ClientConfig>) -> io::Result<Self> {
        Self::connect_tls_to(address, address.ip().into(), tls).await
    }

    /// Connects over TLS to a server that must be of this name.
    pub async fn connect_tls_to(
        address: SocketAddr,
        name: ServerName<'static>,
        tls: Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let stream = TlsConnector::from(tls).connect(name, stream).await?;
        Ok(Self { stream: Box::new(stream), received: Vec::new() })
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Reads one answer; an error of kind `UnexpectedEof` if the connection ends before it is complete.
    pub async fn reply(&mut self) -> io::Result<Reply> {
        timeout(PATIENCE, async {
            loop {
                if let Some((reply, length)) = parse(&self.received)? {
                    self.received.drain(..length);
                    return Ok(reply);
                }
                if self.stream.read_buf(&mut self.received).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        })
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Reads until the bytes that came hold this text, and returns all that came since the last call.
    pub async fn until(&mut self, text: &str) -> io::Result<String> {
        timeout(PATIENCE, async {
            loop {
                let found = self.received.windows(text.len()).position(|window| window == text.as_bytes());
                if let Some(at) = found {
                    let come: Vec<u8> = self.received.drain(..at + text.len()).collect();
                    return Ok(String::from_utf8_lossy(&come).into_owned());
                }
                if self.stream.read_buf(&mut self.received).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        })
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Reads the first line of an answer, whatever comes after it.
    pub async fn first_line(&mut self) -> io::Result<String> {
        let reading = async {
            loop {
                if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                    return Ok(String::from_utf8_lossy(&self.received[..end]).into_owned());
                }
                if self.stream.read_buf(&mut self.received).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        };
        timeout(PATIENCE, reading).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// What came back first: the start of an answer, or nothing if the connection was closed without one.
    pub async fn answered(&mut self) -> io::Result<Vec<u8>> {
        match self.first_line().await {
            Err(error)
                if error.kind() != io::ErrorKind::UnexpectedEof
                    && error.kind() != io::ErrorKind::ConnectionReset =>
            {
                Err(error)
            }
            _ => Ok(self.received.clone()),
        }
    }

    /// Waits until the other side has closed, and returns what it sent before; a reset counts as closed.
    pub async fn closed(mut self) -> io::Result<Vec<u8>> {
        let read_to_end = self.stream.read_to_end(&mut self.received);
        match timeout(PATIENCE, read_to_end).await {
            Ok(Ok(_)) => Ok(self.received),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Ok(self.received),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Sends one request on its own connection and reads the answer.
pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> io::Result<Reply> {
    let mut raw = Raw::connect(address).await?;
    raw.send(request).await?;
    raw.reply().await
}

/// The reply at the front of the bytes and its length, if it is complete. Trailers are headers.
fn parse(bytes: &[u8]) -> io::Result<Option<(Reply, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid())?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().ok_or_else(invalid)?;
    let status: u16 =
        status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(invalid)?;
    let mut headers = read_headers(lines);
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let (body, whole) = if chunked {
        let Some((body, trailers, length)) = chunks(&bytes[end + 4..])? else { return Ok(None) };
        headers.extend(trailers);
        (body, end + 4 + length)
    } else {
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(Ok(0), |(_, value)| value.parse()).map_err(|_| invalid())?;
        let whole = end + 4 + length;
        let Some(body) = bytes.get(end + 4..whole) else { return Ok(None) };
        (body.to_vec(), whole)
    };
    Ok(Some((Reply { status, headers, body }, whole)))
}

fn read_headers<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

type Chunked = (Vec<u8>, Vec<(String, String)>, usize);

/// A chunked body with its trailers and its length on the wire, if it is complete.
fn chunks(bytes: &[u8]) -> io::Result<Option<Chunked>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let line_end = |from: usize| {
        bytes.get(from..)?.windows(2).position(|window| window == b"\r\n").map(|length| from + length)
    };
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = line_end(at) else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[at..end]).map_err(|_| invalid())?;
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid())?;
        at = end + 2;
        if size == 0 {
            break;
        }
        let Some(data) = bytes.get(at..at + size + 2) else { return Ok(None) };
        body.extend_from_slice(&data[..size]);
        at += size + 2;
    }
    let mut trailers = Vec::new();
    loop {
        let Some(end) = line_end(at) else { return Ok(None) };
        let line = std::str::from_utf8(&bytes[at..end]).map_err(|_| invalid())?;
        at = end + 2;
        if line.is_empty() {
            return Ok(Some((body, trailers, at)));
        }
        trailers.extend(read_headers(std::iter::once(line)));
    }
}
