//! Carriage: how tokens travel. Programs carry them in headers; the front-desk page in cookies that its scripts cannot read.
//!
//! One listener knows one way and is deaf to the other. On the page's listener whatever changes something also carries a token in
//! a header (`X-Shikaku-CSRF`): without a session anything, because a foreign page cannot send that header at all, and with one
//! the token of that session.

use axum::Json;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::codes::Code;
use crate::entrance::Arrival;
use crate::listeners::Listener;
use crate::problem::{Problem, Refusal};
use crate::wire;

/// The header in which an enrolled terminal says which one it is.
static TERMINAL_HEADER: HeaderName = HeaderName::from_static("shikaku-terminal");
/// The header that proves that a request comes from the page itself.
static CSRF_HEADER: HeaderName = HeaderName::from_static("x-shikaku-csrf");

/// `__Host-` makes browsers take these from this host alone, over a connection that nobody else reads.
const SESSION_COOKIE: &str = "__Host-shikaku-session";
/// Read by the page, which sends it back as [`CSRF_HEADER`].
const CSRF_COOKIE: &str = "__Host-shikaku-csrf";
const TERMINAL_COOKIE: &str = "__Host-shikaku-terminal";

/// Where a cookie goes, whichever it is.
const SCOPE: &str = "; Path=/; Secure; SameSite=Strict";
/// As long as browsers keep a cookie: 400 days.
const TERMINAL_SECONDS: u32 = 400 * 24 * 60 * 60;

/// How the tokens of a listener travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// `Authorization` and `Shikaku-Terminal`.
    Headers,
    /// Cookies, for a browser.
    Cookies,
}

impl<S: Send + Sync> FromRequestParts<S> for Carriage {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Arrival::of(parts)?.hall.carriage)
    }
}

impl Carriage {
    pub(crate) fn of(listener: Listener) -> Self {
        match listener {
            Listener::Loopback | Listener::Lan => Self::Headers,
            Listener::Page => Self::Cookies,
        }
    }

    /// The token of the session that a request claims.
    pub(crate) fn session(self, headers: &HeaderMap) -> Option<&str> {
        match self {
            Self::Headers => bearer_token(headers),
            // Who can set this header is no page of ours.
            Self::Cookies if headers.contains_key(AUTHORIZATION) => None,
            Self::Cookies => cookie(headers, SESSION_COOKIE),
        }
    }

    /// The token of the enrolled terminal that a request claims to come from.
    pub(crate) fn terminal(self, headers: &HeaderMap) -> Option<&str> {
        match self {
            Self::Headers => only(headers, &TERMINAL_HEADER).filter(|token| is_token(token)),
            Self::Cookies => cookie(headers, TERMINAL_COOKIE),
        }
    }

    /// The answer to a sign-in: hands the session's token over in its own way.
    pub(crate) fn hand_session(self, mut session: wire::Session) -> Response {
        let token = match self {
            Self::Headers => None,
            Self::Cookies => session.token.take(),
        };
        let mut response = (StatusCode::CREATED, Json(session)).into_response();
        if let Some(token) = token {
            let csrf = csrf_of(&token);
            set(&mut response, format!("{SESSION_COOKIE}={token}{SCOPE}; HttpOnly"));
            set(&mut response, format!("{CSRF_COOKIE}={csrf}{SCOPE}"));
        }
        response
    }

    /// The answer to the enrolment of a terminal.
    pub(crate) fn hand_terminal(self, mut terminal: wire::TerminalToken) -> Response {
        let token = match self {
            Self::Headers => None,
            Self::Cookies => terminal.token.take(),
        };
        let mut response = (StatusCode::CREATED, Json(terminal)).into_response();
        if let Some(token) = token {
            let cookie = format!("{TERMINAL_COOKIE}={token}{SCOPE}; HttpOnly; Max-Age={TERMINAL_SECONDS}");
            set(&mut response, cookie);
        }
        response
    }

    /// The answer to a sign-out.
    pub(crate) fn take_session(self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if self == Self::Cookies {
            take(&mut response);
        }
        response
    }
}

fn set(response: &mut Response, cookie: String) {
    // Tokens are base64url; anything else would be a fault of ours, and then nobody is signed in.
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Takes the session's cookies away.
fn take(response: &mut Response) {
    set(response, format!("{SESSION_COOKIE}={SCOPE}; HttpOnly; Max-Age=0"));
    set(response, format!("{CSRF_COOKIE}={SCOPE}; Max-Age=0"));
}

/// The token that belongs to a session's token; says nothing of it.
fn csrf_of(token: &str) -> String {
    let digest = Sha256::new().chain_update(b"shikaku-bridge csrf\0").chain_update(token).finalize();
    data_encoding::HEXLOWER.encode(&digest)
}

impl Carriage {
    /// What every request of a listener passes: on the page's, nothing is changed for whoever cannot show that the page itself asks.
    pub(crate) fn check(self, request: &Request) -> Result<(), Box<Response>> {
        if self == Self::Cookies && !is_asked_by_the_page(request) {
            let mut refusal = Problem::new(Code::CsrfTokenInvalid).into_response();
            // A browser that has lost one of the two cookies could not even sign in again.
            take(&mut refusal);
            return Err(Box::new(refusal));
        }
        Ok(())
    }
}

fn is_asked_by_the_page(request: &Request) -> bool {
    let (method, headers) = (request.method(), request.headers());
    if [Method::GET, Method::HEAD].contains(method) {
        return true;
    }
    let Some(shown) = only(headers, &CSRF_HEADER) else { return false };
    // With several cookies of the name there is no session, and no token that fits it.
    let mut sessions = cookies(headers, SESSION_COOKIE);
    sessions.all(|token| csrf_of(token).as_bytes().ct_eq(shown.as_bytes()).into())
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()
}

fn is_token(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, &AUTHORIZATION)?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") && is_token(token)).then_some(token)
}

/// The one cookie of a name.
fn cookie<'a>(headers: &'a HeaderMap, name: &'a str) -> Option<&'a str> {
    let mut values = cookies(headers, name);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    Some(value).filter(|token| is_token(token))
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(cookie, _)| *cookie == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn each_way_is_deaf_to_the_other() {
        let bearer = headers(&[("authorization", "Bearer abc")]);
        let by_cookie = headers(&[("cookie", "a=1; __Host-shikaku-session=abc; b=2")]);
        assert_eq!(Carriage::Headers.session(&bearer), Some("abc"));
        assert_eq!(Carriage::Headers.session(&by_cookie), None);
        assert_eq!(Carriage::Cookies.session(&by_cookie), Some("abc"));
        assert_eq!(Carriage::Cookies.session(&bearer), None);
        let mut both = by_cookie;
        both.extend(bearer);
        assert_eq!(Carriage::Cookies.session(&both), None, "a bearer token is refused, not ignored");
    }

    #[test]
    fn a_cookie_is_taken_only_where_there_is_one_of_its_exact_name() {
        for lines in [
            &["__Host-shikaku-session=a; __Host-shikaku-session=b"][..],
            &["__Host-shikaku-session=a", "__Host-shikaku-session=a"],
            &["shikaku-session=a"],
            &["__host-shikaku-session=a"],
            &["x__Host-shikaku-session=a"],
            &["__Host-shikaku-session"],
            &["__Host-shikaku-session="],
            &["__Host-shikaku-session=a b"],
            &["__Host-shikaku-session =a"],
            &[""],
            &[],
        ] {
            let given: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            assert_eq!(Carriage::Cookies.session(&headers(&given)), None, "{lines:?}");
        }
    }

    #[test]
    fn the_token_of_one_session_is_no_good_for_another() {
        let request = |method: Method, cookie: Option<&str>, csrf: &[&str]| {
            let mut request = Request::builder().method(method).uri("/");
            if let Some(token) = cookie {
                request = request.header("cookie", format!("__Host-shikaku-session={token}"));
            }
            for value in csrf {
                request = request.header("x-shikaku-csrf", *value);
            }
            is_asked_by_the_page(&request.body(axum::body::Body::empty()).unwrap())
        };
        let (own, other) = (csrf_of("one"), csrf_of("two"));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let asked = |cookie, csrf: &[&str]| request(method.clone(), cookie, csrf);
            assert!(asked(Some("one"), &[&own]));
            for wrong in [&other, "", "one", &own[1..], &own.to_uppercase()] {
                assert!(!asked(Some("one"), &[wrong]), "{method} {wrong}");
            }
            assert!(!asked(Some("one"), &[]));
            assert!(!asked(Some("one"), &[&own, &own]));
            assert!(asked(None, &[""]), "without a session it only shows that no foreign page asks");
            assert!(!asked(None, &[]));
        }
        assert!(request(Method::GET, Some("one"), &[]));
    }
}
