//! Entity tags: what a client says it has (`If-None-Match`), and what an answer is.
//!
//! Answers are never to be stored by caches (`Cache-Control: no-store`): the client itself keeps tag and answer.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

/// An entity tag without its quotes. Two answers with the same tag say the same; only when they were made may differ (a FHIR
/// bundle says it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// A tag of bytes that identify the answer.
    pub fn of(identity: &[u8]) -> Self {
        let digits = identity.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        Self(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
    }

    fn header(&self) -> HeaderValue {
        // Hexadecimal digits in quotes are always a header value.
        HeaderValue::try_from(format!("\"{}\"", self.0)).unwrap_or(HeaderValue::from_static("\"\""))
    }
}

/// What the client has already: the tags of `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    anything: bool,
    tags: Vec<String>,
}

impl Known {
    /// Whether the client has this answer. Compared weakly (RFC 9110, 13.1.2): `W/"x"` is `"x"`.
    pub fn holds(&self, tag: &ETag) -> bool {
        self.anything || self.tags.contains(&tag.0)
    }

    /// Whether the client said nothing of what it has.
    pub fn is_empty(&self) -> bool {
        !self.anything && self.tags.is_empty()
    }

    fn read(headers: &HeaderMap) -> Self {
        let mut known = Self::default();
        for value in headers.get_all(IF_NONE_MATCH) {
            let Ok(text) = value.to_str() else { continue };
            // Our tags hold no comma, so a foreign tag that does is only cut into others that are not ours.
            for tag in text.split(',').map(str::trim) {
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                match opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                    Some(opaque) => known.tags.push(opaque.to_owned()),
                    None => known.anything |= tag == "*",
                }
            }
        }
        known
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
        let tag = ETag::of(&[0x0a, 0xff]);
        assert_eq!(tag.header(), "\"0aff\"");
        for values in
            [&["\"0aff\""][..], &["W/\"0aff\""], &["*"], &["\"x\" , W/\"0aff\""], &["\"x\"", "\"0aff\""]]
        {
            assert!(known(values).holds(&tag), "{values:?}");
        }
        for values in [&[][..], &[""], &["0aff"], &["\"0AFF\""], &["\"\""], &["w/\"0aff\""], &["\"*\""]] {
            assert!(!known(values).holds(&tag), "{values:?}");
        }
        assert!(known(&[]).is_empty() && !known(&["*"]).is_empty());
    }
}
