//! Results: count, list, one person (the manual's three steps), and the person's inquiry number.
//!
//! Every answer is written to the audit log before it leaves; if that fails, nothing leaves.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::access::{Action, Actor, Forbidden};
use super::ports::{
    AuditEntry, AuditLog, PageAfter, Random, ReceiptLink, RequestId, ResultQuery, ResultStore, StoreError,
    StoredResult, UpstreamError, random_bytes,
};
use super::tasks::Tasks;
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// No such result, or it is past its retention.
    #[error("no such result")]
    NotFound,
    /// The result names no insurance, so the central system cannot be told whose number it is.
    #[error("the result names no person")]
    PersonUnknown,
    /// The result holds several insurances; whose number it is must be decided first.
    #[error("the result names several insurances")]
    PersonAmbiguous,
    /// The central system did not take the number; nothing was changed here either.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for ResultsError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// Reads results and sets inquiry numbers.
pub struct Results {
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// The receipt computer link.
    pub link: Arc<dyn ReceiptLink>,
    /// Randomness for request ids.
    pub random: Arc<dyn Random>,
    /// Background tasks.
    pub tasks: Tasks,
}

impl Results {
    /// How many searchable results fit the query.
    pub async fn count(&self, actor: &Actor, query: &ResultQuery) -> Result<u64, ResultsError> {
        actor.may(Action::ReadResults)?;
        let count = self.store.count(query).await?;
        self.audit.append(&entry(actor, "result.count", query, Vec::new())).await?;
        Ok(count)
    }

    /// Searchable results, newest first, at most `limit`, and where the next page goes on.
    pub async fn page(
        &self,
        actor: &Actor,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<(Vec<StoredResult>, Option<PageAfter>), ResultsError> {
        actor.may(Action::ReadResults)?;
        let mut rows = self.store.page(query, after, limit.saturating_add(1)).await?;
        let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            rows.pop();
        }
        let next = if more { rows.last().map(page_after) } else { None };
        let ids = rows.iter().map(|row| row.id).collect();
        self.audit.append(&entry(actor, "result.list", query, ids)).await?;
        Ok((rows, next))
    }

    /// One result.
    pub async fn one(&self, actor: &Actor, id: ResultId) -> Result<StoredResult, ResultsError> {
        actor.may(Action::ReadResults)?;
        let found = self.store.get(id).await?;
        let mut entry = entry(actor, "result.read", &ResultQuery::default(), vec![id]);
        if found.is_none() {
            "result_not_found".clone_into(&mut entry.outcome);
        }
        self.audit.append(&entry).await?;
        found.ok_or(ResultsError::NotFound)
    }

    /// Sets the inquiry number of a result's person, first at the central system, then on every stored result of the
    /// person. Setting the same number again changes nothing.
    pub async fn set_inquiry_number(
        &self,
        actor: &Actor,
        id: ResultId,
        number: &InquiryNumber,
    ) -> Result<Vec<ResultId>, ResultsError> {
        actor.may(Action::SetInquiryNumbers)?;
        let result = self.store.get(id).await?.ok_or(ResultsError::NotFound)?;
        let person = the_person(&result)?;
        let audit = entry(actor, "inquiry_number.set", &ResultQuery::default(), vec![id]);
        let (request, number) = (request_id(&*self.random), number.clone());
        let (link, store) = (self.link.clone(), self.store.clone());
        let (done, finished) = oneshot::channel();
        // A caller that goes away must not leave the number at the central system and not here.
        self.tasks.start(async move {
            let outcome = async {
                link.set_inquiry_number(&request, &person, &number).await?;
                Ok::<_, ResultsError>(store.set_inquiry_number(id, &number, &audit).await?)
            };
            // Nobody may be waiting any more.
            let _ = done.send(outcome.await);
        });
        let gone = |_| StoreError::Failed("the task that set the number ended early".to_owned());
        let changed: Vec<ResultId> = finished.await.map_err(gone)??;
        if changed.is_empty() { Err(ResultsError::NotFound) } else { Ok(changed) }
    }
}

fn the_person(result: &StoredResult) -> Result<InsuranceIdentifiers, ResultsError> {
    let people: HashSet<_> =
        result.content.confirmation.eligibilities.iter().filter_map(InsuranceIdentifiers::of).collect();
    let mut people = people.into_iter();
    match (people.next(), people.next()) {
        (Some(person), None) => Ok(person),
        (None, _) => Err(ResultsError::PersonUnknown),
        (Some(_), Some(_)) => Err(ResultsError::PersonAmbiguous),
    }
}

fn page_after(row: &StoredResult) -> PageAfter {
    PageAfter { checked_at_us: row.content.confirmation.processed_at.as_microsecond(), id: row.id }
}

fn entry(actor: &Actor, action: &'static str, query: &ResultQuery, results: Vec<ResultId>) -> AuditEntry {
    AuditEntry { terminal: query.terminal.clone(), results, ..actor.entry(action) }
}

/// A new id for a request to the central system.
pub fn request_id(random: &dyn Random) -> RequestId {
    RequestId(data_encoding::BASE32_NOPAD.encode(&random_bytes::<16>(random)))
}
