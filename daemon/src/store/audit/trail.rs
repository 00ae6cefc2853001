//! Reading the audit log: its rows, and whether all of it is as it was written.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use async_trait::async_trait;
use subtle::ConstantTimeEq;

use super::super::Store;
use super::super::error::failed;
use super::super::files;
use super::super::keyring::SystemKeys;
use super::super::writer::write;
use super::row::Row;
use super::{FINDING, look_at_anchor, prune};
use crate::app::ports::{
    AnchorFinding, AuditRange, AuditRecord, AuditTrail, StoreError, Tampering, Verified, VerifyError,
};

/// The chain as far as it was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// The number of the last row: how many were ever written.
    pub count: i64,
    /// The last row's code; zeros if there is none.
    pub head: [u8; 32],
}

/// Why the audit log was not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Rows were changed, removed, added or reordered here, or just before.
    #[error("the audit log was altered at row {seq}")]
    Altered {
        /// Where the chain breaks.
        seq: i64,
    },
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const ROWS_AT_A_TIME: i64 = 1_000;

impl Store {
    /// Reads the whole audit log and checks its chain. Rows appended meanwhile may or may not be included.
    pub async fn verify_chain(&self) -> Result<ChainHead, ChainError> {
        self.walk(&mut |_| ControlFlow::Continue(())).await
    }

    /// Where the log was cut, if the program made that cut.
    async fn cut(&self, keys: &SystemKeys) -> Result<ChainHead, ChainError> {
        let (seq, mac, proof) = prune::cut(&self.readers).await?;
        let expected = prune::proof(keys, seq, &mac)?;
        if seq != 0 && !bool::from(expected.as_slice().ct_eq(&proof)) || seq == 0 && mac != [0; 32] {
            return Err(ChainError::Altered { seq });
        }
        Ok(ChainHead { count: seq, head: mac })
    }

    /// Checks the chain from where it was cut on; `seen` gets every row that holds. The log may be pruned meanwhile: a gap that a
    /// new cut explains is none, and the walk goes on from there.
    async fn walk(
        &self,
        seen: &mut (dyn FnMut(&Row) -> ControlFlow<()> + Send),
    ) -> Result<ChainHead, ChainError> {
        let keys = self.keyring.system();
        let mut head = self.cut(&keys).await?;
        'pages: loop {
            let rows: Vec<Row> = sqlx::query_as(
                "SELECT seq, at_us, wall_us, run, up_us, batch, actor, action, source, terminal, results, outcome, \
                 mac FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .bind(head.count)
            .bind(ROWS_AT_A_TIME)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
            if rows.is_empty() {
                return Ok(head);
            }
            for row in rows {
                let mac = row.mac(&keys.audit, &head.head).map_err(StoreError::from)?;
                if row.seq != head.count + 1 || !bool::from(mac.as_slice().ct_eq(&row.mac)) {
                    let cut = self.cut(&keys).await?;
                    if cut.count <= head.count {
                        return Err(ChainError::Altered { seq: row.seq });
                    }
                    head = cut;
                    continue 'pages;
                }
                head = ChainHead { count: row.seq, head: mac };
                if seen(&row).is_break() {
                    return Ok(head);
                }
            }
        }
    }
}

impl From<ChainError> for VerifyError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Altered { seq } => Self::Tampering(Tampering::Altered { seq }),
            ChainError::Store(error) => Self::Store(error),
        }
    }
}

#[async_trait]
impl AuditTrail for Store {
    async fn verify(&self, progress: &(dyn Fn(i64) + Send + Sync)) -> Result<Verified, VerifyError> {
        let (mut rows, mut findings) = (0, Vec::new());
        let mut first = None;
        let head = self
            .walk(&mut |row| {
                if first.is_some_and(|first| row.seq != first + rows) {
                    // What was counted so far has been pruned meanwhile.
                    (rows, first) = (0, None);
                    findings.clear();
                }
                rows += 1;
                first.get_or_insert(row.seq);
                if row.action == FINDING {
                    findings.push((row.seq, row.outcome.clone()));
                } else if row.action == crate::app::audit::ACCEPTED {
                    findings.clear();
                }
                if rows % 10_000 == 0 {
                    progress(rows);
                }
                ControlFlow::Continue(())
            })
            .await?;
        let anchor = write(&self.writer, |tx| Box::pin(look_at_anchor(tx))).await?;
        if let Some(finding) = anchor {
            return Err(VerifyError::Tampering(Tampering::Anchor(finding)));
        }
        Ok(Verified { rows, first: first.unwrap_or(head.count + 1), last: head.count, findings })
    }

    async fn rows(&self, range: AuditRange, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT seq, at_us, wall_us, run, up_us, batch, actor, action, source, terminal, results, outcome, mac \
             FROM audit WHERE seq > ?1 AND at_us >= ?2 AND at_us < ?3 ORDER BY seq LIMIT ?4",
        )
        .bind(after)
        .bind(range.since.map_or(i64::MIN, jiff::Timestamp::as_microsecond))
        .bind(range.until.map_or(i64::MAX, jiff::Timestamp::as_microsecond))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        rows.into_iter().map(Row::read).collect()
    }

    async fn prune(&self, before: jiff::Timestamp) -> Result<u64, StoreError> {
        prune::prune(self, before).await
    }

    fn suspicion(&self) -> Option<AnchorFinding> {
        let at_start = *self.found_at_start.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = || !matches!(files::exists(&self.config.audit_anchor()), Ok(true));
        at_start.or_else(|| is_gone().then_some(AnchorFinding::Missing))
    }

    async fn anchor(&self) -> Result<Option<AnchorFinding>, StoreError> {
        if let Some(finding) = write(&self.writer, |tx| Box::pin(look_at_anchor(tx))).await? {
            return Ok(Some(finding));
        }
        Ok(*self.found_at_start.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
