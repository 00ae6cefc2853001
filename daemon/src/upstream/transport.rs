//! [`Exchange`] over HTTPS. Nothing is ever repeated here.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use url::Url;

use super::config::{ConfigError, Paths};
use super::exchange::{Exchange, ExchangeError, Reply};
use super::failure::{classify, root_cause};
use super::tls::Clients;
use crate::domain::personal::Secret;

/// Largest answer read; all known consumers of these messages stop there too.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Where each operation goes.
pub(super) struct Endpoints {
    pub auth: Url,
    pub challenge: Url,
    pub confirm: Url,
    pub card_use_registration: Url,
    pub results: Url,
    pub inquiry_number: Url,
    pub announcements: Url,
    pub inquiry_bulk: Url,
    pub inquiry_bulk_outcome: Url,
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
            card_use_registration: at(&paths.card_use_registration)?,
            results: at(&paths.results)?,
            inquiry_number: at(&paths.inquiry_number)?,
            announcements: at(&paths.announcements)?,
            inquiry_bulk: at(&paths.inquiry_bulk)?,
            inquiry_bulk_outcome: at(&paths.inquiry_bulk_outcome)?,
        })
    }
}

/// The HTTP client of one set of certificates.
pub(super) struct Https {
    clients: Clients,
    client: RwLock<reqwest::Client>,
    /// Whether anything was ever answered with this certificate.
    answered: AtomicBool,
}

impl Https {
    pub(super) fn new(clients: Clients) -> Result<Self, ConfigError> {
        let client = RwLock::new(clients.build()?);
        Ok(Self { clients, client, answered: AtomicBool::new(false) })
    }

    fn client(&self) -> reqwest::Client {
        self.client.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn failed(&self, error: &reqwest::Error) -> ExchangeError {
        let kind = classify(error, self.answered.load(Ordering::Relaxed));
        tracing::warn!(cause = %root_cause(error), "exchange with the central system failed: {kind}");
        kind
    }
}

#[async_trait]
impl Exchange for Https {
    async fn post(&self, url: &Url, token: Option<&Secret>, body: Vec<u8>) -> Result<Reply, ExchangeError> {
        let mut request = self
            .client()
            .post(url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))
            .body(body);
        if let Some(token) = token {
            let mut header = HeaderValue::from_str(token.expose()).map_err(|_| ExchangeError::Unusable)?;
            header.set_sensitive(true);
            request = request.header(AUTHORIZATION, header);
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        self.answered.store(true, Ordering::Relaxed);
        let (status, date) = (response.status().as_u16(), date(response.headers()));
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                tracing::warn!("the central system's answer is larger than 4 MiB");
                return Err(ExchangeError::Unusable);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body, date, retry_after })
    }

    fn discard(&self) {
        match self.clients.build() {
            Ok(fresh) => *self.client.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh,
            // It was built before from the same parts; if not now, the old one goes on.
            Err(error) => tracing::error!(%error, "connections could not be discarded"),
        }
    }
}

/// RFC 9110, section 5.6.7: the preferred form is one of RFC 2822.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(headers.get(DATE)?.as_bytes()).ok()
}

/// Seconds; the other form, a date, is as good as none: it would be read by a clock that may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_http_answer_is_read_in_its_preferred_form_only() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("1994-11-06T08:49:37Z")),
            ("Sun, 06 Nov 1994 08:49:37 +0900", Some("1994-11-05T23:49:37Z")),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(text))]);
            assert_eq!(date(&headers), expected.map(|text| text.parse().unwrap()), "{text}");
        }
        assert_eq!(date(&HeaderMap::new()), None);
    }

    #[test]
    fn a_wait_is_read_in_seconds_only() {
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("-1", None),
            ("1.5", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }
}
