//! The daemon's own certificate authority and the TLS of the API's listener: the adapter behind [`CertificateIssuer`].
//!
//! ECDSA P-256 throughout. The authority may sign for loopback and for a clinic's own network only, and for no further authority. Keys are
//! drawn by ring itself, which takes no other source of randomness; serial numbers come from the port. Knows nothing of
//! accounts, storage or HTTP.

mod convinced;
mod given;
mod listener;
mod request;

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use convinced::convinces_at;
pub use given::{authority_ends, given_server_config, given_validity};
pub use listener::{Clients, TlsError, server_config};
pub use request::new_key;

use crate::app::ports::{
    CertificateAuthority, CertificateIssuer, IssueError, IssuedCertificate, Random, random_bytes,
};
use crate::local_network::{DOMAINS, LocalHost, NETWORKS_V4, NETWORKS_V6};

/// Certificates begin a little before they are made: clocks of two machines never agree.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);
/// From beginning to end, so that no certificate is valid for more than 397 days.
const VALIDITY: SignedDuration = SignedDuration::from_hours(397 * 24 - 1);
/// Longer than the computer it runs on lives.
const AUTHORITY_VALIDITY: SignedDuration = SignedDuration::from_hours(20 * 365 * 24);

/// Makes authorities and certificates.
pub struct Certificates {
    random: Arc<dyn Random>,
}

impl Certificates {
    /// Takes serial numbers from `random`.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self { random }
    }
}

impl Certificates {
    fn certify(
        &self,
        key: &KeyPair,
        mut params: CertificateParams,
        now: Timestamp,
    ) -> Result<CertificateAuthority, IssueError> {
        limit(&mut params, now, AUTHORITY_VALIDITY, &*self.random);
        let certificate = params.self_signed(key).map_err(|e| failed(&e))?;
        Ok(CertificateAuthority {
            fingerprint: Sha256::digest(certificate.der()).into(),
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_der()),
        })
    }
}

impl CertificateIssuer for Certificates {
    fn new_authority(&self, now: Timestamp) -> Result<CertificateAuthority, IssueError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e))?;
        self.certify(&key, authority_params(&key), now)
    }

    fn reaches(
        &self,
        authority: &CertificateAuthority,
        hosts: &[LocalHost],
        now: Timestamp,
    ) -> Result<bool, IssueError> {
        listener::reaches(authority, hosts, &*self.random, now)
    }

    fn certify_anew(
        &self,
        authority: &CertificateAuthority,
        now: Timestamp,
    ) -> Result<CertificateAuthority, IssueError> {
        let key = key_of(authority)?;
        self.certify(&key, authority_params(&key), now)
    }

    fn issue(
        &self,
        authority: &CertificateAuthority,
        account: &str,
        request: &str,
        now: Timestamp,
    ) -> Result<IssuedCertificate, IssueError> {
        let key = request::requested_key(request).ok_or(IssueError::Request)?;
        let mut params = leaf_params(account, ExtendedKeyUsagePurpose::ClientAuth);
        let ends_at = limit(&mut params, now, VALIDITY, &*self.random);
        let certificate = params.signed_by(&key, &issuer(authority)?).map_err(|e| failed(&e))?;
        let fingerprint = Sha256::digest(certificate.der()).into();
        Ok(IssuedCertificate { certificate: certificate.pem(), fingerprint, ends_at })
    }
}

fn failed(error: &rcgen::Error) -> IssueError {
    IssueError::Failed(error.to_string())
}

/// The authority as a signer. Its parameters are the same whenever they are made from the same key.
fn issuer(authority: &CertificateAuthority) -> Result<Issuer<'static, KeyPair>, IssueError> {
    let key = key_of(authority)?;
    Ok(Issuer::new(authority_params(&key), key))
}

fn key_of(authority: &CertificateAuthority) -> Result<KeyPair, IssueError> {
    let der = PrivatePkcs8KeyDer::from(authority.key.as_slice());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e))
}

fn authority_params(key: &KeyPair) -> CertificateParams {
    // A client may trust the authorities of several machines: each has a name of its own.
    let mark = Sha256::digest(key.der_bytes());
    let mark = data_encoding::HEXLOWER.encode(mark.get(..4).unwrap_or_default());
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Shikaku Bridge authority");
    params.distinguished_name.push(DnType::OrganizationalUnitName, mark);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: local_subtrees(), excluded_subtrees: Vec::new() });
    params
}

/// Everything that belongs to this machine or to a clinic's own network, and nothing else.
fn local_subtrees() -> Vec<GeneralSubtree> {
    let names = iter::once("localhost").chain(DOMAINS.iter().copied());
    let names = names.map(|name| GeneralSubtree::DnsName(name.to_owned()));
    let v4 = NETWORKS_V4.iter().map(|(net, prefix)| CidrSubnet::from_v4_prefix(net.octets(), *prefix));
    let v6 = NETWORKS_V6.iter().map(|(net, prefix)| CidrSubnet::from_v6_prefix(net.octets(), *prefix));
    names.chain(v4.chain(v6).map(GeneralSubtree::IpAddress)).collect()
}

fn leaf_params(subject: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(subject);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Shikaku Bridge");
    name.push(DnType::CommonName, common);
    name
}

/// Sets begin, end and serial number; returns the end, to the second.
fn limit(
    params: &mut CertificateParams,
    now: Timestamp,
    validity: SignedDuration,
    random: &dyn Random,
) -> Timestamp {
    let begins = now.checked_sub(BACKDATED).unwrap_or(Timestamp::MIN).as_second().max(0);
    let ends = begins.saturating_add(validity.as_secs());
    let instant = |second: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(second.unsigned_abs());
    params.not_before = instant(begins);
    params.not_after = instant(ends);
    let mut serial: [u8; 16] = random_bytes(random);
    // A positive number of full length.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Timestamp::from_second(ends).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::OsRandom;

    /// As an earlier version made it: for this machine alone.
    fn narrow(certificates: &Certificates, now: Timestamp) -> CertificateAuthority {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = authority_params(&key);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("localhost".to_owned())],
            excluded_subtrees: Vec::new(),
        });
        certificates.certify(&key, params, now).unwrap()
    }

    #[test]
    fn an_authority_for_fewer_names_is_certified_anew_and_keeps_its_key() {
        let certificates = Certificates::new(Arc::new(OsRandom));
        let now: Timestamp = "2026-07-08T03:00:00Z".parse().unwrap();
        let old = narrow(&certificates, now);
        let loopback = [LocalHost::Name("localhost".to_owned())];
        let page = [LocalHost::parse("uketsuke.local").unwrap(), LocalHost::parse("192.168.0.10").unwrap()];
        let reaches = |authority: &CertificateAuthority, hosts: &[LocalHost]| {
            certificates.reaches(authority, hosts, now).unwrap()
        };
        assert!(reaches(&old, &loopback) && !reaches(&old, &page));
        let anew = certificates.certify_anew(&old, now).unwrap();
        assert!(reaches(&anew, &loopback) && reaches(&anew, &page));
        assert_eq!(anew.key, old.key);
        assert_ne!(anew.fingerprint, old.fingerprint);
        // Whoever trusts the older certificate still believes what the key signs, as far as that one reached.
        let mixed = CertificateAuthority { certificate: old.certificate.clone(), ..anew };
        assert!(reaches(&mixed, &loopback) && !reaches(&mixed, &page));
    }
}
