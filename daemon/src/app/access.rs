//! Access: who acts, and what their role lets them do. One table for every use case.

use super::ports::{AuditEntry, Role};

/// Someone who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Sign-in name of the account.
    pub account: String,
    /// What it may do.
    pub role: Role,
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
    /// Whether the actor may do it. An administrator manages the installation and does not see patients.
    pub fn may(&self, action: Action) -> Result<(), Forbidden> {
        let allowed = match action {
            Action::RunChecks | Action::ReadResults | Action::CollectResults | Action::SetInquiryNumbers => {
                self.role != Role::Administrator
            }
            Action::SeeHealth | Action::SeeSettings | Action::SeeAnnouncements => true,
            Action::ChangeSettings | Action::Administer => self.role == Role::Administrator,
        };
        if allowed { Ok(()) } else { Err(Forbidden) }
    }
}

/// The right to administer: an administrator who signed in, or whoever may use the machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(String);

impl Authority {
    /// Whoever gives commands on the machine.
    pub fn machine() -> Self {
        Self("machine".to_owned())
    }

    /// An administrator who signed in.
    pub fn of(actor: &Actor) -> Result<Self, Forbidden> {
        actor.may(Action::Administer)?;
        Ok(Self(actor.account.clone()))
    }

    /// The audit row of what it did, successfully, to an account, a terminal or a machine.
    pub(super) fn audit(&self, action: &'static str, about: &str) -> AuditEntry {
        audit(&self.0, action, format!("ok:{about}"))
    }
}

/// An audit row about no result.
pub(super) fn audit(actor: &str, action: &'static str, outcome: String) -> AuditEntry {
    AuditEntry { actor: actor.to_owned(), action, terminal: None, results: Vec::new(), outcome }
}
