//! The card in a reader of our own driver (`tests/ifd/ifd.c`), over a unix socket; the reader can be unplugged.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::SimCard;
use super::link::{Event, Link, Port};

/// The unix socket of a reader.
pub struct Ifd(PathBuf);

/// A card in a reader of our own driver.
pub type IfdLink = Link<Ifd>;

impl Link<Ifd> {
    /// Inserts a card into the reader with this socket as soon as it listens. `on_event` runs on the link's thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        card: Arc<Mutex<SimCard>>,
        socket: impl Into<PathBuf>,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        Self::open(card, Ifd(socket.into()), on_event)
    }
}

impl Port for Ifd {
    type Stream = UnixStream;

    const MISSES_SHORT_REMOVALS: bool = false;

    fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.0)
    }

    fn second(stream: &UnixStream) -> io::Result<UnixStream> {
        stream.try_clone()
    }

    fn end(stream: &UnixStream) {
        // Fails only if the reader has closed it already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
