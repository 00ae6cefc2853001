//! The judge of passkeys alone: every bit of what is signed counts, nothing that is cut short passes, and every fault has its name.

use ciborium::Value as Cbor;
use daemon::app::ports::{
    PasskeyAssertion, PasskeyCreation, PasskeyKey, PasskeyRefusal, PasskeyVerifier as _,
};
use daemon::passkeys::WebAuthn;
use data_encoding::BASE64URL_NOPAD;
use harness::authenticator::{Authenticator, Says};
use proptest::prelude::*;
use serde_json::{Value, json};

const SITE: &str = "shikaku-bridge.local";
const ORIGIN: &str = "https://shikaku-bridge.local:8789";
const CHALLENGE: [u8; 32] = [5; 32];

fn judge() -> WebAuthn {
    WebAuthn::new(SITE, [ORIGIN.to_owned()])
}

fn asked(challenge: &[u8]) -> Value {
    json!(BASE64URL_NOPAD.encode(challenge))
}

fn created(passkey: &mut Authenticator) -> PasskeyCreation {
    PasskeyCreation {
        client_data: passkey.client_data("webauthn.create", &asked(&CHALLENGE)),
        attestation_object: passkey.attestation_object(),
    }
}

fn answered(passkey: &mut Authenticator) -> PasskeyAssertion {
    let client_data = passkey.client_data("webauthn.get", &asked(&CHALLENGE));
    let authenticator_data = passkey.authenticator_data(0);
    let signature = passkey.sign(&authenticator_data, &client_data);
    let (credential, user_handle) = (passkey.says.credential.clone(), passkey.says.user_handle.clone());
    PasskeyAssertion { credential, client_data, authenticator_data, signature, user_handle }
}

fn enrolled(passkey: &mut Authenticator) -> PasskeyKey {
    judge().enrol(&CHALLENGE, &created(passkey)).expect("a passkey as it should be")
}

fn both() -> [Authenticator; 2] {
    [Authenticator::new(SITE, ORIGIN), Authenticator::windows_hello(SITE, ORIGIN)]
}

#[test]
fn a_passkey_is_known_by_what_its_authenticator_made() {
    for mut passkey in both() {
        let key = enrolled(&mut passkey);
        assert_eq!((&key.credential, key.sign_count), (&passkey.says.credential, passkey.count.unwrap_or(0)));
        let answer = answered(&mut passkey);
        assert_eq!(judge().verify(&key, &CHALLENGE, &answer), Ok(passkey.count.unwrap_or(0)));
    }
}

#[test]
fn every_fault_of_browser_or_authenticator_has_its_name() {
    type Fault = (fn(&mut Says), PasskeyRefusal);
    let faults: [Fault; 8] = [
        (|it| it.kind = Some("payment.get"), PasskeyRefusal::Challenge),
        (|it| it.origin = "https://shikaku-bridge.local".to_owned(), PasskeyRefusal::Site),
        (|it| it.origin = "http://shikaku-bridge.local:8789".to_owned(), PasskeyRefusal::Site),
        (|it| it.origin = "https://shikaku-bridge.local:8789.example".to_owned(), PasskeyRefusal::Site),
        (|it| it.cross_origin = true, PasskeyRefusal::Site),
        (|it| it.site = "local".to_owned(), PasskeyRefusal::Site),
        (|it| it.flags = 0b100, PasskeyRefusal::User),
        (|it| it.flags = 0b001, PasskeyRefusal::User),
    ];
    for (break_it, refusal) in faults {
        let mut passkey = Authenticator::new(SITE, ORIGIN);
        let key = enrolled(&mut passkey);
        break_it(&mut passkey.says);
        assert_eq!(judge().enrol(&CHALLENGE, &created(&mut passkey)), Err(refusal));
        assert_eq!(judge().verify(&key, &CHALLENGE, &answered(&mut passkey)), Err(refusal));
    }
    let mut passkey = Authenticator::new(SITE, ORIGIN);
    let key = enrolled(&mut passkey);
    let answer = answered(&mut passkey);
    assert_eq!(judge().verify(&key, &[6; 32], &answer), Err(PasskeyRefusal::Challenge));
    for mut other in both() {
        let other = enrolled(&mut other);
        assert_eq!(judge().verify(&other, &CHALLENGE, &answer), Err(PasskeyRefusal::Signature));
    }
}

#[test]
fn every_bit_of_what_is_signed_counts_and_nothing_cut_short_passes() {
    for mut passkey in both() {
        let key = enrolled(&mut passkey);
        let answer = answered(&mut passkey);
        let refuses = |changed: &PasskeyAssertion| judge().verify(&key, &CHALLENGE, changed).is_err();
        for bit in 0..answer.authenticator_data.len() * 8 {
            let mut changed = answer.clone();
            changed.authenticator_data[bit / 8] ^= 1 << (bit % 8);
            assert!(refuses(&changed), "bit {bit} of the authenticator's data");
        }
        for bit in 0..answer.signature.len() * 8 {
            let mut changed = answer.clone();
            changed.signature[bit / 8] ^= 1 << (bit % 8);
            assert!(refuses(&changed), "bit {bit} of the signature");
        }
        for length in 0..answer.client_data.len() {
            let client_data = answer.client_data[..length].to_vec();
            let cut = PasskeyAssertion { client_data, ..answer.clone() };
            assert_eq!(judge().verify(&key, &CHALLENGE, &cut), Err(PasskeyRefusal::Malformed));
        }
        for length in 0..answer.authenticator_data.len() {
            let authenticator_data = answer.authenticator_data[..length].to_vec();
            assert!(refuses(&PasskeyAssertion { authenticator_data, ..answer.clone() }));
        }
        let creation = created(&mut passkey);
        for length in 0..creation.attestation_object.len() {
            let attestation_object = creation.attestation_object[..length].to_vec();
            let cut = PasskeyCreation { attestation_object, ..creation.clone() };
            assert_eq!(judge().enrol(&CHALLENGE, &cut), Err(PasskeyRefusal::Malformed));
        }
        let mut longer = creation;
        longer.attestation_object.push(0);
        assert_eq!(judge().enrol(&CHALLENGE, &longer), Err(PasskeyRefusal::Malformed));
    }
}

/// A public key as an authenticator writes it.
type CoseKey = Vec<(i64, Cbor)>;

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("memory takes everything");
    bytes
}

fn cose(key: CoseKey) -> Vec<u8> {
    cbor(&Cbor::Map(key.into_iter().map(|(label, value)| (Cbor::from(label), value)).collect()))
}

/// What somebody's own authenticator makes of a key and a name, with these flags besides, and more behind the key.
fn crafted(key: CoseKey, name: &[u8], flags: u8, more: &[u8]) -> PasskeyCreation {
    let mut passkey = Authenticator::new(SITE, ORIGIN);
    let length = u16::try_from(name.len()).expect("a name that is not too long to be written");
    let data = [
        passkey.authenticator_data(flags).as_slice(),
        &[0; 16],
        &length.to_be_bytes(),
        name,
        &cose(key),
        more,
    ]
    .concat();
    let text = |text: &str| Cbor::Text(text.to_owned());
    PasskeyCreation {
        client_data: passkey.client_data("webauthn.create", &asked(&CHALLENGE)),
        attestation_object: cbor(&Cbor::Map(vec![
            (text("fmt"), text("none")),
            (text("attStmt"), Cbor::Map(Vec::new())),
            (text("authData"), Cbor::Bytes(data)),
        ])),
    }
}

/// A key with a point of so many bytes by so many.
fn elliptic(kind: i64, algorithm: i64, curve: i64, x: usize, y: usize) -> CoseKey {
    let (kind, algorithm, curve) = (Cbor::from(kind), Cbor::from(algorithm), Cbor::from(curve));
    vec![(1, kind), (3, algorithm), (-1, curve), (-2, Cbor::Bytes(vec![1; x])), (-3, Cbor::Bytes(vec![2; y]))]
}

#[test]
fn a_browser_is_told_the_two_kinds_of_keys_and_no_other_kind_is_kept() {
    let judge = judge();
    assert_eq!((judge.site(), judge.algorithms()), (SITE, [-7, -257].as_slice()));
    let whole = elliptic(2, -7, 1, 32, 32);
    let made = judge.enrol(&CHALLENGE, &crafted(whole.clone(), b"own", 0x40, &[])).expect("ES256 on P-256");
    assert_eq!((made.credential.as_slice(), &made.public_key), (b"own".as_slice(), &cose(whole.clone())));
    // P-384, P-521, an algorithm of another key, EdDSA.
    for (kind, algorithm, curve) in
        [(2, -7, 2), (2, -7, 3), (2, -257, 1), (3, -7, 1), (2, -35, 2), (1, -8, 6), (1, -7, 1)]
    {
        let key = elliptic(kind, algorithm, curve, 32, 32);
        let refused = judge.enrol(&CHALLENGE, &crafted(key.clone(), b"own", 0x40, &[]));
        assert_eq!(refused, Err(PasskeyRefusal::Algorithm), "{kind} {algorithm} {curve}");
        let mut passkey = Authenticator::new(SITE, ORIGIN);
        let kept = PasskeyKey { public_key: cose(key), ..enrolled(&mut passkey) };
        let refused = judge.verify(&kept, &CHALLENGE, &answered(&mut passkey));
        assert_eq!(refused, Err(PasskeyRefusal::Algorithm), "{kind} {algorithm} {curve}");
    }
    for (x, y) in [(31, 32), (32, 31), (33, 32), (32, 33), (31, 31), (0, 32), (32, 0)] {
        let refused = judge.enrol(&CHALLENGE, &crafted(elliptic(2, -7, 1, x, y), b"own", 0x40, &[]));
        assert_eq!(refused, Err(PasskeyRefusal::Malformed), "{x} by {y} bytes");
    }
    for left_out in [-2, -3] {
        let mut key = whole.clone();
        key.retain(|(label, _)| *label != left_out);
        let refused = judge.enrol(&CHALLENGE, &crafted(key, b"own", 0x40, &[]));
        assert_eq!(refused, Err(PasskeyRefusal::Malformed), "without {left_out}");
    }
}

#[test]
fn a_new_passkey_is_one_that_its_authenticator_says_it_made_under_a_name_of_1_to_1023_bytes() {
    let made = |name: &[u8], flags: u8, more: &[u8]| {
        judge().enrol(&CHALLENGE, &crafted(elliptic(2, -7, 1, 32, 32), name, flags, more))
    };
    for flags in [0, 0x80] {
        assert_eq!(made(b"own", flags, &[]), Err(PasskeyRefusal::Malformed), "it speaks of no new passkey");
    }
    for (length, is_kept) in [(0, false), (1, true), (1023, true), (1024, false)] {
        let outcome = made(&vec![7; length], 0x40, &[]).map(|key| key.credential.len());
        assert_eq!(outcome, if is_kept { Ok(length) } else { Err(PasskeyRefusal::Malformed) });
    }
    // Extensions follow the key and are none of it.
    let extended = made(b"own", 0xc0, &cbor(&Cbor::Map(Vec::new()))).expect("a passkey with extensions");
    assert_eq!(extended, made(b"own", 0x40, &[]).expect("the same without"));
}

proptest! {
    /// Whatever stands where an authenticator should have written: it is refused, and nothing breaks.
    #[test]
    fn nothing_that_is_no_answer_passes(noise in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..400) {
        let mut passkey = Authenticator::new(SITE, ORIGIN);
        let key = enrolled(&mut passkey);
        let mut creation = created(&mut passkey);
        let at = at.min(creation.attestation_object.len());
        creation.attestation_object.splice(at.., noise.iter().copied());
        if let Ok(made) = judge().enrol(&CHALLENGE, &creation) {
            let answer = answered(&mut passkey);
            prop_assert!(made.public_key == key.public_key || judge().verify(&made, &CHALLENGE, &answer).is_err());
        }
        let answer = PasskeyAssertion { signature: noise.clone(), ..answered(&mut passkey) };
        prop_assert!(judge().verify(&key, &CHALLENGE, &answer).is_err());
        let broken = PasskeyKey { public_key: noise, ..key };
        prop_assert!(judge().verify(&broken, &CHALLENGE, &answered(&mut passkey)).is_err());
    }
}
