//! Results: count, list, one person (the manual's three steps).
//!
//! Every answer is written to the audit log before it leaves; if that fails, nothing leaves.

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::ports::{
    AuditEntry, AuditLog, Page, PageAfter, Random, RequestId, ResultQuery, ResultStore, StoreError,
    StoredResult, random_bytes,
};
use crate::domain::check::ResultId;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// No such result, or it is past its retention.
    #[error("no such result")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Forbidden> for ResultsError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// Reads results.
pub struct Results {
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
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
        let Page { rows, next } = self.store.page(query, after, limit).await?;
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
}

fn entry(actor: &Actor, action: &'static str, query: &ResultQuery, results: Vec<ResultId>) -> AuditEntry {
    AuditEntry { terminal: query.terminal.clone(), results, ..actor.entry(action) }
}

/// A new id for a request to the central system.
pub fn request_id(random: &dyn Random) -> RequestId {
    RequestId(data_encoding::BASE32_NOPAD.encode(&random_bytes::<16>(random)))
}
