//! A receipt computer that nobody sits at: its key, its certificate request, and how it connects.

use std::sync::Arc;

use daemon::app::ports::Clock;
use daemon::system::TlsTime;
use rcgen::{CertificateParams, DnType, KeyPair, SignatureAlgorithm};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};

/// A key that a receipt computer has made, as its operating system would keep it.
pub struct MachineKey(KeyPair);

impl Default for MachineKey {
    fn default() -> Self {
        Self(KeyPair::generate().expect("a P-256 key"))
    }
}

impl MachineKey {
    /// A key of another kind.
    pub fn of(algorithm: &'static SignatureAlgorithm) -> Self {
        Self(KeyPair::generate_for(algorithm).expect("a key"))
    }

    /// A certificate request in PEM that asks for more than it will get.
    pub fn request(&self) -> String {
        let mut params = CertificateParams::new(vec!["example.com".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, "administrator");
        params.serialize_request(&self.0).expect("a request").pem().expect("PEM")
    }

    fn der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.serialize_der()))
    }
}

/// How a client connects that trusts this authority and nothing else; with a certificate (PEM) and its key, if it has one.
pub fn client_tls(
    authority: &str,
    identity: Option<(&str, &MachineKey)>,
    clock: Arc<dyn Clock>,
) -> Arc<ClientConfig> {
    let read = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(read(authority)).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(TlsTime(clock)))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots);
    Arc::new(match identity {
        Some((certificate, key)) => {
            builder.with_client_auth_cert(vec![read(certificate)], key.der()).expect("a key that fits")
        }
        None => builder.with_no_client_auth(),
    })
}
