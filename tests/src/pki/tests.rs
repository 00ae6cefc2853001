//! The synthetic certificates have the profile of real ones.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;

use super::*;

fn now() -> Timestamp {
    "2026-04-10T00:00:00Z".parse().unwrap()
}

fn persona(name: &str) -> &'static Persona {
    Personas::builtin().by_name(name).unwrap()
}

fn attributes(name: &x509_cert::name::Name) -> Vec<(String, String)> {
    name.iter()
        .map(|attribute| {
            (attribute.oid.to_string(), String::from_utf8_lossy(attribute.value.value()).into_owned())
        })
        .collect()
}

#[test]
fn a_user_authentication_certificate_has_the_real_profile() {
    let pki = CardPki::new();
    let identity = pki.identity(persona("taro"), now());
    let certificate = Certificate::from_der(&identity.certificate_der).unwrap();
    let tbs = certificate.tbs_certificate();

    let pair = |oid: &str, value: &str| (oid.to_owned(), value.to_owned());
    assert_eq!(
        attributes(tbs.issuer()),
        [
            pair("2.5.4.6", "JP"),
            pair("2.5.4.10", "JPKI-SIM (synthetic, for tests)"),
            pair("2.5.4.11", "JPKI for user authentication"),
            pair("2.5.4.11", "Japan Agency for Local Authority Information Systems"),
        ]
    );
    assert_eq!(attributes(tbs.subject()), [pair("2.5.4.6", "JP"), pair("2.5.4.3", &identity.subject_cn)]);
    assert_eq!(identity.subject_cn.len(), 23);
    assert!(identity.subject_cn.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));

    let extensions: Vec<_> =
        tbs.extensions().unwrap().iter().map(|e| (e.extn_id.to_string(), e.critical)).collect();
    let expected = [
        ("2.5.29.15", true),
        ("2.5.29.37", false),
        ("2.5.29.32", true),
        ("2.5.29.18", false),
        ("2.5.29.31", false),
        ("1.3.6.1.5.5.7.1.1", false),
        ("2.5.29.35", false),
        ("2.5.29.14", false),
    ];
    assert_eq!(extensions, expected.map(|(oid, critical)| (oid.to_owned(), critical)));
    let sha256_rsa = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
    assert_eq!(certificate.signature_algorithm().oid, sha256_rsa);
    assert!((3..=4).contains(&tbs.serial_number().as_bytes().len()));
}

/// The daemon's unit tests cannot reach this package: they carry a copy of one synthetic certificate.
#[test]
fn the_daemons_unit_tests_use_the_certificate_of_taro() {
    let copy = include_bytes!("../../../daemon/src/card/scripted.der");
    assert_eq!(CardPki::new().identity(persona("taro"), now()).certificate_der, copy);
}

#[test]
fn every_certificate_needs_seven_short_reads() {
    // Real ones are 1573 to 1590 bytes: six reads of 256 bytes are not enough, seven are.
    let pki = CardPki::new();
    for name in ["taro", "late-elderly", "iphone"] {
        let length = pki.identity(persona(name), now()).certificate_der.len();
        assert!((1560..=1600).contains(&length), "{name}: {length}");
    }
}

#[test]
fn a_certificate_ends_on_a_birthday_or_as_its_state_says() {
    let end = |name: &str| validity(persona(name), now()).1.to_string();
    assert_eq!(end("taro"), "2028-02-17T14:59:59");
    assert_eq!(end("hanako"), "2027-09-15T14:59:59");
    assert_eq!(end("iphone"), "2028-02-29T14:59:59");
    assert_eq!(end("infant"), "2031-03-10T14:59:59");
    assert_eq!(end("expires-soon"), "2026-05-20T14:59:59");
    assert_eq!(end("in-grace"), "2026-03-11T14:59:59");
    assert_eq!(end("past-grace"), "2025-09-22T14:59:59");
    for persona in Personas::builtin() {
        let (begin, _) = validity(persona, now());
        assert!(
            begin.date() >= persona.born() && begin.date() <= Date::constant(2026, 4, 10),
            "{}",
            persona.name
        );
    }
}

#[test]
fn a_signature_is_accepted_only_for_its_certificate_and_challenge() {
    let pki = CardPki::new();
    let (taro, hanako) = (pki.identity(persona("taro"), now()), pki.identity(persona("hanako"), now()));
    let signature = sign_padded(&taro.key, &digest_info(b"challenge")).unwrap();

    let accepted = pki.verify(&taro.certificate_der, b"challenge", &signature).unwrap();
    assert_eq!(pki.persona_of_subject_cn(&accepted.subject_cn), Some("taro"));
    assert_eq!(accepted.not_after, "2028-02-17T14:59:59Z".parse().unwrap());

    let refused =
        |certificate: &[u8], challenge: &[u8]| pki.verify(certificate, challenge, &signature).unwrap_err();
    assert_eq!(refused(&taro.certificate_der, b"other"), VerifyError::WrongSignature);
    assert_eq!(refused(&hanako.certificate_der, b"challenge"), VerifyError::WrongSignature);
    assert_eq!(refused(b"\x30\x00", b"challenge"), VerifyError::NotACertificate);
}

#[test]
fn a_certificate_of_another_issuer_or_with_a_changed_byte_is_not_trusted() {
    let pki = CardPki::new();
    let signature_side = pki.identity_of(Side::DigitalSignature, persona("taro"), now());
    assert_eq!(
        pki.read_certificate(&signature_side.certificate_der).unwrap_err(),
        VerifyError::UntrustedIssuer
    );
    let mut changed = pki.identity(persona("taro"), now()).certificate_der;
    let cn = subject_cn(Side::UserAuthentication, "taro");
    let at = changed.windows(cn.len()).position(|window| window == cn.as_bytes()).unwrap();
    changed[at] ^= 1;
    assert_eq!(pki.read_certificate(&changed).unwrap_err(), VerifyError::UntrustedIssuer);
}

#[test]
fn the_roots_are_self_signed_and_common_names_are_unique() {
    let pki = CardPki::new();
    for side in [Side::UserAuthentication, Side::DigitalSignature] {
        let root = Certificate::from_der(&pki.root_der_of(side)).unwrap();
        assert_eq!(root.tbs_certificate().issuer(), root.tbs_certificate().subject());
    }
    for persona in Personas::builtin() {
        let cn = subject_cn(Side::UserAuthentication, &persona.name);
        assert_eq!(pki.persona_of_subject_cn(&cn), Some(persona.name.as_str()));
    }
    assert_eq!(pki.persona_of_subject_cn("nobody"), None);
}
