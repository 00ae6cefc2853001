//! Following the results: what was stored or changed since a place in the sequence, with waiting.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Results, ResultsError, entry, ids};
use crate::app::access::Actor;
use crate::app::ports::{ReadyResult, ResultQuery, ResultsMark};
use crate::domain::retention::JstMonth;

/// While nothing happens, the month is looked at this often: its end is no event of the store.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Up to where a follower knows the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// Which store's sequence it is.
    pub store: u32,
    /// The last change it knows.
    pub change: i64,
    /// The month it was told of: when that goes on, older results are gone.
    pub month: JstMonth,
}

impl Followed {
    /// Whether what came since can be told: the place is one that this store has had. One of a later month was told while a clock
    /// ran ahead: its follower has dropped results that are served again, and was not told of those that were hidden.
    pub fn is_before(self, mark: ResultsMark) -> bool {
        self.store == mark.store && (0..=mark.change).contains(&self.change) && self.month <= mark.month
    }

    /// Everything up to now.
    pub fn to(mark: ResultsMark) -> Self {
        let ResultsMark { store, change, month } = mark;
        Self { store, change, month }
    }
}

/// What a follower did not know.
pub struct Changes {
    /// The results as they are now, the oldest change first.
    pub rows: Vec<ReadyResult>,
    /// Up to where it knows them now.
    pub followed: Followed,
    /// Whether there is more already.
    pub more: bool,
}

impl Followed {
    /// Results of checks before this instant are gone; `None` beyond the calendar.
    pub fn expired_before(self) -> Option<Timestamp> {
        self.month.first_kept().start()
    }
}

impl Results {
    /// Waits while the results stand where the follower knows them, at most for `patience`. A place that they never had is
    /// no reason to wait.
    pub async fn wait_for_news(&self, followed: Followed, patience: Duration, stopping: &CancellationToken) {
        let patience = tokio::time::sleep(patience);
        tokio::pin!(patience);
        let mut news = self.store.news();
        while Followed::to(*news.borrow_and_update()) == followed {
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOK_EVERY) => news = self.store.news(),
                () = &mut patience => return,
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Results stored or changed after a place, at most `limit`. An answer without results says nothing about a person
    /// and leaves no row in the audit log.
    pub async fn changes(&self, actor: &Actor, after: Followed, limit: u32) -> Result<Changes, ResultsError> {
        let mark = self.mark(actor)?;
        if !after.is_before(mark) {
            return Err(ResultsError::UnknownPlace);
        }
        let mut rows = self.store.changes(after.change, limit.saturating_add(1)).await?;
        let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            rows.pop();
        }
        let last = rows.last().map_or(after.change, |row| row.change);
        // The mark was taken first: without more, everything up to it has been read, also what is not shown.
        let change = if more { last } else { last.max(mark.change) };
        if !rows.is_empty() {
            let entry = entry(actor, "result.changes", &ResultQuery::default(), ids(&rows));
            self.audit.append(&entry).await?;
        }
        Ok(Changes { rows, followed: Followed { change, ..Followed::to(mark) }, more })
    }
}
