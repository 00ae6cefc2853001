//! Listener: accepts connections within limits and stops gracefully within a deadline.
//!
//! `axum::serve` has neither a header timeout nor a deadline for open requests, so axum-server runs the accept loop. It
//! survives failed accepts (it reports them and waits 50 ms) and drops what is still open when the deadline has passed.

mod accept;
mod deadlines;
mod placed;

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum_server::Handle;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use accept::Limited;
use deadlines::Deadlines;

use crate::entrance::Entrance;
use crate::limits::Limits;

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

/// Serves until `shutdown` is cancelled, then waits at most `limits.stop_within` for open requests.
///
/// With `tls` it speaks HTTPS and nothing else. The client's certificate, which that configuration has judged, reaches the
/// service as [`crate::service::PeerCertificate`].
pub async fn serve(
    listener: TcpListener,
    entrance: Entrance,
    limits: Limits,
    tls: Option<Arc<ServerConfig>>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?
        .http1_only()
        .acceptor(Limited::new(&limits, tls))
        .handle(handle.clone())
        .accept_error_handler(|_, error| log_accept_error(error));
    server
        .http_builder()
        .http1()
        .timer(Deadlines::default())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.headers);
    let stopping = shutdown.clone();
    let connections =
        service_fn(move |peer| ready(Ok::<_, Infallible>(entrance.connected(peer, stopping.clone()))));
    let mut serving = Box::pin(server.serve(connections));
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
