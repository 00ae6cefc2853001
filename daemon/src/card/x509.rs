//! Reads from a user-authentication certificate what staff need to know: validity, who issued it, and whether it is one of a
//! plastic card. Nothing that names or numbers its holder leaves this module, and no signature is checked: whether a
//! certificate is accepted is for the central system to decide.

use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::OctetString;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CertificatePolicies};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use crate::domain::certificate::{CertificateFacts, Generation};

/// One generation of the certification authority 「JPKI for user authentication」. All share one name, so a certificate names
/// its issuer by the key identifier (of the authority's published certificate), else by the serial number beside it.
struct Authority {
    generation: Generation,
    key_identifier: Option<[u8; 20]>,
    serial: &'static [u8],
}

/// Key identifiers from the authorities' own certificates (published by J-LIS; taken from jpki/myna, `src/ta`). The second
/// generation's is not in a source we have read; its serial number is.
const AUTHORITIES: [Authority; 3] = [
    Authority {
        generation: Generation::First,
        key_identifier: Some([
            0x95, 0x67, 0x95, 0x1B, 0x5C, 0xA7, 0x0D, 0x84, 0xA0, 0xFF, 0xF1, 0xD8, 0x5A, 0x87, 0xF1, 0xAA,
            0xB1, 0x34, 0x03, 0x85,
        ]),
        serial: &[0x01],
    },
    Authority { generation: Generation::Second, key_identifier: None, serial: &[0x01, 0x33, 0xC3, 0x49] },
    Authority {
        generation: Generation::Third,
        key_identifier: Some([
            0x1A, 0xC1, 0x00, 0xF5, 0x96, 0xA3, 0xBC, 0x8C, 0x4B, 0x3D, 0xF1, 0x95, 0xE3, 0x26, 0x99, 0x24,
            0x9E, 0x9E, 0x30, 0x8A,
        ]),
        serial: &[0x06, 0xD1, 0x80, 0x06],
    },
];

/// Certificate policies of the plastic card's user-authentication certificate: of the real and of the test system.
const PLASTIC: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.392.200149.8.5.1.3.30"),
    ObjectIdentifier::new_unwrap("1.2.392.200149.8.5.1.0.30"),
];

/// The bytes are not an X.509 certificate with a validity that a calendar can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct Malformed;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What staff need to know.
    pub facts: CertificateFacts,
    /// Whether its policy is that of a plastic card. Policies of phones are not public, so any other may be a phone's.
    pub is_plastic: bool,
}

/// Reads a certificate. Total: any bytes give an answer.
pub fn read(der: &[u8]) -> Result<Reading, Malformed> {
    let certificate = Certificate::from_der(der).map_err(|_| Malformed)?;
    let tbs = certificate.tbs_certificate();
    let identifier = tbs.get_extension::<AuthorityKeyIdentifier>().map_err(|_| Malformed)?;
    let policies = tbs.get_extension::<CertificatePolicies>().map_err(|_| Malformed)?;
    let is_plastic = policies.is_some_and(|(_, policies)| {
        policies.0.iter().any(|policy| PLASTIC.contains(&policy.policy_identifier))
    });
    let facts = CertificateFacts {
        not_before: instant(tbs.validity().not_before)?,
        not_after: instant(tbs.validity().not_after)?,
        issuer: identifier.and_then(|(_, identifier)| generation(&identifier)),
    };
    Ok(Reading { facts, is_plastic })
}

fn instant(time: Time) -> Result<Timestamp, Malformed> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| Malformed)?;
    Timestamp::from_second(seconds).map_err(|_| Malformed)
}

fn generation(identifier: &AuthorityKeyIdentifier) -> Option<Generation> {
    let key = identifier.key_identifier.as_ref().map(OctetString::as_bytes);
    let serial = identifier.authority_cert_serial_number.as_ref().map(SerialNumber::as_bytes);
    let fits = |authority: &&Authority| match authority.key_identifier {
        Some(known) => key == Some(known.as_slice()),
        None => serial == Some(authority.serial),
    };
    AUTHORITIES.iter().find(fits).map(|authority| authority.generation)
}

#[cfg(test)]
mod tests {
    use super::super::scripted::CERTIFICATE;
    use super::*;

    fn identifier(key: Option<&[u8]>, serial: Option<&[u8]>) -> AuthorityKeyIdentifier {
        AuthorityKeyIdentifier {
            key_identifier: key.map(|key| OctetString::new(key).unwrap()),
            authority_cert_issuer: None,
            authority_cert_serial_number: serial.map(|serial| SerialNumber::new(serial).unwrap()),
        }
    }

    #[test]
    fn the_issuer_is_known_by_key_identifier_and_where_that_is_not_known_by_serial_number() {
        let [first, second, third] = &AUTHORITIES;
        for authority in [first, third] {
            let key = authority.key_identifier.unwrap();
            let known = identifier(Some(&key), None);
            assert_eq!(generation(&known), Some(authority.generation));
            // Another key under a known serial number is another authority.
            let other = identifier(Some(&[7; 20]), Some(authority.serial));
            assert_eq!(generation(&other), None);
        }
        assert_eq!(generation(&identifier(Some(&[7; 20]), Some(second.serial))), Some(Generation::Second));
        assert_eq!(generation(&identifier(None, None)), None);
    }

    #[test]
    fn a_certificate_is_read_and_nothing_else_passes() {
        let reading = read(CERTIFICATE).unwrap();
        assert_eq!(reading.facts.not_after, "2028-02-17T14:59:59Z".parse().unwrap());
        assert!(reading.facts.not_before < reading.facts.not_after);
        // The synthetic authority is none of the known ones.
        assert_eq!((reading.facts.issuer, reading.is_plastic), (None, true));

        for length in 0..CERTIFICATE.len() {
            assert_eq!(read(&CERTIFICATE[..length]), Err(Malformed), "{length} bytes");
        }
        assert_eq!(read(&[CERTIFICATE, &[0]].concat()), Err(Malformed), "nothing may follow");
        assert_eq!(read(b"\x30\x03\x02\x01\x00"), Err(Malformed));
    }

    /// Any single byte may be wrong: the answer is an error or facts, never a panic.
    #[test]
    fn damaged_certificates_never_panic() {
        let mut damaged = CERTIFICATE.to_vec();
        for index in 0..damaged.len() {
            for wrong in [0x00, 0x7F, 0x80, 0xFF] {
                let right = std::mem::replace(&mut damaged[index], wrong);
                let _ = read(&damaged);
                damaged[index] = right;
            }
        }
    }
}
