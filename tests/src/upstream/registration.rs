//! Card-use registration (健康保険証利用登録): tickets, the time it takes, when it is closed.
//!
//! A registration that was begun comes to its end whether or not somebody still waits for the answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use daemon::domain::retention::jst_datetime;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::answers;
use super::routes::{Shared, Sim, TERMINAL, text};
use crate::personas::{Persona, Personas, Token};

/// Longer than anybody takes to consent.
const TICKET_LIFE_SECONDS: i64 = 600;
/// Hours of the night in Japan in which it is closed (manual chapter 2).
const NIGHT: [i8; 3] = [3, 4, 5];

#[derive(Default)]
struct Inner {
    /// Whose card, and until when.
    tickets: HashMap<String, (&'static str, Timestamp)>,
    closures: Vec<(Timestamp, Timestamp)>,
}

/// How registrations stand.
#[derive(Default)]
struct Progress {
    held: bool,
    under_way: usize,
    requests: HashMap<&'static str, usize>,
}

/// What is known about registrations.
pub(super) struct Registry {
    time: Duration,
    inner: Mutex<Inner>,
    progress: watch::Sender<Progress>,
}

impl Registry {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, inner: Mutex::default(), progress: watch::Sender::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, held: bool) {
        self.progress.send_modify(|progress| progress.held = held);
    }

    pub(super) fn close(&self, from: Timestamp, until: Timestamp) {
        self.inner().closures.push((from, until));
    }

    pub(super) fn requests(&self, persona: &str) -> usize {
        self.progress.borrow().requests.get(persona).copied().unwrap_or_default()
    }

    pub(super) async fn begun(&self, persona: &str, requests: usize) {
        let enough =
            |progress: &Progress| progress.requests.get(persona).copied().unwrap_or_default() >= requests;
        self.until(enough).await;
    }

    pub(super) async fn settled(&self) {
        self.until(|progress| progress.under_way == 0).await;
    }

    async fn until(&self, stands: impl FnMut(&Progress) -> bool) {
        // The sender lives as long as this does.
        drop(self.progress.subscribe().wait_for(stands).await);
    }

    fn is_closed(&self, at: Timestamp) -> bool {
        let announced = self.inner().closures.iter().any(|(from, until)| *from <= at && at < *until);
        announced || NIGHT.contains(&jst_datetime(at).hour())
    }

    /// Takes a ticket out: it is good for one request.
    fn take(&self, ticket: &str, now: Timestamp) -> Option<&'static str> {
        self.inner().tickets.remove(ticket).filter(|(_, until)| now < *until).map(|(persona, _)| persona)
    }
}

/// The body of the answer about a card that is not registered. A phone's owner registers in マイナポータル.
pub(super) fn not_registered(sim: &Shared, persona: &'static Persona) -> Value {
    let mut body = answers::outcome("CARD_NOT_REGISTERED", "健康保険証としての利用登録がされていません。");
    if persona.card.token == Token::Plastic {
        let ticket = HEXLOWER.encode(&sim.state.unguessable::<32>());
        let until = sim.state.in_seconds(TICKET_LIFE_SECONDS);
        sim.registry.inner().tickets.insert(ticket.clone(), (&persona.name, until));
        body["RegistrationTicket"] = json!(ticket);
    }
    body
}

/// Registers a card and answers with its holder's eligibility.
pub(super) async fn card_use_registration(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, body) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let consented = text(&body, "ConsentTime")
        .is_some_and(|time| time.len() == 14 && DateTime::strptime("%Y%m%d%H%M%S", time).is_ok());
    let Some(ticket) = text(&body, "RegistrationTicket").filter(|_| consented) else {
        return sim.error(&to, "REQUEST_INVALID");
    };
    let now = sim.state.now();
    let known = sim.registry.take(ticket, now).and_then(|name| Personas::builtin().by_name(name));
    let Some(persona) = known else { return sim.error(&to, "TICKET_UNKNOWN") };
    let closed = sim.registry.is_closed(now);
    sim.registry.progress.send_modify(|progress| {
        *progress.requests.entry(&persona.name).or_default() += 1;
        progress.under_way += usize::from(!closed);
    });
    if closed {
        return sim.error(&to, "MAINTENANCE");
    }
    let (done, registered) = oneshot::channel();
    sim.tasks.start(come_to_an_end(Arc::clone(&sim), persona, done));
    if registered.await.is_err() {
        return sim.error(&to, "MAINTENANCE");
    }
    match &persona.answer.refusal {
        Some(code) => sim.error(&to, code),
        None => sim.success(&to, &sim.state.give(persona, TERMINAL, sim.state.now())),
    }
}

async fn come_to_an_end(sim: Arc<Shared>, persona: &'static Persona, done: oneshot::Sender<()>) {
    let work = async {
        tokio::time::sleep(sim.registry.time).await;
        sim.registry.until(|progress| !progress.held).await;
    };
    if sim.stopping.run_until_cancelled(work).await.is_some() {
        sim.state.set_registered(&persona.name, true);
        // Nobody may be waiting any more.
        let _ = done.send(());
    }
    sim.registry.progress.send_modify(|progress| progress.under_way -= 1);
}
