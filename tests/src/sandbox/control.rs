//! The control listener: what a program may do to the sandbox. `docs/en/sandbox.md` is the manual; a test holds the two
//! against each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, get, post, put};
use daemon::app::ports::{Clock as _, Role};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Sandbox, forms};
use crate::clinic::Credentials;
use crate::personas::Personas;
use crate::upstream::{Announced, Endpoint, Fault};

/// A sandbox in several hands.
#[derive(Clone)]
pub struct Shared {
    /// The sandbox.
    pub sandbox: Arc<Mutex<Sandbox>>,
    /// For what only its owner can do.
    pub orders: mpsc::Sender<Order>,
}

enum Work {
    NewAccount(Role),
    /// At an instant, or at the machine's.
    Reset(Option<Timestamp>),
}

/// What needs the sandbox for longer than a listener's task may have it: its owner carries it out.
pub struct Order {
    work: Work,
    done: oneshot::Sender<io::Result<Credentials>>,
}

impl Order {
    /// Carries it out and answers whoever gave it.
    pub async fn carry_out(self, sandbox: &mut Sandbox) {
        let outcome = match self.work {
            Work::NewAccount(role) => Ok(sandbox.add_account(role).await),
            Work::Reset(at) => sandbox.reset(at).await.map(|()| sandbox.credentials()),
        };
        // Whoever gave the order may have left.
        let _ = self.done.send(outcome);
    }
}

impl Shared {
    async fn lock(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().await
    }

    async fn order(&self, work: Work) -> Answer<forms::SignIn> {
        let failed = |why: String| Refused(StatusCode::INTERNAL_SERVER_ERROR, why);
        let (done, outcome) = oneshot::channel();
        // If nobody takes it, its answering side is dropped, which shows just below.
        let _ = self.orders.send(Order { work, done }).await;
        let credentials = outcome.await.map_err(|_| failed("the sandbox is ending".to_owned()))?;
        Ok(Json(credentials.map_err(|error| failed(error.to_string()))?.into()))
    }
}

/// Everything that can be asked: path, methods, and how.
fn routes() -> [(&'static str, &'static [&'static str], MethodRouter<Shared>); 17] {
    [
        ("/v1/state", &["GET"], get(state)),
        ("/v1/personas", &["GET"], get(personas)),
        ("/v1/card", &["PUT", "DELETE"], put(tap).delete(remove)),
        ("/v1/reader", &["PUT"], put(set_reader)),
        ("/v1/upstream", &["PUT"], put(set_upstream)),
        ("/v1/upstream/faults", &["POST", "DELETE"], post(add_fault).delete(mend)),
        ("/v1/upstream/results", &["POST"], post(add_result)),
        ("/v1/upstream/announcements/{id}", &["PUT", "DELETE"], put(announce).delete(withdraw)),
        ("/v1/upstream/registrations/{persona}", &["PUT"], put(set_registered)),
        ("/v1/upstream/inquiry-numbers/{persona}", &["GET"], get(inquiry_number)),
        ("/v1/upstream/tokens", &["DELETE"], axum::routing::delete(forget_tokens)),
        ("/v1/clock", &["GET", "PUT"], get(clock).put(set_clock)),
        ("/v1/clock/advance", &["POST"], post(advance)),
        ("/v1/accounts", &["POST"], post(add_account)),
        ("/v1/accounts/receipt", &["GET"], get(receipt)),
        ("/v1/accounts/{account}/code", &["GET"], get(code)),
        ("/v1/reset", &["POST"], post(reset)),
    ]
}

/// Every operation as `METHOD /path`.
pub fn operations() -> Vec<String> {
    let each = |(path, methods, _): (&'static str, &'static [&'static str], _)| {
        methods.iter().map(move |method| format!("{method} {path}"))
    };
    routes().into_iter().flat_map(each).collect()
}

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, sandbox: Shared, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut router = Router::new();
    for (path, _, methods) in routes() {
        router = router.route(path, methods);
    }
    let router = router
        .fallback(async || Json(operations()))
        .layer(from_fn_with_state(address, only_programs_here))
        .with_state(sandbox);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// A web page in the developer's browser is not to play with it.
async fn only_programs_here(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{}", address.port()));
    if request.headers().contains_key(ORIGIN) || !ours.iter().any(|name| name == host) {
        return Refused(StatusCode::FORBIDDEN, "only programs on this machine".to_owned()).into_response();
    }
    next.run(request).await
}

/// Why nothing was done.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

type Answer<T> = Result<Json<T>, Refused>;
type Done = Result<StatusCode, Refused>;
type Hands = State<Shared>;

fn bad(why: impl std::fmt::Display) -> Refused {
    Refused(StatusCode::BAD_REQUEST, format!("{why}"))
}

fn nobody(name: &str) -> Refused {
    Refused(StatusCode::NOT_FOUND, format!("no such persona: {name}; GET /v1/personas lists them"))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(bad)
}

fn known(name: String) -> Result<String, Refused> {
    if Personas::builtin().by_name(&name).is_some() { Ok(name) } else { Err(nobody(&name)) }
}

async fn state(State(sandbox): Hands) -> Json<forms::Everything> {
    let sandbox = sandbox.lock().await;
    let stand = sandbox.stand();
    let upstream = &stand.clinic.upstream;
    Json(forms::Everything {
        api: format!("http://{}", stand.clinic.api),
        clock: clock_stand(&sandbox),
        reader: stand.trouble,
        card: stand.card.as_ref().map(|held| held.persona.into()),
        upstream: stand.upstream,
        upstream_requests: Endpoint::WORDS.map(|(word, endpoint)| (word, upstream.requests(endpoint))).into(),
    })
}

async fn personas() -> Json<Vec<forms::Person>> {
    Json(Personas::builtin().iter().map(Into::into).collect())
}

async fn tap(State(sandbox): Hands, body: Bytes) -> Answer<forms::Person> {
    let forms::Tap { persona, again } = read(&body)?;
    let held = sandbox.lock().await.tap(&persona, again);
    held.map(|persona| Json(persona.into())).ok_or_else(|| nobody(&persona))
}

async fn remove(State(sandbox): Hands) -> StatusCode {
    sandbox.lock().await.remove();
    StatusCode::NO_CONTENT
}

async fn set_reader(State(sandbox): Hands, body: Bytes) -> Done {
    let forms::Stand { state } = read(&body)?;
    sandbox.lock().await.set_reader(state);
    Ok(StatusCode::NO_CONTENT)
}

async fn set_upstream(State(sandbox): Hands, body: Bytes) -> Done {
    let forms::Stand { state } = read(&body)?;
    sandbox.lock().await.set_upstream(state);
    Ok(StatusCode::NO_CONTENT)
}

async fn add_fault(State(sandbox): Hands, body: Bytes) -> Done {
    let order: forms::FaultOrder = read(&body)?;
    let fault: Fault = order.fault.parse().map_err(bad)?;
    let endpoints: Vec<Endpoint> = match order.endpoint.as_str() {
        "all" => Endpoint::WORDS.map(|(_, endpoint)| endpoint).into(),
        one => vec![one.parse().map_err(bad)?],
    };
    let sandbox = sandbox.lock().await;
    let upstream = &sandbox.clinic().upstream;
    for endpoint in endpoints {
        match order.times {
            None => upstream.break_down(endpoint, fault.clone()),
            Some(times) => (0..times).for_each(|_| upstream.script(endpoint, fault.clone())),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn mend(State(sandbox): Hands) -> StatusCode {
    sandbox.lock().await.set_upstream(forms::Upstream::Up);
    StatusCode::NO_CONTENT
}

async fn add_result(State(sandbox): Hands, body: Bytes) -> Done {
    let forms::OtherResult { persona, terminal, at } = read(&body)?;
    let persona = known(persona)?;
    let sandbox = sandbox.lock().await;
    let at = at.map_or_else(|| sandbox.clock.now(), |at| at.0);
    if !sandbox.clinic().upstream.add_result(&persona, &terminal, at) {
        return Err(bad("this persona gets no result"));
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn announce(State(sandbox): Hands, Path(id): Path<String>, body: Bytes) -> Done {
    let asked: forms::Announcement = read(&body)?;
    let sandbox = sandbox.lock().await;
    let now = sandbox.clock.now();
    let announced = match asked.closes {
        None => Announced::notice(&id, &asked.title, now),
        Some(closure) => Announced {
            published_at: now,
            title: asked.title,
            ..Announced::maintenance(&id, closure.from.0, closure.until.0, closure.everything)
        },
    };
    sandbox.clinic().upstream.announce(Announced { body: asked.body, url: asked.url, ..announced });
    Ok(StatusCode::NO_CONTENT)
}

async fn withdraw(State(sandbox): Hands, Path(id): Path<String>) -> StatusCode {
    sandbox.lock().await.clinic().upstream.withdraw(&id);
    StatusCode::NO_CONTENT
}

async fn set_registered(State(sandbox): Hands, Path(persona): Path<String>, body: Bytes) -> Done {
    let (persona, forms::Registered { registered }) = (known(persona)?, read(&body)?);
    sandbox.lock().await.clinic().upstream.set_registered(&persona, registered);
    Ok(StatusCode::NO_CONTENT)
}

async fn inquiry_number(State(sandbox): Hands, Path(persona): Path<String>) -> Answer<forms::Number> {
    let person = Personas::builtin().by_name(&persona).ok_or_else(|| nobody(&persona))?.person();
    let inquiry_number = sandbox.lock().await.clinic().upstream.inquiry_number(person);
    Ok(Json(forms::Number { inquiry_number }))
}

async fn forget_tokens(State(sandbox): Hands) -> StatusCode {
    sandbox.lock().await.clinic().upstream.forget_tokens();
    StatusCode::NO_CONTENT
}

fn clock_stand(sandbox: &Sandbox) -> forms::ClockStand {
    forms::ClockStand { now: forms::Instant(sandbox.clock.now()), running: sandbox.clock.is_running() }
}

async fn clock(State(sandbox): Hands) -> Json<forms::ClockStand> {
    Json(clock_stand(&*sandbox.lock().await))
}

async fn set_clock(State(sandbox): Hands, body: Bytes) -> Answer<forms::ClockStand> {
    let forms::ClockOrder { now, running } = read(&body)?;
    if now.is_some_and(|now| !forms::plausible(now.0)) {
        return Err(bad("from 2020 to 2099"));
    }
    let stand = {
        let sandbox = sandbox.lock().await;
        if let Some(running) = running {
            sandbox.clock.run(running);
        }
        if let Some(now) = now {
            sandbox.clock.set(now.0);
        }
        clock_stand(&sandbox)
    };
    tidy_up(&sandbox).await;
    Ok(Json(stand))
}

async fn advance(State(sandbox): Hands, body: Bytes) -> Answer<forms::ClockStand> {
    let forms::Advance { seconds } = read(&body)?;
    let stand = {
        let sandbox = sandbox.lock().await;
        let by = forms::moved(sandbox.clock.now(), seconds).ok_or_else(|| bad("from 2020 to 2099"))?;
        sandbox.clock.advance(by);
        clock_stand(&sandbox)
    };
    tidy_up(&sandbox).await;
    Ok(Json(stand))
}

/// Destroys what has expired by now, which the daemon's own task would notice only by the machine's time.
async fn tidy_up(sandbox: &Shared) {
    let retention = sandbox.lock().await.clinic().retention().clone();
    if let Err(error) = retention.run_if_due().await {
        tracing::warn!(%error, "what has expired could not be destroyed yet");
    }
}

async fn add_account(State(sandbox): Hands, body: Bytes) -> Answer<forms::SignIn> {
    let forms::NewAccount { role } = read(&body)?;
    sandbox.order(Work::NewAccount(role.into())).await
}

async fn receipt(State(sandbox): Hands) -> Json<forms::SignIn> {
    Json(sandbox.lock().await.credentials().into())
}

async fn code(State(sandbox): Hands, Path(account): Path<String>) -> Answer<forms::CodeNow> {
    let sandbox = sandbox.lock().await;
    let credentials = sandbox.clinic().find_credentials(&account);
    let credentials =
        credentials.ok_or_else(|| Refused(StatusCode::NOT_FOUND, "no such account".to_owned()))?;
    let (code, seconds_left) = sandbox.code_of(credentials);
    Ok(Json(forms::CodeNow { code, seconds_left }))
}

async fn reset(State(sandbox): Hands, body: Bytes) -> Answer<forms::SignIn> {
    let forms::Reset { now } = if body.is_empty() { forms::Reset::default() } else { read(&body)? };
    if now.is_some_and(|now| !forms::plausible(now.0)) {
        return Err(bad("from 2020 to 2099"));
    }
    sandbox.order(Work::Reset(now.map(|now| now.0))).await
}
