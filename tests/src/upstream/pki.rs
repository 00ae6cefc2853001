//! Certificates for the TLS of the simulated central system: one private authority, the server's certificates (good and
//! bad ones), the facility's client certificate. ECDSA P-256, made anew on every start.

#![expect(clippy::expect_used, reason = "certificates made here from constants must come out")]

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Which certificate the server shows, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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
    /// For the right names, from an intermediate of the private authority that is not shown.
    IntermediateMissing,
    /// For the right names, issued by an ordinary certificate of the private authority.
    IssuerIsNoAuthority,
    /// For the right names, from an intermediate that may issue for other names only.
    OutsideNameConstraints,
    /// With the address as common name only, as certificates were made long ago.
    OnlyCommonName,
    /// For the right names, from the private authority, with a signature that is wrong by one bit.
    BrokenSignature,
}

impl ServerCertificate {
    /// Every one that must be refused.
    pub const BAD: [Self; 11] = [
        Self::WrongName,
        Self::OtherAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::ForClients,
        Self::SelfSigned,
        Self::IntermediateMissing,
        Self::IssuerIsNoAuthority,
        Self::OutsideNameConstraints,
        Self::OnlyCommonName,
        Self::BrokenSignature,
    ];
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

    /// A good certificate for another server on loopback.
    pub fn server_identity(&self) -> Identity {
        identity_for(
            &["localhost", "127.0.0.1"],
            &self.authority,
            ExtendedKeyUsagePurpose::ServerAuth,
            |_| {},
        )
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
        let (chain, key) = self.server(shown);
        let versions: &[&rustls::SupportedProtocolVersion] = match versions {
            TlsVersions::Both => rustls::ALL_VERSIONS,
            TlsVersions::Only12 => &[&rustls::version::TLS12],
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("ring has both versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .expect("key and certificate belong together");
        Arc::new(config)
    }

    /// Another client certificate of the facility, as it is issued for a renewal.
    pub fn renewed_client(&self, not_after: (i32, u8, u8)) -> Identity {
        identity(&self.authority, ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.distinguished_name.push(DnType::CommonName, "simulated facility 1399900001");
            params.not_after = date_time_ymd(not_after.0, not_after.1, not_after.2);
        })
    }

    /// Who issues the server's certificate, where that is not the authority itself.
    fn issuer(&self, shown: ServerCertificate) -> Option<CertifiedIssuer<'static, KeyPair>> {
        let below = |describe: &dyn Fn(&mut CertificateParams)| {
            let mut params = leaf(&[]);
            params.distinguished_name.push(DnType::CommonName, "simulated intermediate");
            describe(&mut params);
            let key = KeyPair::generate().expect("P-256 key");
            CertifiedIssuer::signed_by(params, key, self.authority.as_ref()).expect("intermediate")
        };
        let authorise = |params: &mut CertificateParams| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        };
        match shown {
            ServerCertificate::OtherAuthority => Some(authority()),
            ServerCertificate::IntermediateMissing => Some(below(&authorise)),
            ServerCertificate::IssuerIsNoAuthority => Some(below(&|_| {})),
            ServerCertificate::OutsideNameConstraints => Some(below(&|params| {
                authorise(params);
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![
                        GeneralSubtree::DnsName("elsewhere.invalid".to_owned()),
                        GeneralSubtree::IpAddress(CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0])),
                    ],
                    excluded_subtrees: Vec::new(),
                });
            })),
            ServerCertificate::Good
            | ServerCertificate::WrongName
            | ServerCertificate::Expired
            | ServerCertificate::NotYetValid
            | ServerCertificate::ForClients
            | ServerCertificate::SelfSigned
            | ServerCertificate::OnlyCommonName
            | ServerCertificate::BrokenSignature => None,
        }
    }

    fn server(&self, shown: ServerCertificate) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let other = self.issuer(shown);
        let issuer = other.as_ref().unwrap_or(self.authority.as_ref());
        let names: &[&str] = match shown {
            ServerCertificate::WrongName => &["elsewhere.invalid"],
            ServerCertificate::OnlyCommonName => &[],
            _ => &["localhost", "127.0.0.1"],
        };
        let mut params = leaf(names);
        let usage = if shown == ServerCertificate::ForClients {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        };
        params.extended_key_usages.push(usage);
        let common_name = match shown {
            ServerCertificate::OnlyCommonName => "127.0.0.1",
            _ => "simulated central system",
        };
        params.distinguished_name.push(DnType::CommonName, common_name);
        match shown {
            ServerCertificate::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            ServerCertificate::NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().expect("P-256 key");
        let certificate = if shown == ServerCertificate::SelfSigned {
            params.self_signed(&key).expect("certificate")
        } else {
            params.signed_by(&key, issuer).expect("certificate")
        };
        let mut der = certificate.der().to_vec();
        if shown == ServerCertificate::BrokenSignature
            && let Some(last) = der.last_mut()
        {
            *last ^= 1;
        }
        let mut chain = vec![CertificateDer::from(der)];
        if let Some(other) = other
            && !matches!(shown, ServerCertificate::OtherAuthority | ServerCertificate::IntermediateMissing)
        {
            chain.push(other.der().clone());
        }
        (chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
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
    identity_for(&[], issuer, usage, describe)
}

fn identity_for(
    names: &[&str],
    issuer: &CertifiedIssuer<'static, KeyPair>,
    usage: ExtendedKeyUsagePurpose,
    describe: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let mut params = leaf(names);
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
