//! A TCP connection with its place: within the limits of the listener and of its peer, and given up when the client does not
//! read what it asked for.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use crate::limits::Limits;

/// What a client that reads slowly must take within the write timeout for its connection to go on.
const ENOUGH: usize = 16 * 1024;

/// How many connections there may be, together and from one address.
#[derive(Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_peer: usize,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            taken: Arc::default(),
            per_peer: limits.connections_per_peer,
        }
    }

    /// A place for a connection from this address; `None` if there is none.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let one_of_all = self.all.clone().try_acquire_owned().ok()?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = taken.entry(peer).or_default();
        if *of_peer >= self.per_peer {
            return None;
        }
        *of_peer += 1;
        Some(Place { _one_of_all: one_of_all, peer, taken: self.taken.clone() })
    }
}

/// Gives itself back when it is dropped.
pub(super) struct Place {
    _one_of_all: OwnedSemaphorePermit,
    peer: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_peer) = taken.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

/// A connection that holds a place.
pub(super) struct Placed {
    stream: TcpStream,
    _place: Place,
    patience: Patience,
}

impl Placed {
    pub(super) fn new(stream: TcpStream, place: Place, write_timeout: Duration) -> Self {
        Self { stream, _place: place, patience: Patience { limit: write_timeout, waiting: None } }
    }

    /// At the end of the patience the kernel is told to drop what it keeps: nobody will come for it.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let judged = self.patience.judge(context, written);
        if matches!(&judged, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut) {
            SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
        }
        judged
    }
}

/// How long the client may leave lying what was written for it.
struct Patience {
    limit: Duration,
    /// Since when it has taken less than enough: the timer, and what it took.
    waiting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Patience {
    /// Hands the outcome of a write on, or the end of the patience in its place.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let limit = self.limit;
                let (timer, _) = self.waiting.get_or_insert_with(|| (Box::pin(tokio::time::sleep(limit)), 0));
                ready!(timer.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(bytes)) => {
                if let Some((_, taken)) = &mut self.waiting {
                    *taken += bytes;
                    if *taken >= ENOUGH {
                        self.waiting = None;
                    }
                }
                Poll::Ready(Ok(bytes))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
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
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes when everything before it was written: the client owes nothing.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patience.waiting = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
