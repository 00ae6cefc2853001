//! Certificate requests (PKCS#10, RFC 2986): what a machine sends, of which only the public key is taken.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateSigningRequestDer, alg_id};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::request::CertReq;
use zeroize::Zeroizing;

use super::{failed, name};
use crate::app::ports::IssueError;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// The public key of a request: an uncompressed point of P-256.
pub(super) struct RequestedKey(Vec<u8>);

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// Reads a request in PEM; `None` if it is none, its key is not of P-256, or it was not signed with that key.
pub(super) fn requested_key(pem: &str) -> Option<RequestedKey> {
    let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).ok()?;
    let request = CertReq::from_der(&der).ok()?;
    let key = &request.info.public_key;
    let curve = key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()?;
    if key.algorithm.oid != EC_PUBLIC_KEY || curve != P256 || request.algorithm.oid != ECDSA_WITH_SHA256 {
        return None;
    }
    let point = key.subject_public_key.as_bytes()?;
    let signed = request.info.to_der().ok()?;
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let p256 = algorithms.iter().find(|algorithm| {
        algorithm.public_key_alg_id() == alg_id::ECDSA_P256
            && algorithm.signature_alg_id() == alg_id::ECDSA_SHA256
    })?;
    p256.verify_signature(point, &signed, request.signature.as_bytes()?).ok()?;
    Some(RequestedKey(point.to_vec()))
}

/// A new P-256 key (PKCS#8) and a request for its certificate, both PEM: for a machine that cannot make its own.
pub fn new_key(account: &str) -> Result<(Zeroizing<String>, String), IssueError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name(account);
    let request = params.serialize_request(&key).and_then(|request| request.pem()).map_err(|e| failed(&e))?;
    Ok((Zeroizing::new(key.serialize_pem()), request))
}

#[cfg(test)]
mod tests {
    use rcgen::PKCS_ECDSA_P384_SHA384;

    use super::*;

    fn request(key: &KeyPair) -> String {
        CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
    }

    #[test]
    fn only_a_p256_request_signed_with_its_own_key_is_read() {
        let key = KeyPair::generate().unwrap();
        let good = request(&key);
        assert_eq!(requested_key(&good).unwrap().der_bytes(), key.der_bytes());
        let der = CertificateSigningRequestDer::from_pem_slice(good.as_bytes()).unwrap();
        for index in 0..der.len() {
            let mut changed = der.to_vec();
            changed[index] ^= 1;
            let text = data_encoding::BASE64.encode(&changed);
            let pem =
                format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n");
            assert!(requested_key(&pem).is_none(), "byte {index}");
        }
        let other_curve = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        assert!(requested_key(&request(&other_curve)).is_none());
        for text in ["", "x", &good[..good.len() / 2], &good.replace("REQUEST", "OTHER")] {
            assert!(requested_key(text).is_none());
        }
    }
}
