//! Health: how the parts are, in the words of the use cases. Contains nothing personal.

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::ports::{AuditTrail, CardDesk, DeskView, ResultStore, StoreError, UpstreamHealth, UpstreamStatus};
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
    /// Whether the audit log agrees with its anchor, as far as is known.
    pub audit_is_sound: bool,
}

/// Looks at the parts.
pub struct Health {
    /// Readers and cards.
    pub desk: Arc<dyn CardDesk>,
    /// The connection to the central system.
    pub upstream: Arc<dyn UpstreamStatus>,
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// The audit log.
    pub trail: Arc<dyn AuditTrail>,
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
        Ok(HealthView {
            desk,
            upstream: self.upstream.health(),
            store,
            audit_is_sound: self.trail.suspicion().is_none(),
        })
    }
}
