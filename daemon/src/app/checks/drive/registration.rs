//! Card-use registration (健康保険証利用登録) inside a check: offered, consented to, sent once (manual chapter 2,
//! 利用登録が未実施の場合).
//!
//! The order is what matters: the consent is on record before anything is sent, and whatever becomes of the request is
//! on record before anyone sees it. Nothing here is ever sent twice.

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Drive, End, accept, refuse_or_cancel};
use crate::app::checks::{Input, InputError};
use crate::app::ports::{
    CardUseRegistration, RegistrationError, RegistrationTicket, StoreError, UpstreamError,
};
use crate::app::results::request_id;
use crate::domain::admission::{Consent, ConsentedBy};
use crate::domain::check::{Event, Failure};
use crate::domain::eligibility::Confirmation;
use crate::domain::maintenance::registration_closed;

impl Drive {
    /// The card is not registered: offers to register it, if that can be done here and now. A phone's owner does it in
    /// マイナポータル.
    pub(super) async fn offer_registration(
        &mut self,
        ticket: Option<RegistrationTicket>,
    ) -> Result<Confirmation, End> {
        let ticket = ticket.filter(|_| !self.facts.method.token().is_phone());
        let ticket = ticket.ok_or(End::Failed(Failure::NotRegistered))?;
        if self.registration_closed() {
            return Err(End::Failed(Failure::RegistrationClosed));
        }
        self.step(Event::RegistrationOffered);
        let consented_at = self.wait_for_consent().await?;
        let registered = self.register(&CardUseRegistration { ticket, consented_at }).await;
        let outcome = match &registered {
            Ok(_) => "ok",
            Err(failure) => failure.code(),
        };
        let recorded = self.parts.audit.append(&self.audit("check.registration", outcome)).await;
        if let Err(error) = &recorded {
            tracing::error!(check = %self.facts.id, %error, "a registration's outcome could not be recorded");
        }
        // The card is registered all the same: the next read works.
        recorded.map_err(|_| Failure::NotStored).and(registered).map_err(End::Failed)
    }

    fn registration_closed(&self) -> bool {
        registration_closed(self.parts.clock.now(), &self.parts.maintenance.windows())
    }

    /// Waits for the decision and moves on once a consent is on record; returns when it was given.
    async fn wait_for_consent(&mut self) -> Result<Timestamp, End> {
        let deadline = Instant::now() + self.parts.patience.consent;
        loop {
            let (consent, reply) = tokio::select! {
                input = self.inputs.recv() => match input {
                    Some(Input::Consent(consent, reply)) => (consent, reply),
                    other => {
                        refuse_or_cancel(other)?;
                        continue;
                    }
                },
                () = tokio::time::sleep_until(deadline) => return Err(End::TimedOut),
                () = self.stopping.cancelled() => return Err(End::Cancelled(None)),
            };
            let consented_at = self.parts.clock.now();
            if let Err(error) = self.record(consent).await {
                tracing::error!(check = %self.facts.id, %error, "a consent could not be recorded");
                // Nobody may be waiting any more. Nothing was sent; the decision can be given again.
                let _ = reply.send(Err(InputError::Store(error)));
                continue;
            }
            if consent == Consent::Declined {
                return Err(End::FailedBy(Failure::NotRegistered, reply));
            }
            // It may have been offered a minute before three o'clock.
            if self.registration_closed() {
                return Err(End::FailedBy(Failure::RegistrationClosed, reply));
            }
            // Whatever was pressed while the consent was being recorded counts before anything leaves the building.
            self.take_cancel()?;
            self.step(Event::ConsentRecorded);
            accept(reply);
            return Ok(consented_at);
        }
    }

    async fn record(&self, consent: Consent) -> Result<(), StoreError> {
        let outcome = match consent {
            Consent::Given(ConsentedBy::Patient) => "patient",
            Consent::Given(ConsentedBy::LegalRepresentative) => "legal_representative",
            Consent::Declined => "declined",
        };
        self.parts.audit.append(&self.audit("check.registration_consent", outcome)).await
    }

    /// Sends the registration, once. Nobody can interrupt it; a daemon that stops does not wait for the answer.
    async fn register(&mut self, registration: &CardUseRegistration) -> Result<Confirmation, Failure> {
        let request = request_id(&*self.parts.random);
        let central = self.parts.central.clone();
        let answer = central.register_card_use(&request, registration);
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer.map_err(Failure::from),
                Some(input) = self.inputs.recv() => refuse(input),
                () = self.stopping.cancelled() => return Err(Failure::RegistrationPending),
            }
        }
    }
}

impl From<RegistrationError> for Failure {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Unknown => Self::RegistrationPending,
            RegistrationError::NotDone(UpstreamError::Maintenance) => Self::RegistrationClosed,
            RegistrationError::NotDone(error) => error.into(),
        }
    }
}

/// Answers at once that it is too late.
fn refuse(input: Input) {
    let (Input::Pin(_, reply)
    | Input::ConfirmLastTry(reply)
    | Input::Consent(_, reply)
    | Input::Cancel(reply)) = input;
    let _ = reply.send(Err(InputError::WrongPhase));
}
