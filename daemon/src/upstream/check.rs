//! [`CardCheck`]: challenge, confirmation and card-use registration, as the official app does them. The message forms are
//! an assumption.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::{Repeat, Upstream, wire};
use crate::app::ports::{
    Answer, CardCheck, CardUseRegistration, Challenge, Proof, RegistrationError, RequestId, UpstreamError,
};
use crate::domain::eligibility::Confirmation;

#[async_trait]
impl CardCheck for Upstream {
    fn accepts_unsigned_visual(&self) -> bool {
        self.accepts_unsigned_visual
    }

    async fn challenge(&self, request: &RequestId) -> Result<Challenge, UpstreamError> {
        let correlation = self.correlation(request);
        self.within("challenge", request, self.timeouts.total(), async |deadline| {
            let url = &self.endpoints.challenge;
            let body = wire::challenge(correlation);
            self.ask_with(Repeat::Safe, url, correlation, deadline, body, |bytes| {
                wire::read_challenge(bytes, correlation)
            })
            .await
        })
        .await
    }

    async fn confirm(&self, request: &RequestId, proof: &Proof) -> Result<Answer, UpstreamError> {
        let correlation = self.correlation(request);
        self.within("confirm", request, self.timeouts.total(), async |deadline| {
            let url = &self.endpoints.confirm;
            self.ask(url, correlation, deadline, wire::confirm(correlation, proof), |bytes| {
                wire::read_confirmation(bytes, correlation)
            })
            .await
        })
        .await
    }

    async fn register_card_use(
        &self,
        request: &RequestId,
        registration: &CardUseRegistration,
    ) -> Result<Confirmation, RegistrationError> {
        let correlation = self.correlation(request);
        let sent = AtomicBool::new(false);
        let limit = self.timeouts.registration();
        let outcome = self
            .within("card-use registration", request, limit, async |deadline| {
                // Signed in beforehand: what follows is sent once, and a refused token is reported, not replaced.
                self.session.ticket(correlation, deadline).await?;
                sent.store(true, Ordering::Relaxed);
                let url = &self.endpoints.card_use_registration;
                let body = wire::card_use_registration(correlation, registration);
                self.ask_with(Repeat::Never, url, correlation, deadline, body, |bytes| {
                    wire::read_card_use_registration(bytes, correlation)
                })
                .await
            })
            .await;
        outcome.map_err(|error| {
            if sent.into_inner() { after_sending(error) } else { RegistrationError::NotDone(error) }
        })
    }
}

/// What a failure says about a registration that was on its way.
fn after_sending(error: UpstreamError) -> RegistrationError {
    match error {
        // A server or gateway that failed without a word of its own may have passed the request on.
        UpstreamError::Refused { code } if code.starts_with("HTTP-5") => RegistrationError::Unknown,
        UpstreamError::Timeout | UpstreamError::Malformed => RegistrationError::Unknown,
        UpstreamError::Unreachable
        | UpstreamError::ClientCertificate
        | UpstreamError::Renegotiation
        | UpstreamError::Maintenance
        | UpstreamError::SignInRefused { .. }
        | UpstreamError::Refused { .. } => RegistrationError::NotDone(error),
    }
}
