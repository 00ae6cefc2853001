//! Results: count, list, search, one person (the manual's three steps), what changed, and whole periods.
//!
//! Every answer about a person is written to the audit log before it leaves; if that fails, nothing leaves. Whoever has an
//! answer already learns from memory that it has not changed: then nothing about a person leaves and nothing is written.

mod changes;
mod export;

use std::sync::Arc;

use super::access::{Action, Actor, Forbidden};
use super::ports::{
    AuditEntry, AuditLog, Page, PageAfter, Random, ReadyResult, RequestId, ResultQuery, ResultStore,
    ResultsMark, StoreError, random_bytes,
};
use super::tasks::Tasks;
use crate::domain::check::ResultId;

pub use changes::{Changes, Followed};
pub use export::{CutOff, Exporter, Readable, Start};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// No such result, or it is past its retention.
    #[error("no such result")]
    NotFound,
    /// The place was never given out by this store.
    #[error("no such place in the sequence of changes")]
    UnknownPlace,
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
    /// Where an export reads ahead.
    pub tasks: Tasks,
}

impl Results {
    /// Where the stored results stand, from memory. Take it before reading: what is read then is at least as new.
    pub fn mark(&self, actor: &Actor) -> Result<ResultsMark, ResultsError> {
        actor.may(Action::ReadResults)?;
        Ok(self.store.mark())
    }

    /// How many searchable results fit the query.
    pub async fn count(&self, actor: &Actor, query: &ResultQuery) -> Result<u64, ResultsError> {
        self.counted(actor, "result.count", query).await
    }

    /// As [`Results::count`], by conditions that name a person.
    pub async fn count_search(&self, actor: &Actor, query: &ResultQuery) -> Result<u64, ResultsError> {
        self.counted(actor, "result.count_search", query).await
    }

    async fn counted(
        &self,
        actor: &Actor,
        action: &'static str,
        query: &ResultQuery,
    ) -> Result<u64, ResultsError> {
        actor.may(Action::ReadResults)?;
        let count = self.store.count(query).await?;
        self.audit.append(&entry(actor, action, query, Vec::new())).await?;
        Ok(count)
    }

    /// Searchable results, newest first, at most `limit`.
    pub async fn page(
        &self,
        actor: &Actor,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<ReadyResult>, ResultsError> {
        self.read_page(actor, "result.list", query, after, limit).await
    }

    /// As [`Results::page`], by conditions that name a person: the log tells it apart, because it asks for somebody.
    pub async fn search(
        &self,
        actor: &Actor,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<ReadyResult>, ResultsError> {
        self.read_page(actor, "result.search", query, after, limit).await
    }

    async fn read_page(
        &self,
        actor: &Actor,
        action: &'static str,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<ReadyResult>, ResultsError> {
        actor.may(Action::ReadResults)?;
        let page = self.store.ready_page(query, after, limit).await?;
        self.audit.append(&entry(actor, action, query, ids(&page.rows))).await?;
        Ok(page)
    }

    /// One result, unless the caller has it in the version that it has now.
    pub async fn one<T: Readable>(
        &self,
        actor: &Actor,
        id: ResultId,
        has: impl FnOnce(i64) -> bool + Send,
    ) -> Result<Read<T>, ResultsError> {
        actor.may(Action::ReadResults)?;
        let found = T::get(&*self.store, id).await?;
        if let Some(version) = found.as_ref().map(T::version).filter(|version| has(*version)) {
            return Ok(Read::Known { version });
        }
        let mut entry = entry(actor, "result.read", &ResultQuery::default(), vec![id]);
        if found.is_none() {
            "result_not_found".clone_into(&mut entry.outcome);
        }
        self.audit.append(&entry).await?;
        found.map(Read::Fresh).ok_or(ResultsError::NotFound)
    }
}

/// What became of reading one result.
#[derive(Debug)]
pub enum Read<T> {
    /// The caller has it already; nothing was read out and nothing written down.
    Known {
        /// The version that it has.
        version: i64,
    },
    /// The result.
    Fresh(T),
}

fn ids(rows: &[ReadyResult]) -> Vec<ResultId> {
    rows.iter().map(|row| row.id).collect()
}

fn entry(actor: &Actor, action: &'static str, query: &ResultQuery, results: Vec<ResultId>) -> AuditEntry {
    AuditEntry { terminal: query.terminal.clone(), results, ..actor.entry(action) }
}

/// A new id for a request to the central system.
pub fn request_id(random: &dyn Random) -> RequestId {
    RequestId(data_encoding::BASE32_NOPAD.encode(&random_bytes::<16>(random)))
}
