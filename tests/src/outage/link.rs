//! A receipt computer link in virtual time: away until an instant, then a quarter of a second for each pair of requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use daemon::app::ports::{
    BulkItem, BulkOutcome, Clock as _, LinkedResult, ReceiptLink, RequestId, UpstreamError,
};
use daemon::domain::announcement::Announcement;
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use daemon::domain::queue::Receipt;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::ambient::HeldClock;

/// Two requests in flight share the time of one answer.
const EACH: SignedDuration = SignedDuration::from_millis(125);

type Number = (InsuranceIdentifiers, InquiryNumber);

/// The link.
pub(crate) struct VirtualLink {
    back_at: Timestamp,
    clock: Arc<HeldClock>,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
    numbers: Mutex<Vec<Number>>,
    bulks: Mutex<HashMap<Receipt, Vec<BulkItem>>>,
}

impl VirtualLink {
    pub(crate) fn back_at(back_at: Timestamp, clock: Arc<HeldClock>) -> Self {
        Self {
            back_at,
            clock,
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
            numbers: Mutex::default(),
            bulks: Mutex::default(),
        }
    }

    /// Every number that was taken, in the order of their answers.
    pub(super) fn numbers(&self) -> Vec<Number> {
        self.taken().clone()
    }

    pub(super) fn in_flight_max(&self) -> usize {
        self.in_flight_max.load(Ordering::SeqCst)
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Number>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One exchange: lets the others go on meanwhile.
    async fn exchange<T>(&self, answer: impl FnOnce() -> T) -> Result<T, UpstreamError> {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.in_flight_max.fetch_max(now, Ordering::SeqCst);
        let away = self.clock.now() < self.back_at;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        if !away {
            self.clock.advance(EACH);
        }
        let answer = if away { Err(UpstreamError::Unreachable) } else { Ok(answer()) };
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

#[async_trait]
impl ReceiptLink for VirtualLink {
    async fn results(&self, _: &RequestId, _: Date, _: Date) -> Result<Vec<LinkedResult>, UpstreamError> {
        self.exchange(Vec::new).await
    }

    async fn announcements(&self, _: &RequestId) -> Result<Vec<Announcement>, UpstreamError> {
        self.exchange(Vec::new).await
    }

    async fn set_inquiry_number(
        &self,
        _: &RequestId,
        person: &InsuranceIdentifiers,
        number: &InquiryNumber,
    ) -> Result<(), UpstreamError> {
        self.exchange(|| self.taken().push((person.clone(), number.clone()))).await
    }

    async fn register_bulk(&self, request: &RequestId, items: &[BulkItem]) -> Result<Receipt, UpstreamError> {
        let receipt = Receipt(request.0.clone());
        self.exchange(|| {
            let mut bulks = self.bulks.lock().unwrap_or_else(PoisonError::into_inner);
            bulks.insert(receipt.clone(), items.to_vec());
            receipt
        })
        .await
    }

    async fn bulk_outcome(
        &self,
        _: &RequestId,
        receipt: &Receipt,
        _: &[BulkItem],
    ) -> Result<BulkOutcome, UpstreamError> {
        self.exchange(|| {
            let items = self.bulks.lock().unwrap_or_else(PoisonError::into_inner).remove(receipt);
            let items = items.unwrap_or_default();
            let done = items.iter().map(|_| Ok(())).collect();
            self.taken().extend(items.into_iter().map(|item| (item.person, item.number)));
            BulkOutcome::Done(done)
        })
        .await
    }
}
