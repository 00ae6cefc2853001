//! Connections: TLS over TCP, with a count of what comes in and a limit on what goes out.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use daemon::app::tasks::Tasks;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::routes::Shared;

/// What is known about all connections together.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// TCP connections accepted.
    pub connections: AtomicUsize,
    /// Connections still to be closed before TLS.
    pub refuse: AtomicUsize,
    /// Connections still to be kept without a word.
    pub mute: AtomicUsize,
    /// Decrypted bytes received.
    pub received: AtomicU64,
    /// Time between a request that has arrived and its answer, nanoseconds.
    pub answering: AtomicU64,
    certificates: Mutex<Vec<Vec<u8>>>,
}

impl Traffic {
    pub(super) fn note_certificate(&self, der: &[u8]) {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).push(der.to_vec());
    }

    pub(super) fn certificates(&self) -> Vec<Vec<u8>> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether one more is to meet what was counted.
fn is_next(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Traffic {
    fn refuses(&self) -> bool {
        is_next(&self.refuse)
    }

    fn is_mute(&self) -> bool {
        is_next(&self.mute)
    }
}

/// The other side of one connection, as handlers see it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Its client certificate, DER.
    pub certificate: Arc<[u8]>,
    manners: Arc<Mutex<Manners>>,
}

/// How one connection treats what is written to it.
#[derive(Debug, Default)]
struct Manners {
    /// Bytes that may still go out, and what comes then.
    budget: Option<(usize, Then)>,
    /// Most bytes at a time, and the pause before them.
    trickle: Option<(usize, Duration)>,
    /// What follows the answer unasked, once something of the answer has gone out.
    follow: Option<Vec<u8>>,
    has_written: bool,
}

/// What comes when the budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The connection is closed in order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing: the connection stays.
    Hang,
}

impl Peer {
    fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection after this many more bytes.
    pub(super) fn cut_after(&self, bytes: usize) {
        self.manners().budget = Some((bytes, Then::Close));
    }

    /// Resets the connection instead of answering.
    pub(super) fn reset(&self) {
        self.manners().budget = Some((0, Then::Reset));
    }

    /// Says nothing more after this many more bytes.
    pub(super) fn hang_after(&self, bytes: usize) {
        self.manners().budget = Some((bytes, Then::Hang));
    }

    /// Sends no more than this many bytes at a time, each time after a pause.
    pub(super) fn trickle(&self, bytes: usize, pause: Duration) {
        self.manners().trickle = Some((bytes.max(1), pause));
    }

    /// Sends this after the answer.
    pub(super) fn follow_with(&self, bytes: Vec<u8>) {
        let mut manners = self.manners();
        manners.follow = Some(bytes);
        manners.has_written = false;
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
                if traffic.is_mute() {
                    let stopping = stopping.clone();
                    children.start(async move {
                        stopping.cancelled().await;
                        drop(stream);
                    });
                    continue;
                }
                let ended = stopping.clone();
                let handshake = shake_hands(acceptor.clone(), stream, Arc::clone(&traffic), ended);
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

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    traffic: Arc<Traffic>,
    stopping: CancellationToken,
) -> Option<Line> {
    // Without it answers wait for the peer's delayed acknowledgement.
    stream.set_nodelay(true).ok()?;
    match acceptor.accept(stream).await {
        Ok(stream) => {
            let certificate = stream.get_ref().1.peer_certificates()?.first()?.as_ref().into();
            Some(Line {
                stream,
                traffic,
                peer: Peer { certificate, manners: Arc::default() },
                pause: None,
                stopping: Box::pin(stopping.cancelled_owned()),
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
    /// The pause of a trickle that is under way.
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
    /// Wakes a connection that hangs when the server stops.
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Line {
    /// Waits before the next bytes of a trickle.
    fn poll_pause(&mut self, cx: &mut Context<'_>, pause: Duration) -> Poll<()> {
        let sleep = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        let polled = sleep.as_mut().poll(cx);
        if polled.is_ready() {
            self.pause = None;
        }
        polled
    }
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
        let (budget, trickle) = {
            let manners = self.peer.manners();
            (manners.budget, manners.trickle)
        };
        let broken = || Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        let mut allowed = match budget {
            Some((0, Then::Hang)) => {
                ready!(self.stopping.as_mut().poll(cx));
                return broken();
            }
            Some((0, Then::Reset)) => {
                self.stream.get_ref().0.set_zero_linger()?;
                return broken();
            }
            Some((0, Then::Close)) => return broken(),
            Some((left, _)) => data.get(..left).unwrap_or(data),
            None => data,
        };
        if let Some((most, pause)) = trickle {
            if self.stopping.as_mut().poll(cx).is_ready() {
                return broken();
            }
            ready!(self.poll_pause(cx, pause));
            allowed = allowed.get(..most).unwrap_or(allowed);
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, allowed);
        if let Poll::Ready(Ok(written)) = &polled {
            let mut manners = self.peer.manners();
            manners.has_written |= *written > 0;
            if let Some((left, _)) = &mut manners.budget {
                *left = left.saturating_sub(*written);
            }
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let follow = {
            let mut manners = self.peer.manners();
            if manners.has_written { manners.follow.take() } else { None }
        };
        if let Some(bytes) = follow {
            // Into TLS's own buffer, which takes it whole; the flush below sends it.
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes))?;
            if written < bytes.len() {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
