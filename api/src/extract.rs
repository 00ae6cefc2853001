//! Extractors: they turn every way in which a request can break the contract into a documented problem.
//!
//! A problem names the field and what is wrong with it, never the value: values can be passwords, PINs and names.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::carriage::Carriage;
use crate::codes::Code;
use crate::entrance::Arrival;
use crate::limits::BODY_BYTES_PER_SECOND;
use crate::problem::{Problem, Refusal};
use crate::service::{Along, Caller, IdempotencyKey, Presented, Service, ServiceError};
use crate::wire::SecretText;

/// A part of a request that has rules beyond its types (lengths, ranges, date syntax).
pub(crate) trait Rules {
    /// The first field that breaks its rule.
    fn broken(&self) -> Option<&'static str>;
}

//------------ Session ------------------------------------------------------------------------------------------------

/// The caller of an operation that needs a session. Beside [`AnySession`] there is no other way to a [`Caller`].
pub(crate) struct Session(pub Caller);

/// The caller of an operation that is allowed even before the password was changed.
pub(crate) struct AnySession(pub Caller);

impl FromRequestParts<Arc<dyn Service>> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<dyn Service>) -> Result<Self, Refusal> {
        let AnySession(caller) = AnySession::from_request_parts(parts, service).await?;
        if caller.must_change_password {
            return Err(Code::PasswordChangeRequired.into());
        }
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<dyn Service>> for AnySession {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<dyn Service>) -> Result<Self, Refusal> {
        let Arrival { hall, connection } = Arrival::of(parts)?;
        let carriage = hall.carriage;
        let token = carriage.session(&parts.headers).ok_or(Code::SessionRequired)?;
        let terminal = carriage.terminal(&parts.headers);
        let (certificate, on_page) = (connection.certificate, carriage == Carriage::Cookies);
        let mut caller = service.authenticate(Presented { token, terminal, certificate, on_page }).await?;
        hall.rates.take(&caller.account, Instant::now()).map_err(wait)?;
        caller.peer = Some(connection.peer);
        Ok(Self(caller))
    }
}

fn wait(seconds: u32) -> ServiceError {
    ServiceError::new(Code::RateLimited).retry_after(seconds)
}

/// What came along with a sign-in or an enrolment.
pub(crate) struct Accompanying(pub Along);

impl<S: Send + Sync> FromRequestParts<S> for Accompanying {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let hidden = |text: &str| SecretText::new(text.to_owned());
        let Arrival { hall, connection } = Arrival::of(parts)?;
        hall.strangers.take(&connection.peer.ip().to_string(), Instant::now()).map_err(wait)?;
        let carriage = hall.carriage;
        Ok(Self(Along {
            peer: Some(connection.peer),
            terminal: carriage.terminal(&parts.headers).map(hidden),
            certificate: connection.certificate,
            session: carriage.session(&parts.headers).map(hidden),
            on_page: carriage == Carriage::Cookies,
        }))
    }
}

/// The header in which a client names a request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The key of a request, if it has one.
pub(crate) struct Key(pub Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => value.to_str().ok().and_then(IdempotencyKey::parse),
            (Some(_), Some(_)) => None,
        };
        let wrong = || {
            let rule = "引用符と円記号を除く、見える ASCII の8文字以上128文字以内で、1つだけ送ってください";
            Problem::new(Code::InvalidRequest).field("Idempotency-Key").detail(rule)
        };
        Ok(Self(Some(key.ok_or_else(wrong)?)))
    }
}

//------------ Body ---------------------------------------------------------------------------------------------------

/// A JSON body, in and out.
pub(crate) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned + Rules, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Code::UnsupportedMediaType.into());
        }
        let (parts, body) = request.into_parts();
        let limits = &Arrival::of(&parts)?.hall.limits;
        let body = read(body, limits.body_bytes_of(parts.uri.path()), limits.body_timeout).await?;
        // serde would also read a struct from an array of its fields' values.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(invalid("", "").into());
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&body);
        let value: T = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| json_problem(&error.path().to_string(), error.inner(), &body))?;
        deserializer.end().map_err(|error| json_problem("", &error, &body))?;
        Ok(Self(obey(value)?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let (kind, parameters) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
    kind.trim().eq_ignore_ascii_case("application/json")
        && parameters.trim().eq_ignore_ascii_case("charset=utf-8")
}

/// Reads a body into memory that is wiped; chunks that hyper still holds are beyond reach.
async fn read(mut body: Body, limit: usize, timeout: Duration) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let began = Instant::now();
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    loop {
        let earned = Duration::from_secs(bytes.len() as u64 / BODY_BYTES_PER_SECOND);
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = tokio::time::timeout_at(began + timeout + earned, next).await;
        let Some(frame) = frame.map_err(|_| Code::RequestTimeout)? else { return Ok(bytes) };
        let frame = frame.map_err(|_| Code::InvalidRequest)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(Code::BodyTooLarge.into());
        }
        bytes.extend_from_slice(&data);
    }
}

/// serde_json calls some wrong types a wrong syntax, so the body itself is asked whether it is JSON.
fn json_problem(path: &str, error: &serde_json::Error, body: &[u8]) -> Problem {
    if error.is_data() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        invalid(path, &error.to_string())
    } else {
        Problem::new(Code::InvalidRequest).detail("本文を JSON として読めません")
    }
}

//------------ Path and query -----------------------------------------------------------------------------------------

/// The `{id}` of a path.
pub(crate) struct Id<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let AxumPath(id) = AxumPath::from_request_parts(parts, state).await.map_err(|_| invalid("id", ""))?;
        Ok(Self(id))
    }
}

/// The query of a URL.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned + Rules, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        if let Some(name) = parts.uri.query().and_then(not_text) {
            return Err(invalid(name, "").into());
        }
        let AxumQuery(value) =
            AxumQuery::try_from_uri(&parts.uri).map_err(|rejection| query_problem(&rejection))?;
        Ok(Self(obey(value)?))
    }
}

/// The first parameter whose value is no UTF-8: decoding would put other characters in its place.
fn not_text(query: &str) -> Option<&str> {
    if !query.contains('%') {
        return None;
    }
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(_, value)| percent_decode_str(value).decode_utf8().is_err()).map(|(name, _)| name)
}

/// Finds the path to the field in axum's rejection.
fn query_problem(rejection: &QueryRejection) -> Problem {
    type Cause = serde_path_to_error::Error<serde::de::value::Error>;
    let mut error: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(link) = error {
        if let Some(cause) = link.downcast_ref::<Cause>() {
            return invalid(&cause.path().to_string(), &cause.inner().to_string());
        }
        error = link.source();
    }
    invalid("", "")
}

//------------ Problems -----------------------------------------------------------------------------------------------

fn obey<T: Rules>(value: T) -> Result<T, Refusal> {
    match value.broken() {
        None => Ok(value),
        Some(field) => Err(invalid(field, "").into()),
    }
}

/// Says which field is wrong and how. `message` is serde's; it can hold the value, so only its kind is used.
fn invalid(path: &str, message: &str) -> Problem {
    let named_in_message = || message.split('`').nth(1).unwrap_or_default();
    let (field, detail) = if message.starts_with("missing field") {
        (named_in_message(), "必須の項目がありません")
    } else if message.starts_with("duplicate field") {
        (named_in_message(), "同じ項目が2回あります")
    } else if message.starts_with("unknown field") {
        (named_in_message(), "定義にない項目です")
    } else {
        (path, "型または値が定義に合いません")
    };
    Problem::new(Code::InvalidRequest).field(presentable(field)).detail(detail)
}

/// A field's name as far as it looks like one; anything else a client sent as a name is not repeated.
fn presentable(field: &str) -> &str {
    let plain = field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
    if field.len() <= 64 && plain && field != "." { field } else { "" }
}
