//! TLS with a certificate that somebody else made: for a name that browsers trust already.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;
use zeroize::Zeroizing;

use super::listener::{TlsError, VERSIONS, finished};
use crate::app::ports::{CertificateAuthority, Clock};
use crate::domain::upkeep::Validity;
use crate::system::TlsTime;

/// What a listener of these names speaks with a certificate and key of these files, both PEM. Asks nobody for a certificate. The
/// files are read once: whoever renews them restarts the daemon.
pub fn given_server_config(
    certificate: &Path,
    key: &Path,
    names: &[String],
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let of_certificate = |reason: String| refused(certificate, reason);
    let chain = chain(certificate)?;
    let own = own(certificate, &chain)?;
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

/// From when until when a listener can show a given certificate (PEM, the first of its file).
pub fn given_validity(certificate: &Path) -> Result<Validity, TlsError> {
    let chain = chain(certificate)?;
    validity(own(certificate, &chain)?).map_err(|reason| refused(certificate, reason))
}

/// The last instant of the daemon's own authority.
pub fn authority_ends(authority: &CertificateAuthority) -> Result<Timestamp, TlsError> {
    let unusable = |reason: String| TlsError::Authority(reason);
    let der = CertificateDer::from_pem_slice(authority.certificate.as_bytes())
        .map_err(|error| unusable(error.to_string()))?;
    Ok(validity(&der).map_err(unusable)?.not_after)
}

fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let instant = |time: Time| {
        let second = i64::try_from(time.to_unix_duration().as_secs()).ok();
        let instant = second.and_then(|second| Timestamp::from_second(second).ok());
        instant.ok_or_else(|| "有効期間を読めません".to_owned())
    };
    let validity = parsed.tbs_certificate().validity();
    Ok(Validity { not_before: instant(validity.not_before)?, not_after: instant(validity.not_after)? })
}

fn refused(file: &Path, reason: String) -> TlsError {
    TlsError::Given { file: file.to_owned(), reason }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| refused(file, error.to_string()))
}

fn own<'a>(
    file: &Path,
    chain: &'a [CertificateDer<'static>],
) -> Result<&'a CertificateDer<'static>, TlsError> {
    chain.first().ok_or_else(|| refused(file, "証明書がありません".to_owned()))
}
