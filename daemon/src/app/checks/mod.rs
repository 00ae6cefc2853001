//! Checks (資格確認): creates them, finds them, passes on what staff and patient do.
//!
//! One task drives each check (module `drive`); a reader serves one active check at a time. A check holds no personal data:
//! only the number of the stored result.

mod begin;
mod drive;
mod patience;
mod reader_choice;
mod registry;
mod steps;
mod terminals;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use self::patience::Patience;
pub(crate) use self::reader_choice::find_named;
use self::registry::Registry;
pub use self::steps::CheckStep;
use super::access::{Action, Actor, Forbidden};
use super::idempotency::{Begun, Idempotency, KeyError};
use super::maintenance::MaintenanceCalendar;
use super::ports::{
    AuditEntry, AuditLog, AuditSource, CardCheck, CardDesk, Clock, Keyed, Made, Origin, Random, ReaderName,
    ResultStore, Settings, StoreError, StoreRoom, TerminalAuthentication, TerminalId, random_bytes,
};
use super::tally::Tally;
use super::tasks::Tasks;
use crate::domain::admission::{
    CardKind, Consent, EnteredBy, Refusal, Request, SecuritySettings, admit, allows_switch, offered,
};
use crate::domain::certificate::{Generation, Standing};
use crate::domain::check::{Method, Phase, Token};
use crate::domain::personal::Pin;

/// A terminal of the facility and the reader that stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Its id.
    pub id: TerminalId,
    /// Its reader; without one, the only reader of the machine.
    pub reader: Option<ReaderName>,
}

/// What a check is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCheck {
    /// How the identity is confirmed.
    pub method: Method,
    /// Which terminal asks; may be left out where there is only one.
    pub terminal: Option<TerminalId>,
    /// Which reader to use; otherwise the terminal's.
    pub reader: Option<ReaderName>,
    /// What staff see on the card, if they said so.
    pub card_kind: Option<CardKind>,
    /// Who enters the PIN or holds the card, if they said so.
    pub entered_by: Option<EnteredBy>,
    /// The check that ended with a locked PIN and goes on by sight.
    pub visual_after_lock_of: Option<String>,
}

/// Why a check was not created. Nothing was sent anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// No such terminal, or none named where there are several.
    #[error("unknown terminal")]
    UnknownTerminal,
    /// The PC/SC service is not running.
    #[error("the PC/SC service is not available")]
    CardServiceUnavailable,
    /// The PC/SC service refuses us.
    #[error("the PC/SC service refuses access")]
    CardServiceRefused,
    /// No reader is connected.
    #[error("no reader")]
    NoReader,
    /// Several readers, and neither request nor terminal says which.
    #[error("several readers")]
    ReaderRequired,
    /// The named reader is not there or does not answer.
    #[error("the reader is not available")]
    ReaderUnavailable,
    /// The reader serves another check.
    #[error("the reader serves another check")]
    ReaderBusy,
    /// Setting, card and method do not go together.
    #[error("not admitted: {0:?}")]
    NotAdmitted(Refusal),
    /// The settings could not be read, or the audit log not written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many checks at once.
    #[error("too many checks")]
    TooMany,
    /// The request's key does not let it in.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The check that this key began is no longer known.
    #[error("the check of this key is no longer known")]
    Gone,
}

impl From<Forbidden> for CreateError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// Why an input to a check was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// No such check of this account.
    #[error("no such check")]
    NotFound,
    /// The check is not waiting for it.
    #[error("not now")]
    WrongPhase,
    /// It could not be recorded, which must come first; it can be given again.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Forbidden> for InputError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// A check as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckView {
    /// Its id.
    pub id: String,
    /// Grows with every change of the phase.
    pub revision: i64,
    /// Where it stands.
    pub phase: Phase,
    /// How the identity is confirmed.
    pub method: Method,
    /// Its terminal.
    pub terminal: TerminalId,
    /// Its reader.
    pub reader: ReaderName,
    /// When it was created.
    pub created_at: Timestamp,
    /// What staff said about the card.
    pub card_kind: Option<CardKind>,
    /// Who enters the PIN or holds the card, as staff said.
    pub entered_by: Option<EnteredBy>,
    /// The check with the locked PIN that it follows.
    pub visual_after_lock_of: Option<String>,
    /// What the certificate says, once it was read.
    pub certificate: Option<CertificateView>,
}

/// What staff are shown of a certificate while the check lives. Nothing of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateView {
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// Where it stood when it was read.
    pub standing: Standing,
    /// Who issued it, if that is a known generation.
    pub issuer: Option<Generation>,
    /// Where it lives.
    pub token: Token,
}

/// What staff or patient do to a running check; answered when it is taken or refused.
enum Input {
    Pin(Pin, Reply),
    ConfirmLastTry(Reply),
    Consent(Consent, Reply),
    Cancel(Reply),
}

/// Tells whoever gave an input whether it was taken.
type Reply = oneshot::Sender<Result<(), InputError>>;

/// What does not change in the life of a check.
struct Facts {
    id: String,
    owner: String,
    source: AuditSource,
    method: Method,
    terminal: TerminalId,
    reader: ReaderName,
    created_at: Timestamp,
    card_kind: Option<CardKind>,
    entered_by: Option<EnteredBy>,
    visual_after_lock_of: Option<String>,
}

/// What changes in the life of a check.
#[derive(Debug, Clone)]
struct Stand {
    revision: i64,
    phase: Phase,
    certificate: Option<CertificateView>,
    ended_at: Option<Timestamp>,
}

/// One check as the registry keeps it.
struct Entry {
    facts: Arc<Facts>,
    stand: watch::Receiver<Stand>,
    inputs: mpsc::Sender<Input>,
}

impl Entry {
    fn view(&self) -> CheckView {
        let Stand { revision, phase, certificate, ended_at: _ } = self.stand.borrow().clone();
        CheckView {
            id: self.facts.id.clone(),
            revision,
            phase,
            method: self.facts.method,
            terminal: self.facts.terminal.clone(),
            reader: self.facts.reader.clone(),
            created_at: self.facts.created_at,
            card_kind: self.facts.card_kind,
            entered_by: self.facts.entered_by,
            visual_after_lock_of: self.facts.visual_after_lock_of.clone(),
            certificate,
        }
    }
}

/// What checks are built from.
#[derive(Clone)]
pub struct ChecksParts {
    /// Readers and cards.
    pub desk: Arc<dyn CardDesk>,
    /// The central system's card check.
    pub central: Arc<dyn CardCheck>,
    /// Where results go.
    pub store: Arc<dyn ResultStore>,
    /// Whether there is space for a result: asked before a card is.
    pub room: Arc<dyn StoreRoom>,
    /// Requests with a key.
    pub idempotency: Idempotency,
    /// Where failures are recorded.
    pub audit: Arc<dyn AuditLog>,
    /// The security settings.
    pub settings: Arc<dyn Settings>,
    /// The announced closures of the central system.
    pub maintenance: MaintenanceCalendar,
    /// Opens a card's key without its PIN, where this installation has the material for it.
    pub terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub random: Arc<dyn Random>,
    /// Background tasks.
    pub tasks: Tasks,
    /// The terminals of the facility.
    pub terminals: Vec<Terminal>,
    /// How long people are waited for.
    pub patience: Patience,
    /// Real or sandbox.
    pub origin: Origin,
    /// Where outcomes and times are counted.
    pub tally: Arc<Tally>,
}

/// What a terminal may offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The methods, the default first.
    pub methods: Vec<Method>,
    /// Whether a check whose card was locked may be followed by one by sight.
    pub visual_after_lock: bool,
}

/// All checks of this daemon.
pub struct Checks {
    parts: ChecksParts,
    registry: Arc<Registry>,
    steps: broadcast::Sender<CheckStep>,
}

impl Checks {
    /// No checks yet.
    pub fn new(parts: ChecksParts) -> Self {
        Self { parts, registry: Arc::new(Registry::default()), steps: broadcast::Sender::new(steps::WAITING) }
    }

    /// The steps of every check, as they come.
    pub fn steps(&self) -> broadcast::Sender<CheckStep> {
        self.steps.clone()
    }

    /// The methods to offer, the default first, and whether a locked card may go on by sight.
    pub async fn offer(&self, actor: &Actor) -> Result<Offer, CreateError> {
        actor.may(Action::SeeHealth)?;
        let settings = self.parts.settings.security().await?;
        let possible = self.visual_possible();
        Ok(Offer { methods: offered(settings, possible), visual_after_lock: possible })
    }

    fn visual_possible(&self) -> bool {
        self.parts.terminal_authentication.is_some() || self.parts.central.accepts_unsigned_visual()
    }

    /// Starts a check and reserves its reader; with a key, once.
    pub async fn create(
        &self,
        actor: &Actor,
        new: &NewCheck,
        request: Option<Keyed>,
    ) -> Result<CheckView, CreateError> {
        actor.may(Action::RunChecks)?;
        let work = match self.parts.idempotency.begin(request).await? {
            Begun::First(work) => work,
            Begun::Again(Made::Check(id)) => return self.view(actor, &id).map_err(|_| CreateError::Gone),
            Begun::Again(Made::Job(_) | Made::Bulk(_)) => return Err(KeyError::Reused.into()),
        };
        self.parts.room.has_room()?;
        let terminal = self.terminal(new.terminal.as_ref())?;
        self.admit(new, &terminal.id, self.parts.settings.security().await?)?;
        let wanted = new.reader.as_ref().or(terminal.reader.as_ref());
        let others = self.readers_of_others(terminal);
        let reader = reader_choice::choose(&self.parts.desk.watch().borrow(), wanted, &others)?;
        self.record_exceptions(actor, new, &terminal.id).await?;
        let facts = Facts {
            id: data_encoding::BASE32_NOPAD.encode(&random_bytes::<16>(&*self.parts.random)).to_lowercase(),
            owner: actor.account.clone(),
            source: actor.source,
            method: new.method,
            terminal: terminal.id.clone(),
            reader,
            created_at: self.parts.clock.now(),
            card_kind: new.card_kind,
            entered_by: new.entered_by,
            visual_after_lock_of: new.visual_after_lock_of.clone(),
        };
        let (parts, registry, told) = (self.parts.clone(), Arc::clone(&self.registry), self.steps.clone());
        let Some(work) = work else { return begin::begin(parts, &registry, told, facts) };
        // Whoever asked may go away: a check that is remembered must begin all the same.
        let (done, begun) = oneshot::channel();
        self.parts.tasks.start(async move {
            // Nobody may be waiting any more.
            let _ = done.send(begin::begin_once(parts, &registry, told, facts, &work).await);
        });
        begun.await.map_err(|_| StoreError::Failed("the task that began the check ended early".to_owned()))?
    }

    fn admit(
        &self,
        new: &NewCheck,
        terminal: &TerminalId,
        settings: SecuritySettings,
    ) -> Result<(), CreateError> {
        let switch = new.visual_after_lock_of.as_deref().map(|lock| self.is_open_lock(lock, terminal));
        let request = Request { method: new.method, card_kind: new.card_kind, switch };
        admit(request, settings, self.visual_possible()).map_err(CreateError::NotAdmitted)
    }

    /// Whether a check ended with a lock at this terminal a short while ago, and no check by sight has followed it to a
    /// result: one lock, one patient.
    fn is_open_lock(&self, lock: &str, terminal: &TerminalId) -> bool {
        let Some(entry) = self.registry.find(lock) else { return false };
        let stand = entry.stand.borrow().clone();
        let is_used = |other: &Entry| {
            other.facts.visual_after_lock_of.as_deref() == Some(lock)
                && matches!(other.stand.borrow().phase, Phase::Done(_))
        };
        entry.facts.terminal == *terminal
            && allows_switch(&stand.phase, stand.ended_at, self.parts.clock.now())
            && !self.registry.any(is_used)
    }

    /// Writes down what the audit log is to know of a check that is not the rule, before it begins.
    async fn record_exceptions(
        &self,
        actor: &Actor,
        new: &NewCheck,
        terminal: &TerminalId,
    ) -> Result<(), StoreError> {
        let assisted = match new.entered_by {
            Some(EnteredBy::LegalRepresentative) => Some(("check.assisted", "legal_representative")),
            Some(EnteredBy::Helper) => Some(("check.assisted", "helper")),
            Some(EnteredBy::Patient) | None => None,
        };
        let switched = new.visual_after_lock_of.as_ref().map(|_| ("check.visual_after_lock", "ok"));
        for (action, outcome) in assisted.into_iter().chain(switched) {
            let entry = AuditEntry {
                terminal: Some(terminal.clone()),
                outcome: outcome.to_owned(),
                ..actor.entry(action)
            };
            self.parts.audit.append(&entry).await?;
        }
        Ok(())
    }

    /// A check as it stands.
    pub fn view(&self, actor: &Actor, id: &str) -> Result<CheckView, InputError> {
        Ok(self.find(actor, id)?.view())
    }

    /// A check once its revision is above `seen`, or as it stands when `patience` is over or the daemon stops.
    pub async fn wait(
        &self,
        actor: &Actor,
        id: &str,
        seen: i64,
        patience: Duration,
    ) -> Result<CheckView, InputError> {
        let entry = self.find(actor, id)?;
        let mut stand = entry.stand.clone();
        let stopping = self.parts.tasks.stopping();
        tokio::select! {
            _ = stand.wait_for(|stand| stand.revision > seen) => {}
            () = tokio::time::sleep(patience) => {}
            () = stopping.cancelled() => {}
        }
        Ok(entry.view())
    }

    /// Hands the PIN to the check; it goes nowhere else.
    pub async fn enter_pin(&self, actor: &Actor, id: &str, pin: Pin) -> Result<CheckView, InputError> {
        self.put(actor, id, |answer| Input::Pin(pin, answer)).await
    }

    /// Staff confirmed with the patient that the last PIN try may be used.
    pub async fn confirm_last_try(&self, actor: &Actor, id: &str) -> Result<CheckView, InputError> {
        self.put(actor, id, Input::ConfirmLastTry).await
    }

    /// The patient, or who stands for the patient, decided about card-use registration. Answered once the decision is on
    /// record; a registration goes on from there by itself.
    pub async fn decide_registration(
        &self,
        actor: &Actor,
        id: &str,
        consent: Consent,
    ) -> Result<CheckView, InputError> {
        self.put(actor, id, |answer| Input::Consent(consent, answer)).await
    }

    /// Cancels a check that the central system is not working on.
    pub async fn cancel(&self, actor: &Actor, id: &str) -> Result<CheckView, InputError> {
        self.put(actor, id, Input::Cancel).await
    }

    async fn put(
        &self,
        actor: &Actor,
        id: &str,
        input: impl FnOnce(Reply) -> Input,
    ) -> Result<CheckView, InputError> {
        let entry = self.find(actor, id)?;
        let (answer, answered) = oneshot::channel();
        entry.inputs.send(input(answer)).await.map_err(|_| InputError::WrongPhase)?;
        // A check that ends drops the answer: the input came too late.
        match answered.await {
            Ok(Ok(())) => Ok(entry.view()),
            Ok(Err(refused)) => Err(refused),
            Err(_) => Err(InputError::WrongPhase),
        }
    }

    /// The check that holds a reader now.
    pub fn on_reader(&self, reader: &ReaderName) -> Option<String> {
        self.registry.on_reader(reader)
    }

    fn find(&self, actor: &Actor, id: &str) -> Result<Arc<Entry>, InputError> {
        actor.may(Action::RunChecks)?;
        self.registry.find(id).filter(|entry| entry.facts.owner == actor.account).ok_or(InputError::NotFound)
    }
}
