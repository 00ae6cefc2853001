//! Compression by `Accept-Encoding`, of the large answers only.
//!
//! Small answers gain nothing, and an answer that held a secret beside text of an attacker's choice would betray the secret
//! by its size: so an answer says itself that it may be compressed.

use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

/// On an answer: it may be compressed.
#[derive(Clone, Copy)]
pub(crate) struct Compressible;

#[derive(Clone, Copy)]
pub(crate) struct Marked;

impl Predicate for Marked {
    fn should_compress<B>(&self, response: &axum::http::Response<B>) -> bool
    where
        B: axum::body::HttpBody,
    {
        response.extensions().get::<Compressible>().is_some()
    }
}

/// Compresses what is marked, with gzip or zstd.
pub(crate) fn layer() -> CompressionLayer<Marked> {
    CompressionLayer::new().compress_when(Marked)
}
