//! The task that drives one check from its first phase to its end.
//!
//! All of a check's secrets live in this task: the PIN comes in by a channel, moves into the one card session that
//! presents it, and is wiped on every other way out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::registry::Reservation;
use super::{CertificateView, ChecksParts, Facts, Input, Reply, Stand};
use crate::app::ports::{
    Answer, AuditEntry, CardError, CardEvent, Challenge, NewResult, Opening, Proof, ReaderState,
    SignedChallenge, Signing, UpstreamError,
};
use crate::app::results::request_id;
use crate::domain::certificate::CertificateFacts;
use crate::domain::check::{Course, Event, Failure, Method, NotNow, ResultId, Token};
use crate::domain::eligibility::Confirmation;
use crate::domain::personal::Pin;

/// How long a check waits for the PIN or for the card.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long staff may take to confirm the last PIN try; the card lies on the reader meanwhile.
const LAST_TRY_PATIENCE: Duration = Duration::from_mins(1);

/// How a check ends, other than with a result. Whoever cancelled is answered once the end is visible.
enum End {
    Failed(Failure),
    Cancelled(Option<Reply>),
    TimedOut,
}

impl From<CardError> for End {
    fn from(error: CardError) -> Self {
        Self::Failed(match error {
            CardError::ServiceUnavailable => Failure::CardServiceUnavailable,
            CardError::ServiceRefused => Failure::CardServiceRefused,
            CardError::ReaderUnavailable => Failure::ReaderUnavailable,
            CardError::InUse => Failure::CardInUse,
            CardError::Removed => Failure::CardRemoved,
            CardError::NotJpki => Failure::NotJpkiCard,
            CardError::WrongToken { found } => Failure::WrongToken { found },
            CardError::NotUnlocked => Failure::PhoneNotUnlocked,
            CardError::WrongPin { tries_left } => Failure::WrongPin { tries_left },
            CardError::PinLocked => Failure::PinLocked,
            CardError::Unusable { .. } => Failure::CardUnreadable,
        })
    }
}

impl From<UpstreamError> for End {
    fn from(error: UpstreamError) -> Self {
        Self::Failed(match error {
            UpstreamError::Unreachable => Failure::UpstreamUnreachable,
            UpstreamError::Timeout => Failure::UpstreamTimeout,
            UpstreamError::Refused { code } => Failure::UpstreamRefused { code },
            UpstreamError::ClientCertificate => Failure::ClientCertificate,
            UpstreamError::Malformed => Failure::UpstreamMalformed,
            UpstreamError::Maintenance => Failure::UpstreamMaintenance,
        })
    }
}

/// Drives a check to its end; dropping the reservation afterwards frees the reader.
pub(super) async fn run(
    parts: ChecksParts,
    facts: Arc<Facts>,
    course: Course,
    stand: watch::Sender<Stand>,
    inputs: mpsc::Receiver<Input>,
    reservation: Reservation,
) {
    let stopping = parts.tasks.stopping();
    let mut drive = Drive { parts, facts, course, stand, inputs, reservation, stopping };
    let (event, reply) = match drive.until_result().await {
        Ok(id) => (Event::Stored(id), None),
        Err(end) => drive.end(end).await,
    };
    let Drive { parts, facts, stand, reservation, .. } = drive;
    // The reader is free before anyone can see the end, so that the next check is never refused for this one.
    drop(reservation);
    let ended_at = parts.clock.now();
    publish(&facts, &stand, event, |stand| stand.ended_at = Some(ended_at));
    if let Some(reply) = reply {
        accept(reply);
    }
}

struct Drive {
    parts: ChecksParts,
    facts: Arc<Facts>,
    course: Course,
    stand: watch::Sender<Stand>,
    inputs: mpsc::Receiver<Input>,
    reservation: Reservation,
    stopping: CancellationToken,
}

impl Drive {
    async fn until_result(&mut self) -> Result<ResultId, End> {
        let (card, proof, facts) = match self.course {
            Course::Unsigned => {
                let card = self.wait_for_card(None).await?;
                self.step(Event::CardPresented);
                let certificate = self.parts.desk.read_certificate(&card).await?;
                let facts = certificate.facts;
                (card, Proof::Visual(certificate), facts)
            }
            Course::WithoutPin => {
                let challenge = self.fetch_challenge().await?;
                self.step(Event::ChallengeReady { pin_needed: false });
                let card = self.wait_for_card(None).await?;
                self.step(Event::CardPresented);
                let signed = self.sign_without_pin(&card, &challenge).await?;
                let facts = signed.facts;
                (card, Proof::Signed { challenge_id: challenge.id, signed }, facts)
            }
            Course::WithPin => {
                let challenge = self.fetch_challenge().await?;
                self.step(Event::ChallengeReady { pin_needed: true });
                let (card, signed) = self.sign_with_pin(&challenge).await?;
                let facts = signed.facts;
                (card, Proof::Signed { challenge_id: challenge.id, signed }, facts)
            }
        };
        // Whatever was pressed while the card was being read counts before anything leaves the building.
        self.take_cancel()?;
        self.show(facts);
        let confirmation = self.ask(&proof).await?;
        let id = self.store(confirmation).await?;
        self.reservation.mark_served(&card);
        Ok(id)
    }

    async fn sign_without_pin(
        &self,
        card: &CardEvent,
        challenge: &Challenge,
    ) -> Result<SignedChallenge, End> {
        let opening = match (self.facts.method, &self.parts.terminal_authentication) {
            (Method::Visual, Some(terminal)) => Opening::Terminal(terminal.clone()),
            (Method::Iphone, _) => Opening::Iphone,
            (Method::Visual | Method::CardPin | Method::AndroidPin, _) => {
                return Err(End::Failed(Failure::VisualNeedsTerminalMaterial));
            }
        };
        match self.parts.desk.open_and_sign(card, opening, &challenge.bytes).await? {
            Signing::Signed(signed) => Ok(signed),
            // There is no PIN that it could come back with.
            Signing::OneTryLeft(_) => Err(End::Failed(Failure::CardUnreadable)),
        }
    }

    async fn sign_with_pin(&mut self, challenge: &Challenge) -> Result<(CardEvent, SignedChallenge), End> {
        let (mut pin, entered) = self.wait_for_pin().await?;
        let lying = self.lying_card();
        self.step(Event::PinEntered);
        accept(entered);
        let card = self.wait_for_card(lying).await?;
        self.step(Event::CardPresented);
        let mut last_try_confirmed = false;
        loop {
            let opening = match self.facts.method.token() {
                Token::Android => Opening::AndroidPin { pin, last_try_confirmed },
                Token::Plastic | Token::Iphone => Opening::CardPin { pin, last_try_confirmed },
            };
            match self.parts.desk.open_and_sign(&card, opening, &challenge.bytes).await? {
                Signing::Signed(signed) => return Ok((card, signed)),
                Signing::OneTryLeft(back) => {
                    pin = back;
                    self.step(Event::OneTryLeft);
                    let reply = self.wait_for_last_try(&card).await?;
                    last_try_confirmed = true;
                    self.step(Event::LastTryConfirmed);
                    accept(reply);
                }
            }
        }
    }

    /// Moves on with what the certificate says; the central system decides what it is worth.
    fn show(&self, facts: CertificateFacts) {
        let token = self.facts.method.token();
        let view = CertificateView {
            not_after: facts.not_after,
            standing: facts.standing(token, self.parts.clock.now()),
            issuer: facts.issuer,
            token,
        };
        publish(&self.facts, &self.stand, Event::CardRead, |stand| stand.certificate = Some(view));
    }

    async fn fetch_challenge(&mut self) -> Result<Challenge, End> {
        let request = request_id(&*self.parts.random);
        let central = self.parts.central.clone();
        let fetch = central.challenge(&request);
        tokio::pin!(fetch);
        loop {
            tokio::select! {
                answer = &mut fetch => return Ok(answer?),
                input = self.inputs.recv() => refuse_or_cancel(input)?,
                () = self.stopping.cancelled() => return Err(End::Cancelled(None)),
            }
        }
    }

    async fn wait_for_pin(&mut self) -> Result<(Pin, Reply), End> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            tokio::select! {
                input = self.inputs.recv() => match input {
                    Some(Input::Pin(pin, reply)) => return Ok((pin, reply)),
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
    async fn wait_for_card(&mut self, bound: Option<CardEvent>) -> Result<CardEvent, End> {
        let deadline = Instant::now() + PATIENCE;
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

    async fn wait_for_last_try(&mut self, card: &CardEvent) -> Result<Reply, End> {
        let deadline = Instant::now() + LAST_TRY_PATIENCE;
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

    fn take_cancel(&mut self) -> Result<(), End> {
        while let Ok(input) = self.inputs.try_recv() {
            refuse_or_cancel(Some(input))?;
        }
        Ok(())
    }

    /// Asks the central system. Not interrupted: its answer may already be on record there.
    async fn ask(&mut self, proof: &Proof) -> Result<Confirmation, End> {
        let request = request_id(&*self.parts.random);
        match self.parts.central.confirm(&request, proof).await? {
            Answer::Confirmed(confirmation) => Ok(confirmation),
            Answer::NotRegistered => Err(End::Failed(Failure::NotRegistered)),
            Answer::CertificateExpired => Err(End::Failed(Failure::CertificateExpired)),
        }
    }

    async fn store(&self, confirmation: Confirmation) -> Result<ResultId, End> {
        let result = NewResult {
            check_id: self.facts.id.clone(),
            terminal: self.facts.terminal.clone(),
            method: self.facts.method,
            origin: self.parts.origin,
            confirmation,
        };
        self.parts.store.insert(&result, &self.audit("ok")).await.map_err(|error| {
            tracing::error!(check = %self.facts.id, %error, "a result could not be stored");
            End::Failed(Failure::NotStored)
        })
    }

    async fn end(&self, end: End) -> (Event, Option<Reply>) {
        let (event, outcome, reply) = match end {
            End::Failed(failure) => {
                let failure = failure.on(self.facts.method.token());
                let code = failure.code();
                (Event::Fail(failure), code, None)
            }
            End::Cancelled(reply) => (Event::Cancel, "cancelled", reply),
            End::TimedOut => (Event::Expire, "timed_out", None),
        };
        tracing::info!(check = %self.facts.id, outcome, "check ended without a result");
        if let Err(error) = self.parts.audit.append(&self.audit(outcome)).await {
            tracing::error!(check = %self.facts.id, %error, "a check's end could not be recorded");
        }
        (event, reply)
    }

    fn audit(&self, outcome: &str) -> AuditEntry {
        AuditEntry {
            actor: self.facts.owner.clone(),
            action: "check.end",
            source: self.facts.source,
            terminal: Some(self.facts.terminal.clone()),
            results: Vec::new(),
            outcome: outcome.to_owned(),
        }
    }

    fn step(&self, event: Event) {
        publish(&self.facts, &self.stand, event, |_| {});
    }
}

/// Moves the check on and lets everyone who waits for it know; what else changes with it is seen at the same instant.
fn publish(facts: &Facts, stand: &watch::Sender<Stand>, event: Event, along: impl FnOnce(&mut Stand)) {
    stand.send_if_modified(|stand| {
        if let Ok(next) = stand.phase.after(event) {
            stand.phase = next;
            stand.revision += 1;
            along(stand);
            true
        } else {
            tracing::error!(check = %facts.id, phase = ?stand.phase, "an event did not fit the phase");
            false
        }
    });
}

fn accept(reply: Reply) {
    // The caller may have gone away; the input counts all the same.
    let _ = reply.send(Ok(()));
}

/// Handles an input the phase does not wait for: a cancellation ends the check, anything else is refused.
fn refuse_or_cancel(input: Option<Input>) -> Result<(), End> {
    match input {
        Some(Input::Cancel(reply)) => Err(End::Cancelled(Some(reply))),
        Some(Input::Pin(_, reply) | Input::ConfirmLastTry(reply)) => {
            let _ = reply.send(Err(NotNow));
            Ok(())
        }
        None => Err(End::Cancelled(None)),
    }
}
