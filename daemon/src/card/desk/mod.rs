//! The desk: implements `CardDesk` with threads that own the readers.
//!
//! PC/SC calls block, sometimes for long (another program's transaction, a dead reader), so none of them runs on the async
//! runtime: one thread looks at the readers (`watcher`), another notices if that hangs, and a few hold card sessions
//! (`lines`). Callers hand a job to the lines and wait for the reply for a limited time. A job whose caller has gone is
//! withdrawn: nobody's PIN is presented for a check that has ended.

mod insertions;
mod job;
mod lines;
mod sight;
mod watcher;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use self::job::{Claim, Job, Reply, Withdraw, Work};
use self::lines::{LINES, Lines};
use self::sight::Sight;
use super::readers::Readers;
use crate::app::ports::{
    CardCertificate, CardDesk, CardError, CardEvent, DeskView, Opening, ReaderName, Signing,
};

/// The longest [`Desk::stop`] waits for the threads: card sessions under way may end, a hanging PC/SC call may not hold up
/// the process.
pub const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// How long is waited for what may hang.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For a look at the readers, which returns after a second even if nothing changes.
    look: Duration,
    /// For a connection to the card: powering on a slow card, and two seconds for another program to let go of it.
    connect: Duration,
    /// For the session that follows. A slow contactless card needs two to three seconds.
    session: Duration,
}

/// Long enough for every reader and card that works.
const PATIENCE: Patience = Patience {
    look: Duration::from_secs(4),
    connect: Duration::from_secs(6),
    session: Duration::from_secs(15),
};

/// The first look takes a few milliseconds unless the service hangs, and that must not hold up the start.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The readers of this machine, owned by a few threads.
pub struct Desk {
    lines: Arc<Lines>,
    sight: Arc<Sight>,
    view: watch::Receiver<DeskView>,
    patience: Patience,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    /// Closed to end the watching thread.
    stop: Option<SyncSender<()>>,
    /// Closed when all threads have ended.
    ended: Option<watch::Receiver<()>>,
    handles: Vec<JoinHandle<()>>,
}

/// A thread did not end in time and was left behind: a PC/SC call hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a card thread did not end in time")]
pub struct DidNotStop;

impl Desk {
    /// Starts the threads. Fails only if the operating system has no thread to give.
    pub fn start(readers: Box<dyn Readers>) -> io::Result<Self> {
        Self::with(readers, PATIENCE)
    }

    /// Waits until the readers were looked at once, but not for long: who asks in the first instant should not hear that
    /// there are none.
    pub async fn looked_once(&self) {
        let sight = Arc::clone(&self.sight);
        // Only a runtime that is ending interrupts it.
        let _ = tokio::task::spawn_blocking(move || sight.first_look(FIRST_LOOK)).await;
    }

    fn with(readers: Box<dyn Readers>, patience: Patience) -> io::Result<Self> {
        let sight = Arc::new(Sight::new(readers.waker()));
        let lines = Arc::new(Lines::default());
        let (stop, stopped) = sync_channel(0);
        let (end, ended) = watch::channel(());
        let end = Arc::new(end);
        let desk = Self {
            lines: Arc::clone(&lines),
            view: sight.watch(),
            sight: Arc::clone(&sight),
            patience,
            threads: Mutex::new(Threads { stop: Some(stop), ended: Some(ended), handles: Vec::new() }),
        };
        for number in 0..LINES {
            let (line, lines, sight) = (readers.line(), Arc::clone(&lines), Arc::clone(&sight));
            desk.spawn("card-line", &end, move || lines.serve(number, line, &sight, patience.look))?;
        }
        let guarded = Arc::clone(&sight);
        desk.spawn("card-guard", &end, move || guarded.guard(patience.look))?;
        desk.spawn("card", &end, move || watcher::run(readers, &sight, &stopped))?;
        Ok(desk)
    }

    fn spawn(
        &self,
        name: &str,
        end: &Arc<watch::Sender<()>>,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let end = Arc::clone(end);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            body();
            drop(end);
        })?;
        self.threads().handles.push(thread);
        Ok(())
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the threads after the sessions under way and waits for them. Jobs still waiting end with `ServiceUnavailable`.
    pub async fn stop(&self) -> Result<(), DidNotStop> {
        self.tell_to_stop();
        let Some(mut ended) = self.threads().ended.take() else { return Ok(()) };
        let all_ended = async { while ended.changed().await.is_ok() {} };
        if timeout(STOP_DEADLINE, all_ended).await.is_err() {
            tracing::error!("a card thread hangs in PC/SC and is left behind");
            return Err(DidNotStop);
        }
        let handles = std::mem::take(&mut self.threads().handles);
        // Letting go of the end was each thread's last act: joining takes no time.
        handles.into_iter().try_for_each(|thread| thread.join().map_err(|_| DidNotStop))
    }

    fn tell_to_stop(&self) {
        self.lines.stop();
        self.threads().stop = None;
        self.sight.wake();
    }

    async fn submit<T>(&self, card: &CardEvent, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, CardError> {
        let (reply, mut answer) = oneshot::channel();
        let claim = Claim::new(work(reply));
        // Withdraws the work however this call ends, also if its future is dropped.
        let withdraw = Withdraw(claim.clone());
        self.lines.submit(Job { card: card.clone(), claim: claim.clone() })?;
        let mut outcome = timeout(self.patience.connect, &mut answer).await;
        let untouched = outcome.is_err() && claim.take().is_some();
        if outcome.is_err() && !untouched {
            outcome = timeout(self.patience.session, &mut answer).await;
        }
        drop(withdraw);
        match outcome {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(CardError::ServiceUnavailable),
            Err(_) => {
                tracing::error!(reader = card.reader.0, untouched, "a card session did not end in time");
                let error = self.lines.give_up(card, &claim, untouched);
                // If nothing can be seen, that is the reason.
                Err(if self.view.borrow().service_available() {
                    error
                } else {
                    CardError::ServiceUnavailable
                })
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

#[async_trait]
impl CardDesk for Desk {
    fn watch(&self) -> watch::Receiver<DeskView> {
        self.view.clone()
    }

    fn hanging(&self) -> BTreeSet<ReaderName> {
        self.lines.hanging()
    }

    async fn read_certificate(&self, card: &CardEvent) -> Result<CardCertificate, CardError> {
        self.submit(card, |reply| Work::ReadCertificate { reply }).await
    }

    async fn open_and_sign(
        &self,
        card: &CardEvent,
        opening: Opening,
        challenge: &[u8],
    ) -> Result<Signing, CardError> {
        let challenge = challenge.to_vec();
        self.submit(card, |reply| Work::Sign { opening, challenge, reply }).await
    }
}
