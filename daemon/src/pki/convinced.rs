//! Whether a listener convinces a client, as a browser of the clinic finds it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::listener::VERSIONS;
use crate::app::ports::Clock;
use crate::system::TlsTime;

/// Longest wait for one step of the handshake on this machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// Makes one TLS handshake with the listener at an address under a name, trusting the authority (PEM) alone. Blocks; sends nothing beyond
/// the handshake.
///
/// # Errors
/// What the client finds wrong.
pub fn convinces_at(
    address: SocketAddr,
    name: &str,
    authority: &str,
    clock: Arc<dyn Clock>,
) -> Result<(), io::Error> {
    let root = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(io::Error::other)?;
    let mut roots = RootCertStore::empty();
    roots.add(root).map_err(io::Error::other)?;
    let mut config =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(TlsTime(clock)))
            .with_protocol_versions(VERSIONS)
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    while client.is_handshaking() {
        client.complete_io(&mut socket)?;
    }
    client.send_close_notify();
    client.complete_io(&mut socket)?;
    Ok(())
}
