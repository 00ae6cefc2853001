//! The narrow seam to the network: one question out, one answer in. Behind it sits HTTPS, or a model of a bad network.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

use super::wire::{self, Correlation, WireError};
use crate::app::ports::UpstreamError;
use crate::domain::personal::Secret;

/// HTTP status of a request whose token was not accepted.
const UNAUTHORIZED: u16 = 401;
/// HTTP status of one that came too soon.
const TOO_MANY: u16 = 429;
/// HTTP status of a service that is closed.
const UNAVAILABLE: u16 = 503;

/// Carries questions to the central system.
#[async_trait]
pub trait Exchange: Send + Sync + 'static {
    /// Posts a JSON body once, with the token as `Authorization`, and reads the answer whole. Never repeats anything and
    /// knows no deadline: dropping the future ends the exchange, and its answer can reach nobody any more.
    async fn post(&self, url: &Url, token: Option<&Secret>, body: Vec<u8>) -> Result<Reply, ExchangeError>;

    /// Forgets connections that are kept for reuse: on one of them an answer came that belongs to something else, so that
    /// the next one would, too.
    fn discard(&self);
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No connection: nothing was sent.
    #[error("no connection")]
    NotConnected,
    /// No answer in time: whether the question was processed is unknown.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended in the middle: whether the question was processed is unknown.
    #[error("the connection ended before the whole answer was there")]
    Cut,
    /// TLS: one side did not accept the other's certificate or settings.
    #[error("the TLS certificates were not accepted")]
    Certificate,
    /// TLS 1.2: the server wants to shake hands anew on the open connection, which is not supported.
    #[error("the server wants TLS 1.2 renegotiation, which is not supported")]
    Renegotiation,
    /// What came is not HTTP, or more than any answer is.
    #[error("no usable HTTP answer")]
    Unusable,
}

impl ExchangeError {
    /// Whether the same question may be answered a moment later.
    pub(super) fn may_pass(self) -> bool {
        match self {
            Self::NotConnected | Self::TimedOut | Self::Cut => true,
            Self::Certificate | Self::Renegotiation | Self::Unusable => false,
        }
    }
}

impl From<ExchangeError> for UpstreamError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::NotConnected => Self::Unreachable,
            ExchangeError::TimedOut => Self::Timeout,
            ExchangeError::Cut | ExchangeError::Unusable => Self::Malformed,
            ExchangeError::Certificate => Self::ClientCertificate,
            ExchangeError::Renegotiation => Self::Renegotiation,
        }
    }
}

/// An HTTP answer, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The server's clock (`Date`), if it said.
    pub date: Option<Timestamp>,
    /// How long the server wants to be left alone (`Retry-After` in seconds), if it said.
    pub retry_after: Option<Duration>,
}

impl Reply {
    /// A plain 200 with this body.
    pub fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, body, date: None, retry_after: None }
    }

    /// Whether the token was not accepted, so that nothing was processed.
    pub(super) fn token_refused(&self) -> bool {
        self.status == UNAUTHORIZED
    }

    /// Whether the server wants to be left alone for a while.
    pub(super) fn wait_asked(&self) -> Option<Duration> {
        self.retry_after.filter(|_| self.status == TOO_MANY)
    }

    /// Whether the server, or a gateway before it, failed without an answer of its own.
    pub(super) fn is_trouble(&self, correlation: Correlation<'_>) -> bool {
        (500..600).contains(&self.status)
            && self.status != UNAVAILABLE
            && wire::read_error(&self.body, correlation).is_none()
    }

    /// Reads a success with `read`, or the refusal.
    pub(super) fn read<T>(
        &self,
        correlation: Correlation<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, UpstreamError> {
        let outcome = match self.status {
            200 => read(&self.body),
            UNAVAILABLE => Err(WireError::Maintenance),
            status => Err(wire::read_error(&self.body, correlation)
                .unwrap_or_else(|| WireError::Refused(format!("HTTP-{status}")))),
        };
        outcome.map_err(|error| {
            if let WireError::Malformed(rule) = error {
                tracing::warn!(request = %correlation.request.0, rule, "unusable answer from the central system");
            }
            error.into()
        })
    }
}
