//! The announced closures of the central system, as they are known now: learnt from its announcements, asked by checks.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::maintenance::Window;

/// The closures that were announced; a clone shows and sets the same ones.
#[derive(Debug, Clone, Default)]
pub struct MaintenanceCalendar(Arc<RwLock<Vec<Window>>>);

impl MaintenanceCalendar {
    /// Replaces what is known.
    pub fn set(&self, windows: Vec<Window>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = windows;
    }

    /// What is known.
    pub fn windows(&self) -> Vec<Window> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
