//! TLS of the API's listener: TLS 1.3 and 1.2, a server certificate that renews itself, client certificates of the own authority
//! for those who have one.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, version};

use super::{VALIDITY, failed, issuer, leaf_params, limit};
use crate::app::ports::{CertificateAuthority, Clock, IssueError, Random};
use crate::system::TlsTime;

/// A server certificate with less than this left is replaced.
const RENEW_BEFORE_END: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why the listener has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authority's own certificate is not usable.
    #[error("認証局の証明書が使えません: {0}")]
    Authority(String),
    /// rustls refused the parts.
    #[error("TLSの設定を作れません: {0}")]
    Tls(#[from] rustls::Error),
    /// No server certificate could be made.
    #[error("サーバー証明書を作れません: {0}")]
    Issue(#[from] IssueError),
}

/// What the listener speaks. A client without a certificate still connects; one with a certificate that is not ours or has ended
/// does not.
pub fn server_config(
    authority: CertificateAuthority,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |reason: String| TlsError::Authority(reason);
    let root = CertificateDer::from_pem_slice(authority.certificate.as_bytes())
        .map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let now = clock.now();
    let shown = Shown::make(&authority, &provider, &*random, now)?;
    let server = Server {
        authority,
        provider: provider.clone(),
        clock: clock.clone(),
        random,
        shown: RwLock::new(shown),
    };
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(TlsTime(clock)))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(server));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would not look at the client's certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A server certificate with its key, which is never written down.
#[derive(Clone)]
struct Shown {
    made_at: Timestamp,
    ends_at: Timestamp,
    key: Arc<CertifiedKey>,
}

impl Shown {
    fn make(
        authority: &CertificateAuthority,
        provider: &CryptoProvider,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e))?;
        let mut params = leaf_params("shikakud", ExtendedKeyUsagePurpose::ServerAuth);
        let localhost = "localhost".try_into().map_err(|e| failed(&e))?;
        params.subject_alt_names = vec![
            SanType::DnsName(localhost),
            SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
            SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
        ];
        let ends_at = limit(&mut params, now, VALIDITY, random);
        let certificate = params.signed_by(&key, &issuer(authority)?).map_err(|e| failed(&e))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = CertifiedKey::from_der(vec![certificate.der().clone()], der, provider)?;
        Ok(Self { made_at: now, ends_at, key: Arc::new(key) })
    }

    /// Whether it serves at an instant; a clock that was set back before its making wants another one.
    fn serves(&self, now: Timestamp) -> bool {
        now >= self.made_at && self.ends_at.duration_since(now) > RENEW_BEFORE_END
    }
}

/// Shows the server certificate, and makes the next one before it ends.
struct Server {
    authority: CertificateAuthority,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    shown: RwLock<Shown>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl ResolvesServerCert for Server {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = self.clock.now();
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner).clone();
        if shown.serves(now) {
            return Some(shown.key);
        }
        match Shown::make(&self.authority, &self.provider, &*self.random, now) {
            Ok(next) => {
                *self.shown.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
                Some(next.key)
            }
            Err(error) => {
                tracing::error!(%error, "the server certificate could not be renewed");
                Some(shown.key)
            }
        }
    }
}
