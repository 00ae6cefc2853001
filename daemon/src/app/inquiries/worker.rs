//! The worker: sends what is due, within the queue's rules. [`Inquiries::work_off`] needs no real time; the background loop
//! is a thin sleep around it.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;

use super::{Inner, Inquiries, Told};
use crate::app::ports::{
    BulkItem, BulkOutcome, InquiryEnd, InquiryFailure, StoreError, UpstreamError, random_bytes,
};
use crate::app::results::request_id;
use crate::domain::queue::{JobId, LONGEST_WAIT, Later, Outcome, Receipt, Step};

/// What an error of the central system means for a job.
enum Verdict {
    Later(Later),
    Never(InquiryFailure),
}

/// A refusal of the number is final, everything else is not the job's fault.
fn verdict(error: UpstreamError) -> Verdict {
    match error {
        UpstreamError::Unreachable => Verdict::Later(Later::Unreachable),
        UpstreamError::Timeout => Verdict::Later(Later::Timeout),
        UpstreamError::Maintenance => Verdict::Later(Later::Maintenance),
        UpstreamError::ClientCertificate => Verdict::Later(Later::Certificate),
        UpstreamError::Renegotiation => Verdict::Later(Later::Renegotiation),
        UpstreamError::Malformed => Verdict::Later(Later::Malformed),
        UpstreamError::SignInRefused { .. } => Verdict::Later(Later::SignIn),
        // A gateway's word, not the central system's.
        UpstreamError::Refused { code } if code.starts_with("HTTP-") => Verdict::Later(Later::Unreachable),
        UpstreamError::Refused { code } => Verdict::Never(refusal(code)),
    }
}

/// The central system's codes as far as their meaning is known (an assumption, as its message forms are).
fn refusal(code: String) -> InquiryFailure {
    match code.as_str() {
        "PERSON_UNKNOWN" => InquiryFailure::PersonNotFound,
        "NUMBER_IN_USE" => InquiryFailure::NumberInUse,
        _ => InquiryFailure::Refused { code },
    }
}

/// How a step ended, and what to tell about its jobs once that is settled.
struct Done {
    outcome: Outcome,
    ended: Vec<(JobId, Told)>,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, ended: Vec::new() }
    }
}

fn not_stored(error: &StoreError) -> Done {
    tracing::error!(%error, "the outcome of inquiry numbers was not stored; they are sent again");
    Outcome::Later(Later::NotStored).into()
}

impl Inquiries {
    /// Works in the background until the tasks are told to stop. What is in flight then is sent again at the next start.
    pub fn start(&self) {
        let inquiries = self.clone();
        let stopping = self.0.parts.tasks.stopping();
        self.0.parts.tasks.start(async move {
            let work = async {
                loop {
                    inquiries.work_off().await;
                    inquiries.0.rest().await;
                }
            };
            stopping.run_until_cancelled(work).await;
        });
    }

    /// Does everything that is due now and everything that this makes due, at most two requests at a time. Dropping it
    /// leaves the queue in memory unusable; the queue on disk is whole at every moment.
    pub async fn work_off(&self) {
        let inner = &*self.0;
        let mut running = FuturesUnordered::new();
        loop {
            while let Some(step) = inner.take_due() {
                running.push(inner.perform(step));
            }
            tokio::select! {
                ended = running.next() => if ended.is_none() { return },
                () = inner.wake.notified(), if !running.is_empty() => {}
            }
        }
    }

    /// When there is something to do next; `None` until a number is taken in.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.memory().queue.next_due(self.0.parts.clock.now())
    }
}

impl Inner {
    /// Waits until something is due or a job comes in; never longer than the queue's longest wait, because the wall clock
    /// may be set meanwhile.
    async fn rest(&self) {
        let now = self.parts.clock.now();
        let due = self.memory().queue.next_due(now);
        let woken = self.wake.notified();
        let Some(due) = due else { return woken.await };
        let wait = due.duration_since(now).min(LONGEST_WAIT);
        // Either end of the wait is a reason to look.
        let _ = tokio::time::timeout(Duration::try_from(wait).unwrap_or_default(), woken).await;
    }

    fn take_due(&self) -> Option<Step> {
        let now = self.parts.clock.now();
        let mut memory = self.memory();
        for id in memory.queue.expire(now) {
            memory.inquiries.remove(&id);
            memory.waiters.remove(&id);
        }
        memory.queue.next(now)
    }

    async fn perform(&self, step: Step) {
        let done = match &step {
            Step::Send(id) => self.send(*id).await,
            Step::SendBulk(ids) => self.send_bulk(ids).await,
            Step::Poll(receipt, ids) => self.poll(receipt, ids).await,
        };
        let jitter = u16::from_ne_bytes(random_bytes(&*self.parts.random));
        let mut memory = self.memory();
        let away = matches!(done.outcome, Outcome::Later(_));
        memory.queue.finish(&step, done.outcome, self.parts.clock.now(), jitter);
        if away {
            // Whoever waits gets the job's number now: nothing is sent for a while.
            memory.waiters.clear();
        }
        for (id, told) in done.ended {
            memory.inquiries.remove(&id);
            if let Some(waiter) = memory.waiters.remove(&id) {
                // The caller may have gone away.
                let _ = waiter.send(told);
            }
        }
    }

    fn items(&self, ids: &[JobId]) -> Vec<BulkItem> {
        let memory = self.memory();
        let asked = ids.iter().filter_map(|id| memory.inquiries.get(id));
        asked
            .map(|inquiry| BulkItem { person: inquiry.person.clone(), number: inquiry.number.clone() })
            .collect()
    }

    async fn send(&self, id: JobId) -> Done {
        let Some(item) = self.items(&[id]).pop() else { return Outcome::Ended.into() };
        let request = request_id(&*self.parts.random);
        let end = match self.parts.link.set_inquiry_number(&request, &item.person, &item.number).await {
            Ok(()) => InquiryEnd::Registered,
            Err(error) => match verdict(error) {
                Verdict::Later(why) => return Outcome::Later(why).into(),
                Verdict::Never(failure) => InquiryEnd::Failed(failure),
            },
        };
        self.end(vec![(id, end)]).await
    }

    async fn send_bulk(&self, ids: &[JobId]) -> Done {
        let request = request_id(&*self.parts.random);
        match self.parts.link.register_bulk(&request, &self.items(ids)).await {
            Ok(receipt) => match self.parts.queue.note_receipt(ids, Some(&receipt)).await {
                Ok(()) => Outcome::Received(receipt).into(),
                Err(error) => not_stored(&error),
            },
            Err(error) => match verdict(error) {
                Verdict::Later(why) => Outcome::Later(why).into(),
                Verdict::Never(_) => Outcome::RefusedWhole.into(),
            },
        }
    }

    async fn poll(&self, receipt: &Receipt, ids: &[JobId]) -> Done {
        let request = request_id(&*self.parts.random);
        match self.parts.link.bulk_outcome(&request, receipt, &self.items(ids)).await {
            Ok(BulkOutcome::Processing) => Outcome::Running.into(),
            Ok(BulkOutcome::Done(items)) => {
                let end = |item| match item {
                    Ok(()) => InquiryEnd::Registered,
                    Err(code) => InquiryEnd::Failed(refusal(code)),
                };
                self.end(ids.iter().copied().zip(items.into_iter().map(end)).collect()).await
            }
            Err(error) => match verdict(error) {
                Verdict::Later(why) => Outcome::Later(why).into(),
                // The central system no longer knows the receipt number: the items are sent again.
                Verdict::Never(_) => match self.parts.queue.note_receipt(ids, None).await {
                    Ok(()) => Outcome::RefusedWhole.into(),
                    Err(error) => not_stored(&error),
                },
            },
        }
    }

    /// Writes down how jobs ended; only then they have.
    async fn end(&self, ends: Vec<(JobId, InquiryEnd)>) -> Done {
        match self.parts.queue.end(&ends).await {
            Ok(results) => {
                let ended = ends.into_iter().zip(results).map(|((id, end), results)| (id, (end, results)));
                Done { outcome: Outcome::Ended, ended: ended.collect() }
            }
            Err(error) => not_stored(&error),
        }
    }
}
