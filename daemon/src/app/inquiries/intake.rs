//! Intake: on disk first, then in the queue, in the same order for each person. A caller that goes away stops neither.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::{BulkTaken, Inner, Inquiries, InquiryError, LANES, Ticket, Told, entry};
use crate::app::access::{Action, Actor};
use crate::app::idempotency::Work;
use crate::app::ports::{AuditEntry, Inquiry, InquiryFailure, Intake, StoreError};
use crate::domain::identifiers::InsuranceIdentifiers;
use crate::domain::queue::{BulkId, JobId, Kind, Waiting, number_is_taken};

/// Whom a job's room is counted for.
pub(super) fn kind(bulk: Option<BulkId>) -> Kind {
    if bulk.is_some() { Kind::Bulk } else { Kind::Single }
}

/// What the queue knows of a job.
pub(super) fn waiting(id: JobId, bulk: Option<BulkId>, inquiry: &Inquiry, intake: Intake) -> Waiting {
    Waiting {
        id,
        person: inquiry.person.clone(),
        bulk,
        taken_at: intake.taken_at,
        expires_at: intake.expires_at,
    }
}

fn gone(_: oneshot::error::RecvError) -> StoreError {
    StoreError::Failed("the task that stored the number ended early".to_owned())
}

fn lane_of(person: &InsuranceIdentifiers) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(person);
    usize::try_from(hash % LANES as u64).unwrap_or_default()
}

impl Inquiries {
    /// Takes a number in; once this returns it is on disk and will be sent, whatever happens.
    pub async fn take_in(
        &self,
        actor: &Actor,
        inquiry: Inquiry,
        work: Option<Arc<Work>>,
    ) -> Result<Ticket, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let entry = entry(actor, "inquiry_number.queued", inquiry.result.into_iter().collect());
        self.0.memory().queue.take_room(Kind::Single, 1).map_err(|_| InquiryError::QueueFull)?;
        let inner = Arc::clone(&self.0);
        let (done, stored) = oneshot::channel();
        self.0.parts.tasks.start(async move {
            // Nobody may be waiting any more.
            let _ = done.send(inner.store(inquiry, &entry, work.as_deref()).await);
        });
        stored.await.map_err(gone)?
    }

    /// The inquiry, unless its number stands on other people's results.
    pub(super) async fn unless_taken(
        &self,
        inquiry: Inquiry,
    ) -> Result<Result<Inquiry, InquiryFailure>, StoreError> {
        let holders = self.0.parts.queue.holders(&inquiry.number).await?;
        let taken = number_is_taken(&inquiry.person, &holders);
        Ok(if taken { Err(InquiryFailure::NumberInUse) } else { Ok(inquiry) })
    }

    /// Takes a bulk in, all or nothing.
    pub(super) async fn take_in_bulk(
        &self,
        actor: &Actor,
        items: Vec<Result<Inquiry, InquiryFailure>>,
        work: Option<Arc<Work>>,
    ) -> Result<BulkTaken, InquiryError> {
        let count = items.iter().flatten().count();
        self.0.memory().queue.take_room(Kind::Bulk, count).map_err(|_| InquiryError::QueueFull)?;
        let results = items.iter().flatten().filter_map(|inquiry| inquiry.result).collect();
        let entry = entry(actor, "inquiry_number.bulk_queued", results);
        let inner = Arc::clone(&self.0);
        let (done, stored) = oneshot::channel();
        self.0.parts.tasks.start(async move {
            // Nobody may be waiting any more.
            let _ = done.send(inner.store_bulk(items, count, &entry, work.as_deref()).await);
        });
        Ok(stored.await.map_err(gone)??)
    }
}

impl Inner {
    async fn store(
        &self,
        inquiry: Inquiry,
        entry: &AuditEntry,
        work: Option<&Work>,
    ) -> Result<Ticket, InquiryError> {
        let _shared = self.gate.read().await;
        let lane = self.lanes.get(lane_of(&inquiry.person));
        let _alone = match lane {
            Some(lane) => Some(lane.lock().await),
            None => None,
        };
        let stored = self.parts.queue.take_in(&inquiry, entry, work.map(Work::request)).await;
        let now = self.parts.clock.now();
        let mut memory = self.memory();
        let taken = stored.map_err(InquiryError::from);
        let taken = taken.and_then(|taken| taken.ok_or(InquiryError::Failed(InquiryFailure::NumberInUse)));
        let (id, intake) = taken.inspect_err(|_| memory.queue.give_back(Kind::Single, 1))?;
        memory.add(waiting(id, None, &inquiry, intake), inquiry);
        let (tell, told) = oneshot::channel::<Told>();
        // Nobody waits for a central system that is away.
        if memory.queue.waits(now).is_none() {
            memory.waiters.insert(id, tell);
        }
        drop(memory);
        self.wake.notify_one();
        Ok(Ticket { id, taken_at: intake.taken_at, told })
    }

    async fn store_bulk(
        &self,
        items: Vec<Result<Inquiry, InquiryFailure>>,
        count: usize,
        entry: &AuditEntry,
        work: Option<&Work>,
    ) -> Result<BulkTaken, StoreError> {
        let _alone = self.gate.write().await;
        let stored = self.parts.queue.take_in_bulk(&items, entry, work.map(Work::request)).await;
        let mut memory = self.memory();
        let (bulk, ids, intake) = match stored {
            Ok(stored) => stored,
            Err(error) => {
                memory.queue.give_back(Kind::Bulk, count);
                return Err(error);
            }
        };
        for (id, item) in ids.into_iter().zip(items) {
            if let Ok(inquiry) = item {
                memory.add(waiting(id, Some(bulk), &inquiry, intake), inquiry);
            }
        }
        drop(memory);
        self.wake.notify_one();
        Ok(BulkTaken { id: bulk, taken_at: intake.taken_at })
    }
}
