//! A row of the audit log and its keyed hash over everything it says and the row before it.

use jiff::Timestamp;
use sqlx::FromRow;

use super::super::crypto::{CryptoError, Key};
use crate::app::ports::{AuditRecord, StoreError, TerminalId};
use crate::domain::check::ResultId;

/// A row as it is stored.
#[derive(FromRow)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) at_us: i64,
    pub(super) wall_us: i64,
    pub(super) run: i64,
    pub(super) up_us: i64,
    pub(super) batch: i64,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) source: String,
    pub(super) terminal: Option<String>,
    pub(super) results: Vec<u8>,
    pub(super) outcome: String,
    pub(super) mac: Vec<u8>,
}

impl Row {
    /// The keyed hash. Rows of run 0 were written before runs were counted and have the older form; the two never meet,
    /// because every part goes in with its length.
    pub(super) fn mac(&self, key: &Key, previous: &[u8]) -> Result<[u8; 32], CryptoError> {
        // A missing terminal and an empty one must differ.
        let terminal = self.terminal.as_ref().map(|name| ["+", name].concat()).unwrap_or_default();
        let numbers = [self.run, self.batch, self.up_us, self.wall_us].map(i64::to_be_bytes);
        let (seq, at) = (self.seq.to_be_bytes(), self.at_us.to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![
            previous,
            &seq,
            &at,
            self.actor.as_bytes(),
            self.action.as_bytes(),
            terminal.as_bytes(),
            &self.results,
            self.outcome.as_bytes(),
        ];
        if self.run != 0 {
            parts.extend(numbers.iter().map(<[u8; 8]>::as_slice));
            parts.push(self.source.as_bytes());
        }
        key.hash(&parts)
    }

    /// As the use cases see it.
    pub(super) fn read(self) -> Result<AuditRecord, StoreError> {
        let corrupt =
            |reason: &str| StoreError::Corrupt { table: "audit", row: self.seq, reason: reason.to_owned() };
        let at = |us| Timestamp::from_microsecond(us).map_err(|_| corrupt("its time is no time"));
        let (ids, []) = self.results.as_chunks::<8>() else { return Err(corrupt("its results are cut off")) };
        Ok(AuditRecord {
            seq: self.seq,
            at: at(self.at_us)?,
            wall: if self.run == 0 { None } else { Some(at(self.wall_us)?) },
            run: self.run,
            up_us: self.up_us,
            batch: self.batch,
            results: ids.iter().map(|id| ResultId(i64::from_be_bytes(*id))).collect(),
            actor: self.actor,
            action: self.action,
            source: self.source,
            terminal: self.terminal.map(TerminalId),
            outcome: self.outcome,
        })
    }
}
