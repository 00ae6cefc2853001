//! Commits: what became of the last one, for whoever asks whether the store still takes anything. A file system that is read-only, a
//! disk that fails and an anchor whose disk is gone leave every read as it was; only a commit shows them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::writer::Commit;
use crate::app::ports::StoreError;

/// For how long a commit that succeeded says that the next one will.
const GOOD_FOR: Duration = Duration::from_secs(30);
/// The shortest time between two attempts that are made only to find out.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What became of the last commit.
#[derive(Default)]
pub(super) struct Commits(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    last: Option<(Instant, Result<(), StoreError>)>,
    tried: Option<Instant>,
}

impl Commits {
    /// A commit has ended.
    pub(super) fn note(&self, commit: &Commit) {
        self.note_at(Instant::now(), commit);
    }

    fn note_at(&self, now: Instant, commit: &Commit) {
        self.seen().last = Some((now, commit.clone().told()));
    }

    /// What is known; `None` asks the caller to find out by a commit, so only one caller a second is told so.
    pub(super) fn known(&self) -> Option<Result<(), StoreError>> {
        self.known_at(Instant::now())
    }

    fn known_at(&self, now: Instant) -> Option<Result<(), StoreError>> {
        let mut seen = self.seen();
        let is_good = matches!(&seen.last, Some((at, Ok(()))) if now.duration_since(*at) < GOOD_FOR);
        if is_good || seen.tried.is_some_and(|at| now.duration_since(at) < TRY_AGAIN) {
            // Before the first commit there is the opening, which has written.
            return Some(seen.last.as_ref().map_or(Ok(()), |(_, outcome)| outcome.clone()));
        }
        seen.tried = Some(now);
        None
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Every change is a single assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> StoreError {
        StoreError::Failed("disk I/O error".to_owned())
    }

    #[test]
    fn after_half_a_minute_without_a_commit_one_caller_is_to_find_out_and_the_others_are_not_held_up() {
        let (commits, start) = (Commits::default(), Instant::now());
        assert_eq!(commits.known_at(start), None, "nobody knows yet");
        assert_eq!(commits.known_at(start), Some(Ok(())), "somebody is at it");
        commits.note_at(start, &Commit::Done);
        let almost = start + GOOD_FOR - Duration::from_millis(1);
        assert_eq!(commits.known_at(almost), Some(Ok(())));
        assert_eq!(commits.known_at(start + GOOD_FOR), None);
        assert_eq!(commits.known_at(start + GOOD_FOR), Some(Ok(())));
    }

    #[test]
    fn a_failure_is_told_at_once_and_looked_into_once_a_second_until_a_commit_succeeds() {
        let (commits, mut now) = (Commits::default(), Instant::now());
        commits.note_at(now, &Commit::Done);
        for commit in [Commit::Undone(failure()), Commit::NotAnchored(failure())] {
            commits.note_at(now, &commit);
            assert_eq!(commits.known_at(now), None);
            assert_eq!(commits.known_at(now), Some(Err(failure())));
            now += TRY_AGAIN;
        }
        commits.note_at(now, &Commit::Done);
        assert_eq!(commits.known_at(now), Some(Ok(())));
    }
}
