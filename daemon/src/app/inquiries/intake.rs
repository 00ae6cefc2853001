//! Intake: on disk first, then in the queue, in the same order. A caller that goes away stops neither.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{BulkTaken, Inner, Inquiries, InquiryError, Memory, Ticket, Told, entry};
use crate::app::access::{Action, Actor};
use crate::app::idempotency::Work;
use crate::app::ports::{InquiryRequest, Subject, TakenIn};
use crate::domain::queue::{BulkId, Kind, Waiting};

/// Whom a job's room is counted for.
pub(super) fn kind(bulk: Option<BulkId>) -> Kind {
    if bulk.is_some() { Kind::Bulk } else { Kind::Single }
}

impl Memory {
    /// Puts a job that is on disk at the end of its person's line.
    pub(super) fn add(&mut self, TakenIn { id, bulk, inquiry, intake }: TakenIn) {
        let (person, taken_at, expires_at) = (inquiry.person.clone(), intake.taken_at, intake.expires_at);
        self.queue.add(Waiting { id, person, bulk, taken_at, expires_at });
        self.inquiries.insert(id, inquiry);
    }
}

/// Room in the queue for jobs that are being stored. What was not filled is given back.
struct Room {
    inner: Arc<Inner>,
    kind: Kind,
    left: usize,
}

impl Room {
    fn take(inner: &Arc<Inner>, kind: Kind, count: usize) -> Result<Self, InquiryError> {
        inner.memory().queue.take_room(kind, count).map_err(|_| InquiryError::QueueFull)?;
        Ok(Self { inner: Arc::clone(inner), kind, left: count })
    }

    /// Fills it with jobs that are on disk now. `tell`: who waits for the end of a single one.
    fn fill(mut self, taken: &[TakenIn], tell: Option<oneshot::Sender<Told>>) {
        let now = self.inner.parts.clock.now();
        let mut memory = self.inner.memory();
        for job in taken {
            memory.add(job.clone());
        }
        // Nobody waits for a central system that is away.
        if let (Some(tell), [job], None) = (tell, taken, memory.queue.waits(now)) {
            memory.waiters.insert(job.id, tell);
        }
        drop(memory);
        self.left = self.left.saturating_sub(taken.len());
        self.inner.wake.notify_one();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.inner.memory().queue.give_back(self.kind, self.left);
    }
}

impl Inquiries {
    /// Takes a number in; once this returns it is on disk and will be sent, whatever happens.
    pub async fn take_in(
        &self,
        actor: &Actor,
        asked: InquiryRequest,
        work: Option<Arc<Work>>,
    ) -> Result<Ticket, InquiryError> {
        actor.may(Action::SetInquiryNumbers)?;
        let results = match &asked.subject {
            Subject::Result(id) => vec![*id],
            Subject::Person(_) => Vec::new(),
        };
        let entry = entry(actor, "inquiry_number.queued", results);
        let room = Room::take(&self.0, Kind::Single, 1)?;
        let (tell, told) = oneshot::channel();
        let running = work.clone();
        let on_disk = move |taken: &[TakenIn]| {
            room.fill(taken, Some(tell));
            // Until now no other request with its key may begin, also if its caller went away.
            drop(running);
        };
        let request = work.as_deref().map(Work::request);
        let stored = self.0.parts.queue.take_in(&asked, &entry, request, Box::new(on_disk)).await?;
        let (id, intake) = stored.map_err(InquiryError::Failed)?;
        Ok(Ticket { id, taken_at: intake.taken_at, told })
    }

    /// Takes a bulk in, all or nothing.
    pub(super) async fn take_in_bulk(
        &self,
        actor: &Actor,
        items: &[InquiryRequest],
        work: Option<Arc<Work>>,
    ) -> Result<BulkTaken, InquiryError> {
        let entry = entry(actor, "inquiry_number.bulk_queued", Vec::new());
        let room = Room::take(&self.0, Kind::Bulk, items.len())?;
        let running = work.clone();
        let on_disk = move |taken: &[TakenIn]| {
            room.fill(taken, None);
            drop(running);
        };
        let request = work.as_deref().map(Work::request);
        let stored = self.0.parts.queue.take_in_bulk(items, &entry, request, Box::new(on_disk)).await;
        let (id, _, intake) = stored?;
        Ok(BulkTaken { id, taken_at: intake.taken_at })
    }
}
