//! What stands around a check beside network and store: readers with cards that sign at once, settings, a queue of one's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use daemon::app::ports::{
    AuditEntry, BulkStand, CardCertificate, CardDesk, CardError, CardEvent, CardService, DeskView,
    InquiryEnd, InquiryFailure, InquiryJob, InquiryQueue, InquiryRequest, Intake, JobState, Keyed, OnDisk,
    Opening, PendingInquiry, ReaderName, ReaderState, ReaderView, Settings, SignedChallenge, Signing,
    StoreError,
};
use daemon::domain::admission::SecuritySettings;
use daemon::domain::certificate::CertificateFacts;
use daemon::domain::check::ResultId;
use daemon::domain::queue::{BulkId, JobId, Receipt};
use daemon::store::Store;
use jiff::Timestamp;
use tokio::sync::watch;

use super::central::{certificate, signature};

/// The reader in front of a person.
pub(super) fn reader(person: usize) -> ReaderName {
    ReaderName(format!("Reader {person}"))
}

/// A desk with a reader and a card for each person.
pub(super) struct Desk(watch::Sender<DeskView>);

impl Desk {
    pub(super) fn new(people: usize) -> Self {
        let card = |person: usize| CardEvent { reader: reader(person), insertion: person as u64 + 1 };
        let lying = |person| ReaderView { name: reader(person), state: ReaderState::Card(card(person)) };
        let readers = (0..people).map(lying).collect();
        Self(watch::Sender::new(DeskView { service: CardService::Available, readers }))
    }
}

/// The certificate ends long after every schedule.
fn facts() -> CertificateFacts {
    CertificateFacts { not_before: Timestamp::UNIX_EPOCH, not_after: Timestamp::MAX, issuer: None }
}

fn holder(card: &CardEvent) -> Result<usize, CardError> {
    card.reader.0.strip_prefix("Reader ").and_then(|text| text.parse().ok()).ok_or(CardError::Removed)
}

#[async_trait]
impl CardDesk for Desk {
    fn watch(&self) -> watch::Receiver<DeskView> {
        self.0.subscribe()
    }

    fn hanging(&self) -> BTreeSet<ReaderName> {
        BTreeSet::new()
    }

    async fn read_certificate(&self, card: &CardEvent) -> Result<CardCertificate, CardError> {
        tokio::task::yield_now().await;
        Ok(CardCertificate { der: certificate(holder(card)?), facts: facts() })
    }

    async fn open_and_sign(
        &self,
        card: &CardEvent,
        _: Opening,
        challenge: &[u8],
    ) -> Result<Signing, CardError> {
        tokio::task::yield_now().await;
        let holder = holder(card)?;
        Ok(Signing::Signed(SignedChallenge {
            certificate: certificate(holder),
            facts: facts(),
            signature: signature(holder, challenge),
        }))
    }
}

/// Everything is allowed.
pub(super) struct Open;

#[async_trait]
impl Settings for Open {
    async fn security(&self) -> Result<SecuritySettings, StoreError> {
        Ok(SecuritySettings { visual_confirmation: true, operators_need_code: true })
    }

    async fn set_security(&self, _: SecuritySettings, _: &AuditEntry) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The store's queue for one schedule of many: what others left in it is not taken over.
pub(super) struct OwnQueue(pub(super) Arc<Store>);

#[async_trait]
impl InquiryQueue for OwnQueue {
    async fn take_in(
        &self,
        asked: &InquiryRequest,
        audit: &AuditEntry,
        request: Option<&Keyed>,
        on_disk: OnDisk,
    ) -> Result<Result<(JobId, Intake), InquiryFailure>, StoreError> {
        self.0.take_in(asked, audit, request, on_disk).await
    }

    async fn take_in_bulk(
        &self,
        items: &[InquiryRequest],
        audit: &AuditEntry,
        request: Option<&Keyed>,
        on_disk: OnDisk,
    ) -> Result<(BulkId, Vec<JobId>, Intake), StoreError> {
        self.0.take_in_bulk(items, audit, request, on_disk).await
    }

    async fn pending(&self) -> Result<Vec<PendingInquiry>, StoreError> {
        Ok(Vec::new())
    }

    async fn end(&self, ends: &[(JobId, InquiryEnd)]) -> Result<Vec<Vec<ResultId>>, StoreError> {
        self.0.end(ends).await
    }

    async fn note_receipt(&self, jobs: &[JobId], receipt: Option<&Receipt>) -> Result<(), StoreError> {
        self.0.note_receipt(jobs, receipt).await
    }

    async fn job(&self, id: JobId) -> Result<Option<InquiryJob>, StoreError> {
        self.0.job(id).await
    }

    async fn jobs(
        &self,
        state: Option<JobState>,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<InquiryJob>, StoreError> {
        self.0.jobs(state, before, limit).await
    }

    async fn bulk(&self, id: BulkId, from: u32, limit: u32) -> Result<Option<BulkStand>, StoreError> {
        self.0.bulk(id, from, limit).await
    }
}
