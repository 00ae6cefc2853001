//! One HTTP exchange: bytes out, bytes in, and what went wrong in between. Nothing is ever repeated here.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::Url;

use super::config::{ConfigError, Paths};
use super::failure::{classify, root_cause};
use super::wire::{self, Correlation, WireError};
use crate::app::ports::UpstreamError;

/// Largest answer read; all known consumers of these messages stop there too.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Where each operation goes.
pub(super) struct Endpoints {
    pub auth: Url,
    pub challenge: Url,
    pub confirm: Url,
    pub results: Url,
    pub inquiry_number: Url,
    pub announcements: Url,
}

impl Endpoints {
    pub(super) fn new(base: &Url, paths: &Paths) -> Result<Self, ConfigError> {
        let prefix = base.path().trim_end_matches('/');
        let at = |path: &str| {
            base.join(&format!("{prefix}{path}"))
                .ok()
                // A path that starts with // would name another host.
                .filter(|url| url.host() == base.host() && url.port() == base.port())
                .ok_or(ConfigError::Setting { key: "paths", rule: "must be paths below the base URL" })
        };
        Ok(Self {
            auth: at(&paths.auth)?,
            challenge: at(&paths.challenge)?,
            confirm: at(&paths.confirm)?,
            results: at(&paths.results)?,
            inquiry_number: at(&paths.inquiry_number)?,
            announcements: at(&paths.announcements)?,
        })
    }
}

/// An HTTP answer, read whole.
pub(super) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
}

impl Reply {
    /// Whether the token was not accepted, so that nothing was processed.
    pub(super) fn token_refused(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Reads a success with `read`, or the refusal.
    pub(super) fn read<T>(
        &self,
        correlation: Correlation<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, UpstreamError> {
        let outcome = match self.status {
            StatusCode::OK => read(&self.body),
            StatusCode::SERVICE_UNAVAILABLE => Err(WireError::Maintenance),
            status => Err(wire::read_error(&self.body, correlation)
                .unwrap_or_else(|| WireError::Refused(format!("HTTP-{}", status.as_u16())))),
        };
        outcome.map_err(|error| {
            if let WireError::Malformed(rule) = error {
                tracing::warn!(request = %correlation.request.0, rule, "unusable answer from the central system");
            }
            error.into()
        })
    }
}

/// The HTTP client with its peer.
pub(super) struct Transport {
    client: reqwest::Client,
    endpoints: Endpoints,
    answered: AtomicBool,
}

impl Transport {
    pub(super) fn new(client: reqwest::Client, endpoints: Endpoints) -> Self {
        Self { client, endpoints, answered: AtomicBool::new(false) }
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Posts a JSON body once and reads the answer.
    pub(super) async fn post(
        &self,
        url: &Url,
        token: Option<&HeaderValue>,
        body: Vec<u8>,
    ) -> Result<Reply, UpstreamError> {
        let mut request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))
            .body(body);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        self.answered.store(true, Ordering::Relaxed);
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                tracing::warn!("the central system's answer is larger than 4 MiB");
                return Err(UpstreamError::Malformed);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body })
    }

    fn failed(&self, error: &reqwest::Error) -> UpstreamError {
        let kind = classify(error, self.answered.load(Ordering::Relaxed));
        tracing::warn!(cause = %root_cause(error), "exchange with the central system failed: {kind}");
        kind
    }
}
