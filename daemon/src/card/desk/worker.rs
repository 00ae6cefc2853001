//! The thread of the desk: looks at the readers, publishes what it sees, and runs card sessions one at a time.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::insertions::Insertions;
use crate::app::ports::{
    CardCertificate, CardError, CardEvent, DeskView, Opening, ReaderName, ReaderState, Signing,
};
use crate::card::drive::Transmit;
use crate::card::protocol::Rung;
use crate::card::readers::{Readers, ReadersError};
use crate::card::session;

/// The longest look at the readers without a change. Finite, because an interruption can fail (PCSC#160).
const LOOK: Duration = Duration::from_secs(1);

/// The pause before asking for a lost PC/SC service again.
const RETRY: Duration = Duration::from_millis(250);

/// Where a result goes. Closed when the caller has given up.
pub type Reply<T> = oneshot::Sender<Result<T, CardError>>;

/// Something to do with one very card.
pub struct Job {
    pub card: CardEvent,
    pub work: Work,
}

/// What to do with it.
pub enum Work {
    ReadCertificate { reply: Reply<CardCertificate> },
    Sign { opening: Opening, challenge: Vec<u8>, reply: Reply<Signing> },
}

/// What the thread owns.
pub struct Worker {
    readers: Box<dyn Readers>,
    mailbox: Receiver<Job>,
    view: watch::Sender<DeskView>,
    stopping: Arc<AtomicBool>,
    insertions: Insertions,
    /// The shortest way of reading that worked on each reader.
    rungs: HashMap<ReaderName, Rung>,
    /// Why the readers were out of sight at the last look, so that each reason is logged once.
    blind: Option<ReadersError>,
}

impl Worker {
    pub fn new(
        readers: Box<dyn Readers>,
        mailbox: Receiver<Job>,
        view: watch::Sender<DeskView>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        Self {
            readers,
            mailbox,
            view,
            stopping,
            insertions: Insertions::default(),
            rungs: HashMap::new(),
            blind: None,
        }
    }

    /// Runs until told to stop. A panic is reported and treated like a lost service: what was known is forgotten, and the
    /// work goes on, because a clinic without readers helps nobody.
    pub fn run(mut self) {
        while !self.stopping.load(Ordering::SeqCst) {
            if catch_unwind(AssertUnwindSafe(|| self.turn())).is_err() {
                tracing::error!("the card thread panicked; all readers are looked at anew");
                self.lose_sight();
                // The pause keeps a repeated panic from spinning. A job that comes meanwhile is refused by dropping it.
                drop(self.mailbox.recv_timeout(RETRY));
            }
        }
        self.lose_sight();
    }

    fn turn(&mut self) {
        let first = match self.look(LOOK) {
            Ok(()) => self.mailbox.try_recv().ok(),
            Err(_) => self.mailbox.recv_timeout(RETRY).ok(),
        };
        let mut next = first;
        while let Some(job) = next {
            self.perform(job);
            next = self.mailbox.try_recv().ok();
        }
    }

    /// Looks at the readers and publishes what changed.
    fn look(&mut self, timeout: Duration) -> Result<(), CardError> {
        match self.readers.wait(timeout) {
            Ok(observed) => {
                self.blind = None;
                let view = self.insertions.see(observed);
                self.rungs.retain(|name, _| view.state(name).is_some());
                self.publish(view);
                Ok(())
            }
            Err(error) => {
                if self.blind.replace(error) != Some(error) {
                    tracing::warn!(%error, "the readers are out of sight");
                }
                self.lose_sight();
                Err(error.into())
            }
        }
    }

    fn lose_sight(&mut self) {
        self.insertions.forget();
        self.rungs.clear();
        self.publish(DeskView::default());
    }

    fn publish(&self, view: DeskView) {
        self.view.send_if_modified(|current| {
            let changed = *current != view;
            *current = view;
            changed
        });
    }

    fn perform(&mut self, job: Job) {
        let card = &job.card;
        match job.work {
            Work::ReadCertificate { reply } => {
                let result = self.session(card, || reply.is_closed(), session::read_certificate);
                // A caller that has gone needs no answer.
                drop(reply.send(result));
            }
            Work::Sign { opening, challenge, reply } => {
                let result = self.session(
                    card,
                    || reply.is_closed(),
                    |connection, rung| session::open_and_sign(connection, rung, opening, &challenge),
                );
                drop(reply.send(result));
            }
        }
    }

    /// One session with this very card; the connection ends (and the card is powered off) before the result is known.
    ///
    /// The card is looked at before connecting, so that a foreign card is not even powered, and after: from then on the
    /// connection fails if the card leaves.
    fn session<T>(
        &mut self,
        card: &CardEvent,
        abandoned: impl Fn() -> bool,
        work: impl FnOnce(&mut dyn Transmit, &mut Rung) -> Result<T, CardError>,
    ) -> Result<T, CardError> {
        self.still_there(card)?;
        let mut connection = self.readers.connect(&card.reader)?;
        self.still_there(card)?;
        if abandoned() {
            return Err(CardError::Removed);
        }
        let rung = self.rungs.entry(card.reader.clone()).or_default();
        work(&mut *connection, rung)
    }

    fn still_there(&mut self, card: &CardEvent) -> Result<(), CardError> {
        self.look(Duration::ZERO)?;
        match self.view.borrow().state(&card.reader) {
            Some(ReaderState::Card(current)) if current == card => Ok(()),
            Some(ReaderState::Card(_) | ReaderState::Empty | ReaderState::Mute) => Err(CardError::Removed),
            Some(ReaderState::Unavailable) | None => Err(CardError::ReaderUnavailable),
        }
    }
}
