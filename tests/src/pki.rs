//! The synthetic public-key infrastructure of the simulated cards: certification authorities, one identity per persona
//! and side, and the checks the simulated central system makes.
//!
//! Every key is generated from a fixed label, so that separate processes (card, central system) agree without sharing
//! files. The keys are therefore public: nothing here may ever be trusted outside tests and the sandbox.

#![expect(clippy::expect_used, reason = "keys and certificates made here from constants must come out")]

pub mod der;
mod profile;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::civil::{Date, DateTime, time};
use jiff::{Timestamp, ToSpan as _};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};

use crate::personas::{CertificateState, Persona, Personas, Token};
pub use profile::Side;
use profile::Subject;
pub use verify::{CardholderCertificate, VerifyError};

/// The simulated JPKI. Cheap to make and to clone; keys are generated on first use and kept for the process.
#[derive(Debug, Clone, Default)]
pub struct CardPki(());

/// A persona's key and certificate of one side.
#[derive(Clone)]
pub struct CardIdentity {
    /// The certificate, DER.
    pub certificate_der: Vec<u8>,
    /// The private key.
    pub key: Arc<RsaPrivateKey>,
    /// Common name of the subject.
    pub subject_cn: String,
}

impl CardPki {
    /// The one synthetic JPKI: every instance in every process has the same keys.
    pub fn new() -> Self {
        Self(())
    }

    /// The self-signed certification authority for user authentication, DER.
    pub fn root_der(&self) -> Vec<u8> {
        self.root_der_of(Side::UserAuthentication)
    }

    /// The self-signed certification authority of a side, DER.
    pub fn root_der_of(&self, side: Side) -> Vec<u8> {
        let key = root_key(side);
        let subject = Subject {
            common_name: "",
            serial: side.root_serial(),
            not_before: DateTime::constant(2023, 7, 16, 0, 0, 0, 0),
            not_after: DateTime::constant(2049, 7, 15, 14, 59, 59, 0),
            on_phone: false,
        };
        signed(&profile::root(side, &subject, &key.to_public_key()), &key)
    }

    /// The public key that user-authentication certificates are signed with.
    pub fn root_key(&self) -> RsaPublicKey {
        root_key(Side::UserAuthentication).to_public_key()
    }

    /// A persona's user-authentication identity as of `now`: the certificate's validity lies around it as the
    /// persona's certificate state says; the key never changes.
    pub fn identity(&self, persona: &Persona, now: Timestamp) -> CardIdentity {
        self.identity_of(Side::UserAuthentication, persona, now)
    }

    /// A persona's identity of one side as of `now`.
    pub fn identity_of(&self, side: Side, persona: &Persona, now: Timestamp) -> CardIdentity {
        let key = key(&format!("{side:?} {}", persona.name));
        let issuer = root_key(side);
        let subject_cn = subject_cn(side, &persona.name);
        let (not_before, not_after) = validity(persona, now);
        let digest = Sha256::digest(format!("serial {side:?} {}", persona.name));
        let serial = [0x01 | digest[0] & 0x07, digest[1], digest[2], digest[3]];
        let on_phone = persona.card.token != Token::Plastic;
        let subject = Subject { common_name: &subject_cn, serial: &serial, not_before, not_after, on_phone };
        let tbs = profile::leaf(side, &subject, &key.to_public_key(), &issuer.to_public_key());
        CardIdentity { certificate_der: signed(&tbs, &issuer), key, subject_cn }
    }

    /// The persona whose user-authentication certificate has this common name.
    pub fn persona_of_subject_cn(&self, cn: &str) -> Option<&'static str> {
        let is_subject = |persona: &&Persona| subject_cn(Side::UserAuthentication, &persona.name) == cn;
        Personas::builtin().iter().find(is_subject).map(|persona| persona.name.as_str())
    }
}

/// Bare RSASSA-PKCS1-v1_5 (pad, then exponentiate) over bytes that already are a DigestInfo, or whatever the caller
/// wants: the card does not look at them. `None` above 245 bytes.
pub fn sign_padded(key: &RsaPrivateKey, bytes: &[u8]) -> Option<Vec<u8>> {
    key.sign(Pkcs1v15Sign::new_unprefixed(), bytes).ok()
}

/// DigestInfo with the SHA-256 of a message: the 51 bytes a card is given to sign.
pub fn digest_info(message: &[u8]) -> Vec<u8> {
    digest_info_of_hash(&Sha256::digest(message))
}

/// DigestInfo of a SHA-256 hash.
pub fn digest_info_of_hash(hash: &[u8]) -> Vec<u8> {
    const PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
        0x04, 0x20,
    ];
    [PREFIX.as_slice(), hash].concat()
}

fn root_key(side: Side) -> Arc<RsaPrivateKey> {
    key(&format!("root {side:?}"))
}

/// The key of a passkey as Windows Hello makes it.
pub fn passkey_key() -> Arc<RsaPrivateKey> {
    key("passkey")
}

/// The RSA-2048 key of a label, e = 65537.
fn key(label: &str) -> Arc<RsaPrivateKey> {
    type Keys = Mutex<HashMap<String, Arc<RsaPrivateKey>>>;
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::default);
    if let Some(key) = KEYS.lock().unwrap_or_else(PoisonError::into_inner).get(label) {
        return Arc::clone(key);
    }
    // Generated without the lock: two threads may do the same work, and get the same key.
    let seed: [u8; 32] = Sha256::digest(format!("shikaku-bridge synthetic JPKI: {label}")).into();
    let key = RsaPrivateKey::new(&mut ChaCha20Rng::from_seed(seed), 2048).expect("2048 bits are allowed");
    let key = Arc::new(key);
    KEYS.lock().unwrap_or_else(PoisonError::into_inner).insert(label.to_owned(), Arc::clone(&key));
    key
}

/// A certificate: the part to be signed, the algorithm, the signature.
fn signed(tbs: &[u8], issuer: &RsaPrivateKey) -> Vec<u8> {
    let signature = sign_padded(issuer, &digest_info(tbs)).expect("a DigestInfo fits an RSA-2048 block");
    der::sequence(&[tbs, &profile::sha256_with_rsa(), &der::bit_string(&signature)])
}

/// A common name of the real shape, 23 (user authentication) or 28 digits and capital letters, ending in a municipality
/// code and `003A`; the code belongs to no municipality.
fn subject_cn(side: Side, persona: &str) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let length = if side == Side::UserAuthentication { 14 } else { 19 };
    let digest = Sha256::digest(format!("subject {side:?} {persona}"));
    let head: String =
        digest.iter().take(length).map(|byte| char::from(ALPHABET[usize::from(*byte) % 36])).collect();
    format!("{head}13990003A")
}

/// Begin and end of validity, UTC: a real certificate ends at 23:59:59 JST on the fifth birthday after its issue.
///
/// `Valid` keeps that rule with at least one year to go; the other states need an end close to `now`, as when the card
/// itself expires.
fn validity(persona: &Persona, now: Timestamp) -> (DateTime, DateTime) {
    let today = now.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).date();
    let day = |days: i32| today.saturating_add(days.days());
    let end = match persona.card.certificate {
        // Nobody has a certificate before birth.
        CertificateState::Valid => birthday_from(persona.born(), today.saturating_add(1.year()))
            .max(birthday_from(persona.born(), persona.born().saturating_add(5.years()))),
        CertificateState::ExpiresSoon => day(40),
        CertificateState::InGrace => day(-30),
        CertificateState::PastGrace => day(-200),
    };
    let begin = end.saturating_sub(5.years()).saturating_add(14.days());
    // 23:59:59 in Japan is 14:59:59 UTC on the same day.
    (begin.at(3, 24, 10, 0), end.to_datetime(time(14, 59, 59, 0)))
}

/// The first birthday on or after a day; 29 February counts as 28 February in other years.
fn birthday_from(born: Date, day: Date) -> Date {
    let in_year = |years: i16| {
        let year = day.year() + years;
        Date::new(year, born.month(), born.day()).or_else(|_| Date::new(year, 2, 28)).unwrap_or(day)
    };
    let this_year = in_year(0);
    if this_year >= day { this_year } else { in_year(1) }
}
