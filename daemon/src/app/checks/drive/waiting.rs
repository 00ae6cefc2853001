//! What a check waits for: the challenge, the PIN, the card, the word that the last PIN try may be used.

use tokio::time::Instant;

use super::{Drive, End, accept, refuse_or_cancel};
use crate::app::checks::{Input, Reply};
use crate::app::ports::{CardEvent, Challenge, ReaderState};
use crate::app::results::request_id;
use crate::domain::check::{Course, Event, Failure};
use crate::domain::personal::Pin;

/// A PIN, and the card it is for: the one that lay on the reader when it was entered, or the first that came since.
pub(super) struct Entered {
    pub(super) pin: Pin,
    pub(super) card: Option<CardEvent>,
}

impl Drive {
    /// The challenge, and the PIN if it was entered meanwhile. Nobody has to wait for the network with the keys in hand.
    pub(super) async fn fetch_challenge(&mut self) -> Result<(Challenge, Option<Entered>), End> {
        let request = request_id(&*self.parts.random);
        let central = self.parts.central.clone();
        let fetch = central.challenge(&request);
        tokio::pin!(fetch);
        let mut desk = self.parts.desk.watch();
        let mut entered = None;
        loop {
            desk.borrow_and_update();
            if let Some(entered) = &mut entered {
                self.bind(entered)?;
            }
            tokio::select! {
                answer = &mut fetch => return Ok((answer?, entered)),
                changed = desk.changed(), if entered.is_some() => {
                    changed.map_err(|_| End::Failed(Failure::CardServiceUnavailable))?;
                }
                input = self.inputs.recv() => match input {
                    Some(Input::Pin(pin, reply)) if self.course == Course::WithPin && entered.is_none() => {
                        entered = Some(Entered { pin, card: self.lying_card() });
                        accept(reply);
                    }
                    other => refuse_or_cancel(other)?,
                },
                () = self.stopping.cancelled() => return Err(End::Cancelled(None)),
            }
        }
    }

    /// Binds a PIN to the first card that lies there from its entry on; that card leaving ends the check.
    fn bind(&self, entered: &mut Entered) -> Result<(), End> {
        let lying = self.lying_card();
        if entered.card.is_none() {
            entered.card = lying;
        } else if entered.card != lying {
            return Err(End::Failed(Failure::CardRemoved));
        }
        Ok(())
    }

    pub(super) async fn wait_for_pin(&mut self) -> Result<Entered, End> {
        let deadline = Instant::now() + self.parts.patience.pin_or_card;
        loop {
            tokio::select! {
                input = self.inputs.recv() => match input {
                    Some(Input::Pin(pin, reply)) => {
                        let entered = Entered { pin, card: self.lying_card() };
                        self.step(Event::PinEntered);
                        accept(reply);
                        return Ok(entered);
                    }
                    other => refuse_or_cancel(other)?,
                },
                () = tokio::time::sleep_until(deadline) => return Err(End::TimedOut),
                () = self.stopping.cancelled() => return Err(End::Cancelled(None)),
            }
        }
    }

    /// The card that lies on the reader now, unless it already gave a result.
    fn lying_card(&self) -> Option<CardEvent> {
        let view = self.parts.desk.watch();
        let state = view.borrow().state(&self.facts.reader).cloned();
        match state {
            Some(ReaderState::Card(card)) if !self.reservation.was_served(&card) => Some(card),
            Some(
                ReaderState::Card(_) | ReaderState::Empty | ReaderState::Mute | ReaderState::Unavailable,
            )
            | None => None,
        }
    }

    /// The card this check works with. Once a PIN is entered, `bound` is the card that lay there: it and no other.
    pub(super) async fn wait_for_card(&mut self, bound: Option<CardEvent>) -> Result<CardEvent, End> {
        let deadline = Instant::now() + self.parts.patience.pin_or_card;
        let mut desk = self.parts.desk.watch();
        loop {
            desk.borrow_and_update();
            match (self.lying_card(), &bound) {
                (Some(card), None) => return Ok(card),
                (Some(card), Some(bound)) if card == *bound => return Ok(card),
                (_, Some(_)) => return Err(End::Failed(Failure::CardRemoved)),
                (None, None) => {}
            }
            tokio::select! {
                changed = desk.changed() => {
                    changed.map_err(|_| End::Failed(Failure::CardServiceUnavailable))?;
                }
                input = self.inputs.recv() => refuse_or_cancel(input)?,
                () = tokio::time::sleep_until(deadline) => return Err(End::TimedOut),
                () = self.stopping.cancelled() => return Err(End::Cancelled(None)),
            }
        }
    }

    pub(super) async fn wait_for_last_try(&mut self, card: &CardEvent) -> Result<Reply, End> {
        let deadline = Instant::now() + self.parts.patience.last_try;
        let mut desk = self.parts.desk.watch();
        loop {
            desk.borrow_and_update();
            if self.lying_card().as_ref() != Some(card) {
                return Err(End::Failed(Failure::CardRemoved));
            }
            tokio::select! {
                changed = desk.changed() => {
                    changed.map_err(|_| End::Failed(Failure::CardServiceUnavailable))?;
                }
                input = self.inputs.recv() => match input {
                    Some(Input::ConfirmLastTry(reply)) => return Ok(reply),
                    other => refuse_or_cancel(other)?,
                },
                () = tokio::time::sleep_until(deadline) => return Err(End::TimedOut),
                () = self.stopping.cancelled() => return Err(End::Cancelled(None)),
            }
        }
    }
}
