//! Checks (資格確認): creates them, finds them, passes on what staff and patient do.
//!
//! One task drives each check (module `drive`); a reader serves one active check at a time. A check holds no personal data:
//! only the number of the stored result.

mod drive;
mod reader_choice;
mod registry;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use self::registry::{Full, Registry};
use super::access::{Action, Actor, Forbidden};
use super::ports::{
    AuditLog, CardCheck, CardDesk, Clock, Origin, Random, ReaderName, ResultStore, TerminalId, random_bytes,
};
use super::tasks::Tasks;
use crate::domain::check::{Method, NotNow, Phase};
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
    /// `visual` is not possible here.
    #[error("visual needs terminal material")]
    VisualNeedsTerminalMaterial,
    /// Too many checks at once.
    #[error("too many checks")]
    TooMany,
}

impl From<Forbidden> for CreateError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// Why an input to a check was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No such check of this account.
    #[error("no such check")]
    NotFound,
    /// The check is not waiting for it.
    #[error("not now")]
    WrongPhase,
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
}

/// What staff or patient do to a running check; answered when it is taken or refused.
enum Input {
    Pin(Pin, Reply),
    ConfirmLastTry(Reply),
    Cancel(Reply),
}

/// Tells whoever gave an input whether it was taken.
type Reply = oneshot::Sender<Result<(), NotNow>>;

/// What does not change in the life of a check.
struct Facts {
    id: String,
    owner: String,
    method: Method,
    terminal: TerminalId,
    reader: ReaderName,
    created_at: Timestamp,
}

/// One check as the registry keeps it.
struct Entry {
    facts: Arc<Facts>,
    stand: watch::Receiver<(i64, Phase)>,
    inputs: mpsc::Sender<Input>,
}

impl Entry {
    fn view(&self) -> CheckView {
        let (revision, phase) = self.stand.borrow().clone();
        CheckView {
            id: self.facts.id.clone(),
            revision,
            phase,
            method: self.facts.method,
            terminal: self.facts.terminal.clone(),
            reader: self.facts.reader.clone(),
            created_at: self.facts.created_at,
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
    /// Where failures are recorded.
    pub audit: Arc<dyn AuditLog>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub random: Arc<dyn Random>,
    /// Background tasks.
    pub tasks: Tasks,
    /// The terminals of the facility.
    pub terminals: Vec<Terminal>,
    /// Real or sandbox.
    pub origin: Origin,
}

/// All checks of this daemon.
pub struct Checks {
    parts: ChecksParts,
    registry: Arc<Registry>,
}

impl Checks {
    /// No checks yet.
    pub fn new(parts: ChecksParts) -> Self {
        Self { parts, registry: Arc::new(Registry::default()) }
    }

    /// Starts a check and reserves its reader.
    pub fn create(&self, actor: &Actor, new: &NewCheck) -> Result<CheckView, CreateError> {
        actor.may(Action::RunChecks)?;
        if new.method == Method::Visual && !self.parts.central.accepts_unsigned_visual() {
            return Err(CreateError::VisualNeedsTerminalMaterial);
        }
        let terminal = self.terminal(new.terminal.as_ref())?;
        let wanted = new.reader.as_ref().or(terminal.reader.as_ref());
        let others = self.readers_of_others(terminal);
        let reader = reader_choice::choose(&self.parts.desk.watch().borrow(), wanted, &others)?;
        let facts = Arc::new(Facts {
            id: data_encoding::BASE32_NOPAD.encode(&random_bytes::<16>(&*self.parts.random)).to_lowercase(),
            owner: actor.account.clone(),
            method: new.method,
            terminal: terminal.id.clone(),
            reader,
            created_at: self.parts.clock.now(),
        });
        let (stand, watched) = watch::channel((1, Phase::first(new.method)));
        let (sender, inputs) = mpsc::channel(4);
        let entry = Arc::new(Entry { facts: facts.clone(), stand: watched, inputs: sender });
        let reservation = self.registry.admit(entry.clone()).map_err(|full| match full {
            Full::Reader => CreateError::ReaderBusy,
            Full::Checks => CreateError::TooMany,
        })?;
        let view = entry.view();
        self.parts.tasks.start(drive::run(self.parts.clone(), facts, stand, inputs, reservation));
        Ok(view)
    }

    fn terminal(&self, wanted: Option<&TerminalId>) -> Result<&Terminal, CreateError> {
        match (wanted, self.parts.terminals.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(CreateError::UnknownTerminal),
            (Some(id), all) => {
                all.iter().find(|terminal| terminal.id == *id).ok_or(CreateError::UnknownTerminal)
            }
        }
    }

    /// The readers that stand beside other terminals.
    fn readers_of_others(&self, own: &Terminal) -> Vec<&ReaderName> {
        let others = self.parts.terminals.iter().filter(|terminal| terminal.id != own.id);
        others.filter_map(|terminal| terminal.reader.as_ref()).collect()
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
            _ = stand.wait_for(|(revision, _)| *revision > seen) => {}
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

    /// Cancels a check that has not asked the central system yet.
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
            Ok(Err(NotNow)) | Err(_) => Err(InputError::WrongPhase),
        }
    }

    /// The check that holds a reader now.
    pub fn on_reader(&self, reader: &ReaderName) -> Option<String> {
        self.registry.on_reader(reader)
    }

    fn find(&self, actor: &Actor, id: &str) -> Result<Arc<Entry>, InputError> {
        self.registry.find(id).filter(|entry| entry.facts.owner == actor.account).ok_or(InputError::NotFound)
    }
}
