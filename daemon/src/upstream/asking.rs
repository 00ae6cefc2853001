//! Asking: deadline, breaker, token, repetition.
//!
//! A repeated question keeps its request id. It is the same question, so either answer is right for it; the central system
//! can recognise it as a repetition; and an answer to an earlier try cannot be taken for that of another question, because
//! its connection was given up with it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use url::Url;

use super::Upstream;
use super::exchange::{ExchangeError, Reply};
use super::session::{NoTicket, Ticket};
use super::watch::Blame;
use super::wire::{Correlation, WireError};
use crate::app::ports::{RequestId, UpstreamError, random_bytes};

/// What may be sent again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Never, not even after a refused token: card-use registration (利用登録).
    Never,
    /// Once after a refused token, because such a request was not processed: confirm.
    AfterRefusedToken,
    /// Asking again changes nothing: reads, and setting an inquiry number to the same value. Twice at most, where the
    /// connection or a gateway failed.
    Safe,
}

/// Repetitions of a safe question.
const MOST_REPEATS: u32 = 2;
/// Before the first repetition, on average; doubled before the second.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// One try.
enum Failed {
    /// To sign in.
    SignIn(NoTicket),
    /// The question itself.
    Question(ExchangeError),
}

impl Failed {
    /// Whether another try may do better. A sign-in is tried again only where its code was not sent.
    fn may_pass(&self) -> bool {
        match self {
            Self::SignIn(NoTicket::Exchange(error)) => *error == ExchangeError::NotConnected,
            Self::SignIn(NoTicket::Upstream(_)) => false,
            Self::Question(error) => error.may_pass(),
        }
    }

    fn is_certificate(&self) -> bool {
        match self {
            Self::SignIn(NoTicket::Exchange(error)) | Self::Question(error) => {
                *error == ExchangeError::Certificate
            }
            Self::SignIn(NoTicket::Upstream(_)) => false,
        }
    }
}

impl From<Failed> for UpstreamError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::SignIn(error) => error.into(),
            Failed::Question(error) => error.into(),
        }
    }
}

impl Upstream {
    /// Runs one operation under its total deadline and notes how it ended; fails at once while the breaker is open.
    pub(super) async fn within<T>(
        &self,
        operation: &'static str,
        request: &RequestId,
        limit: Duration,
        work: impl AsyncFnOnce(Instant) -> Result<T, UpstreamError>,
    ) -> Result<T, UpstreamError> {
        self.within_blaming(Blame::Connection, operation, request, limit, work).await
    }

    /// The same; says what a failure is held against.
    pub(super) async fn within_blaming<T>(
        &self,
        blame: Blame,
        operation: &'static str,
        request: &RequestId,
        limit: Duration,
        work: impl AsyncFnOnce(Instant) -> Result<T, UpstreamError>,
    ) -> Result<T, UpstreamError> {
        let permit = self.watch.admit().inspect_err(|error| {
            tracing::warn!(operation, request = %request.0, "not asked, after failures in a row: {error}");
        })?;
        let begun = Instant::now();
        let deadline = begun + limit;
        let outcome = timeout_at(deadline, work(deadline)).await.unwrap_or(Err(UpstreamError::Timeout));
        permit.end(&outcome, blame);
        self.watch.certificate_ends(self.lines.current().certificate_ends);
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(_) => tracing::info!(operation, request = %request.0, millis, "central system answered"),
            Err(error) => tracing::warn!(operation, request = %request.0, millis, "central system: {error}"),
        }
        outcome
    }

    /// Asks one question with a valid token; a refused token is replaced once.
    pub(super) async fn ask<T>(
        &self,
        url: &Url,
        correlation: Correlation<'_>,
        deadline: Instant,
        body: Vec<u8>,
        read: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, UpstreamError> {
        self.ask_with(Repeat::AfterRefusedToken, url, correlation, deadline, body, read).await
    }

    /// Asks one question with a valid token, and again where `repeat` allows it.
    pub(super) async fn ask_with<T>(
        &self,
        repeat: Repeat,
        url: &Url,
        correlation: Correlation<'_>,
        deadline: Instant,
        body: Vec<u8>,
        read: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, UpstreamError> {
        let (reply, ticket) = self.answer(repeat, url, correlation, deadline, &body).await?;
        if let Some(wait) = reply.wait_asked() {
            self.watch.told_to_wait(wait);
        }
        let outcome = if reply.token_refused() {
            reply.read(correlation, read).map_err(of_sign_in)
        } else {
            reply.read(correlation, read)
        };
        match &outcome {
            Ok(_) => self.watch.answered(),
            // It may belong to another question: the next answer on that connection would, too.
            Err(UpstreamError::Malformed) => ticket.line.exchange.discard(),
            Err(_) => {}
        }
        outcome
    }

    async fn answer(
        &self,
        repeat: Repeat,
        url: &Url,
        correlation: Correlation<'_>,
        deadline: Instant,
        body: &[u8],
    ) -> Result<(Reply, Ticket), UpstreamError> {
        let mut wait = FIRST_WAIT;
        // A trial of the breaker is one try: others wait for its outcome.
        let repeats = if repeat == Repeat::Safe && self.watch.is_closed() { MOST_REPEATS } else { 0 };
        for left in (0..=repeats).rev() {
            let limit = self.limit(repeat, deadline, left);
            let tried = self.once(repeat, url, correlation, limit, body).await;
            let again = match &tried {
                Ok((reply, _)) => reply.is_trouble(correlation),
                Err(failed) => failed.may_pass(),
            };
            if tried.as_ref().is_err_and(Failed::is_certificate) {
                // Perhaps the new certificate is already on disk; the next operation uses it.
                self.lines.refresh();
            }
            let pause = self.jittered(wait);
            if !again || left == 0 || deadline.saturating_duration_since(Instant::now()) <= pause {
                return tried.map_err(UpstreamError::from);
            }
            tracing::info!(request = %correlation.request.0, left, "asking again");
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
        // The last round above always returns.
        Err(UpstreamError::Unreachable)
    }

    /// No exchange takes longer than an ordinary operation may, except one that is only waited for; one that may be repeated
    /// leaves time for that.
    fn limit(&self, repeat: Repeat, deadline: Instant, repeats_left: u32) -> Instant {
        let now = Instant::now();
        let rest = deadline.saturating_duration_since(now);
        let share = if repeats_left > 0 { rest * 2 / 3 } else { rest };
        match repeat {
            Repeat::Never => deadline,
            Repeat::AfterRefusedToken | Repeat::Safe => now + share.min(self.timeouts.total()),
        }
    }

    /// Between half and one and a half of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let chance = u16::from_be_bytes(random_bytes(self.random.as_ref()));
        wait / 2 + wait * u32::from(chance) / u32::from(u16::MAX)
    }

    async fn once(
        &self,
        repeat: Repeat,
        url: &Url,
        correlation: Correlation<'_>,
        limit: Instant,
        body: &[u8],
    ) -> Result<(Reply, Ticket), Failed> {
        let ticket = self.session.ticket(correlation, limit).await.map_err(Failed::SignIn)?;
        let reply = self.post(url, &ticket, limit, body).await?;
        if !reply.token_refused() {
            return Ok((reply, ticket));
        }
        if repeat == Repeat::Never {
            self.session.drop_refused(&ticket).await;
            return Ok((reply, ticket));
        }
        let ticket = self.session.renew(&ticket, correlation, limit).await.map_err(Failed::SignIn)?;
        let reply = self.post(url, &ticket, limit, body).await?;
        Ok((reply, ticket))
    }

    async fn post(&self, url: &Url, ticket: &Ticket, limit: Instant, body: &[u8]) -> Result<Reply, Failed> {
        let asking = ticket.line.exchange.post(url, Some(&ticket.token), body.to_vec());
        let reply = timeout_at(limit, asking).await.unwrap_or(Err(ExchangeError::TimedOut));
        let reply = reply.map_err(Failed::Question)?;
        if let Some(date) = reply.date {
            self.watch.date(date);
        }
        Ok(reply)
    }
}

/// A refusal of the sign-in or of its token, which says nothing about what was asked with it.
pub(super) fn of_sign_in(error: UpstreamError) -> UpstreamError {
    match error {
        UpstreamError::Refused { code } => UpstreamError::SignInRefused { code },
        UpstreamError::Unreachable
        | UpstreamError::Timeout
        | UpstreamError::SignInRefused { .. }
        | UpstreamError::ClientCertificate
        | UpstreamError::Renegotiation
        | UpstreamError::Malformed
        | UpstreamError::Maintenance => error,
    }
}
