//! What the front desk writes down, as the contract needs it.

use async_trait::async_trait;

use super::{Answer, Caller};
use crate::wire;

/// The part of [`super::Service`] about the checklist of safe devices, and incidents.
#[async_trait]
pub trait DeskService: Send + Sync + 'static {
    /// The checklist and how it was filled in so far; for people.
    async fn checklist(&self, caller: &Caller) -> Answer<wire::Checklist>;

    /// Keeps what was ticked, beside what was kept before, and answers with all of it.
    async fn record_checklist(
        &self,
        caller: &Caller,
        record: wire::NewChecklistRecord,
    ) -> Answer<wire::Checklist>;

    /// Keeps an incident; for whoever sees patients.
    async fn record_incident(&self, caller: &Caller, incident: wire::NewIncident) -> Answer<wire::Incident>;

    /// Incidents, the newest first; administrators only.
    async fn incidents(&self, caller: &Caller, query: wire::IncidentQuery) -> Answer<wire::IncidentPage>;
}
