//! Listener: accepts connections within limits and stops gracefully within a deadline.
//!
//! `axum::serve` has neither a header timeout nor a deadline for open requests, so axum-server runs the accept loop. It
//! survives failed accepts (it reports them and waits 50 ms) and drops what is still open when the deadline has passed.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Extension, Router};
use axum_server::Handle;
use axum_server::accept::Accept;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::codes::Code;
use crate::guard::security_headers;
use crate::limits::Limits;
use crate::problem::{PROBLEM_JSON, Problem};

/// Why no listener could be had.
#[derive(Debug)]
pub enum BindError {
    /// Another program has the port: never silently take another one.
    InUse(SocketAddr),
    /// The operating system refused.
    Refused(SocketAddr, io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(address) => write!(f, "{address} is already in use by another program"),
            Self::Refused(address, _) => write!(f, "cannot listen on {address}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse(_) => None,
            Self::Refused(_, error) => Some(error),
        }
    }
}

/// Listens on an address.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        _ => BindError::Refused(address, error),
    })
}

/// Told to handlers that wait, so that they answer at once when the program stops.
#[derive(Clone)]
pub(crate) struct Stopping(pub CancellationToken);

/// Serves until `shutdown` is cancelled, then waits at most `limits.stop_within` for open requests.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?
        .http1_only()
        .acceptor(Limited::new(limits.connections))
        .handle(handle.clone())
        .accept_error_handler(|_, error| log_accept_error(error));
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.headers);
    let app = router
        .layer(Extension(Stopping(shutdown.clone())))
        .into_make_service_with_connect_info::<SocketAddr>();
    let mut serving = Box::pin(server.serve(app));
    tokio::select! {
        result = &mut serving => return result,
        () = shutdown.cancelled() => {}
    }
    handle.graceful_shutdown(Some(limits.stop_within));
    serving.await
}

fn log_accept_error(error: &io::Error) {
    if error.kind() == io::ErrorKind::QuotaExceeded {
        tracing::warn!("connection refused: too many are open");
    } else {
        tracing::warn!(%error, "a connection could not be accepted");
    }
}

/// How many refused connections may be told why at once; more are closed without a word.
const EXPLAINED_REFUSALS: usize = 32;

/// How long a refused connection may take to read the reason.
const LINGER: Duration = Duration::from_secs(1);

/// Lets a limited number of connections in.
#[derive(Clone)]
struct Limited {
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl Limited {
    fn new(connections: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(connections)),
            refusals: Arc::new(Semaphore::new(EXPLAINED_REFUSALS)),
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Limited {
    type Stream = Placed;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Placed, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = self.places.clone().try_acquire_owned();
        let refusals = self.refusals.clone();
        Box::pin(async move {
            if let Ok(place) = place {
                stream.set_nodelay(true)?;
                return Ok((Placed { stream, _place: place }, service));
            }
            if let Ok(_explaining) = refusals.try_acquire_owned() {
                // Whether the client hears it is up to the client.
                let _ = tokio::time::timeout(LINGER, explain(stream)).await;
            }
            Err(io::Error::from(io::ErrorKind::QuotaExceeded))
        })
    }
}

/// Answers 503, then reads until the client closes: closing with unread data would reset the connection and could
/// take the answer with it.
async fn explain(mut stream: TcpStream) -> io::Result<()> {
    let body = Problem::new(Code::TooManyConnections).body();
    let mut answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nconnection: close\r\n",
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

/// A connection that gives its place back when it closes.
struct Placed {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
