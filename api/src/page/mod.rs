//! The front-desk page's listener beside the operations of the contract: the page itself, and how a browser comes to trust it.
//!
//! Everything here is the same for everybody and names nobody. The page is served by the names of this machine alone: cookies and
//! passkeys belong to a name. Whoever comes by an address is told so, without data.

mod assets;
mod plain;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::codes::Code;
use crate::guard::OwnHeaders;
use crate::problem::Problem;

/// Where a browser gets the certificate to trust.
const CERTIFICATE_PATH: &str = "/trust/shikaku-ca.crt";

/// What the page's listener knows beside the contract.
#[derive(Debug, Clone)]
pub struct Page {
    /// The address to open in a browser.
    pub address: String,
    /// The `Host` values by which the page is served; by any other that the guard lets through there is only an explanation.
    pub names: BTreeSet<String>,
    /// The authority that browsers must be told to trust; none where they trust it already, or where there is no TLS.
    pub authority: Option<Authority>,
}

/// A certificate authority as its people see it.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its certificate, DER: the fingerprint is that of the file that is downloaded, so that people can check it.
    pub certificate: Vec<u8>,
    /// SHA-256 of the certificate in hexadecimal digits, as `shikakud page ca` shows it.
    pub fingerprint: String,
}

/// The files of the page. They know no service.
pub(crate) fn files<S: Clone + Send + Sync + 'static>(page: &Page) -> Router<S> {
    let trust = plain::trust(page);
    let certificate = page.authority.as_ref().map(|authority| authority.certificate.clone());
    let router = Router::new()
        .route("/", get(assets::index))
        .route("/assets/{*path}", get(assets::asset))
        .route("/favicon.ico", get(async || assets::icon()))
        .route("/plain.css", get(async || plain::style()))
        .route("/trust", get(async move || trust.clone()));
    match certificate {
        Some(der) => router.route(CERTIFICATE_PATH, get(async move || plain::certificate(der.clone()))),
        None => router,
    }
}

/// The middleware: whoever comes by an address gets no further than the explanation.
pub(crate) fn by_name_only<S: Clone + Send + Sync + 'static>(router: Router<S>, page: &Page) -> Router<S> {
    let known = Arc::new((page.names.clone(), plain::explanation(page)));
    router.layer(from_fn_with_state(known, only_by_name))
}

async fn only_by_name(
    State(known): State<Arc<(BTreeSet<String>, plain::Document)>>,
    request: Request,
    next: Next,
) -> Response {
    let (names, explanation) = &*known;
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if names.contains(host) {
        return next.run(request).await;
    }
    match request.uri().path() {
        "/trust" | "/plain.css" | "/favicon.ico" | CERTIFICATE_PATH => next.run(request).await,
        "/" => explanation.clone().into_response(),
        _ => Problem::new(Code::HostNotAllowed).into_response(),
    }
}

/// Scripts, styles and pictures from here alone, no frame around it, and no text that becomes markup.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The headers of everything that is no answer of the contract.
fn headers(cache: &'static str) -> OwnHeaders {
    let fixed = [
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), usb=(), serial=(), hid=()",
        ),
    ];
    OwnHeaders(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))).to_vec())
}
