//! Guard: what every request must pass before any route is looked up, and what every answer carries.
//!
//! Loopback is not a trust boundary: a web page whose name is rebound to 127.0.0.1 reaches this port from the browser,
//! and such a GET carries no `Origin`. So the `Host` is checked on every request, unknown paths and liveness included,
//! against an exact list. Comparing `Origin` with `Host` would compare two values of the attacker; it is not done.
//! No CORS header is ever sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{Method, StatusCode};
use axum::response::Response;

use crate::codes::Code;
use crate::limits::Limits;
use crate::service::PeerCertificate;

/// Says whether a client certificate is that of an enrolled machine, at this moment.
pub type IsEnrolled = Arc<dyn Fn(&PeerCertificate) -> bool + Send + Sync>;

/// What the guard lets through.
#[derive(Clone, Default)]
pub struct Guard {
    hosts: BTreeSet<String>,
    origins: BTreeSet<String>,
    entrances: BTreeSet<&'static str>,
    machines: Option<IsEnrolled>,
}

impl Guard {
    /// Accepts exactly these `Host` values, each `host:port`, and no `Origin`.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { hosts: hosts.into_iter().collect(), ..Self::default() }
    }

    /// The names of this machine on loopback with a port, and nothing else.
    pub fn loopback(port: u16) -> Self {
        Self::new(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")))
    }

    /// Also accepts these `Host` values.
    #[must_use]
    pub fn and_hosts(mut self, hosts: impl IntoIterator<Item = String>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// Also accepts requests with these `Origin` values. No CORS header is sent to them either.
    #[must_use]
    pub fn and_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// Also lets people follow a link from anywhere to these paths, into a window of its own: what lies there is the same for
    /// everybody and no other page can look into it.
    #[must_use]
    pub fn and_entrances(mut self, paths: impl IntoIterator<Item = &'static str>) -> Self {
        self.entrances.extend(paths);
        self
    }

    /// Accepts only connections with the certificate of an enrolled machine. Asked at every request: a certificate that is
    /// revoked ends with the next one.
    #[must_use]
    pub fn only_machines(mut self, is_enrolled: IsEnrolled) -> Self {
        self.machines = Some(is_enrolled);
        self
    }

    /// Why a request goes no further; `shown` is the certificate of its client.
    pub(crate) fn refusal(
        &self,
        request: &Request,
        shown: Option<&PeerCertificate>,
        limits: &Limits,
    ) -> Option<Code> {
        if !self.host_is_ours(request) {
            return Some(Code::HostNotAllowed);
        }
        if !self.machine_is_ours(shown) {
            return Some(Code::ClientCertificateRequired);
        }
        if !self.origin_is_ours(request.headers()) && !self.is_a_way_in(request) {
            return Some(Code::OriginNotAllowed);
        }
        if has_a_body_that_nobody_reads(request) {
            return Some(Code::InvalidRequest);
        }
        let most = limits.body_bytes_of(request.uri().path());
        body_is_announced_too_large(request.headers(), most).then_some(Code::BodyTooLarge)
    }

    fn host_is_ours(&self, request: &Request) -> bool {
        let mut values = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (values.next(), values.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        let target_agrees = request.uri().authority().is_none_or(|authority| authority.as_str() == host);
        target_agrees && self.hosts.contains(host)
    }

    fn machine_is_ours(&self, shown: Option<&PeerCertificate>) -> bool {
        let Some(is_enrolled) = &self.machines else { return true };
        shown.is_some_and(|certificate| is_enrolled(certificate))
    }

    fn origin_is_ours(&self, headers: &HeaderMap) -> bool {
        let origins_listed = headers
            .get_all(ORIGIN)
            .iter()
            .all(|value| value.to_str().is_ok_and(|origin| self.origins.contains(origin)));
        let not_foreign = headers
            .get_all(&SEC_FETCH_SITE)
            .iter()
            .all(|value| matches!(value.as_bytes(), b"same-origin" | b"none"));
        origins_listed && not_foreign
    }

    fn is_a_way_in(&self, request: &Request) -> bool {
        let headers = request.headers();
        let says = |name: &str, word: &str| {
            let mut values = headers.get_all(name).iter();
            values.next().is_some_and(|value| value == word) && values.next().is_none()
        };
        request.method() == Method::GET
            && self.entrances.contains(request.uri().path())
            && !headers.contains_key(ORIGIN)
            && says("sec-fetch-mode", "navigate")
            && says("sec-fetch-dest", "document")
    }
}

/// Whether chunks follow a request that takes no body or does not say what they are: nobody asks so, except to have them
/// read as another request (RFC 9112, 6.1). hyper has taken out a length that contradicts the chunks.
fn has_a_body_that_nobody_reads(request: &Request) -> bool {
    let takes_one = [Method::POST, Method::PUT].contains(request.method());
    let is_read = takes_one && request.headers().contains_key(CONTENT_TYPE);
    !is_read && request.headers().contains_key(TRANSFER_ENCODING)
}

fn body_is_announced_too_large(headers: &HeaderMap, most: usize) -> bool {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    announced.is_some_and(|bytes| usize::try_from(bytes).map_or(true, |bytes| bytes > most))
}

/// The last answer of its connection. hyper drops a Content-Length that stands beside chunks, so what somebody else took for the
/// end of such a request cannot be known any more; this way nothing follows that could be taken for another.
pub(crate) fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    secured(response)
}

pub(crate) fn secured(mut response: Response) -> Response {
    match response.extensions_mut().remove::<OwnHeaders>() {
        Some(OwnHeaders(own)) => response.headers_mut().extend(own),
        // Has no content for a browser to guess about, to frame or to run; whoever kept the answer kept its headers.
        None if response.status() == StatusCode::NOT_MODIFIED => {
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        }
        None => response.headers_mut().extend(security_headers()),
    }
    response
}

/// On an answer that is none of the contract: the headers it carries in place of [`security_headers`].
#[derive(Clone)]
pub(crate) struct OwnHeaders(pub Vec<(HeaderName, HeaderValue)>);

/// As a name, because the text would be looked up at every request.
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(crate) fn security_headers() -> [(HeaderName, HeaderValue); 6] {
    [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)))
}
