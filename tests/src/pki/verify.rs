//! What the simulated central system checks: the chain of a card's certificate, and its signature over a challenge.

use jiff::Timestamp;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

use super::{CardPki, digest_info, profile};

/// Why a certificate or signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a certificate of the expected form.
    #[error("not an X.509 certificate with an RSA key and a common name")]
    NotACertificate,
    /// Issued by somebody else: key identifier or signature do not fit.
    #[error("not issued by the synthetic certification authority")]
    UntrustedIssuer,
    /// The challenge was not signed by the certificate's key.
    #[error("the signature does not fit certificate and challenge")]
    WrongSignature,
}

/// A certificate whose issuer has been checked.
#[derive(Debug, Clone)]
pub struct CardholderCertificate {
    /// Common name of the subject: see [`CardPki::persona_of_subject_cn`].
    pub subject_cn: String,
    /// Last instant of validity. An ended certificate is still read: grace is for the caller to decide.
    pub not_after: Timestamp,
    key: RsaPublicKey,
}

impl CardPki {
    /// Reads a user-authentication certificate and checks that the synthetic authority issued it (by key identifier
    /// and signature, never by name: real generations share one name).
    pub fn read_certificate(&self, der: &[u8]) -> Result<CardholderCertificate, VerifyError> {
        let certificate = Certificate::from_der(der).map_err(|_| VerifyError::NotACertificate)?;
        self.check_issuer(&certificate)?;
        let tbs = certificate.tbs_certificate();
        let common_name = tbs.subject().common_name().ok().flatten().ok_or(VerifyError::NotACertificate)?;
        let key = tbs.subject_public_key_info().to_der().map_err(|_| VerifyError::NotACertificate)?;
        let seconds = tbs.validity().not_after.to_unix_duration().as_secs();
        let not_after = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(CardholderCertificate {
            subject_cn: common_name.value().into_owned(),
            not_after: not_after.ok_or(VerifyError::NotACertificate)?,
            key: RsaPublicKey::from_public_key_der(&key).map_err(|_| VerifyError::NotACertificate)?,
        })
    }

    /// Checks certificate and signature: RSASSA-PKCS1-v1_5 with SHA-256 over `challenge`.
    pub fn verify(
        &self,
        certificate_der: &[u8],
        challenge: &[u8],
        signature: &[u8],
    ) -> Result<CardholderCertificate, VerifyError> {
        let certificate = self.read_certificate(certificate_der)?;
        certificate.verify(challenge, signature)?;
        Ok(certificate)
    }

    fn check_issuer(&self, certificate: &Certificate) -> Result<(), VerifyError> {
        let root = self.root_key();
        let tbs = certificate.tbs_certificate();
        let identifier = tbs
            .get_extension::<AuthorityKeyIdentifier>()
            .ok()
            .flatten()
            .and_then(|(_, identifier)| identifier.key_identifier)
            .ok_or(VerifyError::UntrustedIssuer)?;
        if identifier.as_bytes() != profile::key_identifier(&root) {
            return Err(VerifyError::UntrustedIssuer);
        }
        let signed = tbs.to_der().map_err(|_| VerifyError::NotACertificate)?;
        root.verify(
            Pkcs1v15Sign::new_unprefixed(),
            &digest_info(&signed),
            certificate.signature().raw_bytes(),
        )
        .map_err(|_| VerifyError::UntrustedIssuer)
    }
}

impl CardholderCertificate {
    /// Checks the card's signature over a challenge.
    pub fn verify(&self, challenge: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        self.key
            .verify(Pkcs1v15Sign::new_unprefixed(), &digest_info(challenge), signature)
            .map_err(|_| VerifyError::WrongSignature)
    }
}
