//! Access: who acts, and what their role lets them do. One table for every use case.

use super::ports::Role;

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
            Action::ChangeSettings => self.role == Role::Administrator,
        };
        if allowed { Ok(()) } else { Err(Forbidden) }
    }
}
