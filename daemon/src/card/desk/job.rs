//! What a caller wants done with one very card, and who may still do it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::app::ports::{CardCertificate, CardError, CardEvent, Opening, Signing};

/// Where a result goes. Closed when the caller has given up.
pub type Reply<T> = oneshot::Sender<Result<T, CardError>>;

/// What to do with a card.
pub enum Work {
    ReadCertificate { reply: Reply<CardCertificate> },
    Sign { opening: Opening, challenge: Vec<u8>, reply: Reply<Signing> },
}

impl Work {
    /// Answers that it was not done. A caller that has gone needs no answer.
    pub fn refuse(self, error: CardError) {
        match self {
            Self::ReadCertificate { reply } => drop(reply.send(Err(error))),
            Self::Sign { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Work that can be taken once: by the line that is about to talk to the card, or by the caller who gives up. So nobody's
/// PIN is presented for a check that has ended, and it is wiped at once even if a line hangs.
#[derive(Clone)]
pub struct Claim(Arc<Mutex<Option<Work>>>);

impl Claim {
    pub fn new(work: Work) -> Self {
        Self(Arc::new(Mutex::new(Some(work))))
    }

    /// The work, if nobody took it before.
    pub fn take(&self) -> Option<Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether this is the same work.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether it was taken.
    pub fn is_taken(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// The caller's hold on its work: dropping it (the check ended) withdraws the work.
pub struct Withdraw(pub Claim);

impl Drop for Withdraw {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// Work for one very card.
pub struct Job {
    pub card: CardEvent,
    pub claim: Claim,
}
