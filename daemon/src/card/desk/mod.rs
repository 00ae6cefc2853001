//! The desk: implements `CardDesk` with one OS thread that owns the readers.
//!
//! PC/SC calls block, sometimes for long (another program's transaction, a dead reader), so none of them runs on the async
//! runtime. Callers put a job into a bounded mailbox, wake the thread and wait for the reply, at most [`DEADLINE`]. A job
//! whose caller has gone is dropped before the card is touched: nobody's PIN is presented for a check that has ended.

mod insertions;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use self::worker::{Job, Reply, Work, Worker};
use super::readers::{Readers, Wake};
use crate::app::ports::{CardCertificate, CardDesk, CardError, CardEvent, DeskView, Opening, Signing};

/// The longest a caller waits for its card session. A slow contactless card needs two to three seconds.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The longest [`Desk::stop`] waits for the thread: a card session under way may end, a hanging PC/SC call may not hold up
/// the process.
pub const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// Jobs that may wait. A reader serves one check at a time, so more than a few mean that the thread hangs.
const MAILBOX: usize = 16;

/// The readers of this machine, owned by one thread.
pub struct Desk {
    jobs: SyncSender<Job>,
    view: watch::Receiver<DeskView>,
    waker: Arc<dyn Wake>,
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The thread did not end in time and was left behind: a PC/SC call hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the card thread did not end in time")]
pub struct DidNotStop;

impl Desk {
    /// Starts the thread. Fails only if the operating system has no thread to give.
    pub fn start(readers: Box<dyn Readers>) -> io::Result<Self> {
        let (jobs, mailbox) = sync_channel(MAILBOX);
        let (publisher, view) = watch::channel(DeskView::default());
        let waker = readers.waker();
        let stopping = Arc::new(AtomicBool::new(false));
        let worker = Worker::new(readers, mailbox, publisher, Arc::clone(&stopping));
        let thread = thread::Builder::new().name("card".to_owned()).spawn(move || worker.run())?;
        Ok(Self { jobs, view, waker, stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread after the session under way and waits for it. Jobs still waiting end with `ServiceUnavailable`.
    pub async fn stop(&self) -> Result<(), DidNotStop> {
        self.tell_to_stop();
        let mut view = self.view.clone();
        let ended = async { while view.changed().await.is_ok() {} };
        if timeout(STOP_DEADLINE, ended).await.is_err() {
            tracing::error!("the card thread hangs in PC/SC and is left behind");
            return Err(DidNotStop);
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread let go of the view as its last act: joining takes no time.
        thread.map_or(Ok(()), JoinHandle::join).map_err(|_| DidNotStop)
    }

    fn tell_to_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    async fn submit<T>(&self, card: &CardEvent, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, CardError> {
        let (reply, answer) = oneshot::channel();
        let job = Job { card: card.clone(), work: work(reply) };
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => CardError::ReaderUnavailable,
            TrySendError::Disconnected(_) => CardError::ServiceUnavailable,
        })?;
        self.waker.wake();
        match timeout(DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(CardError::ServiceUnavailable),
            Err(_) => {
                tracing::error!(reader = card.reader.0, "the card thread did not answer in time");
                Err(CardError::ReaderUnavailable)
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
