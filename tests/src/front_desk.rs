//! The daemon's desk over the real PC/SC, as the daemon starts it: for tests and figures inside a [`crate::lane`].

#![expect(clippy::expect_used, reason = "a desk that does not work ends its test with the reason")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use daemon::app::ports::{
    CardDesk as _, CardError, CardEvent, Clock as _, DeskView, ReaderName, ReaderState, Signing,
};
use daemon::card::desk::Desk;
use daemon::card::pcsc::{Contexts, PcscReaders};
use daemon::domain::personal::Pin;
use daemon::system::SystemClock;

use crate::card::SimCard;
use crate::personas::Personas;
use crate::pki::CardPki;

/// What every session signs.
pub const CHALLENGE: &[u8] = b"a challenge of the central system";

/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The card of a persona, as issued today.
pub fn card_of(persona: &str) -> SimCard {
    let persona = Personas::builtin().by_name(persona).expect("a built-in persona");
    SimCard::for_persona(persona, &CardPki::new(), SystemClock.now())
}

/// A desk and what it uses of PC/SC.
pub struct FrontDesk {
    /// The desk.
    pub desk: Desk,
    /// Its contexts.
    pub contexts: Arc<Contexts>,
}

impl FrontDesk {
    /// Starts it.
    pub fn open() -> Self {
        let readers = PcscReaders::new().expect("a thread");
        let contexts = readers.contexts();
        Self { desk: Desk::start(Box::new(readers)).expect("threads"), contexts }
    }

    /// Waits until the desk shows what is wanted.
    ///
    /// # Panics
    /// It does not after a while; the message holds what it shows, and pcscd's log.
    pub async fn shows(&self, wanted: impl Fn(&DeskView) -> bool) -> DeskView {
        let mut view = self.desk.watch();
        let seen = tokio::time::timeout(PATIENCE, view.wait_for(|view| wanted(view))).await;
        let seen = seen.ok().map(|seen| seen.expect("the desk runs").clone());
        seen.unwrap_or_else(|| {
            let shown = self.desk.watch().borrow().clone();
            panic!("not shown in time; the desk shows {shown:?}\npcscd says:\n{}", crate::lane::log())
        })
    }

    /// Waits for a card on a reader, another one than `before`.
    pub async fn card(&self, reader: &str, before: Option<&CardEvent>) -> CardEvent {
        let is_new = |view: &DeskView| card_on(view, reader).is_some_and(|card| Some(&card) != before);
        card_on(&self.shows(is_new).await, reader).expect("just seen")
    }

    /// Waits until a reader is empty.
    pub async fn empty(&self, reader: &str) {
        let name = ReaderName(reader.to_owned());
        self.shows(|view| view.state(&name) == Some(&ReaderState::Empty)).await;
    }

    /// A whole session with a PIN.
    pub async fn sign(&self, card: &CardEvent, pin: &str) -> Result<Signing, CardError> {
        let pin = Pin::parse(pin).map_err(|_| "four digits").expect("a PIN");
        self.desk.sign(card, pin, CHALLENGE, false).await
    }

    /// Waits for a card other than `before` and makes it sign; returns it.
    ///
    /// # Panics
    /// It does not sign for this persona.
    pub async fn serves(&self, reader: &str, before: Option<&CardEvent>, persona: &str) -> CardEvent {
        let card = self.card(reader, before).await;
        let signed = self.sign(&card, "1234").await;
        assert!(signed.is_ok(), "{card:?} did not sign: {signed:?}\npcscd says:\n{}", crate::lane::log());
        assert_signed_by(signed, persona);
        card
    }

    /// Waits for a card other than `before` that lies still long enough to sign; returns it. A card that left meanwhile
    /// must have been seen to leave.
    ///
    /// # Panics
    /// None does in time.
    pub async fn serves_once_still(&self, reader: &str, before: &CardEvent, persona: &str) -> CardEvent {
        let mut before = before.clone();
        loop {
            let card = self.card(reader, Some(&before)).await;
            match self.sign(&card, "1234").await {
                Err(CardError::Removed) => before = card,
                signed => {
                    assert_signed_by(signed, persona);
                    return card;
                }
            }
        }
    }
}

/// The card on a reader.
pub fn card_on(view: &DeskView, reader: &str) -> Option<CardEvent> {
    match view.state(&ReaderName(reader.to_owned())) {
        Some(ReaderState::Card(card)) => Some(card.clone()),
        _ => None,
    }
}

/// Checks that the central system would accept a signature, and from whom it is.
#[track_caller]
pub fn assert_signed_by(result: Result<Signing, CardError>, persona: &str) {
    let Ok(Signing::Signed(signed)) = result else { panic!("not signed: {result:?}") };
    let pki = CardPki::new();
    let holder =
        pki.verify(&signed.certificate, CHALLENGE, &signed.signature).expect("a signature by a known card");
    assert_eq!(pki.persona_of_subject_cn(&holder.subject_cn), Some(persona));
}

/// The open descriptors and the threads of this process: `(descriptors, threads)`.
pub fn descriptors_and_threads() -> (usize, usize) {
    let count = |directory: &str| fs::read_dir(directory).expect("/proc").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Waits until this process has no more descriptors and threads than before: an interruption of a wait (a connection of its
/// own to pcscd) may still be under way. It may have been when they were counted, too.
///
/// # Panics
/// It never has: something was left behind.
pub async fn nothing_is_left_behind(before: (usize, usize)) {
    let settled = async {
        let more = |now: (usize, usize)| now.0 > before.0 || now.1 > before.1;
        while more(descriptors_and_threads()) {
            tokio::task::yield_now().await;
        }
    };
    let now = descriptors_and_threads;
    let settled = tokio::time::timeout(PATIENCE, settled).await;
    settled.unwrap_or_else(|_| panic!("(descriptors, threads) were {before:?} and are {:?}", now()));
}
