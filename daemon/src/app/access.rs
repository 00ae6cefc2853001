//! Access: who acts, and what their role lets them do. One table for every use case.

use super::ports::{AuditEntry, AuditSource, Role};

/// Someone who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Sign-in name of the account.
    pub account: String,
    /// What it may do.
    pub role: Role,
    /// From where it acts.
    pub source: AuditSource,
}

/// What a use case needs the right to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start and drive checks.
    RunChecks,
    /// See results of checks.
    ReadResults,
    /// Fetch results of other terminals now.
    CollectResults,
    /// Set inquiry numbers.
    SetInquiryNumbers,
    /// See readers and health.
    SeeHealth,
    /// Fill in and see 端末の安全管理チェックリスト.
    KeepChecklist,
    /// See announcements.
    SeeAnnouncements,
    /// See settings.
    SeeSettings,
    /// Change settings.
    ChangeSettings,
    /// Manage accounts, everybody's sessions, terminals and machines.
    Administer,
}

/// The role does not include the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden;

impl Actor {
    /// The audit row of what the actor did without naming results or a terminal, with the outcome `ok`.
    pub fn entry(&self, action: &'static str) -> AuditEntry {
        audit(&self.account, self.source, action, "ok".to_owned())
    }

    /// Whether the actor may do it. An administrator manages the installation and does not see patients.
    pub fn may(&self, action: Action) -> Result<(), Forbidden> {
        let allowed = match action {
            Action::RunChecks | Action::ReadResults | Action::CollectResults | Action::SetInquiryNumbers => {
                self.role != Role::Administrator
            }
            Action::KeepChecklist => self.role != Role::ReceiptComputer,
            Action::SeeHealth | Action::SeeSettings | Action::SeeAnnouncements => true,
            Action::ChangeSettings | Action::Administer => self.role == Role::Administrator,
        };
        if allowed { Ok(()) } else { Err(Forbidden) }
    }
}

/// Who acts for the audit log when a command comes from the machine itself.
pub const MACHINE: &str = "machine";

/// The right to administer: an administrator who signed in, or whoever may use the machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    by: String,
    source: AuditSource,
}

impl Authority {
    /// Whoever gives commands on the machine.
    pub fn machine() -> Self {
        Self { by: MACHINE.to_owned(), source: AuditSource::Machine }
    }

    /// An administrator who signed in.
    pub fn of(actor: &Actor) -> Result<Self, Forbidden> {
        actor.may(Action::Administer)?;
        Ok(Self { by: actor.account.clone(), source: actor.source })
    }

    /// Who it is, as the audit log names them.
    pub(super) fn name(&self) -> &str {
        &self.by
    }

    /// The audit row of what it did, successfully, to an account, a terminal or a machine.
    pub(super) fn audit(&self, action: &'static str, about: &str) -> AuditEntry {
        audit(&self.by, self.source, action, format!("ok:{about}"))
    }
}

/// An audit row about no result.
pub(super) fn audit(actor: &str, source: AuditSource, action: &'static str, outcome: String) -> AuditEntry {
    AuditEntry { actor: actor.to_owned(), action, source, terminal: None, results: Vec::new(), outcome }
}
