//! Which numbers are on their way, and for whom: the queue as the writer's transactions see it.
//!
//! In memory, because in the database every number that is taken in would write a page of an index by its hash. Read anew after a
//! transaction was undone, whatever it may have left here.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::direct::DirectTx;
use super::job;
use crate::app::ports::{Inquiry, StoreError};
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::JobId;

/// The queued jobs by the hash of their number; `None`: not read yet.
#[derive(Default)]
pub(super) struct Waiting(Option<BTreeMap<Hash, Vec<Wait>>>);

type Hash = [u8; 32];

struct Wait {
    job: JobId,
    person: Hash,
    expires_at_us: i64,
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

fn number_hash(number: &InquiryNumber) -> Hash {
    hash(number.expose().as_bytes())
}

impl Waiting {
    /// What is known may be of a transaction that never was.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

impl DirectTx<'_> {
    /// Whether a number is on its way for other people only.
    pub(super) fn is_on_its_way_for_others(
        &mut self,
        person: &InsuranceIdentifiers,
        number: &InquiryNumber,
    ) -> Result<bool, StoreError> {
        self.read_waiting()?;
        let waits = self.waiting.0.as_ref().and_then(|waiting| waiting.get(&number_hash(number)));
        let (person, now_us) = (hash(&person.fingerprint()), self.now_us);
        let mut live = waits.into_iter().flatten().filter(|wait| wait.expires_at_us > now_us).peekable();
        Ok(live.peek().is_some() && live.all(|wait| wait.person != person))
    }

    /// A job was taken in.
    pub(super) fn note_waiting(&mut self, job: JobId, inquiry: &Inquiry, expires_at_us: i64) {
        // What was not read yet is read with this one in it.
        if let Some(waiting) = &mut self.waiting.0 {
            note(waiting, job, inquiry, expires_at_us);
        }
    }

    /// A job has ended.
    pub(super) fn note_ended(&mut self, job: JobId, inquiry: &Inquiry) {
        let Some(waiting) = &mut self.waiting.0 else { return };
        let number = number_hash(&inquiry.number);
        if let Some(waits) = waiting.get_mut(&number) {
            waits.retain(|wait| wait.job != job);
            if waits.is_empty() {
                waiting.remove(&number);
            }
        }
    }

    fn read_waiting(&mut self) -> Result<(), StoreError> {
        if self.waiting.0.is_some() {
            return Ok(());
        }
        let rows: Vec<(i64, i32, i64, Vec<u8>)> = self.rows(
            "SELECT id, month, expires_at_us, payload FROM live_inquiry_jobs WHERE state = 'queued'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let mut waiting = BTreeMap::new();
        for (id, month, expires_at_us, payload) in rows {
            let job = JobId(id);
            // One that does not open is never sent; the queue says so when it is read at the start.
            if let Ok(inquiry) = job::open(&self.keyring, job, month, &payload) {
                note(&mut waiting, job, &inquiry, expires_at_us);
            }
        }
        self.waiting.0 = Some(waiting);
        Ok(())
    }
}

fn note(waiting: &mut BTreeMap<Hash, Vec<Wait>>, job: JobId, inquiry: &Inquiry, expires_at_us: i64) {
    let person = hash(&inquiry.person.fingerprint());
    waiting.entry(number_hash(&inquiry.number)).or_default().push(Wait { job, person, expires_at_us });
}
