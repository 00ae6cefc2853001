//! Where the stored results stand, in memory: what lets a poll be answered without asking the database.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::clock::StoreClock;
use crate::app::ports::ResultsMark;
use crate::domain::retention::JstMonth;

/// The mark, and who waits for the next one.
pub(super) struct News {
    clock: Arc<StoreClock>,
    mark: watch::Sender<ResultsMark>,
}

impl News {
    /// Begins with the last number of the sequence.
    pub(super) fn new(store: u32, change: i64, clock: Arc<StoreClock>) -> Self {
        let month = month(&clock);
        Self { clock, mark: watch::Sender::new(ResultsMark { store, change, month }) }
    }

    /// After a commit: the last change it made, if it made any.
    pub(super) fn publish(&self, changed: Option<i64>) {
        self.mark.send_if_modified(|mark| {
            let change = changed.unwrap_or(mark.change);
            let now = ResultsMark { change, month: month(&self.clock), ..*mark };
            std::mem::replace(mark, now) != now
        });
    }

    /// Where they stand, with the month of now.
    pub(super) fn mark(&self) -> ResultsMark {
        ResultsMark { month: month(&self.clock), ..*self.mark.borrow() }
    }

    /// Whoever asks sees the month of now.
    pub(super) fn subscribe(&self) -> watch::Receiver<ResultsMark> {
        self.publish(None);
        self.mark.subscribe()
    }
}

fn month(clock: &StoreClock) -> JstMonth {
    JstMonth::of(Timestamp::from_microsecond(clock.now_us()).unwrap_or(Timestamp::MAX))
}
