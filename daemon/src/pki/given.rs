//! TLS with a certificate that somebody else made: for a name that browsers trust already.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use zeroize::Zeroizing;

use super::listener::{TlsError, VERSIONS, finished};
use crate::app::ports::Clock;
use crate::system::TlsTime;

/// What a listener of these names speaks with a certificate and key of these files, both PEM. Asks nobody for a certificate. The
/// files are read once: whoever renews them restarts the daemon.
pub fn given_server_config(
    certificate: &Path,
    key: &Path,
    names: &[String],
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let refused = |file: &Path, reason: String| TlsError::Given { file: file.to_owned(), reason };
    let of_certificate = |reason: String| refused(certificate, reason);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| of_certificate(error.to_string()))?;
    let Some(own) = chain.first() else {
        return Err(of_certificate("証明書がありません".to_owned()));
    };
    let parsed = ParsedCertificate::try_from(own).map_err(|error| of_certificate(error.to_string()))?;
    for name in names {
        let shown = ServerName::try_from(name.as_str()).map_err(|error| of_certificate(error.to_string()))?;
        verify_server_name(&parsed, &shown)
            .map_err(|_| of_certificate(format!("{name} の証明書ではありません")))?;
    }
    let pem = std::fs::read(key).map(Zeroizing::new).map_err(|error| refused(key, error.to_string()))?;
    let key_der = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| refused(key, error.to_string()))?;
    let config =
        ServerConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(TlsTime(clock)))
            .with_protocol_versions(VERSIONS)?
            .with_no_client_auth()
            .with_single_cert(chain, key_der)
            .map_err(|error| of_certificate(error.to_string()))?;
    Ok(finished(config))
}
