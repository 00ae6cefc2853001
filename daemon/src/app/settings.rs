//! Settings of the facility: anybody signed in sees them, administrators change them, and every change is audited.

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::ports::{AuditEntry, Settings, StoreError};
use crate::domain::admission::SecuritySettings;

/// Why settings were not given or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for SettingsError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// The settings use case.
pub struct ChangeSettings {
    /// Where they are kept.
    pub store: Arc<dyn Settings>,
}

impl ChangeSettings {
    /// The security settings.
    pub async fn security(&self, actor: &Actor) -> Result<SecuritySettings, SettingsError> {
        actor.may(Action::SeeSettings)?;
        Ok(self.store.security().await?)
    }

    /// Changes the security settings; a check that has begun goes on as it began.
    pub async fn set_security(&self, actor: &Actor, settings: SecuritySettings) -> Result<(), SettingsError> {
        actor.may(Action::ChangeSettings)?;
        let action = if settings.visual_confirmation {
            "settings.visual_confirmation_on"
        } else {
            "settings.visual_confirmation_off"
        };
        let before = self.store.security().await?;
        let outcome = match (before.operators_need_code, settings.operators_need_code) {
            (false, true) => "ok:operators_need_code_on",
            (true, false) => "ok:operators_need_code_off",
            (true, true) | (false, false) => "ok",
        };
        let audit = AuditEntry { outcome: outcome.to_owned(), ..actor.entry(action) };
        Ok(self.store.set_security(settings, &audit).await?)
    }
}
