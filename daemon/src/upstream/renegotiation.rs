//! Notices a server that wants to renegotiate TLS 1.2 (HelloRequest on an open connection).
//!
//! rustls answers a HelloRequest with a warning by itself and goes on (RFC 5246, section 7.2.2); what the server does then
//! looks like any broken connection: a fatal `handshake_failure`, a reset, or silence. The only sure sign is the message
//! itself: with TLS 1.2 a handshake record that arrives after the server's first encrypted message (`Finished`) can be
//! nothing else. So the decrypters of the TLS 1.2 cipher suites are wrapped, and such a record ends the connection with an
//! error that says what it is.

use std::fmt;
use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, KeyBlockShape, MessageDecrypter, MessageEncrypter,
    Tls12AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, OtherError, SupportedCipherSuite,
    Tls12CipherSuite,
};

/// The server asked for renegotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Renegotiation;

impl fmt::Display for Renegotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server wants TLS 1.2 renegotiation, which is not supported")
    }
}

impl std::error::Error for Renegotiation {}

/// Whether TLS ended for this reason.
pub(super) fn is_renegotiation(error: &Error) -> bool {
    match error {
        Error::Other(other) => other.0.downcast_ref::<Renegotiation>().is_some(),
        Error::PeerMisbehaved(rustls::PeerMisbehaved::TooManyRenegotiationRequests) => true,
        _ => false,
    }
}

/// ring's cryptography with watched TLS 1.2 cipher suites.
pub(super) fn watchful_provider() -> CryptoProvider {
    let provider = rustls::crypto::ring::default_provider();
    let cipher_suites = provider.cipher_suites.iter().map(|suite| watched(*suite)).collect();
    CryptoProvider { cipher_suites, ..provider }
}

fn watched(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    /// rustls wants its suites for ever, so they are made once.
    static SUITES: LazyLock<Vec<Tls12CipherSuite>> = LazyLock::new(|| {
        let every = rustls::crypto::ring::ALL_CIPHER_SUITES.iter();
        every
            .filter_map(|suite| match suite {
                SupportedCipherSuite::Tls12(plain) => Some(watched_suite(plain)),
                SupportedCipherSuite::Tls13(_) => None,
            })
            .collect()
    });
    let made = SUITES.iter().find(|made| made.common.suite == suite.suite());
    made.map_or(suite, SupportedCipherSuite::Tls12)
}

fn watched_suite(plain: &'static Tls12CipherSuite) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: plain.common.suite,
            hash_provider: plain.common.hash_provider,
            confidentiality_limit: plain.common.confidentiality_limit,
        },
        prf_provider: plain.prf_provider,
        kx: plain.kx,
        sign: plain.sign,
        // Six of them for the whole process; see `SUITES`.
        aead_alg: Box::leak(Box::new(Watchful(plain.aead_alg))),
    }
}

struct Watchful(&'static dyn Tls12AeadAlgorithm);

impl Tls12AeadAlgorithm for Watchful {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv, extra)
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Watching(self.0.decrypter(key, iv)))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

struct Watching(Box<dyn MessageDecrypter>);

impl MessageDecrypter for Watching {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let plain = self.0.decrypt(message, sequence)?;
        // The first one is the server's Finished.
        if sequence > 0 && plain.typ == ContentType::Handshake {
            return Err(Error::Other(OtherError(Arc::new(Renegotiation))));
        }
        Ok(plain)
    }
}
