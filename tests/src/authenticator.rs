//! A software authenticator (WebAuthn) with one passkey, and the browser around it: it answers what the API asks as a page
//! would send it.

#![expect(clippy::expect_used, reason = "an authenticator that does not work ends its test with the reason")]

use std::sync::Arc;

use ciborium::Value as Cbor;
use data_encoding::BASE64URL_NOPAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use rsa::RsaPrivateKey;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::pki::{digest_info, passkey_key, sign_padded};

/// Its private key.
enum Key {
    /// As telephones and security keys make it.
    Es256(Box<KeyPair>),
    /// As Windows Hello makes it on many computers.
    Rs256(Arc<RsaPrivateKey>),
}

/// What browser and authenticator say; what a test falsifies.
#[derive(Debug, Clone)]
pub struct Says {
    /// The authenticator's name for the passkey.
    pub credential: Vec<u8>,
    /// The site it believes to be asked by.
    pub site: String,
    /// The page that the browser says has asked.
    pub origin: String,
    /// What the browser says was asked for, if it says something wrong.
    pub kind: Option<&'static str>,
    /// Whether the page was a frame in another site's.
    pub cross_origin: bool,
    /// The flags: user present 1, user verified 4.
    pub flags: u8,
    /// Whose passkey it is; told by the site when it is made.
    pub user_handle: Vec<u8>,
}

/// The authenticator.
pub struct Authenticator {
    key: Key,
    /// What it says.
    pub says: Says,
    /// How often it has signed; `None` if it does not count.
    pub count: Option<u32>,
}

impl Authenticator {
    fn with(key: Key, name: &[u8], site: &str, origin: &str) -> Self {
        let says = Says {
            credential: Sha256::digest(name).to_vec(),
            site: site.to_owned(),
            origin: origin.to_owned(),
            kind: None,
            cross_origin: false,
            flags: 0b101,
            user_handle: vec![0; 32],
        };
        Self { key, says, count: Some(0) }
    }

    /// A telephone's or a security key's.
    pub fn new(site: &str, origin: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let name = key.der_bytes().to_vec();
        Self::with(Key::Es256(Box::new(key)), &name, site, origin)
    }

    /// Windows Hello's: RSA, and it does not count.
    pub fn windows_hello(site: &str, origin: &str) -> Self {
        let key = passkey_key();
        let name = key.n().to_bytes_be();
        Self { count: None, ..Self::with(Key::Rs256(key), &name, site, origin) }
    }

    /// Makes its passkey as `begin_passkey` asks, in the form of `add_passkey`.
    pub fn make(&mut self, begun: &Value, name: &str) -> Value {
        let options = &begun["options"];
        self.says.user_handle = bytes(&options["user"]["id"]);
        let client_data = self.client_data("webauthn.create", &options["challenge"]);
        let object = self.attestation_object();
        json!({
            "ceremony": begun["ceremony"],
            "name": name,
            "client_data": BASE64URL_NOPAD.encode(&client_data),
            "attestation_object": BASE64URL_NOPAD.encode(&object),
        })
    }

    /// Answers what `ask_for_passkey` asks, in the form of `sign_in_with_passkey`.
    pub fn answer(&mut self, asked: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", &asked["options"]["challenge"]);
        let authenticator_data = self.authenticator_data(0);
        let signature = self.sign(&authenticator_data, &client_data);
        json!({
            "ceremony": asked["ceremony"],
            "credential_id": BASE64URL_NOPAD.encode(&self.says.credential),
            "client_data": BASE64URL_NOPAD.encode(&client_data),
            "authenticator_data": BASE64URL_NOPAD.encode(&authenticator_data),
            "signature": BASE64URL_NOPAD.encode(&signature),
            "user_handle": BASE64URL_NOPAD.encode(&self.says.user_handle),
        })
    }

    /// `clientDataJSON`.
    pub fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let data = json!({
            "type": self.says.kind.unwrap_or(kind),
            "challenge": challenge,
            "origin": self.says.origin,
            "crossOrigin": self.says.cross_origin,
        });
        data.to_string().into_bytes()
    }

    /// `authenticatorData`; it counts.
    pub fn authenticator_data(&mut self, more_flags: u8) -> Vec<u8> {
        if let Some(count) = &mut self.count {
            *count += 1;
        }
        let mut data = Sha256::digest(self.says.site.as_bytes()).to_vec();
        data.push(self.says.flags | more_flags);
        data.extend(self.count.unwrap_or_default().to_be_bytes());
        data
    }

    /// `attestationObject`, without an attestation.
    pub fn attestation_object(&mut self) -> Vec<u8> {
        let mut data = self.authenticator_data(0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.says.credential.len()).expect("a short name").to_be_bytes());
        data.extend(&self.says.credential);
        data.extend(encoded(&self.cose_key()));
        let text = |text: &str| Cbor::Text(text.to_owned());
        encoded(&Cbor::Map(vec![
            (text("fmt"), text("none")),
            (text("attStmt"), Cbor::Map(Vec::new())),
            (text("authData"), Cbor::Bytes(data)),
        ]))
    }

    fn cose_key(&self) -> Cbor {
        let number = |value: i64| Cbor::from(value);
        let fields = match &self.key {
            Key::Es256(key) => {
                let (x, y) = key.der_bytes()[1..].split_at(32);
                let (x, y) = (Cbor::Bytes(x.to_vec()), Cbor::Bytes(y.to_vec()));
                vec![(1, number(2)), (3, number(-7)), (-1, number(1)), (-2, x), (-3, y)]
            }
            Key::Rs256(key) => {
                let (n, e) = (Cbor::Bytes(key.n().to_bytes_be()), Cbor::Bytes(key.e().to_bytes_be()));
                vec![(1, number(3)), (3, number(-257)), (-1, n), (-2, e)]
            }
        };
        Cbor::Map(fields.into_iter().map(|(label, value)| (number(label), value)).collect())
    }

    /// The signature over both.
    pub fn sign(&self, authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
        let signed = [authenticator_data, Sha256::digest(client_data).as_slice()].concat();
        match &self.key {
            Key::Es256(key) => key.sign(&signed).expect("a signature"),
            Key::Rs256(key) => sign_padded(key, &digest_info(&signed)).expect("a signature"),
        }
    }
}

fn bytes(text: &Value) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_str().expect("a text").as_bytes()).expect("base64url")
}

fn encoded(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("memory takes everything");
    bytes
}
