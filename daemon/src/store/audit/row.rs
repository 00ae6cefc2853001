//! A row of the audit log and its keyed hash over everything it says and the row before it.

use jiff::Timestamp;
use sqlx::FromRow;

use super::super::crypto::{CryptoError, Key};
use super::anchor::Mark;
use crate::app::ports::{AuditEntry, AuditRecord, StoreError, TerminalId};
use crate::domain::check::ResultId;

/// Adds a row.
pub(super) const INSERT: &str = "INSERT INTO audit (seq, at_us, wall_us, run, up_us, batch, actor, action, source, terminal, results, outcome, \
     mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Number, commit and code of the last row, or of the cut if nothing follows it.
pub(super) const LAST: &str = "SELECT seq, batch, mac FROM (SELECT seq, batch, mac FROM audit ORDER BY seq DESC LIMIT 1) \
     UNION ALL SELECT seq, 0, mac FROM audit_cut ORDER BY seq DESC LIMIT 1";

/// What the rows of one commit have in common, as the row says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) at_us: i64,
    pub(super) wall_us: i64,
    pub(super) run: i64,
    pub(super) up_us: i64,
    pub(super) batch: i64,
}

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
    /// The row after `end`, still without its code. `touched` are results besides the entry's own.
    pub(super) fn new(entry: &AuditEntry, touched: &[ResultId], end: &Mark, stamp: &Stamp) -> Self {
        let added = touched.iter().filter(|id| !entry.results.contains(id));
        Self {
            seq: end.count + 1,
            at_us: stamp.at_us,
            wall_us: stamp.wall_us,
            run: stamp.run,
            up_us: stamp.up_us,
            batch: stamp.batch,
            actor: entry.actor.clone(),
            action: entry.action.to_owned(),
            source: entry.source.word(),
            terminal: entry.terminal.as_ref().map(|terminal| terminal.0.clone()),
            results: entry.results.iter().chain(added).flat_map(|id| id.0.to_be_bytes()).collect(),
            outcome: entry.outcome.clone(),
            mac: Vec::new(),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Both forms against values computed with Python's hmac from the description: a log must verify for as long as it is kept,
    /// whatever becomes of this program.
    #[test]
    fn the_two_forms_of_the_code_stay_as_they_were_first_written() {
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let mut row = Row {
            seq: 3,
            at_us: 1_783_479_600_000_000,
            wall_us: 1_783_479_600_000_001,
            run: 0,
            up_us: 77,
            batch: 5,
            actor: "receipt".to_owned(),
            action: "result.read".to_owned(),
            source: "loopback".to_owned(),
            terminal: Some("uketsuke-1".to_owned()),
            results: 42_i64.to_be_bytes().to_vec(),
            outcome: "ok".to_owned(),
            mac: Vec::new(),
        };
        let mac = |row: &Row| data_encoding::HEXLOWER.encode(&row.mac(&key, &[0; 32]).unwrap());
        assert_eq!(mac(&row), "c9f3234e6df0459d0050630df193d348514a1d658d7be335151419f6752ca284");
        row.run = 1;
        assert_eq!(mac(&row), "4241e2542df1aad910fa162efe21aba83f115ffcf8dcf81dd1a1a3804a38053c");
    }
}
