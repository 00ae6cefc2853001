//! The ports around a check, in memory: a central system that confirms everyone, and a store that keeps nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use daemon::app::ports::{
    Answer, AuditEntry, AuditLog, CardCheck, CardUseRegistration, Challenge, Keyed, Made, NewResult, Page,
    PageAfter, Proof, ReadyResult, RegistrationError, Remembered, RequestId, RequestMemory, ResultQuery,
    ResultStore, ResultsMark, Settings, StoreError, StoreRoom, StoredResult, UpstreamError,
};
use daemon::domain::admission::SecuritySettings;
use daemon::domain::check::ResultId;
use daemon::domain::eligibility::{Confirmation, Validity};
use daemon::domain::retention::JstMonth;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;

/// Certificate and signature that proved somebody's identity.
type Proven = (Vec<u8>, Vec<u8>);

/// A central system that hands out numbered challenges and keeps every proof it is given.
#[derive(Default)]
pub(super) struct Central {
    next: AtomicUsize,
    /// Certificate and signature by challenge.
    proofs: Mutex<HashMap<String, Proven>>,
}

impl Central {
    /// Takes out what was proved, challenge first.
    pub(super) fn proofs(&self) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs
            .drain()
            .map(|(challenge, (certificate, signature))| (challenge, certificate, signature))
            .collect()
    }
}

#[async_trait]
impl CardCheck for Central {
    fn accepts_unsigned_visual(&self) -> bool {
        true
    }

    async fn challenge(&self, _: &RequestId) -> Result<Challenge, UpstreamError> {
        let id = format!("challenge {:08}", self.next.fetch_add(1, Ordering::Relaxed));
        Ok(Challenge { bytes: id.clone().into_bytes(), id })
    }

    async fn confirm(&self, _: &RequestId, proof: &Proof) -> Result<Answer, UpstreamError> {
        if let Proof::Signed { challenge_id, signed } = proof {
            let given = (signed.certificate.clone(), signed.signature.clone());
            self.proofs.lock().unwrap_or_else(PoisonError::into_inner).insert(challenge_id.clone(), given);
        }
        Ok(Answer::Confirmed(Confirmation {
            upstream_id: None,
            processed_at: Timestamp::UNIX_EPOCH,
            confirmed_for: Date::constant(2026, 4, 10),
            validity: Validity::NotFound,
            note: None,
            eligibilities: Vec::new(),
        }))
    }

    /// Everyone is registered already.
    async fn register_card_use(
        &self,
        _: &RequestId,
        _: &CardUseRegistration,
    ) -> Result<Confirmation, RegistrationError> {
        Err(RegistrationError::Unknown)
    }
}

/// A store that numbers what it is given.
#[derive(Default)]
pub(super) struct Store(AtomicI64);

impl StoreRoom for Store {
    fn has_room(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl ResultStore for Store {
    async fn insert(&self, _: &NewResult, _: &AuditEntry) -> Result<ResultId, StoreError> {
        Ok(ResultId(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }

    async fn get(&self, _: ResultId) -> Result<Option<StoredResult>, StoreError> {
        Ok(None)
    }

    async fn count(&self, _: &ResultQuery) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn page(
        &self,
        _: &ResultQuery,
        _: Option<PageAfter>,
        _: u32,
    ) -> Result<Page<StoredResult>, StoreError> {
        Ok(Page { rows: Vec::new(), next: None })
    }

    async fn ready(&self, _: ResultId) -> Result<Option<ReadyResult>, StoreError> {
        Ok(None)
    }

    async fn ready_page(
        &self,
        _: &ResultQuery,
        _: Option<PageAfter>,
        _: u32,
    ) -> Result<Page<ReadyResult>, StoreError> {
        Ok(Page { rows: Vec::new(), next: None })
    }

    async fn changes(&self, _: i64, _: u32) -> Result<Vec<ReadyResult>, StoreError> {
        Ok(Vec::new())
    }

    async fn newest(&self) -> Result<ResultId, StoreError> {
        Ok(ResultId(self.0.load(Ordering::Relaxed)))
    }

    fn news(&self) -> watch::Receiver<ResultsMark> {
        watch::Sender::new(self.mark()).subscribe()
    }

    fn mark(&self) -> ResultsMark {
        ResultsMark { store: 0, change: 0, month: JstMonth::of(Timestamp::UNIX_EPOCH) }
    }
}

#[async_trait]
impl AuditLog for Store {
    async fn append(&self, _: &AuditEntry) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Settings for Store {
    async fn security(&self) -> Result<SecuritySettings, StoreError> {
        Ok(SecuritySettings { visual_confirmation: true, operators_need_code: true })
    }

    async fn set_security(&self, _: SecuritySettings, _: &AuditEntry) -> Result<(), StoreError> {
        Ok(())
    }
}

/// No request of a schedule has a key.
#[async_trait]
impl RequestMemory for Store {
    async fn remembered(&self, _: &str, _: &str) -> Result<Option<Remembered>, StoreError> {
        Ok(None)
    }

    async fn remember(&self, _: &Keyed, _: &Made) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _: &Keyed) -> Result<(), StoreError> {
        Ok(())
    }
}
