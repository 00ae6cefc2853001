//! Inquiry numbers (照会番号): taken in durably, sent to the central system by a worker, written on the person's results
//! once the central system took them.
//!
//! A caller waits for its number as long as the central system answers; while it is away, the caller gets a job's number
//! instead. Conflicts are answered as such and never guessed.

mod intake;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};

use super::access::{Action, Actor, Forbidden};
use super::idempotency::{Begun, Idempotency, KeyError, Work};
use super::ports::{
    AuditEntry, BulkStand, Clock, Inquiry, InquiryEnd, InquiryFailure, InquiryJob, InquiryQueue,
    InquiryRequest, JobState, Keyed, Made, PendingInquiry, Random, ReceiptLink, StoreError, Subject, TakenIn,
};
use super::tasks::Tasks;
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::{BulkId, JobId, Queue, QueueView, Receipt, Stage};

/// Longest wait of a caller for its number; then it gets the job's number.
const LONGEST_ANSWER: Duration = Duration::from_secs(15);

/// Why a number was not taken in, or failed at once.
#[derive(Debug, thiserror::Error)]
pub enum InquiryError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// No such job or bulk, or it is past its retention.
    #[error("no such job")]
    NotFound,
    /// The queue has no room.
    #[error("the queue is full")]
    QueueFull,
    /// It cannot be this person's number, or the central system refused it: nothing was changed.
    #[error("refused: {}", .0.code())]
    Failed(InquiryFailure),
    /// The request's key does not let it in.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for InquiryError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// What became of a number within the caller's patience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The central system took it.
    Registered {
        /// The job.
        job: JobId,
        /// The stored results that have it now.
        results: Vec<ResultId>,
    },
    /// It is on its way.
    Queued(JobView),
}

/// A job, and where it is while it is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// The job.
    pub job: InquiryJob,
    /// Whether it lies with the central system just now.
    pub sending: bool,
}

/// A bulk that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkTaken {
    /// Our receipt number.
    pub id: BulkId,
    /// When.
    pub taken_at: Timestamp,
}

/// What became of a number that was handed in without waiting for it.
#[derive(Debug)]
pub enum HandedIn {
    /// It is durable; its end can be waited for.
    Taken(Ticket),
    /// An earlier call with the same key took it in, and it is on its way.
    OnItsWay(JobId),
    /// An earlier call with the same key took it in, and so did the central system.
    Registered,
}

/// A job that is durable, and where its end will be told. A closed channel means: not now.
#[derive(Debug)]
pub struct Ticket {
    /// The job.
    pub id: JobId,
    /// When it was taken in.
    pub taken_at: Timestamp,
    told: oneshot::Receiver<Told>,
}

type Told = (InquiryEnd, Vec<ResultId>);

/// What the use case is made of.
pub struct InquiriesParts {
    /// The durable queue.
    pub queue: Arc<dyn InquiryQueue>,
    /// Requests with a key.
    pub idempotency: Idempotency,
    /// The receipt computer link.
    pub link: Arc<dyn ReceiptLink>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Request ids and jitter.
    pub random: Arc<dyn Random>,
    /// Background tasks.
    pub tasks: Tasks,
}

/// Sets inquiry numbers; clones are the same queue.
#[derive(Clone)]
pub struct Inquiries(Arc<Inner>);

struct Inner {
    parts: InquiriesParts,
    memory: Mutex<Memory>,
    /// A new job, or anything else that may make [`Queue::next`] answer otherwise.
    wake: Notify,
}

/// The queue in step with the disk, what its jobs ask for, and who waits for them.
#[derive(Default)]
struct Memory {
    queue: Queue,
    inquiries: HashMap<JobId, Inquiry>,
    waiters: HashMap<JobId, oneshot::Sender<Told>>,
}

impl Inner {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inquiries {
    /// Loads what a run before left unfinished.
    pub async fn open(parts: InquiriesParts) -> Result<Self, StoreError> {
        let pending = parts.queue.pending().await?;
        let now = parts.clock.now();
        let mut memory = Memory::default();
        let mut received: HashMap<Receipt, Vec<JobId>> = HashMap::new();
        for job in pending {
            let kind = intake::kind(job.bulk);
            // What was acknowledged is worked off, even if it were more than is taken in today.
            let _ = memory.queue.take_room(kind, 1);
            if let Some(receipt) = job.receipt {
                received.entry(receipt).or_default().push(job.id);
            }
            let PendingInquiry { id, bulk, inquiry, intake, .. } = job;
            memory.add(TakenIn { id, bulk, inquiry, intake });
        }
        for (receipt, jobs) in received {
            memory.queue.resume(receipt, jobs, now);
        }
        Ok(Self(Arc::new(Inner { parts, memory: Mutex::new(memory), wake: Notify::new() })))
    }

    /// Sets the inquiry number of a stored result's person.
    pub async fn set_for_result(
        &self,
        actor: &Actor,
        id: ResultId,
        number: &InquiryNumber,
        request: Option<Keyed>,
    ) -> Result<Registration, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let work = match self.0.parts.idempotency.begin(request).await? {
            Begun::First(work) => work,
            Begun::Again(made) => return self.registered_by(made).await,
        };
        self.set(actor, InquiryRequest { subject: Subject::Result(id), number: number.clone() }, work).await
    }

    /// Sets the inquiry number of the person with these identifiers, whether or not a result of theirs is stored.
    pub async fn set_for_person(
        &self,
        actor: &Actor,
        person: InsuranceIdentifiers,
        number: &InquiryNumber,
        request: Option<Keyed>,
    ) -> Result<Registration, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let work = match self.0.parts.idempotency.begin(request).await? {
            Begun::First(work) => work,
            Begun::Again(made) => return self.registered_by(made).await,
        };
        self.set(actor, InquiryRequest { subject: Subject::Person(person), number: number.clone() }, work)
            .await
    }

    /// What became of the number that an earlier call with the same key set.
    async fn registered_by(&self, made: Made) -> Result<Registration, InquiryError> {
        // The operation is part of what is compared, so a key never leads from one to another's work.
        let Made::Job(id) = made else { return Err(KeyError::Reused.into()) };
        let job = self.0.parts.queue.job(id).await?.ok_or(InquiryError::NotFound)?;
        match job.end {
            Some(InquiryEnd::Registered) => Ok(Registration::Registered { job: id, results: job.results }),
            Some(InquiryEnd::Failed(failure)) => Err(InquiryError::Failed(failure)),
            None => Ok(Registration::Queued(self.seen(job))),
        }
    }

    /// Takes a number in for the person with these identifiers and does not wait for it.
    pub async fn hand_in(
        &self,
        actor: &Actor,
        person: InsuranceIdentifiers,
        number: InquiryNumber,
        request: Option<Keyed>,
    ) -> Result<HandedIn, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let work = match self.0.parts.idempotency.begin(request).await? {
            Begun::First(work) => work,
            Begun::Again(made) => {
                return self.registered_by(made).await.map(|registration| match registration {
                    Registration::Registered { .. } => HandedIn::Registered,
                    Registration::Queued(view) => HandedIn::OnItsWay(view.job.id),
                });
            }
        };
        let asked = InquiryRequest { subject: Subject::Person(person), number };
        Ok(HandedIn::Taken(self.take_in(actor, asked, work).await?))
    }

    /// Waits for the end of a job for as long as a caller waits; `None` if it is still on its way then.
    pub async fn wait_for(&self, ticket: Ticket) -> Option<InquiryEnd> {
        self.told(ticket.told).await.map(|(end, _)| end)
    }

    async fn told(&self, told: oneshot::Receiver<Told>) -> Option<Told> {
        let stopping = self.0.parts.tasks.stopping();
        let told = tokio::time::timeout(LONGEST_ANSWER, told);
        stopping.run_until_cancelled(told).await?.ok()?.ok()
    }

    /// Takes a number in and waits for it. Other calls with the same key wait outside as long as this one lasts.
    async fn set(
        &self,
        actor: &Actor,
        asked: InquiryRequest,
        work: Option<Arc<Work>>,
    ) -> Result<Registration, InquiryError> {
        let ticket = self.take_in(actor, asked, work.clone()).await?;
        match self.told(ticket.told).await {
            Some((InquiryEnd::Registered, results)) => {
                Ok(Registration::Registered { job: ticket.id, results })
            }
            Some((InquiryEnd::Failed(failure), _)) => Err(InquiryError::Failed(failure)),
            None => {
                let job = InquiryJob {
                    id: ticket.id,
                    bulk: None,
                    position: None,
                    taken_at: ticket.taken_at,
                    end: None,
                    results: Vec::new(),
                };
                Ok(Registration::Queued(self.seen(job)))
            }
        }
    }

    /// Takes in numbers in bulk; what cannot be sent has failed at once, each for itself.
    pub async fn set_bulk(
        &self,
        actor: &Actor,
        items: Vec<InquiryRequest>,
        request: Option<Keyed>,
    ) -> Result<BulkTaken, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let work = match self.0.parts.idempotency.begin(request).await? {
            Begun::First(work) => work,
            Begun::Again(made) => return self.taken_by(made).await,
        };
        self.take_in_bulk(actor, &items, work).await
    }

    /// The bulk that an earlier call with the same key handed in.
    async fn taken_by(&self, made: Made) -> Result<BulkTaken, InquiryError> {
        let Made::Bulk(id) = made else { return Err(KeyError::Reused.into()) };
        let stand = self.0.parts.queue.bulk(id, 0, 0).await?.ok_or(InquiryError::NotFound)?;
        Ok(BulkTaken { id, taken_at: stand.taken_at })
    }

    /// One job, as it is now.
    pub async fn job(&self, actor: &Actor, id: JobId) -> Result<JobView, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let job = self.0.parts.queue.job(id).await?.ok_or(InquiryError::NotFound)?;
        Ok(self.seen(job))
    }

    /// Jobs, the newest first, at most `limit` from before a job; besides, from where the next page goes on.
    pub async fn jobs(
        &self,
        actor: &Actor,
        state: Option<JobState>,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<(Vec<JobView>, Option<JobId>), InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let mut jobs = self.0.parts.queue.jobs(state, before, limit.saturating_add(1)).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let goes_on = jobs.len() > size;
        jobs.truncate(size);
        let next = jobs.last().map(|job| job.id).filter(|_| goes_on);
        Ok((jobs.into_iter().map(|job| self.seen(job)).collect(), next))
    }

    /// One bulk, as it is now, with at most `limit` of its items from position `from` on.
    pub async fn bulk(
        &self,
        actor: &Actor,
        id: BulkId,
        from: u32,
        limit: u32,
    ) -> Result<(BulkStand, Vec<JobView>), InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let mut stand = self.0.parts.queue.bulk(id, from, limit).await?.ok_or(InquiryError::NotFound)?;
        let page = std::mem::take(&mut stand.page).into_iter().map(|job| self.seen(job)).collect();
        Ok((stand, page))
    }

    /// How the queue is now.
    pub fn view(&self) -> QueueView {
        self.0.memory().queue.view()
    }

    fn seen(&self, job: InquiryJob) -> JobView {
        let sending = job.end.is_none() && self.0.memory().queue.stage(job.id) == Some(Stage::Sending);
        JobView { job, sending }
    }
}

fn entry(actor: &Actor, action: &'static str, results: Vec<ResultId>) -> AuditEntry {
    AuditEntry { results, ..actor.entry(action) }
}
