//! The audit log: rows without gaps, each chained to the one before by an HMAC, and an anchor outside the database.
//!
//! Changing, deleting, inserting or reordering rows breaks the chain; cutting rows off the end contradicts the anchor.
//! What an opening finds wrong with the anchor is itself written into the log, so that it cannot be undone unseen.
//! Knows what a row says, not why: use cases decide that.

mod anchor;
mod notes;
mod prune;
mod row;
mod trail;

use std::path::Path;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Store;
use super::error::{OpenError, failed};
use super::keyring::{Keyring, SystemKeys};
use super::writer::{Command, Tx, closed};
use crate::app::ports::{AnchorFinding, AuditEntry, AuditLog, AuditSource, StoreError};
use crate::domain::check::ResultId;
use anchor::Seen;
use row::{INSERT, LAST, Row};

pub(super) use anchor::{Anchor, Mark};
pub(super) use notes::{Anchoring, Note, Tail};
pub use trail::{ChainError, ChainHead};

/// Who writes what the store itself finds.
const ITSELF: &str = "daemon";
/// The action of a finding at the anchor.
const FINDING: &str = "audit.anchor";

/// What the writer keeps about the log between commits.
pub(super) struct Ledger {
    /// Number of this opening of the store; survives the machine's restarts, unlike the monotonic clock.
    run: i64,
    begun: Instant,
    /// Number of the commit that is being prepared.
    batch: i64,
    /// The log's end within that commit, once it was looked at.
    end: Option<Mark>,
    anchor: Option<Anchor>,
}

impl Ledger {
    /// A ledger without an anchor, or with one, for tests of what writes.
    #[cfg(test)]
    pub(super) fn in_memory(anchor: Option<Anchor>) -> Self {
        Self { run: 1, begun: Instant::now(), batch: 0, end: None, anchor }
    }

    #[cfg(test)]
    pub(super) fn anchor(&mut self) -> Option<&mut Anchor> {
        self.anchor.as_mut()
    }

    /// Before a commit is prepared: the anchor of the one before stands.
    pub(super) async fn prepare(&mut self) -> Result<(), StoreError> {
        self.settle().await?;
        self.begin_commit();
        Ok(())
    }

    /// Writes the anchor of the commit before, if that failed; until this succeeds nothing more is committed.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        match &mut self.anchor {
            Some(anchor) => anchor.settle().await,
            None => Ok(()),
        }
    }

    /// Writes the anchor of the commit before, again if it stands: whether it can be.
    pub(super) async fn affirm(&mut self) -> Result<(), StoreError> {
        match &mut self.anchor {
            Some(anchor) => anchor.affirm().await,
            None => Ok(()),
        }
    }

    /// Counts the commit that is being prepared. It must not come before the anchor of the one before stands.
    pub(super) fn begin_commit(&mut self) {
        if let Some(anchor) = &self.anchor {
            self.batch = anchor.batch();
        }
        self.batch += 1;
        self.end = None;
    }

    /// The log's end within the commit that is being prepared: what a job that is undone puts back.
    pub(super) fn end(&self) -> Option<Mark> {
        self.end
    }

    /// Takes back what a job appended that was undone.
    pub(super) fn put_back(&mut self, end: Option<Mark>) {
        self.end = end;
    }

    /// After the commit, before anybody hears of it.
    pub(super) async fn keep(&mut self) -> Result<(), StoreError> {
        match (&mut self.anchor, self.end) {
            // A commit without audit rows leaves the anchor as it is, whatever the log's end claims to be.
            (Some(anchor), Some(end)) if end.batch == self.batch => anchor.keep(end).await,
            _ => Ok(()),
        }
    }

    /// Whether the log's end is the one that the last commit left, or a row of this commit: somebody else at the file
    /// must not get his end anchored. What he did stands in the log after the next start.
    fn knows(&self, end: &Mark) -> bool {
        let left = self.anchor.as_ref().map(Anchor::stands);
        end.batch == self.batch || left.is_none_or(|left| (left.count, left.head) == (end.count, end.head))
    }
}

/// The log's end: its last row, or where it was cut if nothing follows.
pub(super) async fn last(db: &mut SqliteConnection) -> Result<Mark, StoreError> {
    Mark::found(sqlx::query_as(LAST).fetch_one(db).await.map_err(|e| failed(&e))?)
}

/// The log's end is not where it was left.
fn altered(end: &Mark) -> StoreError {
    let reason = "the log's end is not the one that was left; it was altered from outside".to_owned();
    StoreError::Corrupt { table: "audit", row: end.count, reason }
}

/// Counts this opening, looks at the anchor and says what is wrong with it. The finding must be appended before anything
/// else, because the first commit overwrites the anchor.
pub(super) async fn begin(
    db: &mut SqliteConnection,
    path: &Path,
    keyring: &Keyring,
) -> Result<(Ledger, Option<AnchorFinding>), OpenError> {
    let run: i64 = sqlx::query_scalar("UPDATE store_runs SET runs = runs + 1 WHERE id = 1 RETURNING runs")
        .fetch_one(&mut *db)
        .await?;
    let keys = keyring.system();
    let log = last(db).await.map_err(|e| OpenError::Database(e.to_string()))?;
    let seen = anchor::read(path, &keys)?;
    let finding = judge(db, &seen, &log).await?;
    let known = match seen {
        Seen::Mark(mark) => mark,
        Seen::Missing | Seen::Unreadable => Mark { batch: -1, count: 0, head: [0; 32] },
    };
    // A later commit must never be taken for an earlier one, whatever was found.
    let now = Mark { batch: log.batch.max(known.batch), ..log };
    let mut anchor = Anchor::open(path, keys, if finding.is_some() { now } else { known })?;
    if finding.is_none() {
        anchor.keep(now).await.map_err(|e| OpenError::Database(e.to_string()))?;
    }
    Ok((Ledger { run, begun: Instant::now(), batch: 0, end: None, anchor: Some(anchor) }, finding))
}

/// Anchors the log of a restored database as it stands, whatever anchor lies there.
pub(super) async fn start_anew(
    db: &mut SqliteConnection,
    path: &Path,
    keyring: &Keyring,
) -> Result<(), OpenError> {
    let log = last(db).await.map_err(|e| OpenError::Database(e.to_string()))?;
    super::files::remove(path)?;
    let none = Mark { batch: -1, count: 0, head: [0; 32] };
    let mut anchor = Anchor::open(path, keyring.system(), none)?;
    anchor.keep(log).await.map_err(|e| OpenError::Database(e.to_string()))
}

/// Holds the log's end against the anchor.
async fn judge(
    db: &mut SqliteConnection,
    seen: &Seen,
    log: &Mark,
) -> Result<Option<AnchorFinding>, OpenError> {
    let mark = match seen {
        Seen::Mark(mark) => mark,
        Seen::Missing if log.count == 0 => {
            // Accounts and results are created with an audit row, so a log that is really new never had any.
            let used: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_sequence)").fetch_one(db).await?;
            return Ok(used.then_some(AnchorFinding::Missing));
        }
        Seen::Missing => {
            let run: Option<i64> = sqlx::query_scalar("SELECT run FROM audit WHERE seq = ?1")
                .bind(log.count)
                .fetch_optional(db)
                .await?;
            // Written by a program that knew no anchor yet; the row's own hash says so.
            let upgraded = run == Some(0);
            return Ok(Some(if upgraded { AnchorFinding::Begun } else { AnchorFinding::Missing }));
        }
        Seen::Unreadable => return Ok(Some(AnchorFinding::Unreadable)),
    };
    Ok(compare(db, mark, log).await?)
}

async fn compare(
    db: &mut SqliteConnection,
    mark: &Mark,
    log: &Mark,
) -> Result<Option<AnchorFinding>, sqlx::Error> {
    if log.count < mark.count {
        return Ok(Some(AnchorFinding::RowsMissing { anchored: mark.count, found: log.count }));
    }
    if mark.count > 0 {
        let head: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT mac FROM audit WHERE seq = ?1 UNION ALL SELECT mac FROM audit_cut WHERE seq = ?1",
        )
        .bind(mark.count)
        .fetch_optional(&mut *db)
        .await?;
        if head.as_deref() != Some(mark.head.as_slice()) {
            return Ok(Some(AnchorFinding::Differs { anchored: mark.count }));
        }
    }
    let commits: i64 = sqlx::query_scalar("SELECT count(DISTINCT batch) FROM audit WHERE seq > ?1")
        .bind(mark.count)
        .fetch_one(db)
        .await?;
    Ok((commits > 1).then_some(AnchorFinding::Older { anchored: mark.count, found: log.count }))
}

/// Appends a row inside the transaction of what it speaks of. `touched` are results that the caller could not know
/// beforehand; they are added to the entry's own.
pub(super) async fn append(tx: &mut Tx, entry: &AuditEntry, touched: &[ResultId]) -> Result<(), StoreError> {
    let before = match tx.ledger.end {
        Some(end) => end,
        None => last(&mut tx.db).await?,
    };
    if !tx.ledger.knows(&before) {
        return Err(altered(&before));
    }
    let row = Row::new(entry, touched, &before, &tx.ledger.stamp(tx.now_us, tx.clock.wall_us()));
    let head = row.mac(&tx.keyring.system().audit, &before.head)?;
    let end = Mark { batch: row.batch, count: row.seq, head };
    sqlx::query(INSERT)
        .bind(row.seq)
        .bind(row.at_us)
        .bind(row.wall_us)
        .bind(row.run)
        .bind(row.up_us)
        .bind(row.batch)
        .bind(row.actor)
        .bind(row.action)
        .bind(row.source)
        .bind(row.terminal)
        .bind(row.results)
        .bind(row.outcome)
        .bind(head.as_slice())
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    tx.ledger.end = Some(end);
    Ok(())
}

/// The audit row of a finding at the anchor.
pub(super) fn finding_entry(finding: AnchorFinding) -> AuditEntry {
    AuditEntry {
        actor: ITSELF.to_owned(),
        action: FINDING,
        source: AuditSource::Daemon,
        terminal: None,
        results: Vec::new(),
        outcome: finding.word(),
    }
}

#[async_trait]
impl AuditLog for Store {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let accepts = entry.action == crate::app::audit::ACCEPTED;
        let (reply, answer) = oneshot::channel();
        let note = Note { entry: entry.clone(), reply };
        self.writer.send(Command::Note(note)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())??;
        if accepts {
            *self.found_at_start.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Ok(())
    }
}

/// Looks at the anchor inside the writer, where neither log nor anchor moves meanwhile.
async fn look_at_anchor(tx: &mut Tx) -> Result<Option<AnchorFinding>, StoreError> {
    let Some(anchor) = &tx.ledger.anchor else { return Ok(None) };
    let keys: Arc<SystemKeys> = tx.keyring.system();
    let seen = anchor::read(anchor.path(), &keys).map_err(|e| StoreError::Failed(e.to_string()))?;
    let log = last(&mut tx.db).await?;
    match seen {
        Seen::Missing => Ok(Some(AnchorFinding::Missing)),
        Seen::Unreadable => Ok(Some(AnchorFinding::Unreadable)),
        Seen::Mark(mark) => compare(&mut tx.db, &mark, &log).await.map_err(|e| failed(&e)),
    }
}
