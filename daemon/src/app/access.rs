//! Access: who acts, and what their role lets them do. One table for every use case.

use super::ports::{AuditEntry, Role, Source};

/// Someone who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Sign-in name of the account.
    pub account: String,
    /// What it may do.
    pub role: Role,
    /// From where it acts.
    pub source: Source,
}

/// What a use case needs the right to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start and drive checks.
    RunChecks,
    /// See results of checks.
    ReadResults,
    /// Set inquiry numbers.
    SetInquiryNumbers,
    /// See readers and health.
    SeeHealth,
    /// See settings.
    SeeSettings,
    /// Change settings.
    ChangeSettings,
}

/// The role does not include the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden;

impl Actor {
    /// The audit row of what the actor did without naming results or a terminal, with the outcome `ok`.
    pub fn entry(&self, action: &'static str) -> AuditEntry {
        AuditEntry {
            actor: self.account.clone(),
            action,
            source: self.source,
            terminal: None,
            results: Vec::new(),
            outcome: "ok".to_owned(),
        }
    }

    /// Whether the actor may do it. An administrator manages the installation and does not see patients.
    pub fn may(&self, action: Action) -> Result<(), Forbidden> {
        let allowed = match action {
            Action::RunChecks | Action::ReadResults | Action::SetInquiryNumbers => {
                self.role != Role::Administrator
            }
            Action::SeeHealth | Action::SeeSettings => true,
            Action::ChangeSettings => self.role == Role::Administrator,
        };
        if allowed { Ok(()) } else { Err(Forbidden) }
    }
}
