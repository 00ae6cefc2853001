//! Keys and what they do: sealing with XChaCha20-Poly1305, keyed hashes with HMAC-SHA256, sub-keys with HKDF-SHA256.
//!
//! Knows nothing of files, rows or months. Every key is used for one purpose only: purposes get sub-keys.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) is ChaCha20-Poly1305 under a key for this one message, which HChaCha20
//! derives from the key and the first 16 bytes of the nonce. ring does not wipe that key; it opens nothing else, and the
//! key it came from cannot be computed from it.
//!
//! ring rather than the crate chacha20poly1305, whose Poly1305 calls each vector instruction as a function unless the whole
//! program is built for AVX2, which a clinic's older PC may lack: a result of 935 bytes opened in 3.6 µs with it (1.6 µs built
//! for AVX2) and opens in 0.9 µs with ring. A page pays that a hundred times.

use chacha20::{R20, hchacha};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::app::ports::{Random, random_bytes};

/// Length of a key.
pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A sealed text did not open: another key, another place, or changed bytes. Which of them cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with its key")]
pub(super) struct CryptoError;

/// A 256-bit key; wiped on drop, never cloned, never shown.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// A new key.
    pub(super) fn generate(random: &dyn Random) -> Self {
        Self(Zeroizing::new(random_bytes(random)))
    }

    /// Reads a stored key; `None` if the length is wrong.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// A key from key material of any length, 256 bits of entropy or more.
    pub(super) fn extract(material: &[u8]) -> Result<Self, CryptoError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(Some(b"shikaku external key"), material)
            .expand(b"external master key", key.as_mut_slice())
            .map_err(|_| CryptoError)?;
        Ok(Self(key))
    }

    /// A key that only whoever has both keys can compute.
    pub(super) fn combine(&self, other: &Self) -> Result<Self, CryptoError> {
        Ok(Self(Zeroizing::new(self.derive("combine")?.hash(&[other.expose()])?)))
    }

    /// The same key again, for the one place that hands its key on.
    pub(super) fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    /// The bytes, for storage under another key.
    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The sub-key for one purpose.
    pub(super) fn derive(&self, purpose: &str) -> Result<Self, CryptoError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(purpose.as_bytes(), key.as_mut_slice())
            .map_err(|_| CryptoError)?;
        Ok(Self(key))
    }

    /// Seals a text to a place: it opens only with the same `place`. The nonce is random (24 bytes never repeat by
    /// chance) and stands in front.
    pub(super) fn seal(
        &self,
        random: &dyn Random,
        place: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let nonce: [u8; NONCE_BYTES] = random_bytes(random);
        let (key, rest) = self.of_message(&nonce)?;
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + CHACHA20_POLY1305.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_at_mut(NONCE_BYTES);
        let tag = key.seal_in_place_separate_tag(rest, Aad::from(place), text).map_err(|_| CryptoError)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`Key::seal`] made for the same place.
    pub(super) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(CryptoError)?;
        let (key, rest) = self.of_message(nonce)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = key.open_in_place(rest, Aad::from(place), &mut text).map_err(|_| CryptoError)?.len();
        text.truncate(length);
        Ok(text)
    }

    /// Keyed hash of the parts, each with its length before it, so that parts never run together.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> Result<[u8; 32], CryptoError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).map_err(|_| CryptoError)?;
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Ok(mac.finalize().into_bytes().into())
    }

    /// The key of one message, and what of its nonce is left for it.
    fn of_message(&self, nonce: &[u8; NONCE_BYTES]) -> Result<(LessSafeKey, Nonce), CryptoError> {
        let (first, last) = nonce.split_first_chunk::<16>().ok_or(CryptoError)?;
        let key =
            Zeroizing::new(<[u8; KEY_BYTES]>::from(hchacha::<R20>(&(*self.0).into(), &(*first).into())));
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).map_err(|_| CryptoError)?;
        let mut rest = [0; NONCE_LEN];
        rest[4..].copy_from_slice(last);
        Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(rest)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn a_sealed_text_opens_only_with_its_key_at_its_place_unchanged() {
        let random = Counting(AtomicU8::new(1));
        let (key, other) = (Key::generate(&random), Key::generate(&random));
        let sealed = key.seal(&random, b"row 1", "資格 太郎".as_bytes()).unwrap();
        assert_eq!(key.open(b"row 1", &sealed).unwrap().as_slice(), "資格 太郎".as_bytes());
        assert!(key.open(b"row 2", &sealed).is_err());
        assert!(other.open(b"row 1", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open(b"row 1", &changed).is_err(), "byte {index}");
            assert!(key.open(b"row 1", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    /// draft-irtf-cfrg-xchacha-03, A.3.1.
    #[test]
    fn sealing_is_xchacha20_poly1305() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let key = Key::from_bytes(&(0x80..=0x9f).collect::<Vec<u8>>()).unwrap();
        let nonce: Vec<u8> = (0x40..=0x57).collect();
        let text = hex(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
             ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
             21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
        );
        let place = hex("50515253c0c1c2c3c4c5c6c7");
        let plain = key.open(&place, &[nonce, text].concat()).unwrap();
        let expected = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                        sunscreen would be it.";
        assert_eq!(plain.as_slice(), expected.as_bytes());
    }

    #[test]
    fn the_same_text_is_never_sealed_to_the_same_bytes() {
        let random = Counting(AtomicU8::new(1));
        let key = Key::generate(&random);
        let once = key.seal(&random, b"", b"text").unwrap();
        assert_ne!(once, key.seal(&random, b"", b"text").unwrap());
    }

    #[test]
    fn purposes_have_different_keys_and_hashed_parts_do_not_run_together() {
        let key = Key::generate(&Counting(AtomicU8::new(1)));
        assert_ne!(key.derive("a").unwrap().expose(), key.derive("b").unwrap().expose());
        assert_eq!(key.derive("a").unwrap().expose(), key.derive("a").unwrap().expose());
        assert_ne!(key.hash(&[b"12", b"3"]).unwrap(), key.hash(&[b"1", b"23"]).unwrap());
    }

    /// RFC 5869 gives no vector for an absent salt with 32 bytes of key; this one was computed with Python's hmac.
    #[test]
    fn sub_keys_are_hkdf_sha256() {
        let key = Key::from_bytes(&[0x0b; 32]).unwrap();
        let derived = data_encoding::HEXLOWER.encode(key.derive("purpose").unwrap().expose());
        assert_eq!(derived, "a91633b5045e34a21acc75c1689d0a3539fbd0f43375c96cfab5fb7e85096df0");
    }
}
