//! Certificates for the TLS of the simulated central system: one private authority, the server's certificates (good and
//! bad ones), the facility's client certificate. ECDSA P-256, made anew on every start.

#![expect(clippy::expect_used, reason = "certificates made here from constants must come out")]

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Which certificate the server shows, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCertificate {
    /// For `localhost` and 127.0.0.1, from the private authority.
    Good,
    /// From the private authority, for another name.
    WrongName,
    /// For the right names, from another authority with the same name.
    OtherAuthority,
    /// For the right names, from the private authority, ended in 2020.
    Expired,
    /// For the right names, from the private authority, not valid before 2090.
    NotYetValid,
    /// For the right names, but made for clients.
    ForClients,
    /// For the right names, signed by itself.
    SelfSigned,
}

/// Which TLS versions the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.3 and 1.2.
    Both,
    /// 1.2 only.
    Only12,
}

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key, PKCS#8.
    pub key_pem: String,
    /// The certificate, DER.
    pub certificate_der: Vec<u8>,
}

/// The private authority of the simulated central system and what it has issued.
#[derive(Clone)]
pub struct TestPki {
    authority: Arc<CertifiedIssuer<'static, KeyPair>>,
    client: Identity,
}

impl Default for TestPki {
    fn default() -> Self {
        Self::new()
    }
}

impl TestPki {
    /// A new authority and a client certificate from it.
    pub fn new() -> Self {
        let authority = Arc::new(authority());
        let client = identity(&authority, ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.distinguished_name.push(DnType::CommonName, "simulated facility 1399900001");
        });
        Self { authority, client }
    }

    /// The authority's certificate, PEM.
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// The facility's client certificate.
    pub fn client(&self) -> &Identity {
        &self.client
    }

    /// A client certificate of the facility that ended in 2020.
    pub fn expired_client(&self) -> Identity {
        identity(&self.authority, ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.distinguished_name.push(DnType::CommonName, "simulated facility 1399900001");
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    }

    /// Settings of the server: a client certificate from the authority required.
    pub fn server_config(&self, shown: ServerCertificate, versions: TlsVersions) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("own root");
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("one root");
        let (certificate, key) = self.server(shown);
        let versions: &[&rustls::SupportedProtocolVersion] = match versions {
            TlsVersions::Both => rustls::ALL_VERSIONS,
            TlsVersions::Only12 => &[&rustls::version::TLS12],
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("ring has both versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate], key)
            .expect("key and certificate belong together");
        Arc::new(config)
    }

    fn server(&self, shown: ServerCertificate) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let other;
        let issuer = if shown == ServerCertificate::OtherAuthority {
            other = authority();
            &other
        } else {
            self.authority.as_ref()
        };
        let names: &[&str] = if shown == ServerCertificate::WrongName {
            &["elsewhere.invalid"]
        } else {
            &["localhost", "127.0.0.1"]
        };
        let mut params = leaf(names);
        let usage = if shown == ServerCertificate::ForClients {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        };
        params.extended_key_usages.push(usage);
        params.distinguished_name.push(DnType::CommonName, "simulated central system");
        match shown {
            ServerCertificate::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            ServerCertificate::NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            ServerCertificate::Good
            | ServerCertificate::WrongName
            | ServerCertificate::OtherAuthority
            | ServerCertificate::ForClients
            | ServerCertificate::SelfSigned => {}
        }
        let key = KeyPair::generate().expect("P-256 key");
        let certificate = if shown == ServerCertificate::SelfSigned {
            params.self_signed(&key).expect("certificate")
        } else {
            params.signed_by(&key, issuer).expect("certificate")
        };
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = leaf(&[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "simulated central system authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("P-256 key")).expect("authority")
}

fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Shikaku Bridge simulator, not real");
    params
}

fn identity(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    usage: ExtendedKeyUsagePurpose,
    describe: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let mut params = leaf(&[]);
    params.extended_key_usages.push(usage);
    describe(&mut params);
    let key = KeyPair::generate().expect("P-256 key");
    let certificate = params.signed_by(&key, issuer).expect("certificate");
    Identity {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        certificate_der: certificate.der().to_vec(),
    }
}
