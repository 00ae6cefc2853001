//! Interrupts a waiting PC/SC call from another thread, without blocking the caller and without getting lost.
//!
//! `Context::cancel` alone does neither: it is itself a round trip to the service (which may hang), and it is lost if it
//! comes just before the wait begins. So a small thread rings again and again until it is heard. It touches no card.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::contexts::Counted;
use crate::card::readers::Wake;

/// The pause before ringing again.
const AGAIN: Duration = Duration::from_millis(5);

/// Rings until the waiting thread has heard it.
pub struct Bell {
    ringing: AtomicBool,
    context: Mutex<Option<Arc<Counted>>>,
    /// Tells the ringing thread that something changed; gone when the bell has ended.
    pull: Mutex<Option<SyncSender<()>>>,
}

impl Bell {
    /// Starts the ringing thread; [`Bell::end`] ends it.
    pub fn start() -> io::Result<Arc<Self>> {
        let (pull, pulled) = sync_channel(1);
        let bell = Arc::new(Self {
            ringing: AtomicBool::new(false),
            context: Mutex::new(None),
            pull: Mutex::new(Some(pull)),
        });
        let ringer = Arc::clone(&bell);
        thread::Builder::new().name("card-bell".to_owned()).spawn(move || ringer.run(&pulled))?;
        Ok(bell)
    }

    /// Sets the context whose wait is to be interrupted.
    pub fn belongs_to(&self, context: Option<Arc<Counted>>) {
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = context;
    }

    /// Whether it rang and was not heard yet.
    pub fn has_rung(&self) -> bool {
        self.ringing.load(Ordering::SeqCst)
    }

    /// The waiting thread has woken: stop ringing.
    pub fn heard(&self) {
        self.ringing.store(false, Ordering::SeqCst);
    }

    /// Ends the ringing thread; it is not waited for, since it may hang in a call to a hanging service.
    pub fn end(&self) {
        self.heard();
        self.pull.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn run(&self, pulled: &Receiver<()>) {
        while pulled.recv().is_ok() {
            while self.has_rung() {
                let context = self.context.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(context) = context {
                    // Errors are harmless: InvalidHandle when the wait has just ended (PCSC#160), or the service is gone.
                    let _ = context.get().cancel();
                }
                if pulled.recv_timeout(AGAIN) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.ringing.store(true, Ordering::SeqCst);
        if let Some(pull) = &*self.pull.lock().unwrap_or_else(PoisonError::into_inner) {
            // Full means that the thread has been told already.
            let _ = pull.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_stays_until_it_is_heard() {
        let bell = Bell::start().unwrap();
        assert!(!bell.has_rung());
        bell.wake();
        bell.wake();
        assert!(bell.has_rung());
        bell.heard();
        assert!(!bell.has_rung());
        bell.end();
        bell.wake();
        assert!(bell.has_rung(), "a ring after the end blocks nobody");
    }
}
