//! The task that drives one check from its first phase to its end.
//!
//! All of a check's secrets live in this task: the PIN comes in by a channel, moves into the one card session that
//! presents it, and is wiped on every other way out.

mod registration;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::waiting::Entered;
use super::registry::Reservation;
use super::{CertificateView, ChecksParts, Facts, Input, InputError, Reply, Stand};
use crate::app::ports::{
    Answer, AuditEntry, CardError, CardEvent, Challenge, NewResult, Opening, Proof, SignedChallenge, Signing,
    Source, UpstreamError,
};
use crate::app::results::request_id;
use crate::app::tally::Step;
use crate::domain::certificate::CertificateFacts;
use crate::domain::check::{Course, Event, Failure, Method, ResultId, Token};
use crate::domain::eligibility::Confirmation;

/// How long a daemon that stops waits for the central system's word on a check. With what follows it stays within the five seconds
/// after which a service manager may lose its patience.
const ANSWER_AFTER_STOP: Duration = Duration::from_secs(3);

/// How a check ends, other than with a result. Whoever ended it by an input is answered once the end is visible.
enum End {
    Failed(Failure),
    FailedBy(Failure, Reply),
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

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Unreachable => Self::UpstreamUnreachable,
            UpstreamError::Timeout => Self::UpstreamTimeout,
            UpstreamError::Refused { code } | UpstreamError::SignInRefused { code } => {
                Self::UpstreamRefused { code }
            }
            UpstreamError::ClientCertificate => Self::ClientCertificate,
            UpstreamError::Renegotiation => Self::UpstreamRenegotiation,
            UpstreamError::Malformed => Self::UpstreamMalformed,
            UpstreamError::Maintenance => Self::UpstreamMaintenance,
        }
    }
}

impl From<UpstreamError> for End {
    fn from(error: UpstreamError) -> Self {
        Self::Failed(error.into())
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
        Ok(id) => {
            drive.parts.tally.check(drive.facts.method, "ok");
            (Event::Stored(id), None)
        }
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
                let reading = self.parts.desk.read_certificate(&card);
                let certificate = self.timed(Step::Card, reading).await?;
                let facts = certificate.facts;
                (card, Proof::Visual(certificate), facts)
            }
            Course::WithoutPin => {
                let (challenge, _) = self.fetch_challenge().await?;
                self.step(Event::ChallengeReady { pin_needed: false });
                let card = self.wait_for_card(None).await?;
                self.step(Event::CardPresented);
                let signed = self.sign_without_pin(&card, &challenge).await?;
                let facts = signed.facts;
                (card, Proof::Signed { challenge_id: challenge.id, signed }, facts)
            }
            Course::WithPin => {
                let (challenge, entered) = self.fetch_challenge().await?;
                self.step(Event::ChallengeReady { pin_needed: entered.is_none() });
                let (card, signed) = self.sign_with_pin(&challenge, entered).await?;
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
        let signing = self.parts.desk.open_and_sign(card, opening, &challenge.bytes);
        match self.timed(Step::Card, signing).await? {
            Signing::Signed(signed) => Ok(signed),
            // There is no PIN that it could come back with.
            Signing::OneTryLeft(_) => Err(End::Failed(Failure::CardUnreadable)),
        }
    }

    async fn sign_with_pin(
        &mut self,
        challenge: &Challenge,
        entered: Option<Entered>,
    ) -> Result<(CardEvent, SignedChallenge), End> {
        let Entered { mut pin, card } = match entered {
            Some(entered) => entered,
            None => self.wait_for_pin().await?,
        };
        let card = self.wait_for_card(card).await?;
        self.step(Event::CardPresented);
        let mut last_try_confirmed = false;
        loop {
            let opening = match self.facts.method.token() {
                Token::Android => Opening::AndroidPin { pin, last_try_confirmed },
                Token::Plastic | Token::Iphone => Opening::CardPin { pin, last_try_confirmed },
            };
            let signing = self.parts.desk.open_and_sign(&card, opening, &challenge.bytes);
            match self.timed(Step::Card, signing).await? {
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

    fn take_cancel(&mut self) -> Result<(), End> {
        while let Ok(input) = self.inputs.try_recv() {
            refuse_or_cancel(Some(input))?;
        }
        Ok(())
    }

    /// Asks the central system. Nobody interrupts it, because its answer may already be on record there; a daemon that stops waits a
    /// little for it. What does not come in time comes with the next collection.
    async fn ask(&mut self, proof: &Proof) -> Result<Confirmation, End> {
        let request = request_id(&*self.parts.random);
        let asking = self.timed(Step::Upstream, self.parts.central.confirm(&request, proof));
        let answer = tokio::select! {
            answer = asking => answer,
            () = self.stopped_for(ANSWER_AFTER_STOP) => Err(UpstreamError::Timeout),
        };
        match answer? {
            Answer::Confirmed(confirmation) => Ok(confirmation),
            Answer::NotRegistered { ticket } => self.offer_registration(ticket).await,
            Answer::CertificateExpired => Err(End::Failed(Failure::CertificateExpired)),
        }
    }

    async fn stopped_for(&self, patience: Duration) {
        self.stopping.cancelled().await;
        tokio::time::sleep(patience).await;
    }

    async fn store(&self, confirmation: Confirmation) -> Result<ResultId, End> {
        let result = NewResult {
            source: Source::Own { check_id: self.facts.id.clone(), method: self.facts.method },
            terminal: self.facts.terminal.clone(),
            origin: self.parts.origin,
            confirmation,
        };
        let audit = self.audit("check.end", "ok");
        let inserting = self.parts.store.insert(&result, &audit);
        self.timed(Step::Store, inserting).await.map_err(|error| {
            tracing::error!(check = %self.facts.id, %error, "a result could not be stored");
            End::Failed(Failure::NotStored)
        })
    }

    async fn end(&self, end: End) -> (Event, Option<Reply>) {
        let failed = |failure: Failure, reply| {
            let failure = failure.on(self.facts.method.token());
            let code = failure.code();
            (Event::Fail(failure), code, reply)
        };
        let (event, outcome, reply) = match end {
            End::Failed(failure) => failed(failure, None),
            End::FailedBy(failure, reply) => failed(failure, Some(reply)),
            End::Cancelled(reply) => (Event::Cancel, "cancelled", reply),
            End::TimedOut => (Event::Expire, "timed_out", None),
        };
        self.parts.tally.check(self.facts.method, outcome);
        tracing::info!(check = %self.facts.id, outcome, "check ended without a result");
        if let Err(error) = self.parts.audit.append(&self.audit("check.end", outcome)).await {
            tracing::error!(check = %self.facts.id, %error, "a check's end could not be recorded");
        }
        (event, reply)
    }

    /// Does the work and takes its time, however it ends.
    async fn timed<T>(&self, step: Step, work: impl Future<Output = T>) -> T {
        let begun = self.parts.clock.steady();
        let outcome = work.await;
        self.parts.tally.step(step, self.parts.clock.steady().saturating_sub(begun));
        outcome
    }

    fn audit(&self, action: &'static str, outcome: &str) -> AuditEntry {
        AuditEntry {
            actor: self.facts.owner.clone(),
            action,
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
        Some(Input::Pin(_, reply) | Input::ConfirmLastTry(reply) | Input::Consent(_, reply)) => {
            let _ = reply.send(Err(InputError::WrongPhase));
            Ok(())
        }
        None => Err(End::Cancelled(None)),
    }
}
