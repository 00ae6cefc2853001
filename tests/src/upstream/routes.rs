//! The endpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use daemon::app::tasks::Tasks;
use daemon::domain::eligibility::parse_date;
use daemon::domain::retention::JstMonth;
use data_encoding::BASE64;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Facility;
use super::answers::{self, Addressee};
use super::fault::{Endpoint, Fault, Script};
use super::inquiries;
use super::line::{Peer, Traffic};
use super::news::Announced;
use super::registration::{self, Registry, card_use_registration};
use super::state::{State, TOKEN_LIFE_SECONDS};
use crate::personas::{Personas, Token};
use crate::pki::{CardPki, CardholderCertificate, VerifyError};

/// Largest request read.
const LARGEST_REQUEST: usize = 256 * 1024;
/// The terminal that checks by card are attributed to.
pub(super) const TERMINAL: &str = "SIM-TERMINAL-01";

/// What all requests share.
pub(super) struct Shared {
    pub facility: Facility,
    pub accepts_unsigned_visual: bool,
    pub page_size: usize,
    pub state: State,
    pub registry: Registry,
    pub tasks: Tasks,
    pub script: Script,
    pub traffic: Arc<Traffic>,
    /// How many seconds its `Date` is ahead of its clock.
    pub clock_ahead: AtomicI64,
    /// Whether it is closed.
    pub maintenance: AtomicBool,
    pub stopping: CancellationToken,
}

pub(super) type Sim = Extract<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for (endpoint, path) in Endpoint::paths() {
        let handler = match endpoint {
            Endpoint::Auth => post(auth),
            Endpoint::Challenge => post(challenge),
            Endpoint::Confirm => post(confirm),
            Endpoint::CardUseRegistration => post(card_use_registration),
            Endpoint::Results => post(results),
            Endpoint::Announcements => post(announcements),
            Endpoint::InquiryNumber => post(inquiries::single),
            Endpoint::InquiryBulk => post(inquiries::bulk),
            Endpoint::InquiryBulkOutcome => post(inquiries::bulk_outcome),
        };
        let layer = from_fn_with_state((Arc::clone(&shared), endpoint), disturb);
        router = router.route(&path, handler.layer(layer));
    }
    router.layer(map_response_with_state(Arc::clone(&shared), dated)).with_state(shared)
}

/// Says the time by its own clock, as a server does whose clock may differ from the client's.
async fn dated(Extract(sim): Sim, mut response: Response) -> Response {
    let ahead = SignedDuration::from_secs(sim.clock_ahead.load(Ordering::SeqCst));
    let now = sim.state.now().checked_add(ahead).unwrap_or(Timestamp::MAX);
    let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Some(now) = now.ok().and_then(|now| HeaderValue::from_str(&now).ok()) {
        response.headers_mut().insert(DATE, now);
    }
    response
}

/// Notes the request, then lets the scripted fault happen.
async fn disturb(
    Extract((sim, endpoint)): Extract<(Arc<Shared>, Endpoint)>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    // Read whole first: a fault is something that happens to a request that has arrived.
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    sim.traffic.note_certificate(&peer.certificate);
    let to = addressee(&serde_json::from_slice(&bytes).unwrap_or_default());
    let request = Request::from_parts(parts, Body::from(bytes));
    let closed = sim.maintenance.load(Ordering::SeqCst) || sim.state.is_closed();
    let closed = closed.then_some(Fault::Maintenance);
    match sim.script.request(endpoint).or(closed) {
        None => {
            let began = monotonic_now();
            let response = next.run(request).await;
            let took = monotonic_now().duration_since(began).as_nanos();
            sim.traffic.answering.fetch_add(u64::try_from(took).unwrap_or(u64::MAX), Ordering::SeqCst);
            response
        }
        Some(Fault::Hang) => {
            sim.stopping.cancelled().await;
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::Slow(time)) => {
            sim.stopping.run_until_cancelled(tokio::time::sleep(time)).await;
            next.run(request).await
        }
        Some(Fault::HangAfter(bytes)) => {
            let response = next.run(request).await;
            peer.hang_after(bytes);
            response
        }
        Some(Fault::Trickle(bytes, pause)) => {
            let response = next.run(request).await;
            peer.trickle(bytes, pause);
            response
        }
        Some(Fault::Twice) => twice(next.run(request).await, &peer).await,
        Some(Fault::Busy(seconds)) => {
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Some(Fault::Garbage) => ([(CONTENT_TYPE, "application/json")], "\u{1}{\"XmlMsg\":[").into_response(),
        Some(Fault::CutAfter(bytes)) => {
            let response = next.run(request).await;
            peer.cut_after(bytes);
            response
        }
        Some(Fault::Reset) => {
            let response = next.run(request).await;
            peer.reset();
            response
        }
        Some(Fault::Status(code)) => {
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Some(Fault::Redirect) => {
            let target = request.uri().path().to_owned();
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target)]).into_response()
        }
        Some(Fault::Maintenance) => {
            Json(answers::error(to.as_ref(), sim.state.now(), "MAINTENANCE")).into_response()
        }
        Some(Fault::WrongEcho) => {
            replace(next.run(request).await, "ArbitraryFileIdentifier", "0".repeat(26)).await
        }
        Some(Fault::WrongInstitution) => {
            replace(next.run(request).await, "MedicalInstitutionCode", "9999999999".to_owned()).await
        }
        Some(Fault::Oversized) => vec![b' '; 5 * 1024 * 1024].into_response(),
        Some(Fault::Close) => {
            peer.cut_after(0);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "measures the simulator's own share")]
fn monotonic_now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Lets the whole answer follow itself once more.
async fn twice(response: Response, peer: &Peer) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    peer.follow_with([head.as_bytes(), &bytes].concat());
    Response::from_parts(parts, Body::from(bytes))
}

/// Rewrites one header field of an answer.
async fn replace(response: Response, field: &str, value: String) -> Response {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    let mut message: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    message["XmlMsg"]["MessageHeader"][field] = json!(value);
    Json(message).into_response()
}

pub(super) fn text<'a>(object: &'a Value, tag: &str) -> Option<&'a str> {
    object.get(tag).and_then(Value::as_str)
}

/// Whom the answer to a message is for, whether in `XmlMsg` form or plain.
fn addressee(message: &Value) -> Option<Addressee> {
    let header = message.pointer("/XmlMsg/MessageHeader").unwrap_or(message);
    Some(Addressee {
        institution: text(header, "MedicalInstitutionCode")?.to_owned(),
        request: text(header, "ArbitraryFileIdentifier").filter(|id| !id.is_empty())?.to_owned(),
    })
}

impl Shared {
    fn refusal(&self, to: Option<&Addressee>, status: StatusCode, code: &str) -> Response {
        (status, Json(answers::error(to, self.state.now(), code))).into_response()
    }

    pub(super) fn error(&self, to: &Addressee, code: &str) -> Response {
        self.refusal(Some(to), StatusCode::OK, code)
    }

    pub(super) fn success(&self, to: &Addressee, body: &Value) -> Response {
        Json(answers::success(to, self.state.now(), body)).into_response()
    }

    /// Checks token and facility, and takes the message apart.
    #[expect(clippy::result_large_err, reason = "the error is the answer, made once and sent")]
    pub(super) fn open(&self, headers: &HeaderMap, bytes: &Bytes) -> Result<(Addressee, Value), Response> {
        let mut message: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let to = addressee(&message);
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !self.state.token_is_good(token) {
            return Err(self.refusal(to.as_ref(), StatusCode::UNAUTHORIZED, "TOKEN_INVALID"));
        }
        let body = message.pointer_mut("/XmlMsg/MessageBody").map(Value::take);
        match (to, body) {
            (Some(to), Some(body)) if to.institution == self.facility.institution_code => Ok((to, body)),
            (to, _) => Err(self.refusal(to.as_ref(), StatusCode::BAD_REQUEST, "REQUEST_INVALID")),
        }
    }
}

async fn auth(Extract(sim): Sim, Json(request): Json<Value>) -> Response {
    let to = addressee(&request);
    let refuse = |code| sim.refusal(to.as_ref(), StatusCode::UNAUTHORIZED, code);
    let facility = &sim.facility;
    let expected = [
        ("MedicalInstitutionCode", &facility.institution_code),
        ("Account", &facility.account),
        ("Password", &facility.password),
    ];
    if expected.iter().any(|(tag, value)| text(&request, tag) != Some(value)) {
        return refuse("ACCOUNT_WRONG");
    }
    let now = u64::try_from(sim.state.now().as_second()).unwrap_or_default();
    let totp = totp_rs::Builder::new().with_secret(facility.totp_secret.to_vec()).build();
    let Ok(totp) = totp else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    match text(&request, "OneTimePassword").and_then(|code| totp.check(code, now)) {
        None => refuse("CODE_WRONG"),
        Some(step) if !sim.state.use_step(step) => refuse("CODE_USED"),
        Some(_) => Json(json!({
            "IdToken": sim.state.issue_token(),
            "ExpiresIn": TOKEN_LIFE_SECONDS.to_string(),
        }))
        .into_response(),
    }
}

async fn challenge(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    match sim.open(&headers, &bytes) {
        Ok((to, _)) => {
            let (id, challenge) = sim.state.issue_challenge();
            sim.success(&to, &json!({ "ChallengeId": id, "Challenge": BASE64.encode(&challenge) }))
        }
        Err(refusal) => refusal,
    }
}

async fn confirm(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, body) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let holder = match check_proof(&sim, &body) {
        Ok(holder) => holder,
        Err(code) => return sim.error(&to, code),
    };
    let known = CardPki::new()
        .persona_of_subject_cn(&holder.subject_cn)
        .and_then(|name| Personas::builtin().by_name(name));
    let Some(persona) = known else { return sim.error(&to, "PERSON_UNKNOWN") };
    let now = sim.state.now();
    if now >= usable_until(holder.not_after, persona.card.token) {
        return sim
            .success(&to, &answers::outcome("CERTIFICATE_EXPIRED", "電子証明書の有効期限が切れています。"));
    }
    if !sim.state.is_registered(persona) {
        return sim.success(&to, &registration::not_registered(&sim, persona));
    }
    match &persona.answer.refusal {
        Some(code) => sim.error(&to, code),
        None => sim.success(&to, &sim.state.give(persona, TERMINAL, now)),
    }
}

/// Checks the card's proof; the error is the code to refuse with.
fn check_proof(sim: &Shared, body: &Value) -> Result<CardholderCertificate, &'static str> {
    let bytes = |tag| text(body, tag).and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok());
    let certificate = bytes("Certificate").ok_or("REQUEST_INVALID")?;
    let pki = CardPki::new();
    let checked = match (text(body, "ChallengeId"), bytes("Signature")) {
        (Some(id), Some(signature)) => {
            let challenge = sim.state.take_challenge(id).ok_or("CHALLENGE_UNKNOWN")?;
            pki.verify(&certificate, &challenge, &signature)
        }
        (None, None) if sim.accepts_unsigned_visual => pki.read_certificate(&certificate),
        _ => return Err("REQUEST_INVALID"),
    };
    checked.map_err(|error| match error {
        VerifyError::WrongSignature => "SIGNATURE_INVALID",
        VerifyError::NotACertificate | VerifyError::UntrustedIssuer => "CERTIFICATE_UNTRUSTED",
    })
}

/// A plastic card is usable until three months after the end of the month in which its certificate ends; a phone's
/// certificate has no grace (manual chapter 2, 電子証明書の有効期限切れ).
fn usable_until(not_after: Timestamp, token: Token) -> Timestamp {
    match token {
        Token::Plastic => {
            JstMonth::of(not_after).next().next().next().next().start().unwrap_or(Timestamp::MAX)
        }
        Token::Android | Token::Iphone => not_after,
    }
}

async fn results(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, body) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let day = |tag| text(&body, tag).and_then(parse_date);
    let (Some(from), Some(until)) = (day("From"), day("To")) else {
        return sim.error(&to, "REQUEST_INVALID");
    };
    // The cursor is the last result of the page before, not a position: results that come in, or run out, while pages
    // are fetched shift nothing. Ids are given in the order in which results come in.
    let after = text(&body, "Cursor").unwrap_or_default();
    let all = sim.state.results(from, until);
    let rest: Vec<_> = all.iter().filter(|given| given.id.as_str() > after).collect();
    let page = rest.get(..sim.page_size).unwrap_or(&rest);
    let entries: Vec<_> = page
        .iter()
        .map(|given| answers::given(given, sim.state.inquiry_number(given.persona.person()).as_deref()))
        .collect();
    let mut answer = json!({ "Count": all.len().to_string(), "Results": entries });
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        answer["NextCursor"] = json!(last.id);
        sim.state.page_turned();
    }
    sim.success(&to, &answer)
}

async fn announcements(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, _) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let all: Vec<_> = sim.state.announced().iter().map(Announced::message).collect();
    sim.success(&to, &json!({ "Announcements": all }))
}
