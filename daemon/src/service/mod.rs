//! The contract's [`Service`], spoken by the use cases: the only translator between wire and domain.
//!
//! Decides nothing: reads a request, calls one use case, writes the answer.

mod accounts;
mod collect;
mod desk;
mod errors;
mod events;
mod export;
mod face;
mod form;
mod health;
mod idempotency;
mod inquiry;
mod layout;
mod monitor;
mod passkeys;
mod query;
mod results;
mod upkeep;
mod wire;

pub use events::SseForm;
pub use face::FaceXml;
pub use form::JsonForm;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::codes::Code;
use api::service::{
    Along, Answer, Caller, IdempotencyKey, InquiryOutcome, Presented, Service, ServiceError, SessionKey,
};
use api::wire as w;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::app::access::Actor;
use crate::app::accounts::ManageAccounts;
use crate::app::announcements::News;
use crate::app::audit::ReviewAudit;
use crate::app::checks::{CheckView, Checks, InputError, NewCheck};
use crate::app::collect::Collect;
use crate::app::desk_records::KeepDeskRecords;
use crate::app::endings::Endings;
use crate::app::events::Events;
use crate::app::folders::FolderAcceptance;
use crate::app::health::Health;
use crate::app::inquiries::Inquiries;
use crate::app::machines::Machines;
use crate::app::monitor::Monitor;
use crate::app::own_account::OwnAccount;
use crate::app::passkeys::Passkeys;
use crate::app::ports::{AuditSource, Origin, ReaderName, TerminalId};
use crate::app::results::Results;
use crate::app::retention::Retention;
use crate::app::sessions::{Place, Session, Sessions, short};
use crate::app::settings::ChangeSettings;
use crate::app::sign_in::{SignIn, Welcome};
use crate::app::terminals::Terminals;
use crate::domain::admission::SecuritySettings;
use crate::domain::check::ResultId;
use crate::domain::identifiers::InstitutionCode;
use crate::domain::personal::Pin;
use crate::domain::queue::{BulkId, JobId};

/// The use cases behind the API.
pub struct UseCases {
    /// Sign-in.
    pub sign_in: Arc<SignIn>,
    /// Passkeys.
    pub passkeys: Passkeys,
    /// Sessions.
    pub sessions: Arc<Sessions>,
    /// Enrolled terminals.
    pub terminals: Arc<Terminals>,
    /// Receipt computers with a certificate.
    pub machines: Arc<Machines>,
    /// What takes access away.
    pub endings: Endings,
    /// Everybody's accounts.
    pub accounts: Arc<ManageAccounts>,
    /// One's own account.
    pub own_account: Arc<OwnAccount>,
    /// Checks.
    pub checks: Checks,
    /// Results.
    pub results: Arc<Results>,
    /// What happens, as it happens.
    pub events: Events,
    /// Collecting what others of the facility confirmed.
    pub collect: Collect,
    /// Announcements.
    pub news: News,
    /// Inquiry numbers.
    pub inquiries: Inquiries,
    /// Settings.
    pub settings: ChangeSettings,
    /// What the front desk writes down.
    pub desk_records: Arc<KeepDeskRecords>,
    /// The administrator's word about the OQS folders.
    pub folders: Arc<FolderAcceptance>,
    /// Health.
    pub health: Arc<Health>,
    /// What whoever watches the program is told.
    pub monitor: Monitor,
    /// The audit log.
    pub review: ReviewAudit,
    /// What is kept.
    pub retention: Arc<Retention>,
    /// Whose results these are.
    pub institution: InstitutionCode,
    /// Real or sandbox.
    pub origin: Origin,
    /// Who waits answers at once when the program is to stop.
    pub stopping: CancellationToken,
}

#[async_trait]
impl Service for UseCases {
    async fn sign_in(&self, request: w::SignIn, along: Along) -> Answer<w::Session> {
        let (claimed, second) = accounts::credentials(request)?;
        let welcome =
            self.sign_in.sign_in(claimed, second, accounts::along(&along)).await.map_err(errors::sign_in)?;
        Ok(begun(welcome))
    }

    async fn authenticate(&self, presented: Presented<'_>) -> Answer<Caller> {
        let certificate = presented.certificate.map(|certificate| certificate.0);
        let place = Place { terminal: presented.terminal, certificate, on_page: presented.on_page };
        let session = self.sessions.recognise(presented.token, place).await.map_err(errors::store)?;
        let session = session.ok_or(ServiceError::new(Code::SessionRequired))?;
        Ok(Caller {
            account: session.actor.account,
            role: wire::role(session.actor.role),
            session: SessionKey(session.token_hash),
            peer: None,
            must_change_password: session.restricted,
        })
    }

    async fn session(&self, caller: &Caller) -> Answer<w::SessionInfo> {
        let session = self.live_session(caller)?;
        let terminal = self.terminal_of(&session).await?;
        Ok(w::SessionInfo {
            account: session.actor.account,
            role: wire::role(session.actor.role),
            expires_at: wire::jst(session.ends_at),
            idle_timeout_s: session.idle_limit.as_secs(),
            password_change_required: session.restricted,
            terminal: terminal.map(|terminal| terminal.0),
        })
    }

    async fn sign_out(&self, caller: &Caller) -> Answer<()> {
        let session = self.live_session(caller)?;
        self.sessions.sign_out(&session).await.map_err(errors::store)
    }

    async fn create_check(
        &self,
        caller: &Caller,
        request: w::NewCheck,
        key: Option<IdempotencyKey>,
    ) -> Answer<w::Check> {
        let keyed = idempotency::keyed(caller, key, "create_check", &request)?;
        let terminal = match request.terminal {
            Some(terminal) => Some(TerminalId(terminal)),
            None => self.terminal_of(&self.live_session(caller)?).await?,
        };
        let new = NewCheck {
            method: wire::method_from(request.method),
            terminal,
            reader: request.reader.map(ReaderName),
            card_kind: request.card_kind.map(wire::card_kind_from),
            entered_by: request.entered_by.map(wire::entered_by_from),
            visual_after_lock_of: request.visual_after_lock_of,
        };
        self.checks.create(&actor(caller), &new, keyed).await.map(wire::check).map_err(errors::create)
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

    async fn register_card_use(
        &self,
        caller: &Caller,
        id: &str,
        request: w::CardUseRegistration,
    ) -> Answer<w::Check> {
        let consent = wire::consent_from(request);
        answer_check(self.checks.decide_registration(&actor(caller), id, consent).await)
    }

    async fn cancel_check(&self, caller: &Caller, id: &str) -> Answer<w::Check> {
        answer_check(self.checks.cancel(&actor(caller), id).await)
    }

    async fn announcements(&self, caller: &Caller) -> Answer<w::AnnouncementList> {
        let shown = self.news.list(&actor(caller)).await.map_err(errors::news)?;
        Ok(collect::announcements(&shown))
    }

    async fn set_inquiry_number(
        &self,
        caller: &Caller,
        id: i64,
        request: w::InquiryNumber,
        key: Option<IdempotencyKey>,
    ) -> Answer<InquiryOutcome> {
        let keyed = idempotency::keyed(caller, key, "set_inquiry_number", &(id, &request))?;
        let number = inquiry::number(&request.inquiry_number)?;
        let registration = self.inquiries.set_for_result(&actor(caller), ResultId(id), &number, keyed).await;
        Ok(inquiry::outcome(registration.map_err(errors::inquiry)?, &number))
    }

    async fn set_inquiry_number_of_insurance(
        &self,
        caller: &Caller,
        request: w::InquiryNumberOfInsurance,
        key: Option<IdempotencyKey>,
    ) -> Answer<InquiryOutcome> {
        let keyed = idempotency::keyed(caller, key, "set_inquiry_number_of_insurance", &request)?;
        let number = inquiry::number(&request.inquiry_number)?;
        let person = inquiry::person(&request.insurance)?;
        let registration = self.inquiries.set_for_person(&actor(caller), person, &number, keyed).await;
        Ok(inquiry::outcome(registration.map_err(errors::inquiry)?, &number))
    }

    async fn inquiry_jobs(&self, caller: &Caller, query: w::InquiryJobQuery) -> Answer<w::InquiryJobPage> {
        let (state, before, limit) = inquiry::jobs_query(query);
        let page = self.inquiries.jobs(&actor(caller), state, before, limit).await;
        let (jobs, next) = page.map_err(errors::inquiry)?;
        let jobs = jobs.iter().map(inquiry::job).collect();
        Ok(w::InquiryJobPage { jobs, next_before: next.map(|id| id.0) })
    }

    async fn inquiry_job(&self, caller: &Caller, id: i64) -> Answer<w::InquiryJob> {
        let job = self.inquiries.job(&actor(caller), JobId(id)).await.map_err(errors::inquiry)?;
        Ok(inquiry::job(&job))
    }

    async fn set_inquiry_numbers_in_bulk(
        &self,
        caller: &Caller,
        request: w::BulkInquiry,
        key: Option<IdempotencyKey>,
    ) -> Answer<w::BulkReceipt> {
        let keyed = idempotency::keyed(caller, key, "set_inquiry_numbers_in_bulk", &request)?;
        let items = inquiry::items(&request)?;
        let count = items.len();
        let taken = self.inquiries.set_bulk(&actor(caller), items, keyed).await.map_err(errors::inquiry)?;
        Ok(inquiry::receipt(taken, count))
    }

    async fn inquiry_bulk(&self, caller: &Caller, id: i64, query: w::BulkQuery) -> Answer<w::BulkStand> {
        let (from, limit) = inquiry::page(query);
        let stand = self.inquiries.bulk(&actor(caller), BulkId(id), from, limit).await;
        let (stand, page) = stand.map_err(errors::inquiry)?;
        Ok(inquiry::stand(BulkId(id), &stand, &page))
    }

    async fn readers(&self, caller: &Caller) -> Answer<w::Readers> {
        let view = self.health.desk(&actor(caller)).map_err(errors::forbidden)?;
        let offer = self.checks.offer(&actor(caller)).await.map_err(errors::create)?;
        let mut readers = health::readers(&view, &offer);
        for reader in &mut readers.readers {
            reader.check_id = self.checks.on_reader(&ReaderName(reader.name.clone()));
        }
        readers.terminals = self.checks.terminals().into_iter().map(health::terminal).collect();
        Ok(readers)
    }

    async fn security_settings(&self, caller: &Caller) -> Answer<w::SecuritySettings> {
        let settings = self.settings.security(&actor(caller)).await.map_err(errors::settings)?;
        Ok(w::SecuritySettings {
            visual_confirmation: settings.visual_confirmation,
            operators_need_code: settings.operators_need_code,
        })
    }

    async fn set_security_settings(
        &self,
        caller: &Caller,
        settings: w::SecuritySettings,
    ) -> Answer<w::SecuritySettings> {
        let wanted = SecuritySettings {
            visual_confirmation: settings.visual_confirmation,
            operators_need_code: settings.operators_need_code,
        };
        self.settings.set_security(&actor(caller), wanted).await.map_err(errors::settings)?;
        Ok(settings)
    }

    async fn health(&self, caller: &Caller) -> Answer<w::Health> {
        let view = self.health.look(&actor(caller)).await.map_err(errors::forbidden)?;
        Ok(health::health(&view, self.health.now(), self.origin))
    }
}

impl UseCases {
    fn live_session(&self, caller: &Caller) -> Answer<Session> {
        let session = self.sessions.session(&caller.session.0);
        let session = session.ok_or(ServiceError::new(Code::SessionRequired))?;
        Ok(Session { actor: actor(caller), ..session })
    }

    /// Where a check of this session takes place if nothing else is said.
    async fn terminal_of(&self, session: &Session) -> Answer<Option<TerminalId>> {
        let enrolled = match session.terminal {
            Some(id) => self.terminals.name_of(id).await.map_err(errors::store)?,
            None => None,
        };
        Ok(self.checks.terminal_at(enrolled.as_deref()))
    }
}

/// The session of whoever has signed in.
fn begun(welcome: Welcome) -> w::Session {
    let session = welcome.signed_in.session;
    w::Session {
        token: Some(welcome.signed_in.token.expose().to_owned()),
        account: session.actor.account,
        role: wire::role(session.actor.role),
        expires_at: wire::jst(session.ends_at),
        idle_timeout_s: session.idle_limit.as_secs(),
        announcements: collect::announcements(&welcome.announcements),
        password_change_required: session.restricted,
    }
}

fn answer_check(view: Result<CheckView, InputError>) -> Answer<w::Check> {
    view.map(wire::check).map_err(errors::input)
}

fn actor(caller: &Caller) -> Actor {
    let source =
        AuditSource::Api { loopback: is_loopback(caller.peer), session: Some(short(&caller.session.0)) };
    Actor { account: caller.account.clone(), role: wire::role_from(caller.role), source }
}

fn is_loopback(peer: Option<SocketAddr>) -> bool {
    peer.is_some_and(|peer| peer.ip().is_loopback())
}
