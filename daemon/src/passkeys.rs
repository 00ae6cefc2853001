//! Judges what authenticators answer (WebAuthn level 3, sections 7.1 and 7.2): the adapter behind [`PasskeyVerifier`].
//!
//! ECDSA P-256 and RSA (PKCS#1 v1.5, 2,048 bits and more), each with SHA-256: the first is what telephones and security keys
//! make, the second what Windows Hello makes where the computer's TPM has no curve. Attestation is not looked at: whoever
//! enrols a passkey has just proved both factors. Knows nothing of accounts, storage, time or HTTP.
//!
//! Own code over `ring` and `ciborium`, although a library is the rule, because none fits: `webauthn-rs` is bound to OpenSSL, which
//! deny.toml refuses; `webauthn_rp` 0.3, without a release since March 2025, would put `rsa` 0.9 with its open advisory RUSTSEC-2023-0071
//! and some forty crates of an older RustCrypto line into the daemon, and takes challenges and time from the process instead
//! of from our ports; `structured-webauthn` needs a compiler that is newer than ours.

use ciborium::Value;
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::app::ports::{
    PasskeyAssertion, PasskeyChallenge, PasskeyCreation, PasskeyKey, PasskeyRefusal, PasskeyVerifier,
};

/// Flags of the authenticator data.
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// COSE algorithms (RFC 9053, RFC 8812).
const ES256: i64 = -7;
const RS256: i64 = -257;

/// Labels of a COSE key and their values (RFC 9052 section 7, RFC 9053 section 7.1, RFC 8230 section 4).
const KTY: i64 = 1;
const ALG: i64 = 3;
const KTY_EC2: i64 = 2;
const KTY_RSA: i64 = 3;
const CRV: i64 = -1;
const CRV_P256: i64 = 1;
const X: i64 = -2;
const Y: i64 = -3;
const N: i64 = -1;
const E: i64 = -2;

/// The longest name of a credential that the specification allows.
const LONGEST_CREDENTIAL: usize = 1023;

/// The site that passkeys are made for.
pub struct WebAuthn {
    host: String,
    host_hash: [u8; 32],
    origins: Vec<String>,
}

impl WebAuthn {
    /// A host name (the relying party id) and the origins of its pages, as browsers write them.
    pub fn new(host: &str, origins: impl IntoIterator<Item = String>) -> Self {
        let host_hash = Sha256::digest(host.as_bytes()).into();
        Self { host: host.to_owned(), host_hash, origins: origins.into_iter().collect() }
    }

    /// That the browser was asked this, by a page of ours.
    fn look_at_client(
        &self,
        client_data: &[u8],
        kind: &str,
        challenge: &PasskeyChallenge,
    ) -> Result<(), PasskeyRefusal> {
        let client: ClientData =
            serde_json::from_slice(client_data).map_err(|_| PasskeyRefusal::Malformed)?;
        if client.r#type != kind || client.challenge != BASE64URL_NOPAD.encode(challenge) {
            return Err(PasskeyRefusal::Challenge);
        }
        if client.cross_origin || !self.origins.contains(&client.origin) {
            return Err(PasskeyRefusal::Site);
        }
        Ok(())
    }

    /// That the authenticator was asked by our site and has verified its user.
    fn look_at_authenticator<'a>(&self, data: &'a [u8]) -> Result<Seen<'a>, PasskeyRefusal> {
        let seen = Seen::read(data).ok_or(PasskeyRefusal::Malformed)?;
        if *seen.host_hash != self.host_hash {
            return Err(PasskeyRefusal::Site);
        }
        let both = USER_PRESENT | USER_VERIFIED;
        if seen.flags & both == both { Ok(seen) } else { Err(PasskeyRefusal::User) }
    }
}

/// `CollectedClientData`; what else a browser adds does not matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

/// Authenticator data (section 6.1), as far as every answer has it.
struct Seen<'a> {
    host_hash: &'a [u8; 32],
    flags: u8,
    sign_count: u32,
    rest: &'a [u8],
}

impl<'a> Seen<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let (host_hash, rest) = data.split_first_chunk::<32>()?;
        let (&flags, rest) = rest.split_first()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        Some(Self { host_hash, flags, sign_count: u32::from_be_bytes(*count), rest })
    }

    /// The new credential (section 6.5.1): its name and its key as a COSE key.
    fn attested(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.flags & ATTESTED == 0 {
            return None;
        }
        let (_aaguid, rest) = self.rest.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let mut after = rest;
        let _key: Value = ciborium::from_reader(&mut after).ok()?;
        let key = rest.get(..rest.len() - after.len())?;
        (1..=LONGEST_CREDENTIAL).contains(&name.len()).then_some((name, key))
    }
}

/// A public key of one of the algorithms.
enum Key {
    Es256(Vec<u8>),
    Rs256 { n: Vec<u8>, e: Vec<u8> },
}

impl Key {
    fn read(cose: &[u8]) -> Result<Self, PasskeyRefusal> {
        let mut after = cose;
        let value: Value = ciborium::from_reader(&mut after).map_err(|_| PasskeyRefusal::Malformed)?;
        let map = value.into_map().map_err(|_| PasskeyRefusal::Malformed)?;
        let number =
            |label| get(&map, label).and_then(Value::as_integer).and_then(|it| i64::try_from(it).ok());
        let bytes =
            |label| get(&map, label).and_then(Value::as_bytes).cloned().ok_or(PasskeyRefusal::Malformed);
        match (number(KTY), number(ALG)) {
            (Some(KTY_EC2), Some(ES256)) if number(CRV) == Some(CRV_P256) => {
                let (x, y) = (bytes(X)?, bytes(Y)?);
                let fits = x.len() == 32 && y.len() == 32;
                // An uncompressed point (SEC 1, 2.3.3).
                let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
                if fits { Ok(Self::Es256(point)) } else { Err(PasskeyRefusal::Malformed) }
            }
            (Some(KTY_RSA), Some(RS256)) => Ok(Self::Rs256 { n: bytes(N)?, e: bytes(E)? }),
            _ => Err(PasskeyRefusal::Algorithm),
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let outcome = match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        outcome.is_ok()
    }
}

fn get(map: &[(Value, Value)], label: i64) -> Option<&Value> {
    map.iter().find(|(key, _)| *key == Value::from(label)).map(|(_, value)| value)
}

/// The authenticator data inside an attestation object (section 6.5.4).
fn authenticator_data(attestation_object: &[u8]) -> Option<Vec<u8>> {
    let mut after = attestation_object;
    let object: Value = ciborium::from_reader(&mut after).ok()?;
    let fields = object.into_map().ok()?;
    let found = fields.into_iter().find(|(key, _)| key.as_text() == Some("authData"));
    found.filter(|_| after.is_empty())?.1.into_bytes().ok()
}

impl PasskeyVerifier for WebAuthn {
    fn site(&self) -> &str {
        &self.host
    }

    fn algorithms(&self) -> &'static [i64] {
        &[ES256, RS256]
    }

    fn enrol(
        &self,
        challenge: &PasskeyChallenge,
        creation: &PasskeyCreation,
    ) -> Result<PasskeyKey, PasskeyRefusal> {
        self.look_at_client(&creation.client_data, "webauthn.create", challenge)?;
        let data = authenticator_data(&creation.attestation_object).ok_or(PasskeyRefusal::Malformed)?;
        let seen = self.look_at_authenticator(&data)?;
        let (credential, public_key) = seen.attested().ok_or(PasskeyRefusal::Malformed)?;
        Key::read(public_key)?;
        Ok(PasskeyKey {
            credential: credential.to_vec(),
            public_key: public_key.to_vec(),
            sign_count: seen.sign_count,
        })
    }

    fn verify(
        &self,
        key: &PasskeyKey,
        challenge: &PasskeyChallenge,
        assertion: &PasskeyAssertion,
    ) -> Result<u32, PasskeyRefusal> {
        self.look_at_client(&assertion.client_data, "webauthn.get", challenge)?;
        let data = assertion.authenticator_data.as_slice();
        let seen = self.look_at_authenticator(data)?;
        let signed = [data, Sha256::digest(&assertion.client_data).as_slice()].concat();
        if Key::read(&key.public_key)?.has_signed(&signed, &assertion.signature) {
            Ok(seen.sign_count)
        } else {
            Err(PasskeyRefusal::Signature)
        }
    }
}
