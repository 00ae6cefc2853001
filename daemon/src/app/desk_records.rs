//! What the front desk writes down: 端末の安全管理チェックリスト, and incidents (another person's data shown, an identity in doubt). Both
//! keep date, person and terminal, neither names a patient; both last as long as the audit log.

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::audit::kept_since;
use super::ports::{
    AuditEntry, AuditLog, ChecklistRecord, Clock, DeskRecords, IncidentRecord, StoreError, TerminalId,
};
use super::sessions::Session;
use super::terminals::Terminals;
use crate::domain::checklist::Done;
use crate::domain::incident::Incident;

/// The action of an incident's record in the audit log. It names the result, but nothing of it was answered.
pub const INCIDENT: &str = "incident.record";
/// Earlier checklists that are shown.
const SHOWN: u32 = 100;

/// Why nothing was written down or shown.
#[derive(Debug, thiserror::Error)]
pub enum DeskRecordsError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// The terminal is neither configured nor enrolled.
    #[error("no such terminal")]
    UnknownTerminal,
    /// No such result, or it is past its retention.
    #[error("no such result")]
    NoResult,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for DeskRecordsError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// The use case.
pub struct KeepDeskRecords {
    /// Where they are kept.
    pub store: Arc<dyn DeskRecords>,
    /// The facility's terminals, as configured.
    pub configured: Vec<TerminalId>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Enrolled terminals.
    pub enrolled: Arc<Terminals>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl KeepDeskRecords {
    /// How the checklist was filled in so far, the newest first.
    pub async fn checklists(&self, actor: &Actor) -> Result<Vec<ChecklistRecord>, DeskRecordsError> {
        actor.may(Action::KeepChecklist)?;
        Ok(self.store.checklists(SHOWN).await?)
    }

    /// Keeps what was ticked; what was kept before stays.
    pub async fn record_checklist(
        &self,
        session: &Session,
        terminal: Option<TerminalId>,
        done: &Done,
    ) -> Result<ChecklistRecord, DeskRecordsError> {
        session.actor.may(Action::KeepChecklist)?;
        let terminal = self.terminal(session, terminal).await?;
        let entry = AuditEntry { terminal, ..session.actor.entry("checklist.record") };
        Ok(self.store.record_checklist(done, &entry).await?)
    }

    /// Keeps an incident.
    pub async fn record_incident(
        &self,
        session: &Session,
        terminal: Option<TerminalId>,
        incident: &Incident,
    ) -> Result<IncidentRecord, DeskRecordsError> {
        session.actor.may(Action::ReadResults)?;
        let terminal = self.terminal(session, terminal).await?;
        let results = incident.result.into_iter().collect();
        let entry = AuditEntry { terminal, results, ..session.actor.entry(INCIDENT) };
        self.store.record_incident(incident, &entry).await?.ok_or(DeskRecordsError::NoResult)
    }

    /// Incidents below a number, the newest first, at most `limit`; and the number below which the next page goes on. That
    /// they were looked at is on record before they are answered.
    pub async fn incidents(
        &self,
        actor: &Actor,
        before: Option<i64>,
        limit: u32,
    ) -> Result<(Vec<IncidentRecord>, Option<i64>), DeskRecordsError> {
        actor.may(Action::Administer)?;
        let mut found = self.store.incidents(before, limit.saturating_add(1)).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let goes_on = found.len() > size;
        found.truncate(size);
        self.audit.append(&actor.entry("incident.viewed")).await?;
        let next = found.last().map(|last| last.id).filter(|_| goes_on);
        Ok((found, next))
    }

    /// Removes what is older than so many years, as the audit log does; returns how many rows.
    pub async fn prune(&self, keep_years: u8) -> Result<u64, StoreError> {
        self.store.forget(kept_since(&*self.clock, keep_years)).await
    }

    /// The terminal that was named; otherwise the enrolled one at which the session began.
    async fn terminal(
        &self,
        session: &Session,
        named: Option<TerminalId>,
    ) -> Result<Option<TerminalId>, DeskRecordsError> {
        let enrolled = self.enrolled.list().await?;
        let Some(named) = named else {
            let own = enrolled.into_iter().find(|terminal| session.terminal == Some(terminal.id));
            return Ok(own.map(|terminal| TerminalId(terminal.name)));
        };
        let known =
            self.configured.contains(&named) || enrolled.iter().any(|terminal| terminal.name == named.0);
        if known { Ok(Some(named)) } else { Err(DeskRecordsError::UnknownTerminal) }
    }
}
