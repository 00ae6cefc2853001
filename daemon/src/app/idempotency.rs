//! Requests that carry a key (Idempotency-Key): carried out once, however often they come.
//!
//! The same key with the same request gets the answer of what it brought about; with another request it is refused, and
//! so it is while the first is still being worked on. What was refused brought nothing about and leaves nothing behind:
//! its key can be used again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ports::{Keyed, Made, RequestMemory, StoreError};

/// Why a request with a key is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A request with this key is being worked on.
    #[error("a request with this key is being worked on")]
    Running,
    /// The key was used with another request.
    #[error("the key was used with another request")]
    Reused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The requests with a key; clones are the same.
#[derive(Clone)]
pub struct Idempotency {
    memory: Arc<dyn RequestMemory>,
    running: Arc<Running>,
}

/// Account and key of what is being worked on.
#[derive(Default)]
struct Running(Mutex<HashSet<(String, String)>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        // Every change is a single insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to do with a request.
pub enum Begun {
    /// Carry it out. With a key it is the first call: no other is let in until all clones of this are gone.
    First(Option<Arc<Work>>),
    /// It was carried out: answer from what it brought about.
    Again(Made),
}

/// A request with a key that is being worked on.
pub struct Work {
    request: Keyed,
    running: Arc<Running>,
}

impl Work {
    /// The request, to be remembered together with its effect.
    pub fn request(&self) -> &Keyed {
        &self.request
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let name = (std::mem::take(&mut self.request.account), std::mem::take(&mut self.request.key));
        self.running.lock().remove(&name);
    }
}

impl Idempotency {
    /// Nothing is being worked on yet.
    pub fn new(memory: Arc<dyn RequestMemory>) -> Self {
        Self { memory, running: Arc::default() }
    }

    /// Decides what to do with a request; one without a key is always carried out.
    pub async fn begin(&self, request: Option<Keyed>) -> Result<Begun, KeyError> {
        let Some(request) = request else { return Ok(Begun::First(None)) };
        if !self.running.lock().insert((request.account.clone(), request.key.clone())) {
            return Err(KeyError::Running);
        }
        // From here on nobody else works on this key, so what is not remembered now has not happened.
        let work = Work { request, running: Arc::clone(&self.running) };
        let remembered = self.memory.remembered(&work.request.account, &work.request.key).await?;
        match remembered {
            None => Ok(Begun::First(Some(Arc::new(work)))),
            Some(known) if known.request == work.request.request => Ok(Begun::Again(known.made)),
            Some(_) => Err(KeyError::Reused),
        }
    }

    /// Remembers what a request brought about where that is not in the store.
    pub async fn remember(&self, work: &Work, made: &Made) -> Result<(), StoreError> {
        self.memory.remember(&work.request, made).await
    }

    /// Forgets a request that brought nothing about after all.
    pub async fn forget(&self, work: &Work) -> Result<(), StoreError> {
        self.memory.forget(&work.request).await
    }
}
