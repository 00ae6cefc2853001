//! The token of the receipt computer link: signing in, keeping it, replacing it.
//!
//! The central system takes each 6-digit code once. There is one code per step of 30 seconds, so a second sign-in within
//! a step waits for the next one, or fails at once where the caller's deadline is nearer than that.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::config::Credentials;
use super::transport::Transport;
use super::wire::{self, Correlation, Token};
use crate::app::ports::{Clock, UpstreamError};
use crate::domain::personal::Secret;

/// Used where the central system does not say how long its token is good for.
const ASSUMED_LIFE_SECONDS: u32 = 600;
/// A token is replaced this long before its end, or at half its life if that is sooner.
const MARGIN_SECONDS: u32 = 60;

/// A token in use.
#[derive(Clone)]
pub(super) struct Ticket {
    /// For the `Authorization` header; marked sensitive.
    pub header: HeaderValue,
    renew_at: Timestamp,
    /// Tells a refused token from its replacement.
    generation: u64,
}

#[derive(Default)]
struct State {
    ticket: Option<Ticket>,
    generation: u64,
    /// The last step whose code was sent. Recorded before sending: what was sent may have been used.
    last_step: Option<u64>,
}

/// Keeps the one token; callers that need a new one at the same time share one sign-in.
pub(super) struct Session {
    credentials: Arc<Credentials>,
    transport: Arc<Transport>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Session {
    pub(super) fn new(
        credentials: Arc<Credentials>,
        transport: Arc<Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { credentials, transport, clock, state: Mutex::default() }
    }

    /// The current token, or a new one if it is about to end.
    pub(super) async fn ticket(
        &self,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Ticket, UpstreamError> {
        let mut state = self.state.lock().await;
        match &state.ticket {
            Some(ticket) if self.clock.now() < ticket.renew_at => Ok(ticket.clone()),
            Some(_) | None => self.sign_in(&mut state, correlation, deadline).await,
        }
    }

    /// A token other than `refused`, which the central system no longer takes.
    pub(super) async fn renew(
        &self,
        refused: &Ticket,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Ticket, UpstreamError> {
        let mut state = self.state.lock().await;
        match &state.ticket {
            Some(ticket) if ticket.generation != refused.generation => Ok(ticket.clone()),
            Some(_) | None => self.sign_in(&mut state, correlation, deadline).await,
        }
    }

    async fn sign_in(
        &self,
        state: &mut State,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Ticket, UpstreamError> {
        state.ticket = None;
        let code = self.fresh_code(state, deadline).await?;
        let body =
            wire::auth(correlation, &self.credentials.account, self.credentials.password.as_ref(), &code);
        let reply = self.transport.post(&self.transport.endpoints().auth, None, body).await?;
        let token = reply.read(correlation, wire::read_token)?;
        let ticket = self.keep(state, &token)?;
        tracing::info!(request = %correlation.request.0, "signed in to the central system");
        Ok(ticket)
    }

    fn keep(&self, state: &mut State, token: &Token) -> Result<Ticket, UpstreamError> {
        let mut header = HeaderValue::from_str(token.text.expose()).map_err(|_| UpstreamError::Malformed)?;
        header.set_sensitive(true);
        let life = token.expires_in.unwrap_or(ASSUMED_LIFE_SECONDS);
        let used = life.saturating_sub(MARGIN_SECONDS).max(life / 2);
        let renew_at = self
            .clock
            .now()
            .checked_add(SignedDuration::from_secs(i64::from(used)))
            .unwrap_or(Timestamp::MAX);
        state.generation += 1;
        let ticket = Ticket { header, renew_at, generation: state.generation };
        state.ticket = Some(ticket.clone());
        Ok(ticket)
    }

    /// The code of the current step, waiting for the next step if this one's code was already sent.
    async fn fresh_code(&self, state: &mut State, deadline: Instant) -> Result<Secret, UpstreamError> {
        /// So that a clock that stands still is not asked in a tight loop.
        const SHORTEST_WAIT: Duration = Duration::from_millis(100);
        let totp = &self.credentials.totp;
        loop {
            let now = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
            let step = now / totp.step();
            if state.last_step != Some(step) {
                state.last_step = Some(step);
                return Ok(Secret::new(totp.generate(now).to_string()));
            }
            let wait = Duration::from_secs(totp.next_step(now).saturating_sub(now)).max(SHORTEST_WAIT);
            if deadline.saturating_duration_since(Instant::now()) <= wait {
                tracing::warn!("the code of this half minute is used up and the next comes too late");
                return Err(UpstreamError::Timeout);
            }
            tokio::time::sleep(wait).await;
        }
    }
}
