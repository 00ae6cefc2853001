//! Reviewing the audit log, at the machine: is it as it was written, who did what, and whose results were answered since
//! a day (the list of affected persons after a breach).
//!
//! An administrator sees the rows through the API as well. There is deliberately no operation for the list: an administrator does not see patients (the role table),
//! and whoever may log on to the machine as the data's owner can decrypt them anyway. Every review is audited itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::access::{Action, Actor, Forbidden, MACHINE, audit};
use super::collect::COLLECTED;
use super::desk_records::INCIDENT;
use super::ports::{
    AuditEntry, AuditLog, AuditRange, AuditRecord, AuditSource, AuditTrail, Clock, ResultStore, StoreError,
    Tampering, Verified, VerifyError,
};
use crate::domain::check::ResultId;
use crate::domain::eligibility::{Confirmation, Eligibility, Field};
use crate::domain::identifiers::InsuranceIdentifiers;
use crate::domain::personal::Personal;

/// The action with which an administrator accepts what was found at the anchor.
pub const ACCEPTED: &str = "audit.accepted";
/// The action of a list of affected persons.
pub const AFFECTED: &str = "audit.affected";
/// Rows that are read at once; also results of one audit row of the list.
const AT_ONCE: u32 = 1_000;
/// A year of retention, in days: leap days never shorten it.
const YEAR: i64 = 366;

/// Reviews the log.
pub struct ReviewAudit {
    /// The log's rows.
    pub trail: Arc<dyn AuditTrail>,
    /// The log as it is written.
    pub log: Arc<dyn AuditLog>,
    /// Results, while they last.
    pub results: Arc<dyn ResultStore>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Why the rows were not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for ReviewError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// When and where a result was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// First time in the period.
    pub first: Timestamp,
    /// Last time in the period.
    pub last: Timestamp,
    /// How often.
    pub times: u32,
    /// To which accounts.
    pub actors: BTreeSet<String>,
    /// From where.
    pub sources: BTreeSet<String>,
    /// For which terminals, as far as one was named.
    pub terminals: BTreeSet<String>,
    /// By which actions.
    pub actions: BTreeSet<String>,
}

/// Whose result it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The same number in one list is the same insurance of the same person.
    pub number: u32,
    /// Name, kana, birth date and insurer's number as the central system gave them; missing ones were withheld.
    pub fields: [Option<Personal>; 4],
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// The result.
    pub result: ResultId,
    /// Its person; none once the result is past its retention.
    pub person: Option<Person>,
    /// When and where it was answered.
    pub answered: Answered,
}

impl ReviewAudit {
    /// Checks every row and the anchor, and writes down that it was done. `progress` hears how many rows are done.
    pub async fn verify(&self, progress: &(dyn Fn(i64) + Send + Sync)) -> Result<Verified, VerifyError> {
        let verified = self.trail.verify(progress).await;
        let outcome = match &verified {
            Ok(found) if found.findings.is_empty() => "ok".to_owned(),
            Ok(_) => "findings".to_owned(),
            Err(VerifyError::Tampering(Tampering::Altered { seq })) => format!("altered:{seq}"),
            Err(VerifyError::Tampering(Tampering::Anchor(finding))) => finding.word(),
            Err(VerifyError::Store(_)) => "internal".to_owned(),
        };
        self.log.append(&by_machine("audit.verified", outcome)).await?;
        verified
    }

    /// Accepts what earlier starts found at the anchor: someone has looked into it.
    pub async fn accept(&self) -> Result<(), StoreError> {
        self.log.append(&by_machine(ACCEPTED, "ok".to_owned())).await
    }

    /// Writes down that rows leave the machine.
    pub async fn begin_export(&self) -> Result<(), StoreError> {
        self.log.append(&by_machine("audit.exported", "ok".to_owned())).await
    }

    /// The next rows of a period.
    pub async fn rows(&self, range: AuditRange, after: i64) -> Result<Vec<AuditRecord>, StoreError> {
        self.trail.rows(range, after, AT_ONCE).await
    }

    /// A page of the rows of a period for an administrator: at most `limit` after the row `after`, and from where the next
    /// page goes on. That it was looked at is on record before it is answered.
    pub async fn page(
        &self,
        actor: &Actor,
        range: AuditRange,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<AuditRecord>, Option<i64>), ReviewError> {
        actor.may(Action::Administer)?;
        let mut rows = self.trail.rows(range, after, limit.saturating_add(1)).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let goes_on = rows.len() > size;
        rows.truncate(size);
        self.log.append(&actor.entry("audit.viewed")).await?;
        let next = rows.last().map(|row| row.seq).filter(|_| goes_on);
        Ok((rows, next))
    }

    /// Which results were answered in a period, by number. Refused attempts, earlier lists,
    /// incidents and what was only brought in do not count.
    pub async fn answered(
        &self,
        range: AuditRange,
        progress: &(dyn Fn(i64) + Send + Sync),
    ) -> Result<BTreeMap<i64, Answered>, StoreError> {
        // Also a list that turns out empty was asked for.
        self.log.append(&by_machine(AFFECTED, "ok".to_owned())).await?;
        let mut answered = BTreeMap::new();
        let (mut after, mut rows) = (0, 0);
        loop {
            let chunk = self.trail.rows(range, after, AT_ONCE).await?;
            let Some(last) = chunk.last() else { return Ok(answered) };
            after = last.seq;
            rows += i64::try_from(chunk.len()).unwrap_or_default();
            let is_answer = |record: &&AuditRecord| {
                record.outcome == "ok" && ![AFFECTED, COLLECTED, INCIDENT].contains(&record.action.as_str())
            };
            for record in chunk.iter().filter(is_answer) {
                for result in &record.results {
                    note(&mut answered, result.0, record);
                }
            }
            if rows % 10_000 == 0 {
                progress(rows);
            }
        }
    }

    /// The persons of some of them, at most a thousand at once, after the audit log knows of it. `numbers` is kept
    /// between calls of one list.
    pub async fn name(
        &self,
        some: Vec<(i64, Answered)>,
        numbers: &mut HashMap<Vec<u8>, u32>,
    ) -> Result<Vec<Affected>, StoreError> {
        let results = some.iter().map(|(id, _)| ResultId(*id)).collect();
        let entry = AuditEntry { results, ..by_machine(AFFECTED, "ok".to_owned()) };
        self.log.append(&entry).await?;
        let mut affected = Vec::with_capacity(some.len());
        for (id, answered) in some {
            let found = self.results.get(ResultId(id)).await?;
            let person = found.map(|found| person(&found.content.confirmation, numbers));
            affected.push(Affected { result: ResultId(id), person, answered });
        }
        Ok(affected)
    }

    /// How many results one call of [`ReviewAudit::name`] takes.
    pub fn at_once() -> usize {
        usize::try_from(AT_ONCE).unwrap_or(1)
    }

    /// Removes rows that are older than so many years; returns how many.
    pub async fn prune(&self, keep_years: u8) -> Result<u64, StoreError> {
        self.trail.prune(kept_since(&*self.clock, keep_years)).await
    }
}

/// What was written down earlier than this is older than so many years.
pub(super) fn kept_since(clock: &dyn Clock, keep_years: u8) -> Timestamp {
    let age = SignedDuration::from_hours(24 * YEAR * i64::from(keep_years.max(1)));
    clock.now().checked_sub(age).unwrap_or(Timestamp::MIN)
}

fn note(answered: &mut BTreeMap<i64, Answered>, result: i64, record: &AuditRecord) {
    let known = answered.entry(result).or_insert_with(|| Answered {
        first: record.at,
        last: record.at,
        times: 0,
        actors: BTreeSet::new(),
        sources: BTreeSet::new(),
        terminals: BTreeSet::new(),
        actions: BTreeSet::new(),
    });
    known.first = known.first.min(record.at);
    known.last = known.last.max(record.at);
    known.times = known.times.saturating_add(1);
    for (set, value) in [
        (&mut known.actors, Some(&record.actor)),
        (&mut known.sources, Some(&record.source)),
        (&mut known.actions, Some(&record.action)),
        (&mut known.terminals, record.terminal.as_ref().map(|terminal| &terminal.0)),
    ] {
        if let Some(value) = value.filter(|value| !set.contains(*value)) {
            set.insert(value.clone());
        }
    }
}

fn person(confirmation: &Confirmation, numbers: &mut HashMap<Vec<u8>, u32>) -> Person {
    let eligibilities = &confirmation.eligibilities;
    let fingerprint =
        eligibilities.iter().find_map(InsuranceIdentifiers::of).map(|person| person.fingerprint());
    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX).saturating_add(1);
    // Without identifiers nobody can be told to be the same person.
    let number = *numbers.entry(fingerprint.unwrap_or_else(|| next.to_be_bytes().to_vec())).or_insert(next);
    let first = |field| eligibilities.iter().find_map(|one: &Eligibility| one.get(field).cloned());
    Person {
        number,
        fields: [Field::Name, Field::NameKana, Field::Birthdate, Field::InsurerNumber].map(first),
    }
}

fn by_machine(action: &'static str, outcome: String) -> AuditEntry {
    audit(MACHINE, AuditSource::Machine, action, outcome)
}
