//! The announced closures of the central system, as they are known now: learnt from its announcements, asked by checks.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::maintenance::Window;

/// The closures that were announced; a clone shows and sets the same ones.
#[derive(Debug, Clone, Default)]
pub struct MaintenanceCalendar(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    registration: Vec<Window>,
    everything: Vec<Window>,
}

impl MaintenanceCalendar {
    /// Replaces what is known of closures of card-use registration, those of everything included.
    pub fn set(&self, windows: Vec<Window>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).registration = windows;
    }

    /// Replaces what is known of closures of the whole central system.
    pub fn set_everything(&self, windows: Vec<Window>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).everything = windows;
    }

    /// When card-use registration is closed.
    pub fn windows(&self) -> Vec<Window> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).registration.clone()
    }

    /// When everything is closed.
    pub fn everything(&self) -> Vec<Window> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).everything.clone()
    }
}
