//! Health: how the parts are, in the words of the use cases. Contains nothing personal.

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::ports::{CardDesk, DeskView, ResultStore, StoreError, UpstreamHealth, UpstreamStatus};
use super::retention::{Retention, RetentionHealth};
use crate::domain::check::ResultId;

/// How the parts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthView {
    /// Readers and cards.
    pub desk: DeskView,
    /// The connection to the central system.
    pub upstream: UpstreamHealth,
    /// Whether the store answers.
    pub store: Result<(), StoreError>,
    /// Destroying what has expired.
    pub retention: RetentionHealth,
}

/// Looks at the parts.
pub struct Health {
    /// Readers and cards.
    pub desk: Arc<dyn CardDesk>,
    /// The connection to the central system.
    pub upstream: Arc<dyn UpstreamStatus>,
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// Destroying what has expired.
    pub retention: Arc<Retention>,
}

impl Health {
    /// The readers and cards as they are now.
    pub fn desk(&self, actor: &Actor) -> Result<DeskView, Forbidden> {
        actor.may(Action::SeeHealth)?;
        Ok(self.desk.watch().borrow().clone())
    }

    /// How all parts are now.
    pub async fn look(&self, actor: &Actor) -> Result<HealthView, Forbidden> {
        let desk = self.desk(actor)?;
        // Numbers of results start at 1: this asks the database and finds nothing.
        let store = self.store.get(ResultId(0)).await.map(|_| ());
        Ok(HealthView { desk, upstream: self.upstream.health(), store, retention: self.retention.health() })
    }
}
