//! What is known of the readers, shared by the thread that looks at them and the threads that hold card sessions.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::insertions::Insertions;
use crate::app::ports::{CardError, CardEvent, CardService, DeskView, ReaderName, ReaderState};
use crate::card::protocol::Rung;
use crate::card::readers::{Observed, ReadersError, Wake};

/// The longest look at the readers without a change. Finite, because an interruption can fail (PCSC#160).
const LOOK: Duration = Duration::from_secs(1);

/// What is known.
pub struct Sight {
    state: Mutex<State>,
    looked: Condvar,
    view: watch::Sender<DeskView>,
    waker: Arc<dyn Wake>,
}

#[derive(Default)]
struct State {
    insertions: Insertions,
    /// The shortest way of reading that worked on each reader.
    rungs: HashMap<ReaderName, Rung>,
    /// Looks are numbered from 1: the last that was begun, the last that has ended, the last that someone waits for.
    begun: u64,
    ended: u64,
    awaited: u64,
    closed: bool,
    /// Why the readers were out of sight at the last look, so that each reason is logged once.
    blind: Option<ReadersError>,
}

impl Sight {
    pub fn new(waker: Arc<dyn Wake>) -> Self {
        let (view, _) = watch::channel(DeskView::default());
        Self { state: Mutex::default(), looked: Condvar::new(), view, waker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is reported where it happened, and followed by a look at everything anew.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn watch(&self) -> watch::Receiver<DeskView> {
        self.view.subscribe()
    }

    pub fn wake(&self) {
        self.waker.wake();
    }

    /// A look begins; returns how long it may take without a change.
    pub fn begin_look(&self) -> Duration {
        let mut state = self.state();
        state.begun += 1;
        if state.awaited >= state.begun { Duration::ZERO } else { LOOK }
    }

    /// A look has ended: publishes what changed.
    pub fn end_look(&self, seen: Result<Vec<Observed>, ReadersError>) {
        let mut state = self.state();
        state.ended = state.begun;
        let view = match seen {
            Ok(observed) => {
                state.blind = None;
                let view = state.insertions.see(observed);
                state.rungs.retain(|name, _| view.state(name).is_some());
                view
            }
            Err(error) => {
                if state.blind.replace(error) != Some(error) {
                    tracing::warn!(%error, "the readers are out of sight");
                }
                state.forget();
                let service = match error {
                    ReadersError::ServiceGone => CardService::Gone,
                    ReadersError::Refused => CardService::Refused,
                };
                DeskView { service, readers: Vec::new() }
            }
        };
        self.publish(view);
        drop(state);
        self.looked.notify_all();
    }

    /// Forgets everything: from now on no card is known to be the same as before.
    pub fn lose(&self) {
        let mut state = self.state();
        state.forget();
        self.publish(DeskView::default());
        drop(state);
        self.looked.notify_all();
    }

    /// Nothing will be seen any more.
    pub fn close(&self) {
        self.state().closed = true;
        self.lose();
    }

    fn publish(&self, view: DeskView) {
        self.view.send_if_modified(|current| {
            let changed = *current != view;
            *current = view;
            changed
        });
    }

    /// Shows the service as gone whenever a look takes longer than `patience`: the service hangs. What the hanging look
    /// brings in the end is published like any other. Returns when the sight is closed.
    pub fn guard(&self, patience: Duration) {
        let mut state = self.state();
        while !state.closed {
            let last = state.ended;
            let still_looking = |state: &mut State| !state.closed && state.ended == last;
            let waited = self.looked.wait_timeout_while(state, patience, still_looking);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = now;
            if timeout.timed_out() && state.blind.replace(ReadersError::ServiceGone).is_none() {
                tracing::error!("the PC/SC service hangs");
                state.forget();
                self.publish(DeskView::default());
            }
        }
    }

    /// Looks at the readers anew; returns when a look that began after this call has ended.
    pub fn look_afresh(&self, patience: Duration) -> Result<(), CardError> {
        let mut state = self.state();
        let next = state.begun + 1;
        state.awaited = next;
        self.waker.wake();
        let not_yet = |state: &mut State| !state.closed && state.ended < next;
        let waited = self.looked.wait_timeout_while(state, patience, not_yet);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.ended >= next { Ok(()) } else { Err(CardError::ServiceUnavailable) }
    }

    /// Waits until the first look has ended, or as long as patience lasts.
    pub fn first_look(&self, patience: Duration) {
        let not_yet = |state: &mut State| !state.closed && state.ended == 0;
        drop(self.looked.wait_timeout_while(self.state(), patience, not_yet));
    }

    /// The event count of this very card, if it lies on its reader as far as is known; otherwise what is wrong.
    pub fn event_count(&self, card: &CardEvent) -> Result<u32, CardError> {
        let state = self.state();
        let view = self.view.borrow();
        match (view.service, view.state(&card.reader)) {
            (CardService::Gone, _) => Err(CardError::ServiceUnavailable),
            (CardService::Refused, _) => Err(CardError::ServiceRefused),
            (CardService::Available, Some(ReaderState::Card(_))) => {
                state.insertions.event_count(card).ok_or(CardError::Removed)
            }
            (CardService::Available, Some(ReaderState::Empty | ReaderState::Mute)) => Err(CardError::Removed),
            (CardService::Available, Some(ReaderState::Unavailable) | None) => {
                Err(CardError::ReaderUnavailable)
            }
        }
    }

    /// The shortest way of reading known to work on a reader.
    pub fn rung(&self, reader: &ReaderName) -> Rung {
        self.state().rungs.get(reader).copied().unwrap_or_default()
    }

    /// Remembers it until the reader leaves the list.
    pub fn remember_rung(&self, reader: &ReaderName, rung: Rung) {
        self.state().rungs.insert(reader.clone(), rung);
    }
}

impl State {
    fn forget(&mut self) {
        self.insertions.forget();
        self.rungs.clear();
    }
}
