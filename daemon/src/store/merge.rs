//! Merging results from the central system with the stored ones. The rules are the domain's; here they meet the rows.

use std::sync::Arc;

use jiff::Timestamp;

use super::audit;
use super::error::failed;
use super::keyring::MonthKeys;
use super::marks::{mark_columns, with_marks};
use super::results::{INDEX_BYTES, Sealed, add, inquiry_index, sealed};
use super::row::Place;
use super::writer::Tx;
use super::{body, marks, row};
use crate::app::ports::{
    AuditEntry, Batch, LinkedResult, Merged, NewResult, Source, StoreError, StoredResult, TerminalId,
};
use crate::domain::check::ResultId;
use crate::domain::eligibility::Confirmation;
use crate::domain::merge::{difference, is_same, received_inquiry_number};
use crate::domain::retention::{JstMonth, expiry};

/// Merges a batch, with one audit row for what it changed.
pub(super) async fn merge(tx: &mut Tx, batch: &Batch, entry: &AuditEntry) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    for fetched in &batch.results {
        if expiry(fetched.confirmation.processed_at).as_microsecond() <= tx.now_us {
            merged.expired += 1;
            continue;
        }
        match find(tx, &fetched.confirmation, None, |_| true).await? {
            Some(row) => match follow(tx, row, fetched, batch.asked_at).await? {
                Some(id) if !merged.updated.contains(&id) && !merged.added.contains(&id) => {
                    merged.updated.push(id);
                }
                Some(_) | None => merged.known += 1,
            },
            None => merged.added.push(add(tx, &from_elsewhere(fetched, batch)).await?),
        }
    }
    let changed: Vec<ResultId> = merged.added.iter().chain(&merged.updated).copied().collect();
    if !changed.is_empty() {
        audit::append(tx, entry, &changed).await?;
    }
    Ok(merged)
}

fn from_elsewhere(fetched: &LinkedResult, batch: &Batch) -> NewResult {
    NewResult {
        source: Source::Elsewhere,
        terminal: TerminalId::elsewhere(&fetched.terminal),
        origin: batch.origin,
        confirmation: fetched.confirmation.clone(),
    }
}

/// Gives a check's result the row that was collected for it before, if there is one; the row keeps its number, and its inquiry
/// number unless the check's answer has a newer one.
pub(super) async fn claim(tx: &mut Tx, new: &NewResult) -> Result<Option<ResultId>, StoreError> {
    let Source::Own { check_id, .. } = &new.source else { return Ok(None) };
    let is_free = |stored: &StoredResult| {
        stored.content.source == Source::Elsewhere
            && !difference(&stored.content.confirmation, None, &new.confirmation).conflict
    };
    let Some(row) = find(tx, &new.confirmation, Some(&Source::Elsewhere), is_free).await? else {
        return Ok(None);
    };
    let stored = &row.content;
    let mut content = new.clone();
    let id_there = stored.content.confirmation.upstream_id.clone();
    content.confirmation.upstream_id = content.confirmation.upstream_id.or(id_there);
    // One that was set after the check is newer than what the check's answer says.
    let newer = row.numbered_at_us.is_some_and(|at| at >= content.confirmation.processed_at.as_microsecond());
    let received = received_inquiry_number(&content.confirmation).filter(|_| !newer);
    let number = received.or_else(|| stored.inquiry_number.clone());
    let place = Place { version: stored.version + 1, ..row.sealed.place()? };
    let change = tx.next_change().await?;
    sqlx::query(
        "UPDATE results SET source = 'own', check_id = ?1, terminal = ?2, version = ?3, inquiry_index = ?4, \
         payload = ?5, change = ?7 WHERE id = ?6",
    )
    .bind(check_id)
    .bind(&content.terminal.0)
    .bind(place.version)
    .bind(number.as_ref().map(|number| inquiry_index(&row.keys, number)).transpose()?)
    .bind(row::seal(&row.keys, tx.random.as_ref(), place, &content, number.as_ref())?)
    .bind(place.id)
    .bind(change)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    body::keep(tx, &row.keys, place, &content, number.as_ref()).await?;
    if let Some(pending) = &stored.pending {
        marks::keep(tx, place.id, place.version, Some(change), pending).await?;
    }
    Ok(Some(stored.id))
}

/// The blind index of a confirmation's id, unless another row has it: an id that the central system gives twice must not
/// cost a result.
pub(super) async fn free_key(
    tx: &mut Tx,
    keys: &MonthKeys,
    month: JstMonth,
    confirmation: &Confirmation,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(key) = upstream_key(keys, confirmation)? else { return Ok(None) };
    let taken: Option<i64> =
        sqlx::query_scalar("SELECT id FROM results WHERE month = ?1 AND upstream_key = ?2")
            .bind(month.number())
            .bind(&key)
            .fetch_optional(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    if let Some(result) = taken {
        tracing::warn!(result, "the central system gave two results one id");
        return Ok(None);
    }
    Ok(Some(key))
}

fn upstream_key(keys: &MonthKeys, confirmation: &Confirmation) -> Result<Option<Vec<u8>>, StoreError> {
    let key = |id: &str| Ok(keys.upstream.hash(&[id.as_bytes()])?[..INDEX_BYTES].to_vec());
    confirmation.upstream_id.as_ref().map(|id| key(id.as_str())).transpose()
}

/// The rows that may be a result: with its id, or of its second.
const SAME: &str = sealed!(
    "WHERE month = ?1 AND expires_at_us > ?2 AND \
     (upstream_key = ?3 OR (checked_at_us >= ?4 AND checked_at_us < ?5)) AND (?6 IS NULL OR source = ?6) \
     ORDER BY results.id"
);

/// A stored row that is the same result as another one.
struct Found {
    sealed: Sealed,
    content: StoredResult,
    keys: Arc<MonthKeys>,
    /// When the inquiry number was last set here, microseconds.
    numbered_at_us: Option<i64>,
}

/// The stored row that is the same result and fit for the purpose: by its id, or else among those of its second. With a
/// source, rows of others are not even opened: every check's end waits for this.
async fn find(
    tx: &mut Tx,
    confirmation: &Confirmation,
    source: Option<&Source>,
    fits: impl Fn(&StoredResult) -> bool,
) -> Result<Option<Found>, StoreError> {
    const SECOND_US: i64 = 1_000_000;
    let month = JstMonth::of(confirmation.processed_at);
    // A month without a key has no rows.
    let Some(keys) = tx.keyring.month(month) else { return Ok(None) };
    let second = confirmation.processed_at.as_second().saturating_mul(SECOND_US);
    let rows: Vec<Sealed> = sqlx::query_as(SAME)
        .bind(month.number())
        .bind(tx.now_us)
        .bind(upstream_key(&keys, confirmation)?)
        .bind(second)
        .bind(second.saturating_add(SECOND_US))
        .bind(source.map(row::source_word))
        .fetch_all(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let mut by_content = None;
    for sealed in rows {
        let content = sealed.open(&tx.keyring)?;
        let stored = &content.content.confirmation;
        if !is_same(stored, confirmation) || !fits(&content) {
            continue;
        }
        let by_id = stored.upstream_id.is_some() && confirmation.upstream_id.is_some();
        if by_id || by_content.is_none() {
            by_content = Some((sealed, content));
        }
        if by_id {
            break;
        }
    }
    let Some((sealed, content)) = by_content else { return Ok(None) };
    let numbered_at_us = sqlx::query_scalar("SELECT numbered_at_us FROM results WHERE id = ?1")
        .bind(sealed.id)
        .fetch_one(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    Ok(Some(Found { sealed, content, keys, numbered_at_us }))
}

/// Lets a stored row follow the fetched result that it is; returns its number if that changed what is shown.
async fn follow(
    tx: &mut Tx,
    row: Found,
    fetched: &LinkedResult,
    asked_at: Timestamp,
) -> Result<Option<ResultId>, StoreError> {
    let Found { sealed, content: mut stored, keys, numbered_at_us } = row;
    let found =
        difference(&stored.content.confirmation, stored.inquiry_number.as_ref(), &fetched.confirmation);
    if found.conflict {
        tracing::warn!(result = stored.id.0, "the central system's result differs; kept as first stored");
    }
    let newer_here = numbered_at_us.is_some_and(|at| at >= asked_at.as_microsecond());
    let number = found.number.filter(|_| !newer_here);
    let learns_id = stored.content.confirmation.upstream_id.is_none();
    if number.is_none() && !learns_id {
        return Ok(None);
    }
    if learns_id {
        stored.content.confirmation.upstream_id.clone_from(&fetched.confirmation.upstream_id);
    }
    let mut place = sealed.place()?;
    let changed = number.is_some();
    // The central system's id is not shown, so learning it is no new version.
    if changed {
        stored.version += 1;
        place.version = stored.version;
    }
    let number = number.or(stored.inquiry_number);
    let change = if changed { Some(tx.next_change().await?) } else { None };
    sqlx::query(
        "UPDATE results SET version = ?1, inquiry_index = ?2, upstream_key = ?3, payload = ?4, \
         change = COALESCE(?6, change) WHERE id = ?5",
    )
    .bind(place.version)
    .bind(number.as_ref().map(|number| inquiry_index(&keys, number)).transpose()?)
    .bind(upstream_key(&keys, &stored.content.confirmation)?)
    .bind(row::seal(&keys, tx.random.as_ref(), place, &stored.content, number.as_ref())?)
    .bind(place.id)
    .bind(change)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    body::keep(tx, &keys, place, &stored.content, number.as_ref()).await?;
    if let Some(pending) = &stored.pending {
        marks::keep(tx, place.id, stored.version, change, pending).await?;
    }
    Ok(changed.then_some(stored.id))
}
