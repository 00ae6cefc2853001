//! The steps of checks, told to whoever follows them all.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::{Entry, Facts};
use crate::domain::check::Phase;

/// Steps that wait for whoever tells them on.
pub(super) const WAITING: usize = 256;

/// A step of a check, for whoever follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckStep {
    /// The account that started it.
    pub owner: String,
    /// The check.
    pub id: String,
    /// Its revision.
    pub revision: i64,
    /// Where it stands.
    pub phase: Phase,
}

/// Tells the steps of a check on until it has ended; steps that follow each other at once are told as one.
pub(super) async fn tell(entry: Arc<Entry>, steps: broadcast::Sender<CheckStep>) {
    let mut stand = entry.stand.clone();
    loop {
        let (revision, phase) = {
            let stand = stand.borrow_and_update();
            (stand.revision, stand.phase.clone())
        };
        let Facts { owner, id, .. } = &*entry.facts;
        // Nobody may be following.
        let _ = steps.send(CheckStep { owner: owner.clone(), id: id.clone(), revision, phase });
        if stand.changed().await.is_err() {
            return;
        }
    }
}
