//! TLS of the API's listeners: TLS 1.3 and 1.2, a server certificate that renews itself, client certificates of the own authority.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{
    ClientCertVerifierBuilder, ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::{VALIDITY, failed, issuer, leaf_params, limit};
use crate::app::ports::{CertificateAuthority, Clock, IssueError, Random};
use crate::local_network::LocalHost;
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
    /// A certificate that was given is not usable.
    #[error("証明書 {} か、その鍵が使えません: {reason}", file.display())]
    Given {
        /// Its file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// No server certificate could be made.
    #[error("サーバー証明書を作れません: {0}")]
    Issue(#[from] IssueError),
}

/// Whether a client without a certificate connects at all. One with a certificate that is not ours or has ended never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// It does.
    MayShow,
    /// It does not.
    MustShow,
    /// Nobody asks for one: browsers would ask their people.
    NeverAsked,
}

/// What a listener of these names speaks.
pub fn server_config(
    authority: CertificateAuthority,
    hosts: Vec<LocalHost>,
    clients: Clients,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let roots = roots(&authority)?;
    let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(TlsTime(clock.clone())))
        .with_protocol_versions(VERSIONS)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let verifier = match clients {
        Clients::MayShow => Some(verifier.allow_unauthenticated()),
        Clients::MustShow => Some(verifier),
        Clients::NeverAsked => None,
    };
    let builder = match verifier.map(ClientCertVerifierBuilder::build).transpose() {
        Ok(Some(verifier)) => builder.with_client_cert_verifier(verifier),
        Ok(None) => builder.with_no_client_auth(),
        Err(error) => return Err(TlsError::Authority(error.to_string())),
    };
    let now = clock.now();
    let shown = Shown::make(&authority, &hosts, &provider, &*random, now)?;
    shown.convinces(&hosts, roots, provider.clone(), now)?;
    let server = Server { authority, hosts, provider, clock, random, shown: RwLock::new(shown) };
    Ok(finished(builder.with_cert_resolver(Arc::new(server))))
}

pub(super) const VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// What every listener's TLS has in common.
pub(super) fn finished(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would not look at the client's certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// Whether a client that trusts the authority believes a certificate of it for all these hosts.
pub(super) fn reaches(
    authority: &CertificateAuthority,
    hosts: &[LocalHost],
    random: &dyn Random,
    now: Timestamp,
) -> Result<bool, IssueError> {
    let provider = Arc::new(ring::default_provider());
    let judged = Shown::make(authority, hosts, &provider, random, now)
        .and_then(|shown| shown.convinces(hosts, roots(authority)?, provider, now));
    match judged {
        Ok(()) => Ok(true),
        Err(TlsError::Issue(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

fn roots(authority: &CertificateAuthority) -> Result<Arc<RootCertStore>, TlsError> {
    let root = CertificateDer::from_pem_slice(authority.certificate.as_bytes())
        .map_err(|error| TlsError::Authority(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    Ok(Arc::new(roots))
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
        hosts: &[LocalHost],
        provider: &CryptoProvider,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e))?;
        let mut params = leaf_params("shikakud", ExtendedKeyUsagePurpose::ServerAuth);
        let alternative = |host: &LocalHost| match host {
            LocalHost::Name(name) => name.as_str().try_into().map(SanType::DnsName),
            LocalHost::Address(address) => Ok(SanType::IpAddress(*address)),
        };
        params.subject_alt_names =
            hosts.iter().map(alternative).collect::<Result<_, _>>().map_err(|e| failed(&e))?;
        let ends_at = limit(&mut params, now, VALIDITY, random);
        let certificate = params.signed_by(&key, &issuer(authority)?).map_err(|e| failed(&e))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = CertifiedKey::from_der(vec![certificate.der().clone()], der, provider)?;
        Ok(Self { made_at: now, ends_at, key: Arc::new(key) })
    }

    /// Makes sure that a client that trusts the authority believes every name: an authority that was made by another program
    /// may not sign for them, and every client would refuse what this listener shows.
    fn convinces(
        &self,
        hosts: &[LocalHost],
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
        now: Timestamp,
    ) -> Result<(), TlsError> {
        let unusable = |reason: String| TlsError::Authority(reason);
        let client = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let [certificate] = self.key.cert.as_slice() else {
            return Err(unusable("no certificate".to_owned()));
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().unsigned_abs()));
        for host in hosts {
            let name = match host {
                LocalHost::Name(name) => {
                    ServerName::try_from(name.as_str()).map_err(|error| unusable(error.to_string()))?
                }
                LocalHost::Address(address) => ServerName::from(*address),
            };
            client
                .verify_server_cert(certificate, &[], &name, &[], now)
                .map_err(|error| unusable(format!("{host}: {error}")))?;
        }
        Ok(())
    }

    /// Whether it serves at an instant; a clock that was set back before its making wants another one.
    fn serves(&self, now: Timestamp) -> bool {
        now >= self.made_at && self.ends_at.duration_since(now) > RENEW_BEFORE_END
    }
}

/// Shows the server certificate, and makes the next one before it ends.
struct Server {
    authority: CertificateAuthority,
    hosts: Vec<LocalHost>,
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
        match Shown::make(&self.authority, &self.hosts, &self.provider, &*self.random, now) {
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
