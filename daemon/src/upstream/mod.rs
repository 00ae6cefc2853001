//! The central system over HTTPS with mutual TLS: the adapter behind [`CardCheck`] and [`ReceiptLink`].
//!
//! Holds everything that is specific to the central system's interface: endpoints, message forms, sign-in, TLS. Knows
//! nothing of cards, storage or the API. Nothing is repeated here except one sign-in and one further try after the
//! central system refused a token, because such a request was not processed; a card-use registration not even then.
//!
//! Limit: passwords and codes are wiped where this daemon holds them, but the HTTP and TLS layers keep copies of what
//! they send that nobody can wipe.
//!
//! [`CardCheck`]: crate::app::ports::CardCheck
//! [`ReceiptLink`]: crate::app::ports::ReceiptLink

mod check;
mod config;
mod failure;
mod link;
mod probe;
mod session;
mod tls;
mod transport;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

pub use config::{ConfigError, Credentials, Paths, Timeouts, TlsFloor, UpstreamConfig};
pub use probe::{Probed, probe};

use crate::app::ports::{Clock, RequestId, UpstreamError, UpstreamHealth, UpstreamStatus};
use crate::domain::identifiers::InstitutionCode;
use session::Session;
use transport::{Endpoints, Transport};
use wire::{Correlation, WireError};

/// The connection to the central system: both ports on one client, one token.
pub struct Upstream {
    institution: InstitutionCode,
    accepts_unsigned_visual: bool,
    timeouts: Timeouts,
    transport: Arc<Transport>,
    session: Session,
    health: AtomicU8,
}

/// Values of the cell that [`UpstreamStatus::health`] reads.
const UNKNOWN: u8 = 0;
const ANSWERING: u8 = 1;
const FAILING: u8 = 2;

impl Upstream {
    /// Sets the connection up; connects only when asked something.
    pub fn new(
        config: &UpstreamConfig,
        credentials: Credentials,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let client =
            tls::client(&credentials, config.tls_floor, config.timeouts.connect(), Arc::clone(&clock))?;
        let transport = Arc::new(Transport::new(client, Endpoints::new(&config.base()?, &config.paths)?));
        let institution = credentials.institution.clone();
        Ok(Self {
            institution,
            accepts_unsigned_visual: config.accepts_unsigned_visual,
            timeouts: config.timeouts,
            session: Session::new(Arc::new(credentials), Arc::clone(&transport), clock),
            transport,
            health: AtomicU8::new(UNKNOWN),
        })
    }

    fn correlation<'a>(&'a self, request: &'a RequestId) -> Correlation<'a> {
        Correlation { institution: &self.institution, request }
    }

    /// Runs one operation under its total deadline and notes how it ended.
    async fn within<T>(
        &self,
        operation: &'static str,
        request: &RequestId,
        limit: Duration,
        work: impl AsyncFnOnce(Instant) -> Result<T, UpstreamError>,
    ) -> Result<T, UpstreamError> {
        let begun = Instant::now();
        let deadline = begun + limit;
        let outcome =
            tokio::time::timeout_at(deadline, work(deadline)).await.unwrap_or(Err(UpstreamError::Timeout));
        // A refusal is an answer: the connection works.
        let answering = matches!(outcome, Ok(_) | Err(UpstreamError::Refused { .. }));
        self.health.store(if answering { ANSWERING } else { FAILING }, Ordering::Relaxed);
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(_) => tracing::info!(operation, request = %request.0, millis, "central system answered"),
            Err(error) => tracing::warn!(operation, request = %request.0, millis, "central system: {error}"),
        }
        outcome
    }

    /// Asks one question with a valid token; a refused token is replaced once.
    async fn ask<T>(
        &self,
        url: &Url,
        correlation: Correlation<'_>,
        deadline: Instant,
        body: Vec<u8>,
        read: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, UpstreamError> {
        let ticket = self.session.ticket(correlation, deadline).await?;
        let mut reply = self.transport.post(url, Some(&ticket.header), body.clone()).await?;
        if reply.token_refused() {
            let ticket = self.session.renew(&ticket, correlation, deadline).await?;
            reply = self.transport.post(url, Some(&ticket.header), body).await?;
        }
        reply.read(correlation, read)
    }
}

impl UpstreamStatus for Upstream {
    fn health(&self) -> UpstreamHealth {
        match self.health.load(Ordering::Relaxed) {
            ANSWERING => UpstreamHealth::Answering,
            FAILING => UpstreamHealth::Failing,
            _ => UpstreamHealth::Unknown,
        }
    }
}
