//! From a TCP connection to one that requests can be read from: a place within the limit, TLS where it is configured, and what
//! the handshake has proved about the client.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::placed::{Placed, Places};
use crate::codes::Code;
use crate::entrance::Connected;
use crate::guard::security_headers;
use crate::limits::Limits;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::service::PeerCertificate;
use axum_server::accept::Accept;
use sha2::{Digest as _, Sha256};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};
use tokio_rustls::server::TlsStream;

/// How many refused connections may be told why at once; more are closed without a word.
const EXPLAINED_REFUSALS: usize = 32;

/// Bytes that the kernel keeps for a client that has not read them. A writer is woken when about a third of it is free, so this
/// and the write timeout say how slowly a client may read: at some 30 KiB a second.
const SEND_BUFFER: usize = 256 * 1024;

/// How long a refused connection may take to read the reason.
const LINGER: Duration = Duration::from_secs(1);

/// Seconds after which a place may be free: connections that nobody uses are closed within a few.
const AFTER_REFUSAL: u32 = 5;

/// Lets a limited number of connections in.
#[derive(Clone)]
pub(super) struct Limited {
    places: Places,
    refusals: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
    handshake_timeout: Duration,
    write_timeout: Duration,
}

impl Limited {
    pub(super) fn new(limits: &Limits, tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            places: Places::new(limits),
            refusals: Arc::new(Semaphore::new(EXPLAINED_REFUSALS)),
            tls: tls.map(TlsAcceptor::from),
            handshake_timeout: limits.header_timeout,
            write_timeout: limits.write_timeout,
        }
    }

    /// Whether the client hears the reason is up to the client.
    async fn refuse(&self, stream: TcpStream) {
        let Ok(_explaining) = self.refusals.try_acquire() else { return };
        let telling = async {
            match &self.tls {
                None => explain(stream).await,
                Some(tls) => explain(tls.accept(stream).await?).await,
            }
        };
        let _ = tokio::time::timeout(LINGER, telling).await;
    }
}

impl Accept<TcpStream, Connected> for Limited {
    type Stream = Connection;
    type Service = Connected;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Connection, Connected)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: Connected) -> Self::Future {
        // Whoever is gone already needs no place.
        let place = stream.peer_addr().map(|peer| self.places.take(peer.ip()));
        let limited = self.clone();
        Box::pin(async move {
            let Some(place) = place? else {
                limited.refuse(stream).await;
                return Err(io::Error::from(io::ErrorKind::QuotaExceeded));
            };
            stream.set_nodelay(true)?;
            SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER)?;
            let placed = Placed::new(stream, place, limited.write_timeout);
            let Some(tls) = limited.tls else {
                return Ok((Connection::Plain(placed), service));
            };
            let stream = tokio::time::timeout(limited.handshake_timeout, tls.accept(placed))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let certificate = peer_certificate(stream.get_ref().1);
            Ok((Connection::Tls(Box::new(stream)), service.with_certificate(certificate)))
        })
    }
}

/// The certificate that the handshake has verified, if the client has shown one.
fn peer_certificate(connection: &ServerConnection) -> Option<PeerCertificate> {
    let shown = connection.peer_certificates()?.first()?;
    Some(PeerCertificate(Sha256::digest(shown).into()))
}

/// A connection as requests are read from it.
pub(super) enum Connection {
    Plain(Placed),
    Tls(Box<TlsStream<Placed>>),
}

/// Hands a poll on to whatever the connection is.
macro_rules! inner {
    ($connection:expr, $stream:ident => $call:expr) => {
        match $connection.get_mut() {
            Connection::Plain(placed) => {
                let $stream = Pin::new(placed);
                $call
            }
            Connection::Tls(tls) => {
                let $stream = Pin::new(tls.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(placed) => placed.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_shutdown(context))
    }
}

/// Answers 503, then reads until the client closes: closing with unread data would reset the connection and could
/// take the answer with it.
async fn explain(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let problem = Problem { retry_after: Some(AFTER_REFUSAL), ..Problem::new(Code::TooManyConnections) };
    let body = problem.body();
    let mut answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\n\
         retry-after: {AFTER_REFUSAL}\r\nconnection: close\r\n",
        body.len()
    )
    .into_bytes();
    for (name, value) in security_headers() {
        answer.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    let mut discarded = [0; 4096];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}
