//! Readers that let things happen between any two steps of the daemon.
//!
//! Runs on the desk's own threads: an action of the script is done before the step with its number, so what interleaves
//! with what depends on the seed alone and not on how fast the machine is.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon::app::ports::ReaderName;
use daemon::card::drive::{Transmit, TransmitError};
use daemon::card::readers::{CardConnection, ConnectError, Line, Observed, Readers, ReadersError, Wake};
use tokio::sync::Notify;

use super::floor::{Action, Floor, READERS};
use crate::card::readers::SimReaders;

/// What is to happen before which step; steps are counted from 0 since the script was set.
#[derive(Default)]
struct Script {
    actions: Vec<(usize, Action)>,
    step: usize,
}

/// The script that is played; shared between the schedule and its readers.
#[derive(Clone)]
pub(super) struct Steps(Arc<Shared>);

struct Shared {
    floor: Floor,
    script: Mutex<Script>,
    give_up: Notify,
    gave_up: (Mutex<bool>, Condvar),
    /// How many looks at the readers have begun.
    looks: Mutex<u64>,
    looked: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere is reported where it happened; the data stays usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the desk's thread waits until whoever gives up has gone. Reached only if they had an answer already.
const GOING: Duration = Duration::from_millis(20);

/// How often a look is asked for before the desk counts as blind: ten seconds.
const TIMES: usize = 500;

impl Steps {
    pub(super) fn new(floor: &Floor) -> Self {
        Self(Arc::new(Shared {
            floor: floor.clone(),
            script: Mutex::default(),
            give_up: Notify::new(),
            gave_up: Default::default(),
            looks: Mutex::default(),
            looked: Condvar::new(),
        }))
    }

    /// Sets a new script.
    pub(super) fn play(&self, actions: Vec<(usize, Action)>) {
        *lock(&self.0.gave_up.0) = false;
        *lock(&self.0.script) = Script { actions, step: 0 };
    }

    /// Resolves when the script says that the caller gives up; the caller then says so with [`Steps::gone`].
    pub(super) async fn give_up(&self) {
        self.0.give_up.notified().await;
    }

    /// The caller has gone.
    pub(super) fn gone(&self) {
        *lock(&self.0.gave_up.0) = true;
        self.0.gave_up.1.notify_all();
    }

    /// Blocks until a look that began after this call has been published, which it is when the next one begins.
    pub(super) fn seen(&self, waker: &dyn Wake) -> bool {
        let mut looks = lock(&self.0.looks);
        let enough = *looks + 2;
        for _ in 0..TIMES {
            if *looks >= enough {
                return true;
            }
            drop(looks);
            waker.wake();
            looks = lock(&self.0.looks);
            if *looks < enough {
                let waited = self.0.looked.wait_timeout(looks, GOING);
                (looks, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
        false
    }

    fn step(&self) {
        let due: Vec<Action> = {
            let mut script = lock(&self.0.script);
            let step = script.step;
            script.step += 1;
            let (due, later) =
                std::mem::take(&mut script.actions).into_iter().partition(|(at, _)| *at == step);
            script.actions = later;
            Vec::into_iter(due).map(|(_, action)| action).collect()
        };
        for action in due {
            if action == Action::GiveUp {
                self.0.give_up.notify_one();
                let gone = lock(&self.0.gave_up.0);
                drop(self.0.gave_up.1.wait_timeout_while(gone, GOING, |gone| !*gone));
            } else {
                self.0.floor.act(action);
            }
        }
    }
}

/// Simulated readers whose every step is counted.
pub(super) struct SteppedReaders {
    pub(super) inner: SimReaders,
    pub(super) steps: Steps,
}

impl Readers for SteppedReaders {
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Observed>, ReadersError> {
        *lock(&self.steps.0.looks) += 1;
        self.steps.0.looked.notify_all();
        // A look with patience is the thread at rest, not a step of a session.
        if timeout.is_zero() {
            self.steps.step();
        }
        self.inner.wait(timeout)
    }

    fn line(&self) -> Box<dyn Line> {
        Box::new(SteppedLine { inner: self.inner.line(), steps: self.steps.clone() })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.inner.waker()
    }
}

struct SteppedLine {
    inner: Box<dyn Line>,
    steps: Steps,
}

impl Line for SteppedLine {
    fn connect(
        &mut self,
        reader: &ReaderName,
        event_count: u32,
    ) -> Result<Box<dyn CardConnection>, ConnectError> {
        let number = READERS.iter().position(|name| *name == reader.0).ok_or(ConnectError::ReaderGone)?;
        // Whoever connects has chosen the card before.
        self.steps.0.floor.with_entry(number, |entry| entry.bound |= !entry.open_for_next);
        self.steps.step();
        let inner = self.inner.connect(reader, event_count)?;
        Ok(Box::new(SteppedConnection { inner, reader: number, steps: self.steps.clone() }))
    }
}

struct SteppedConnection {
    inner: Box<dyn CardConnection>,
    reader: usize,
    steps: Steps,
}

impl Transmit for SteppedConnection {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        self.steps.step();
        self.steps.0.floor.speak(self.reader, || self.inner.transmit(command))
    }
}

impl CardConnection for SteppedConnection {}
