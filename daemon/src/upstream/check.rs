//! [`CardCheck`]: challenge and confirmation, as the official app does them. The message forms are an assumption.

use async_trait::async_trait;

use super::{Repeat, Upstream, wire};
use crate::app::ports::{Answer, CardCheck, Challenge, Proof, RequestId, UpstreamError};

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
}
