//! Entrance: all that stands between the connections of a listener and its routes, and what every request carries of the way it came.
//!
//! One service and one extension. As layers of a router, each step would box request, future and answer, and as extensions, each
//! fact would be an allocation: together a third of what it costs to answer a poll that has nothing new.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, Request};
use axum::http::header::TRANSFER_ENCODING;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::future::RouteFuture;
use futures_util::FutureExt as _;
use futures_util::future::{CatchUnwind, Either, Map};
use tokio::time::Timeout;
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::carriage::Carriage;
use crate::codes::Code;
use crate::guard::{Guard, last, secured};
use crate::limits::Limits;
use crate::listeners::Listener;
use crate::places::AllPlaces;
use crate::problem::{Problem, Refusal};
use crate::rates::Rates;
use crate::service::PeerCertificate;

/// What a listener serves, behind its guard: made by [`crate::router`] or [`crate::page_router`], served by [`crate::serve::serve`].
#[derive(Clone)]
pub struct Entrance {
    hall: Arc<Hall>,
    routes: Router,
}

/// What all requests of a listener share.
pub(crate) struct Hall {
    guard: Guard,
    /// How tokens travel.
    pub carriage: Carriage,
    /// Its limits.
    pub limits: Limits,
    /// How many requests each account has made.
    pub rates: Rates,
    /// What addresses may try without a session.
    pub strangers: Rates,
    /// How many long answers are open.
    pub places: AllPlaces,
}

impl Entrance {
    pub(crate) fn new(routes: Router, listener: Listener, guard: Guard, limits: Limits) -> Self {
        let rates = Rates::new(limits.requests_per_second, limits.request_burst);
        let strangers = Rates::new(limits.strangers_per_second, limits.stranger_burst);
        let (carriage, places) = (Carriage::of(listener), AllPlaces::new(&limits));
        let hall = Hall { guard, carriage, limits, rates, strangers, places };
        Self { hall: Arc::new(hall), routes }
    }

    /// For the requests of one connection.
    pub(crate) fn connected(&self, peer: SocketAddr, stopping: CancellationToken) -> Connected {
        let connection = Arc::new(Connection { peer, certificate: None, stopping });
        Connected { routes: self.routes.clone(), arrival: Arrival { hall: self.hall.clone(), connection } }
    }
}

/// A connection, as far as it is known.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// The client's certificate, which the handshake has verified.
    pub certificate: Option<PeerCertificate>,
    /// Cancelled when the program stops, so that handlers that wait answer at once.
    pub stopping: CancellationToken,
}

/// How a request came in; every request carries it.
#[derive(Clone)]
pub(crate) struct Arrival {
    /// What it shares with all requests of the listener.
    pub hall: Arc<Hall>,
    /// What it shares with all requests of its connection.
    pub connection: Arc<Connection>,
}

impl Arrival {
    /// Of a request that came in by an entrance, as all do.
    pub(crate) fn of(parts: &Parts) -> Result<&Self, Refusal> {
        parts.extensions.get().ok_or_else(|| Code::Internal.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Arrival {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::of(parts).cloned()
    }
}

/// Answers the requests of one connection: refuses or hands on, and puts the security headers on whatever comes back.
#[derive(Clone)]
pub(crate) struct Connected {
    routes: Router,
    arrival: Arrival,
}

impl Connected {
    /// What the handshake has proved about the client.
    pub(crate) fn with_certificate(mut self, certificate: Option<PeerCertificate>) -> Self {
        Arc::make_mut(&mut self.arrival.connection).certificate = certificate;
        self
    }
}

type Answering = CatchUnwind<AssertUnwindSafe<RouteFuture<Infallible>>>;

/// What became of a request within its time: an answer, or a panic.
type Outcome = Result<Result<Result<Response, Infallible>, Box<dyn Any + Send>>, Elapsed>;

impl<B> Service<axum::http::Request<B>> for Connected
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response, Infallible>>,
        Map<Timeout<Answering>, fn(Outcome) -> Result<Response, Infallible>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let mut request = request.map(Body::new);
        let Hall { guard, limits, .. } = &*self.arrival.hall;
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        if let Some(code) = guard.refusal(&request, self.arrival.connection.certificate.as_ref(), limits) {
            tracing::debug!(code = code.as_str(), "request refused");
            let refused = Problem::new(code).into_response();
            return Either::Left(ready(Ok(if is_chunked { last(refused) } else { secured(refused) })));
        }
        let time = limits.request_timeout_of(request.uri().path());
        request.extensions_mut().insert(self.arrival.clone());
        // What a handler shares with others it shares through locks, which a panic leaves in a state that their users have judged.
        let answering = AssertUnwindSafe(self.routes.call(request)).catch_unwind();
        Either::Right(tokio::time::timeout(time, answering).map(if is_chunked {
            |outcome| Ok(last(answer(outcome)))
        } else {
            |outcome| Ok(secured(answer(outcome)))
        }))
    }
}

fn answer(outcome: Outcome) -> Response {
    match outcome {
        Ok(Ok(Ok(response))) => response,
        // The panic's message stays where it is: it can hold anything.
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            Problem::new(Code::Internal).into_response()
        }
        Err(_) => Problem::new(Code::RequestTimeout).into_response(),
    }
}
