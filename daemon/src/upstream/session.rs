//! The token of the receipt computer link: signing in, keeping it, replacing it.
//!
//! The central system takes each 6-digit code once. There is one code per step of 30 seconds, so a second sign-in within
//! a step waits for the next one, or fails at once where the caller's deadline is nearer than that.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use totp_rs::Totp;
use url::Url;

use super::asking::of_sign_in;
use super::exchange::ExchangeError;
use super::lines::{Line, Lines};
use super::wire::{self, CODE_USED, Correlation, Token};
use crate::app::ports::{Clock, UpstreamError};
use crate::domain::personal::Secret;

/// Used where the central system does not say how long its token is good for.
const ASSUMED_LIFE_SECONDS: u32 = 600;
/// A token is replaced this long before its end, or at half its life if that is sooner.
const MARGIN_SECONDS: u32 = 60;

/// A token in use, with the line it was got on.
#[derive(Clone)]
pub(super) struct Ticket {
    pub token: Arc<Secret>,
    pub line: Arc<Line>,
    renew_at: Timestamp,
    /// Tells a refused token from its replacement.
    generation: u64,
}

/// Why there is no token.
pub(super) enum NoTicket {
    /// The exchange failed.
    Exchange(ExchangeError),
    /// It was refused, or cannot be asked for now.
    Upstream(UpstreamError),
}

impl From<NoTicket> for UpstreamError {
    fn from(error: NoTicket) -> Self {
        match error {
            NoTicket::Exchange(error) => error.into(),
            NoTicket::Upstream(error) => of_sign_in(error),
        }
    }
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
    auth: Url,
    lines: Arc<Lines>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Session {
    pub(super) fn new(auth: Url, lines: Arc<Lines>, clock: Arc<dyn Clock>) -> Self {
        Self { auth, lines, clock, state: Mutex::default() }
    }

    /// The current token, or a new one if it is about to end or its line was replaced.
    pub(super) async fn ticket(
        &self,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Ticket, NoTicket> {
        let mut state = self.state.lock().await;
        let line = self.lines.current();
        match &state.ticket {
            Some(ticket) if self.clock.now() < ticket.renew_at && Arc::ptr_eq(&ticket.line, &line) => {
                Ok(ticket.clone())
            }
            Some(_) | None => self.sign_in(&mut state, correlation, deadline).await,
        }
    }

    /// A token other than `refused`, which the central system no longer takes.
    pub(super) async fn renew(
        &self,
        refused: &Ticket,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Ticket, NoTicket> {
        let mut state = self.state.lock().await;
        match &state.ticket {
            Some(ticket) if ticket.generation != refused.generation => Ok(ticket.clone()),
            Some(_) | None => self.sign_in(&mut state, correlation, deadline).await,
        }
    }

    /// Drops a token that the central system no longer takes; the next operation signs in.
    pub(super) async fn drop_refused(&self, refused: &Ticket) {
        let mut state = self.state.lock().await;
        state.ticket.take_if(|ticket| ticket.generation == refused.generation);
    }

    async fn sign_in(
        &self,
        state: &mut State,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Ticket, NoTicket> {
        state.ticket = None;
        let line = self.lines.refresh();
        let token = match self.ask_for_token(state, &line, correlation, deadline).await {
            // Used before a restart, or by somebody else with the same secret: the next one is not.
            Err(NoTicket::Upstream(UpstreamError::Refused { code })) if code == CODE_USED => {
                tracing::warn!(request = %correlation.request.0, "the code of this half minute was used before");
                self.ask_for_token(state, &line, correlation, deadline).await?
            }
            outcome => outcome?,
        };
        tracing::info!(request = %correlation.request.0, "signed in to the central system");
        Ok(self.keep(state, token, line))
    }

    async fn ask_for_token(
        &self,
        state: &mut State,
        line: &Line,
        correlation: Correlation<'_>,
        deadline: Instant,
    ) -> Result<Token, NoTicket> {
        let account = &line.account;
        let before = state.last_step;
        let code = self.fresh_code(&account.totp, state, deadline).await.map_err(NoTicket::Upstream)?;
        let body = wire::auth(correlation, &account.name, account.password.as_ref(), &code);
        let asking = line.exchange.post(&self.auth, None, body);
        let reply = timeout_at(deadline, asking).await.unwrap_or(Err(ExchangeError::TimedOut));
        if reply == Err(ExchangeError::NotConnected) {
            // Nothing was sent, so the code is as good as new.
            state.last_step = before;
        }
        let reply = reply.map_err(NoTicket::Exchange)?;
        let token = reply.read(correlation, wire::read_token);
        if matches!(token, Err(UpstreamError::Malformed)) {
            // It may belong to another question: the next answer on that connection would, too.
            line.exchange.discard();
        }
        token.map_err(NoTicket::Upstream)
    }

    fn keep(&self, state: &mut State, token: Token, line: Arc<Line>) -> Ticket {
        let seconds = token.expires_in.unwrap_or(ASSUMED_LIFE_SECONDS);
        let used = seconds.saturating_sub(MARGIN_SECONDS).max(seconds / 2);
        let renew_at = self
            .clock
            .now()
            .checked_add(SignedDuration::from_secs(i64::from(used)))
            .unwrap_or(Timestamp::MAX);
        state.generation += 1;
        let ticket = Ticket { token: Arc::new(token.text), line, renew_at, generation: state.generation };
        state.ticket = Some(ticket.clone());
        ticket
    }

    /// The code of the current step, waiting for the next step if this one's code was already sent.
    async fn fresh_code(
        &self,
        totp: &Totp,
        state: &mut State,
        deadline: Instant,
    ) -> Result<Secret, UpstreamError> {
        /// So that a clock that stands still is not asked in a tight loop.
        const SHORTEST_WAIT: Duration = Duration::from_millis(100);
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
                // Not a timeout: nothing was sent, so it is known that nothing was processed.
                return Err(UpstreamError::Unreachable);
            }
            tokio::time::sleep(wait).await;
        }
    }
}
