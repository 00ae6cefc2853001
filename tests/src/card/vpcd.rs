//! The card in the virtual reader of vsmartcard's driver (vpcd), over TCP.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use rustix::net::sockopt;

use super::SimCard;
pub use super::link::Event;
use super::link::{Link, Port};

/// Where vpcd listens, `HOST:PORT`.
pub struct Vpcd(String);

/// A card in vpcd's reader.
pub type VpcdLink = Link<Vpcd>;

impl Link<Vpcd> {
    /// Inserts a card into the reader at `address` (`HOST:PORT`) as soon as it listens. `on_event` runs on the link's
    /// thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        card: Arc<Mutex<SimCard>>,
        address: impl Into<String>,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        Self::open(card, Vpcd(address.into()), on_event)
    }
}

impl Port for Vpcd {
    type Stream = TcpStream;

    /// pcscd polls vpcd every 400 ms.
    const MISSES_SHORT_REMOVALS: bool = true;

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.0)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn second(stream: &TcpStream) -> io::Result<TcpStream> {
        stream.try_clone()
    }

    fn end(stream: &TcpStream) {
        // Fails only if the reader has closed it already.
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Asks that what arrives is acknowledged at once: vpcd 3.3 sends length and payload apart, and waiting for the delayed
    /// acknowledgement between them costs 40 ms per command.
    fn before_read(stream: &TcpStream) -> io::Result<()> {
        Ok(sockopt::set_tcp_quickack(stream, true)?)
    }
}
