//! Health: how the parts are, in the words of the use cases. Contains nothing personal.

use std::sync::Arc;

use jiff::Timestamp;

use super::access::{Action, Actor, Forbidden};
use super::inquiries::Inquiries;
use super::ports::{CardDesk, Clock, DeskView, ResultStore, StoreError, UpstreamHealth, UpstreamStatus};
use crate::domain::check::ResultId;
use crate::domain::queue::QueueView;

/// How the parts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthView {
    /// Readers and cards.
    pub desk: DeskView,
    /// The connection to the central system.
    pub upstream: UpstreamHealth,
    /// Whether the store answers.
    pub store: Result<(), StoreError>,
    /// Inquiry numbers on their way.
    pub queue: QueueView,
}

/// Looks at the parts.
pub struct Health {
    /// Readers and cards.
    pub desk: Arc<dyn CardDesk>,
    /// The connection to the central system.
    pub upstream: Arc<dyn UpstreamStatus>,
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// Inquiry numbers.
    pub inquiries: Inquiries,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl Health {
    /// The readers and cards as they are now.
    pub fn desk(&self, actor: &Actor) -> Result<DeskView, Forbidden> {
        actor.may(Action::SeeHealth)?;
        Ok(self.desk.watch().borrow().clone())
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How all parts are now.
    pub async fn look(&self, actor: &Actor) -> Result<HealthView, Forbidden> {
        let desk = self.desk(actor)?;
        // Numbers of results start at 1: this asks the database and finds nothing.
        let store = self.store.get(ResultId(0)).await.map(|_| ());
        Ok(HealthView { desk, upstream: self.upstream.health(), store, queue: self.inquiries.view() })
    }
}
