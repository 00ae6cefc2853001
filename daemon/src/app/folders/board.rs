//! How the folders are, for health: each side of each folder says it here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::ports::{FolderName, FolderStand};

/// What is wrong with a side of a folder; the worse comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderTrouble {
    /// Files lie there that cannot be handled.
    Refused,
    /// The store did not answer.
    Store,
    /// No administrator has accepted that its readers need no MFA.
    NotAccepted,
    /// The disk is full.
    Full,
    /// It is not there, or not to be used.
    Unavailable,
}

/// The two sides of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Results.
    Faces,
    /// Requests and their answers.
    Requests,
}

/// How one side of one folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Line {
    trouble: Option<FolderTrouble>,
    stand: FolderStand,
    /// Files that lie there and cannot be handled.
    refused: u64,
    /// Files that were published again without knowing whether they had been out before.
    ambiguous: u64,
}

/// How all folders are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FoldersHealth {
    /// The worst trouble.
    pub trouble: Option<FolderTrouble>,
    /// Whether every side has been looked at.
    pub known: bool,
    /// Requests and files that are open.
    pub stand: FolderStand,
    /// Files that lie there and cannot be handled.
    pub refused: u64,
    /// Files that were published again since the start without knowing whether they had been out before.
    pub ambiguous: u64,
}

/// Each side of each folder; nothing of one that nobody has looked at yet.
type Lines = BTreeMap<(FolderName, Side), Option<Line>>;

/// How the folders are; clones are the same.
#[derive(Clone, Default)]
pub struct FolderBoard(Arc<Mutex<Lines>>);

impl FolderBoard {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Every change is a single assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is such a side; nobody has looked at it yet.
    pub fn expect(&self, folder: &FolderName, side: Side) {
        self.lines().entry((folder.clone(), side)).or_default();
    }

    /// Says how a side is.
    pub fn say(
        &self,
        folder: &FolderName,
        side: Side,
        trouble: Option<FolderTrouble>,
        stand: FolderStand,
        refused: usize,
    ) {
        let mut lines = self.lines();
        let line = lines.entry((folder.clone(), side)).or_default().get_or_insert_default();
        let refused = u64::try_from(refused).unwrap_or(u64::MAX);
        let trouble = trouble.or((refused > 0).then_some(FolderTrouble::Refused));
        *line = Line { trouble, stand, refused, ambiguous: line.ambiguous };
    }

    /// Says what is wrong with a side; what was counted stays.
    pub fn keep(&self, folder: &FolderName, side: Side, trouble: FolderTrouble) {
        let mut lines = self.lines();
        let line = lines.entry((folder.clone(), side)).or_default().get_or_insert_default();
        line.trouble = Some(trouble);
    }

    /// A file was published without knowing whether it had been out before.
    pub fn count_ambiguous(&self, folder: &FolderName, side: Side) {
        let mut lines = self.lines();
        let line = lines.entry((folder.clone(), side)).or_default().get_or_insert_default();
        line.ambiguous = line.ambiguous.saturating_add(1);
    }

    /// How all are; `None` if there are none.
    pub fn health(&self) -> Option<FoldersHealth> {
        let lines = self.lines();
        if lines.is_empty() {
            return None;
        }
        let mut health =
            FoldersHealth { known: lines.values().all(Option::is_some), ..FoldersHealth::default() };
        for line in lines.values().flatten() {
            health.trouble = health.trouble.max(line.trouble);
            health.stand.waiting = health.stand.waiting.saturating_add(line.stand.waiting);
            health.stand.due = health.stand.due.saturating_add(line.stand.due);
            health.refused = health.refused.saturating_add(line.refused);
            health.ambiguous = health.ambiguous.saturating_add(line.ambiguous);
        }
        Some(health)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_trouble_shows_and_counts_add_up() {
        let board = FolderBoard::default();
        assert_eq!(board.health(), None);
        let folder = FolderName("receipt".to_owned());
        board.expect(&folder, Side::Faces);
        board.expect(&folder, Side::Requests);
        assert!(!board.health().unwrap().known);
        board.say(&folder, Side::Faces, None, FolderStand { waiting: 0, due: 2 }, 0);
        board.say(&folder, Side::Requests, None, FolderStand { waiting: 1, due: 1 }, 1);
        board.count_ambiguous(&folder, Side::Faces);
        let health = board.health().unwrap();
        assert_eq!((health.trouble, health.known), (Some(FolderTrouble::Refused), true));
        assert_eq!((health.stand.waiting, health.stand.due, health.refused, health.ambiguous), (1, 3, 1, 1));
        board.say(
            &folder,
            Side::Faces,
            Some(FolderTrouble::Unavailable),
            FolderStand { waiting: 0, due: 0 },
            0,
        );
        let health = board.health().unwrap();
        assert_eq!((health.trouble, health.ambiguous), (Some(FolderTrouble::Unavailable), 1));
    }
}
