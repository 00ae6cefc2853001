//! Connections: TLS over TCP, with a count of what comes in and a limit on what goes out.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use daemon::app::tasks::Tasks;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::routes::Shared;

/// What is known about all connections together.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// TCP connections accepted.
    pub connections: AtomicUsize,
    /// Connections still to be closed before TLS.
    pub refuse: AtomicUsize,
    /// Decrypted bytes received.
    pub received: AtomicU64,
    certificates: Mutex<Vec<Vec<u8>>>,
}

impl Traffic {
    pub(super) fn note_certificate(&self, der: &[u8]) {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).push(der.to_vec());
    }

    pub(super) fn certificates(&self) -> Vec<Vec<u8>> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuses(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

/// The other side of one connection, as handlers see it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Its client certificate, DER.
    pub certificate: Arc<[u8]>,
    /// Bytes that may still go out before the connection is closed.
    budget: Arc<Mutex<Option<usize>>>,
    /// Whether the connection ends with a reset instead of an orderly close.
    reset: Arc<AtomicBool>,
}

impl Peer {
    /// Closes the connection after this many more bytes.
    pub(super) fn cut_after(&self, bytes: usize) {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// Resets the connection instead of answering.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
        self.cut_after(0);
    }
}

/// Hands finished TLS connections to axum.
pub(super) struct TlsListener {
    ready: mpsc::Receiver<(Line, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Accepts connections in the background; each shakes hands on its own, so that a slow one holds up nobody.
    pub(super) fn start(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        shared: &Arc<Shared>,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(16);
        let acceptor = TlsAcceptor::from(tls);
        let traffic = Arc::clone(&shared.traffic);
        let (stopping, children) = (tasks.stopping(), tasks.clone());
        tasks.start(async move {
            while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
                let Ok((stream, from)) = accepted else { continue };
                traffic.connections.fetch_add(1, Ordering::SeqCst);
                if traffic.refuses() {
                    continue;
                }
                let handshake = shake_hands(acceptor.clone(), stream, Arc::clone(&traffic));
                let (sender, stopping) = (sender.clone(), stopping.clone());
                children.start(async move {
                    if let Some(Some(line)) = stopping.run_until_cancelled(handshake).await {
                        // A closed channel means that the server is stopping.
                        drop(sender.send((line, from)).await);
                    }
                });
            }
        });
        Ok(Self { ready, address })
    }
}

async fn shake_hands(acceptor: TlsAcceptor, stream: TcpStream, traffic: Arc<Traffic>) -> Option<Line> {
    // Without it answers wait for the peer's delayed acknowledgement.
    stream.set_nodelay(true).ok()?;
    match acceptor.accept(stream).await {
        Ok(stream) => {
            let certificate = stream.get_ref().1.peer_certificates()?.first()?.as_ref().into();
            Some(Line {
                stream,
                traffic,
                peer: Peer { certificate, budget: Arc::default(), reset: Arc::default() },
            })
        }
        Err(error) => {
            tracing::info!("TLS handshake failed: {error}");
            None
        }
    }
}

impl Listener for TlsListener {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.io().peer.clone()
    }
}

/// One TLS connection.
pub(super) struct Line {
    stream: TlsStream<TcpStream>,
    traffic: Arc<Traffic>,
    peer: Peer,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let count = buf.filled().len() - before;
        self.traffic.received.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::SeqCst);
        polled
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let budget = *self.peer.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = match budget {
            Some(0) => {
                if self.peer.reset.load(Ordering::SeqCst) {
                    self.stream.get_ref().0.set_zero_linger()?;
                }
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            Some(left) => data.get(..left).unwrap_or(data),
            None => data,
        };
        let polled = Pin::new(&mut self.stream).poll_write(cx, allowed);
        if let (Some(left), Poll::Ready(Ok(written))) = (budget, &polled) {
            self.peer.cut_after(left.saturating_sub(*written));
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
