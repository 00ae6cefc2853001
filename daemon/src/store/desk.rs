//! What the front desk writes down: filled-in checklists and incidents. Their fixed words are bits, by their place in the
//! domain's lists.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::error::failed;
use super::results::live_row;
use super::writer::{Tx, write};
use super::{Store, audit};
use crate::app::ports::{AuditEntry, ChecklistRecord, DeskRecords, IncidentRecord, StoreError, TerminalId};
use crate::domain::check::ResultId;
use crate::domain::checklist::{Done, Item};
use crate::domain::incident::{Incident, Kind, Measure};

/// One bit for each of the chosen words.
fn bits<T: PartialEq>(all: &[T], chosen: &[T]) -> i64 {
    all.iter().enumerate().filter(|(_, word)| chosen.contains(word)).map(|(place, _)| 1_i64 << place).sum()
}

/// The words of some bits; a bit that this version does not know says nothing.
fn words<T: Copy>(all: &[T], bits: i64) -> Vec<T> {
    all.iter().enumerate().filter(|(place, _)| bits & (1_i64 << place) != 0).map(|(_, word)| *word).collect()
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::AnotherPersonShown => "another_person_shown",
        Kind::IdentityInDoubt => "identity_in_doubt",
    }
}

fn read_kind(word: &str) -> Option<Kind> {
    [Kind::AnotherPersonShown, Kind::IdentityInDoubt].into_iter().find(|kind| kind_word(*kind) == word)
}

#[derive(FromRow)]
struct ChecklistRow {
    id: i64,
    recorded_at_us: i64,
    recorded_by: String,
    terminal: Option<String>,
    done: i64,
}

impl ChecklistRow {
    fn read(self) -> Result<ChecklistRecord, StoreError> {
        Ok(ChecklistRecord {
            at: instant("checklist_records", self.id, self.recorded_at_us)?,
            by: self.recorded_by,
            terminal: self.terminal.map(TerminalId),
            done: Done::new(&words(Item::ALL, self.done)),
        })
    }
}

#[derive(FromRow)]
struct IncidentRow {
    id: i64,
    recorded_at_us: i64,
    recorded_by: String,
    terminal: Option<String>,
    kind: String,
    result: Option<i64>,
    measures: i64,
}

impl IncidentRow {
    fn read(self) -> Result<IncidentRecord, StoreError> {
        let kind =
            read_kind(&self.kind).ok_or_else(|| corrupt("incidents", self.id, "its kind is unknown"))?;
        Ok(IncidentRecord {
            id: self.id,
            at: instant("incidents", self.id, self.recorded_at_us)?,
            by: self.recorded_by,
            terminal: self.terminal.map(TerminalId),
            incident: Incident {
                kind,
                result: self.result.map(ResultId),
                measures: words(Measure::ALL, self.measures),
            },
        })
    }
}

fn corrupt(table: &'static str, row: i64, reason: &str) -> StoreError {
    StoreError::Corrupt { table, row, reason: reason.to_owned() }
}

fn instant(table: &'static str, row: i64, us: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(us).map_err(|_| corrupt(table, row, "its time is no time"))
}

async fn record_checklist(
    tx: &mut Tx,
    done: &Done,
    entry: &AuditEntry,
) -> Result<ChecklistRecord, StoreError> {
    let row: ChecklistRow = sqlx::query_as(
        "INSERT INTO checklist_records (recorded_at_us, recorded_by, terminal, done) VALUES (?1, ?2, ?3, ?4) \
         RETURNING *",
    )
    .bind(tx.now_us)
    .bind(&entry.actor)
    .bind(entry.terminal.as_ref().map(|terminal| &terminal.0))
    .bind(bits(Item::ALL, done.items()))
    .fetch_one(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    audit::append(tx, entry, &[]).await?;
    row.read()
}

async fn record_incident(
    tx: &mut Tx,
    incident: &Incident,
    entry: &AuditEntry,
) -> Result<Option<IncidentRecord>, StoreError> {
    if let Some(id) = incident.result {
        let found = live_row(id, tx.now_us).fetch_optional(&mut tx.db).await.map_err(|e| failed(&e))?;
        if found.is_none() {
            return Ok(None);
        }
    }
    let row: IncidentRow = sqlx::query_as(
        "INSERT INTO incidents (recorded_at_us, recorded_by, terminal, kind, result, measures) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING *",
    )
    .bind(tx.now_us)
    .bind(&entry.actor)
    .bind(entry.terminal.as_ref().map(|terminal| &terminal.0))
    .bind(kind_word(incident.kind))
    .bind(incident.result.map(|id| id.0))
    .bind(bits(Measure::ALL, &incident.measures))
    .fetch_one(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    audit::append(tx, entry, &[]).await?;
    row.read().map(Some)
}

async fn forget(tx: &mut Tx, before_us: i64) -> Result<u64, StoreError> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM checklist_records WHERE recorded_at_us < ?1",
        "DELETE FROM incidents WHERE recorded_at_us < ?1",
    ] {
        let done = sqlx::query(sql).bind(before_us).execute(&mut tx.db).await.map_err(|e| failed(&e))?;
        gone += done.rows_affected();
    }
    Ok(gone)
}

#[async_trait]
impl DeskRecords for Store {
    async fn record_checklist(&self, done: &Done, audit: &AuditEntry) -> Result<ChecklistRecord, StoreError> {
        let (done, entry) = (done.clone(), audit.clone());
        write(&self.writer, move |tx| Box::pin(async move { record_checklist(tx, &done, &entry).await }))
            .await
    }

    async fn checklists(&self, limit: u32) -> Result<Vec<ChecklistRecord>, StoreError> {
        let rows: Vec<ChecklistRow> =
            sqlx::query_as("SELECT * FROM checklist_records ORDER BY id DESC LIMIT ?1")
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        rows.into_iter().map(ChecklistRow::read).collect()
    }

    async fn record_incident(
        &self,
        incident: &Incident,
        audit: &AuditEntry,
    ) -> Result<Option<IncidentRecord>, StoreError> {
        let (incident, entry) = (incident.clone(), audit.clone());
        write(&self.writer, move |tx| Box::pin(async move { record_incident(tx, &incident, &entry).await }))
            .await
    }

    async fn incidents(&self, before: Option<i64>, limit: u32) -> Result<Vec<IncidentRecord>, StoreError> {
        let rows: Vec<IncidentRow> =
            sqlx::query_as("SELECT * FROM incidents WHERE id < ?1 ORDER BY id DESC LIMIT ?2")
                .bind(before.unwrap_or(i64::MAX))
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        rows.into_iter().map(IncidentRow::read).collect()
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let before_us = before.as_microsecond();
        write(&self.writer, move |tx| Box::pin(forget(tx, before_us))).await
    }
}
