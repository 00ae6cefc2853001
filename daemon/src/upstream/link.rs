//! [`ReceiptLink`]: the receipt computer link (レセコン連携機能, manual chapter 2).

use std::collections::HashSet;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::time::Instant;

use super::Upstream;
use super::wire::{self, Correlation};
use crate::app::ports::{LinkedResult, ReceiptLink, RequestId, UpstreamError};
use crate::domain::announcement::Announcement;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};

/// More pages than any facility fills in two months; a central system that never stops is not followed.
const MOST_PAGES: usize = 1_000;

#[async_trait]
impl ReceiptLink for Upstream {
    async fn results(
        &self,
        request: &RequestId,
        from: Date,
        to: Date,
    ) -> Result<Vec<LinkedResult>, UpstreamError> {
        let correlation = self.correlation(request);
        self.within("results", request, self.timeouts.results(), async |deadline| {
            self.all_pages(correlation, deadline, from, to).await
        })
        .await
    }

    async fn announcements(&self, request: &RequestId) -> Result<Vec<Announcement>, UpstreamError> {
        let correlation = self.correlation(request);
        self.within("announcements", request, self.timeouts.total(), async |deadline| {
            let url = &self.transport.endpoints().announcements;
            let body = wire::announcements(correlation);
            self.ask(url, correlation, deadline, body, |bytes| wire::read_announcements(bytes, correlation))
                .await
        })
        .await
    }

    async fn set_inquiry_number(
        &self,
        request: &RequestId,
        person: &InsuranceIdentifiers,
        number: &InquiryNumber,
    ) -> Result<(), UpstreamError> {
        let correlation = self.correlation(request);
        self.within("inquiry number", request, self.timeouts.total(), async |deadline| {
            let url = &self.transport.endpoints().inquiry_number;
            let body = wire::inquiry_number(correlation, person, number);
            self.ask(url, correlation, deadline, body, |bytes| {
                wire::read_registration(bytes, correlation, number)
            })
            .await
        })
        .await
    }
}

impl Upstream {
    async fn all_pages(
        &self,
        correlation: Correlation<'_>,
        deadline: Instant,
        from: Date,
        to: Date,
    ) -> Result<Vec<LinkedResult>, UpstreamError> {
        let url = &self.transport.endpoints().results;
        let mut results = Vec::new();
        let mut cursor: Option<String> = None;
        let mut passed = HashSet::new();
        for _ in 0..MOST_PAGES {
            let body = wire::results(correlation, from, to, cursor.as_deref());
            let read = |bytes: &[u8]| wire::read_results(bytes, correlation);
            let page = self.ask(url, correlation, deadline, body, read).await?;
            results.extend(page.results);
            match page.next {
                None => return Ok(results),
                // A cursor that was there before would lead round in a circle.
                Some(next) if passed.insert(next.clone()) => cursor = Some(next),
                Some(_) => break,
            }
        }
        tracing::warn!(request = %correlation.request.0, "the results of the period have no end");
        Err(UpstreamError::Malformed)
    }
}
