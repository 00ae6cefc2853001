//! Entity tags: what a client says it has (`If-None-Match`), and what an answer is.
//!
//! Answers are never to be stored by caches (`Cache-Control: no-store`): the client itself keeps tag and answer.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;

/// An entity tag without its quotes. Two answers with the same tag say the same; only when they were made may differ (a FHIR
/// bundle says it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag([u8; DIGITS]);

/// Bytes that identify an answer.
const IDENTITY: usize = 16;
const DIGITS: usize = 2 * IDENTITY;

impl ETag {
    /// A tag of bytes that identify the answer.
    pub fn of(identity: &[u8; IDENTITY]) -> Self {
        let mut digits = [0; DIGITS];
        HEXLOWER.encode_mut(identity, &mut digits);
        Self(digits)
    }

    fn header(&self) -> HeaderValue {
        let mut quoted = [b'"'; DIGITS + 2];
        quoted[1..=DIGITS].copy_from_slice(&self.0);
        // Hexadecimal digits in quotes are always a header value.
        HeaderValue::from_bytes(&quoted).unwrap_or(HeaderValue::from_static("\"\""))
    }
}

/// What the client has already: the tags of `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known(Vec<HeaderValue>);

impl Known {
    /// Whether the client has this answer. Compared weakly (RFC 9110, 13.1.2): `W/"x"` is `"x"`.
    pub fn holds(&self, tag: &ETag) -> bool {
        self.said().any(|said| match said {
            Said::Anything => true,
            Said::Tag(opaque) => opaque == tag.0,
        })
    }

    /// Whether the client said nothing of what it has.
    pub fn is_empty(&self) -> bool {
        self.said().next().is_none()
    }

    fn read(headers: &HeaderMap) -> Self {
        Self(headers.get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    fn said(&self) -> impl Iterator<Item = Said<'_>> {
        // Our tags hold no comma, so a foreign tag that does is only cut into others that are not ours.
        self.0.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).filter_map(Said::read)
    }
}

enum Said<'a> {
    Anything,
    Tag(&'a [u8]),
}

impl<'a> Said<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let quoted = text.strip_prefix(b"W/").unwrap_or(text);
        match quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
            Some(opaque) => Some(Self::Tag(opaque)),
            None => (text == b"*").then_some(Self::Anything),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(&parts.headers))
    }
}

/// An answer with its tag; without content the client has it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged<T> {
    /// The tag.
    pub etag: ETag,
    /// The content, unless the client has it.
    pub content: Option<T>,
}

impl<T> Tagged<T> {
    /// An answer.
    pub fn new(etag: ETag, content: T) -> Self {
        Self { etag, content: Some(content) }
    }

    /// The client has it.
    pub fn known(etag: ETag) -> Self {
        Self { etag, content: None }
    }

    /// The same tag with the content in another form.
    pub(crate) fn map<U>(self, form: impl FnOnce(T) -> U) -> Tagged<U> {
        Tagged { etag: self.etag, content: self.content.map(form) }
    }
}

impl<T: IntoResponse> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = (ETAG, self.etag.header());
        match self.content {
            Some(content) => ([tag], content).into_response(),
            None => (StatusCode::NOT_MODIFIED, [tag]).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(values: &[&'static str]) -> Known {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        Known::read(&headers)
    }

    #[test]
    fn a_tag_is_found_in_every_form_a_client_may_send_it() {
        let tag = ETag::of(&[0xaf; IDENTITY]);
        assert_eq!(tag.header(), "\"afafafafafafafafafafafafafafafaf\"");
        for values in [
            &["\"afafafafafafafafafafafafafafafaf\""][..],
            &["W/\"afafafafafafafafafafafafafafafaf\""],
            &["*"],
            &["\"x\" , W/\"afafafafafafafafafafafafafafafaf\""],
            &["\"x\"", "\"afafafafafafafafafafafafafafafaf\""],
        ] {
            assert!(known(values).holds(&tag), "{values:?}");
        }
        for values in [
            &[][..],
            &[""],
            &["afafafafafafafafafafafafafafafaf"],
            &["\"AFAFAFAFAFAFAFAFAFAFAFAFAFAFAFAF\""],
            &["\"\""],
            &["w/\"afafafafafafafafafafafafafafafaf\""],
            &["\"*\""],
        ] {
            assert!(!known(values).holds(&tag), "{values:?}");
        }
        assert!(known(&[]).is_empty() && !known(&["*"]).is_empty());
    }
}
