//! The registry of checks: one active check a reader, ended ones kept a while so that their outcome can be read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Entry;
use crate::app::ports::{CardEvent, ReaderName};

/// Ended checks beyond this many are forgotten, oldest first. They hold no personal data.
const KEEP_ENDED: usize = 256;
/// Active checks; each has its own reader, so this is far above any real desk.
const MOST_ACTIVE: usize = 64;

/// Why a check was not admitted.
pub(super) enum Full {
    /// Its reader serves another check.
    Reader,
    /// Too many checks.
    Checks,
}

#[derive(Default)]
struct State {
    checks: HashMap<String, Arc<Entry>>,
    ended: std::collections::VecDeque<String>,
    busy: HashMap<ReaderName, String>,
    served: HashMap<ReaderName, u64>,
}

#[derive(Default)]
pub(super) struct Registry {
    state: Mutex<State>,
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is a single insertion or removal, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a check in and reserves its reader until the reservation is dropped.
    pub(super) fn admit(self: &Arc<Self>, entry: Arc<Entry>) -> Result<Reservation, Full> {
        let mut state = self.state();
        let facts = entry.facts.clone();
        if state.busy.contains_key(&facts.reader) {
            return Err(Full::Reader);
        }
        if state.busy.len() >= MOST_ACTIVE {
            return Err(Full::Checks);
        }
        state.busy.insert(facts.reader.clone(), facts.id.clone());
        state.checks.insert(facts.id.clone(), entry);
        Ok(Reservation { registry: self.clone(), reader: facts.reader.clone(), check: facts.id.clone() })
    }

    pub(super) fn on_reader(&self, reader: &ReaderName) -> Option<String> {
        self.state().busy.get(reader).cloned()
    }

    /// Whether a check that is still known has a property.
    pub(super) fn any(&self, has: impl Fn(&Entry) -> bool) -> bool {
        self.state().checks.values().any(|entry| has(entry))
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Entry>> {
        self.state().checks.get(id).cloned()
    }
}

/// A check's hold on its reader; dropping it frees the reader, also when the check's task panics.
pub(super) struct Reservation {
    registry: Arc<Registry>,
    reader: ReaderName,
    check: String,
}

impl Reservation {
    /// Remembers that this card gave a result: the next check waits until it was taken away, so that a card
    /// forgotten on the reader never meets the next patient's PIN.
    pub(super) fn mark_served(&self, card: &CardEvent) {
        self.registry.state().served.insert(card.reader.clone(), card.insertion);
    }

    /// Whether this card already gave a result.
    pub(super) fn was_served(&self, card: &CardEvent) -> bool {
        self.registry.state().served.get(&card.reader) == Some(&card.insertion)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.registry.state();
        state.busy.remove(&self.reader);
        state.ended.push_back(self.check.clone());
        if state.ended.len() > KEEP_ENDED
            && let Some(oldest) = state.ended.pop_front()
        {
            state.checks.remove(&oldest);
        }
    }
}
