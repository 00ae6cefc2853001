//! The certificate profile of the card's certificates (the user-authentication and the signature side), with every
//! name clearly synthetic: `O=JPKI-SIM (…)`, hosts under `.invalid`, the policy OIDs of the test system.

use jiff::civil::DateTime;
use rsa::RsaPublicKey;
use rsa::pkcs8::EncodePublicKey as _;
use sha2::{Digest as _, Sha256};

use super::der::{self, Attribute, OCTET_STRING, sequence, tlv};

/// Clearly not the real `JPKI`, and long enough to bring a certificate to the size of real ones (1573 to 1590 bytes).
const ORGANIZATION: &str = "JPKI-SIM (synthetic, for tests)";

/// Which of the two certificates of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// 利用者証明用: proves presence of the card; names nobody.
    UserAuthentication,
    /// 署名用: signs documents.
    DigitalSignature,
}

impl Side {
    /// Distinguished name of the certification authority: two organisational units, no common name.
    pub fn issuer(self) -> Vec<u8> {
        let purpose = match self {
            Self::UserAuthentication => "JPKI for user authentication",
            Self::DigitalSignature => "JPKI for digital signature",
        };
        der::name(&[
            (Attribute::Country, "JP"),
            (Attribute::Organization, ORGANIZATION),
            (Attribute::OrganizationalUnit, purpose),
            (Attribute::OrganizationalUnit, "Japan Agency for Local Authority Information Systems"),
        ])
    }

    /// Serial number of the certification authority's own certificate.
    pub fn root_serial(self) -> &'static [u8] {
        &[0x06, 0xD1, 0x80, 0x5A]
    }

    /// Last arc of the policy OID `1.2.392.200149.8.5.1.0.…` of the test system. The policies of phones are not public:
    /// theirs here are invented.
    fn policy(self, on_phone: bool) -> u32 {
        match (self, on_phone) {
            (Self::UserAuthentication, false) => 30,
            (Self::DigitalSignature, false) => 20,
            (Self::UserAuthentication, true) => 93,
            (Self::DigitalSignature, true) => 92,
        }
    }
}

/// What differs between two certificates of the same side.
pub struct Subject<'a> {
    /// Common name.
    pub common_name: &'a str,
    /// Three or four bytes.
    pub serial: &'a [u8],
    /// Begin of validity, UTC.
    pub not_before: DateTime,
    /// End of validity, UTC.
    pub not_after: DateTime,
    /// Whether the certificate lives on a phone.
    pub on_phone: bool,
}

/// Key identifier: the first 160 bits of SHA-256 of the key (RFC 7093, method 1).
pub fn key_identifier(key: &RsaPublicKey) -> Vec<u8> {
    let digest = Sha256::digest(public_key_info(key));
    digest.iter().copied().take(20).collect()
}

/// `SubjectPublicKeyInfo`.
fn public_key_info(key: &RsaPublicKey) -> Vec<u8> {
    key.to_public_key_der().map(|document| document.as_bytes().to_vec()).unwrap_or_default()
}

/// `AlgorithmIdentifier` sha256WithRSAEncryption.
pub fn sha256_with_rsa() -> Vec<u8> {
    sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 11]), &der::null()])
}

/// The part to be signed of a person's certificate.
pub fn leaf(side: Side, subject: &Subject<'_>, key: &RsaPublicKey, issuer_key: &RsaPublicKey) -> Vec<u8> {
    let common_name = der::name(&[(Attribute::Country, "JP"), (Attribute::CommonName, subject.common_name)]);
    tbs(side, subject, &common_name, key, &leaf_extensions(side, subject, key, issuer_key))
}

/// The part to be signed of a self-signed certification authority.
pub fn root(side: Side, subject: &Subject<'_>, key: &RsaPublicKey) -> Vec<u8> {
    // keyCertSign and cRLSign.
    let usage = extension(&[2, 5, 29, 15], true, &tlv(0x03, &[&[1, 0x06]]));
    let basic = extension(&[2, 5, 29, 19], true, &sequence(&[&der::boolean_true()]));
    let identifier = extension(&[2, 5, 29, 14], false, &tlv(OCTET_STRING, &[&key_identifier(key)]));
    tbs(side, subject, &side.issuer(), key, &[usage, basic, identifier].concat())
}

fn tbs(side: Side, subject: &Subject<'_>, name: &[u8], key: &RsaPublicKey, extensions: &[u8]) -> Vec<u8> {
    let version_3 = tlv(0xA0, &[&der::integer(&[2])]);
    let validity = sequence(&[&der::utc_time(subject.not_before), &der::utc_time(subject.not_after)]);
    sequence(&[
        &version_3,
        &der::integer(subject.serial),
        &sha256_with_rsa(),
        &side.issuer(),
        &validity,
        name,
        &public_key_info(key),
        &tlv(0xA3, &[&sequence(&[extensions])]),
    ])
}

fn extension(oid: &[u32], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { der::boolean_true() } else { Vec::new() };
    sequence(&[&der::oid(oid), &critical, &tlv(OCTET_STRING, &[value])])
}

/// The extensions in the order of real certificates; there is no basicConstraints.
fn leaf_extensions(
    side: Side,
    subject: &Subject<'_>,
    key: &RsaPublicKey,
    issuer_key: &RsaPublicKey,
) -> Vec<u8> {
    // digitalSignature; the signature side also promises contentCommitment.
    let usage_bits: &[u8] = if side == Side::UserAuthentication { &[7, 0x80] } else { &[6, 0xC0] };
    let usage = extension(&[2, 5, 29, 15], true, &tlv(0x03, &[usage_bits]));
    let client_auth = der::oid(&[1, 3, 6, 1, 5, 5, 7, 3, 2]);
    let extended = match side {
        Side::UserAuthentication => extension(&[2, 5, 29, 37], false, &sequence(&[&client_auth])),
        Side::DigitalSignature => Vec::new(),
    };
    [
        usage,
        extended,
        extension(&[2, 5, 29, 32], true, &policies(side, subject.on_phone)),
        extension(&[2, 5, 29, 18], false, &sequence(&[&directory_name(&issuer_alternative_name())])),
        extension(&[2, 5, 29, 31], false, &distribution_points(side)),
        extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], false, &ocsp_access()),
        extension(&[2, 5, 29, 35], false, &authority_key_identifier(side, issuer_key)),
        extension(&[2, 5, 29, 14], false, &tlv(OCTET_STRING, &[&key_identifier(key)])),
    ]
    .concat()
}

/// `GeneralName` directoryName.
fn directory_name(name: &[u8]) -> Vec<u8> {
    tlv(0xA4, &[name])
}

fn issuer_alternative_name() -> Vec<u8> {
    der::name(&[
        (Attribute::Country, "JP"),
        (Attribute::Organization, "公的個人認証サービス（模擬・試験用）"),
    ])
}

fn policies(side: Side, on_phone: bool) -> Vec<u8> {
    let practice_statement = sequence(&[
        &der::oid(&[1, 3, 6, 1, 5, 5, 7, 2, 1]),
        &tlv(0x16, &[b"http://www.jpki-sim.invalid/cps.html"]),
    ]);
    let policy = der::oid(&[1, 2, 392, 200_149, 8, 5, 1, 0, side.policy(on_phone)]);
    sequence(&[&sequence(&[&policy, &sequence(&[&practice_statement])])])
}

fn distribution_points(side: Side) -> Vec<u8> {
    let purpose = match side {
        Side::UserAuthentication => "JPKI for user authentication",
        Side::DigitalSignature => "JPKI for digital signature",
    };
    let name = der::name(&[
        (Attribute::Country, "JP"),
        (Attribute::Organization, ORGANIZATION),
        (Attribute::OrganizationalUnit, purpose),
        (Attribute::OrganizationalUnit, "CRL Distribution Points"),
        (Attribute::OrganizationalUnit, "Tokyo-to"),
        (Attribute::CommonName, "Kaku-shi CRLDP"),
    ]);
    // DistributionPoint → distributionPoint [0] → fullName [0] → directoryName.
    let full_name = tlv(0xA0, &[&directory_name(&name)]);
    sequence(&[&sequence(&[&tlv(0xA0, &[&full_name])])])
}

fn ocsp_access() -> Vec<u8> {
    let method = der::oid(&[1, 3, 6, 1, 5, 5, 7, 48, 1]);
    sequence(&[&sequence(&[&method, &tlv(0x86, &[b"http://ocspauthnorm.jpki-sim.invalid"])])])
}

fn authority_key_identifier(side: Side, issuer_key: &RsaPublicKey) -> Vec<u8> {
    sequence(&[
        &tlv(0x80, &[&key_identifier(issuer_key)]),
        &tlv(0xA1, &[&directory_name(&side.issuer())]),
        &tlv(0x82, &[side.root_serial()]),
    ])
}
