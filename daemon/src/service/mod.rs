//! The contract's [`Service`], spoken by the use cases: the only translator between wire and domain.
//!
//! Decides nothing: reads a request, calls one use case, writes the answer.

mod errors;
mod query;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use api::codes::Code;
use api::service::{Answer, Caller, Service, ServiceError, SessionKey};
use api::wire as w;
use async_trait::async_trait;

use crate::app::access::Actor;
use crate::app::checks::{CheckView, Checks, InputError, NewCheck};
use crate::app::health::Health;
use crate::app::ports::{Origin, ReaderName, Source, TerminalId};
use crate::app::results::Results;
use crate::app::settings::ChangeSettings;
use crate::app::sign_in::{self, IDLE_LIMIT, Session, SignIn, SignInRequest};
use crate::domain::admission::SecuritySettings;
use crate::domain::check::ResultId;
use crate::domain::identifiers::InquiryNumber;
use crate::domain::personal::{Pin, Secret};

/// The use cases behind the API.
pub struct UseCases {
    /// Sign-in and sessions.
    pub sign_in: SignIn,
    /// Checks.
    pub checks: Checks,
    /// Results and inquiry numbers.
    pub results: Results,
    /// Settings.
    pub settings: ChangeSettings,
    /// Health.
    pub health: Health,
    /// Real or sandbox.
    pub origin: Origin,
}

#[async_trait]
impl Service for UseCases {
    async fn sign_in(&self, request: w::SignIn, peer: Option<SocketAddr>) -> Answer<w::Session> {
        let signed_in = self
            .sign_in
            .sign_in(SignInRequest {
                institution_code: request.institution_code,
                account: request.account,
                password: Secret::new(request.password.expose().to_owned()),
                code: Secret::new(request.code.expose().to_owned()),
                from_loopback: is_loopback(peer),
            })
            .await
            .map_err(errors::sign_in)?;
        Ok(w::Session {
            token: signed_in.token.expose().to_owned(),
            account: signed_in.actor.account,
            role: wire::role(signed_in.actor.role),
            expires_at: wire::jst(signed_in.ends_at),
            idle_timeout_s: IDLE_LIMIT.as_secs(),
        })
    }

    async fn authenticate(&self, token: &str) -> Answer<Caller> {
        let session = self.sign_in.recognise(token).await.map_err(errors::store)?;
        let session = session.ok_or(ServiceError::new(Code::SessionRequired))?;
        Ok(Caller {
            account: session.actor.account,
            role: wire::role(session.actor.role),
            session: SessionKey(session.token_hash),
            peer: None,
        })
    }

    async fn session(&self, caller: &Caller) -> Answer<w::SessionInfo> {
        let session = self.live_session(caller)?;
        Ok(w::SessionInfo {
            account: session.actor.account,
            role: wire::role(session.actor.role),
            expires_at: wire::jst(session.ends_at),
            idle_timeout_s: IDLE_LIMIT.as_secs(),
        })
    }

    async fn sign_out(&self, caller: &Caller) -> Answer<()> {
        let mut session = self.live_session(caller)?;
        session.actor = actor(caller);
        self.sign_in.sign_out(&session).await.map_err(errors::store)
    }

    async fn create_check(&self, caller: &Caller, request: w::NewCheck) -> Answer<w::Check> {
        let new = NewCheck {
            method: wire::method_from(request.method),
            terminal: request.terminal.map(TerminalId),
            reader: request.reader.map(ReaderName),
            card_kind: request.card_kind.map(wire::card_kind_from),
            entered_by: request.entered_by.map(wire::entered_by_from),
            visual_after_lock_of: request.visual_after_lock_of,
        };
        self.checks.create(&actor(caller), &new).await.map(wire::check).map_err(errors::create)
    }

    async fn check(
        &self,
        caller: &Caller,
        id: &str,
        after_revision: Option<i64>,
        wait_seconds: u32,
    ) -> Answer<w::Check> {
        let actor = actor(caller);
        let view = match after_revision {
            Some(seen) => {
                self.checks.wait(&actor, id, seen, Duration::from_secs(u64::from(wait_seconds))).await
            }
            None => self.checks.view(&actor, id),
        };
        answer_check(view)
    }

    async fn enter_pin(&self, caller: &Caller, id: &str, pin: w::PinEntry) -> Answer<w::Check> {
        let pin =
            Pin::parse(pin.pin.expose()).map_err(|_| ServiceError::new(Code::PinFormat).field("pin"))?;
        answer_check(self.checks.enter_pin(&actor(caller), id, pin).await)
    }

    async fn confirm_last_try(&self, caller: &Caller, id: &str) -> Answer<w::Check> {
        answer_check(self.checks.confirm_last_try(&actor(caller), id).await)
    }

    async fn cancel_check(&self, caller: &Caller, id: &str) -> Answer<w::Check> {
        answer_check(self.checks.cancel(&actor(caller), id).await)
    }

    async fn results(&self, caller: &Caller, query: w::ResultQuery) -> Answer<w::ResultPage> {
        let (conditions, after, limit) = query::page(&query)?;
        let (rows, next) =
            self.results.page(&actor(caller), &conditions, after, limit).await.map_err(errors::results)?;
        Ok(w::ResultPage {
            results: rows.iter().map(wire::result).collect(),
            next_cursor: next.map(|next| query::cursor(&query, next)),
        })
    }

    async fn count_results(&self, caller: &Caller, query: w::ResultQuery) -> Answer<w::ResultCount> {
        let conditions = query::conditions(&query)?;
        let count = self.results.count(&actor(caller), &conditions).await.map_err(errors::results)?;
        Ok(w::ResultCount { count: i64::try_from(count).unwrap_or(i64::MAX) })
    }

    async fn result(&self, caller: &Caller, id: i64) -> Answer<w::EligibilityResult> {
        let result = self.results.one(&actor(caller), ResultId(id)).await.map_err(errors::results)?;
        Ok(wire::result(&result))
    }

    async fn set_inquiry_number(
        &self,
        caller: &Caller,
        id: i64,
        request: w::InquiryNumber,
    ) -> Answer<w::InquiryNumberSet> {
        let number = InquiryNumber::parse(&request.inquiry_number).map_err(|invalid| {
            ServiceError::new(Code::InquiryNumberInvalid).field(invalid.field).detail(invalid.rule)
        })?;
        let changed = self
            .results
            .set_inquiry_number(&actor(caller), ResultId(id), &number)
            .await
            .map_err(errors::results)?;
        Ok(w::InquiryNumberSet {
            inquiry_number: number.expose().to_owned(),
            results: changed.into_iter().map(|id| id.0).collect(),
        })
    }

    async fn readers(&self, caller: &Caller) -> Answer<w::Readers> {
        let view = self.health.desk(&actor(caller)).map_err(errors::forbidden)?;
        let offer = self.checks.offer(&actor(caller)).await.map_err(errors::create)?;
        let mut readers = wire::readers(&view, &offer);
        for reader in &mut readers.readers {
            reader.check_id = self.checks.on_reader(&ReaderName(reader.name.clone()));
        }
        Ok(readers)
    }

    async fn security_settings(&self, caller: &Caller) -> Answer<w::SecuritySettings> {
        let settings = self.settings.security(&actor(caller)).await.map_err(errors::settings)?;
        Ok(w::SecuritySettings { visual_confirmation: settings.visual_confirmation })
    }

    async fn set_security_settings(
        &self,
        caller: &Caller,
        settings: w::SecuritySettings,
    ) -> Answer<w::SecuritySettings> {
        let wanted = SecuritySettings { visual_confirmation: settings.visual_confirmation };
        self.settings.set_security(&actor(caller), wanted).await.map_err(errors::settings)?;
        Ok(settings)
    }

    async fn health(&self, caller: &Caller) -> Answer<w::Health> {
        let view = self.health.look(&actor(caller)).await.map_err(errors::forbidden)?;
        Ok(wire::health(&view, self.origin))
    }
}

impl UseCases {
    fn live_session(&self, caller: &Caller) -> Answer<Session> {
        self.sign_in.session(&caller.session.0).ok_or(ServiceError::new(Code::SessionRequired))
    }
}

fn answer_check(view: Result<CheckView, InputError>) -> Answer<w::Check> {
    view.map(wire::check).map_err(errors::input)
}

fn actor(caller: &Caller) -> Actor {
    let source =
        Source::Api { loopback: is_loopback(caller.peer), session: Some(sign_in::short(&caller.session.0)) };
    Actor { account: caller.account.clone(), role: wire::role_from(caller.role), source }
}

fn is_loopback(peer: Option<SocketAddr>) -> bool {
    peer.is_some_and(|peer| peer.ip().is_loopback())
}
