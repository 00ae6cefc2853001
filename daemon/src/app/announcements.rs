//! Announcements (運営からのお知らせ, manual chapter 1): shown at sign-in and on demand, each account's new ones marked.

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::ports::{Announcements, KeptAnnouncement, StoreError};
use crate::domain::announcement::Announcement;

/// Why no announcements are shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NewsError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for NewsError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// An announcement as an account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The announcement.
    pub content: Announcement,
    /// It was not there when the account signed in before its latest sign-in.
    pub new: bool,
}

/// Shows announcements.
pub struct News {
    /// Where they are kept.
    pub store: Arc<dyn Announcements>,
}

impl News {
    /// All announcements, the newest first.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Shown>, NewsError> {
        actor.may(Action::SeeAnnouncements)?;
        let seen = self.store.seen_before(&actor.account).await?;
        Ok(marked(self.store.announcements().await?, seen))
    }
}

/// What an account is shown as it signs in; moves its mark on. Nobody is kept from signing in because it fails.
pub(super) async fn at_sign_in(store: &dyn Announcements, account: &str) -> Vec<Shown> {
    let shown = async {
        let seen = store.signed_in(account).await?;
        Ok::<_, StoreError>(marked(store.announcements().await?, seen))
    };
    shown.await.unwrap_or_else(|error| {
        tracing::error!(%error, "announcements could not be read");
        Vec::new()
    })
}

fn marked(kept: Vec<KeptAnnouncement>, seen: i64) -> Vec<Shown> {
    kept.into_iter().map(|kept| Shown { new: kept.arrival > seen, content: kept.content }).collect()
}
