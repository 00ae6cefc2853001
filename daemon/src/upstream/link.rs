//! [`ReceiptLink`]: the receipt computer link (レセコン連携機能, manual chapter 2).

use std::collections::HashSet;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::time::Instant;

use super::watch::Blame;
use super::wire::{self, Correlation};
use super::{Repeat, Upstream};
use crate::app::ports::{BulkItem, BulkOutcome, LinkedResult, ReceiptLink, RequestId, UpstreamError};
use crate::domain::announcement::Announcement;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::Receipt;

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
            let url = &self.endpoints.announcements;
            let body = wire::announcements(correlation);
            let read = |bytes: &[u8]| wire::read_announcements(bytes, correlation);
            self.ask_with(Repeat::Safe, url, correlation, deadline, body, read).await
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
            let url = &self.endpoints.inquiry_number;
            let body = wire::inquiry_number(correlation, person, number);
            self.ask_with(Repeat::Safe, url, correlation, deadline, body, |bytes| {
                wire::read_registration(bytes, correlation, number)
            })
            .await
        })
        .await
    }

    async fn register_bulk(&self, request: &RequestId, items: &[BulkItem]) -> Result<Receipt, UpstreamError> {
        let correlation = self.correlation(request);
        self.within("inquiry numbers in bulk", request, self.timeouts.total(), async |deadline| {
            let url = &self.endpoints.inquiry_bulk;
            let body = wire::inquiry_bulk(correlation, items);
            self.ask(url, correlation, deadline, body, |bytes| wire::read_reception(bytes, correlation)).await
        })
        .await
    }

    async fn bulk_outcome(
        &self,
        request: &RequestId,
        receipt: &Receipt,
        items: &[BulkItem],
    ) -> Result<BulkOutcome, UpstreamError> {
        let correlation = self.correlation(request);
        let limit = self.timeouts.total();
        self.within_blaming(Blame::Subject, "outcome of a bulk", request, limit, async |deadline| {
            let url = &self.endpoints.inquiry_bulk_outcome;
            let body = wire::bulk_outcome(correlation, receipt);
            self.ask(url, correlation, deadline, body, |bytes| {
                wire::read_bulk_outcome(bytes, correlation, items)
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
        let url = &self.endpoints.results;
        let mut results = Vec::new();
        let mut cursor: Option<String> = None;
        let mut passed = HashSet::new();
        for _ in 0..MOST_PAGES {
            let body = wire::results(correlation, from, to, cursor.as_deref());
            let read = |bytes: &[u8]| wire::read_results(bytes, correlation);
            let page = self.ask_with(Repeat::Safe, url, correlation, deadline, body, read).await?;
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
