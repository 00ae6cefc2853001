//! Export of a period: chunk after chunk, each in the audit log before it is handed out.
//!
//! The next chunk is read while this one is written down and sent; two are in memory at most.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Results, ResultsError, entry};
use crate::app::access::{Action, Actor};
use crate::app::ports::{Page, PageAfter, ReadyResult, ResultQuery, ResultStore, StoreError, StoredResult};
use crate::domain::check::ResultId;

/// Results of the first chunk: few, so that the first bytes leave at once.
const FIRST_CHUNK: u32 = 100;
/// Results of every other chunk: a commit of the audit log each, about a megabyte.
const CHUNK: u32 = 1_000;

/// A result in one of the shapes in which the store gives it: rendered already, or opened.
#[async_trait]
pub trait Readable: Send + Sync + Sized + 'static {
    /// One result, searchable or not.
    async fn get(store: &dyn ResultStore, id: ResultId) -> Result<Option<Self>, StoreError>;

    /// Searchable results, newest first.
    async fn page(
        store: &dyn ResultStore,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<Self>, StoreError>;

    /// Its number.
    fn id(&self) -> ResultId;

    /// Its version.
    fn version(&self) -> i64;

    /// Time of its check, microseconds since 1970.
    fn checked_at_us(&self) -> i64;
}

#[async_trait]
impl Readable for ReadyResult {
    async fn get(store: &dyn ResultStore, id: ResultId) -> Result<Option<Self>, StoreError> {
        store.ready(id).await
    }

    async fn page(
        store: &dyn ResultStore,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<Self>, StoreError> {
        store.ready_page(query, after, limit).await
    }

    fn id(&self) -> ResultId {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn checked_at_us(&self) -> i64 {
        self.checked_at_us
    }
}

#[async_trait]
impl Readable for StoredResult {
    async fn get(store: &dyn ResultStore, id: ResultId) -> Result<Option<Self>, StoreError> {
        store.get(id).await
    }

    async fn page(
        store: &dyn ResultStore,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<Self>, StoreError> {
        store.page(query, after, limit).await
    }

    fn id(&self) -> ResultId {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn checked_at_us(&self) -> i64 {
        self.content.confirmation.processed_at.as_microsecond()
    }
}

/// What an export is about: results stored up to when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// The last result that was stored then.
    pub newest: ResultId,
    /// When it began.
    pub at: Timestamp,
}

/// Where an export begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the newest result.
    Newest,
    /// After a place of the same export, with its cut-off.
    Place {
        /// The last result of the part before.
        after: PageAfter,
        /// The cut-off of the part before.
        cut_off: CutOff,
    },
    /// After a result that was received.
    Result(ResultId),
}

/// A chunk that is being read, or was.
enum Ahead<T> {
    Reading(oneshot::Receiver<Result<Page<T>, StoreError>>),
    Read(Page<T>),
}

/// An export that has begun.
pub struct Exporter<T> {
    results: Arc<Results>,
    actor: Actor,
    query: ResultQuery,
    cut_off: CutOff,
    after: Option<PageAfter>,
    /// The next chunk.
    ahead: Option<Ahead<T>>,
    /// Results that may still come.
    left: u64,
    total: u64,
    ended: bool,
}

impl Results {
    /// Begins an export: counts, fixes the cut-off (`now`, unless it goes on with that of a part before), and reads the first
    /// chunk.
    pub async fn export<T: Readable>(
        self: &Arc<Self>,
        actor: &Actor,
        query: ResultQuery,
        start: Start,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<Exporter<T>, ResultsError> {
        actor.may(Action::ReadResults)?;
        let newest = CutOff { newest: self.store.newest().await?, at: now };
        let (after, cut_off) = match start {
            Start::Newest => (None, newest),
            Start::Place { after, cut_off } => (Some(after), cut_off),
            Start::Result(id) => {
                let last = self.store.ready(id).await?.ok_or(ResultsError::NotFound)?;
                (Some(last.place()), newest)
            }
        };
        let query = ResultQuery { up_to: Some(cut_off.newest), ..query };
        let total = self.store.count(&query).await?;
        let mut exporter = Exporter {
            results: self.clone(),
            actor: actor.clone(),
            query,
            cut_off,
            after,
            ahead: None,
            left: limit.map_or(u64::MAX, u64::from),
            total,
            ended: false,
        };
        exporter.ahead = Some(Ahead::Read(exporter.read(FIRST_CHUNK).await?));
        Ok(exporter)
    }
}

impl<T: Readable> Exporter<T> {
    /// How many results fit the conditions, wherever this export begins.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What the export is about.
    pub fn cut_off(&self) -> CutOff {
        self.cut_off
    }

    /// Where the export goes on, if it is not at its end: for the next part.
    pub fn place(&self) -> Option<PageAfter> {
        if self.ended { None } else { self.after }
    }

    /// The next results, at most a thousand; empty chunks are possible, `None` is the end.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, ResultsError> {
        let mut page = match self.ahead.take() {
            Some(Ahead::Reading(reading)) => reading.await.map_err(interrupted)??,
            Some(Ahead::Read(page)) => page,
            None => return Ok(None),
        };
        // What was read ahead may have waited for a slow client: what has expired meanwhile does not leave.
        let kept_from = self.results.store.mark().month.first_kept().start();
        let is_kept = |row: &T| kept_from.is_none_or(|start| row.checked_at_us() >= start.as_microsecond());
        page.rows.retain(is_kept);
        let taken = page.rows.len() as u64;
        self.left = self.left.saturating_sub(taken);
        self.after = page.next.or(self.after);
        self.ended = page.next.is_none();
        if !self.ended && self.left > 0 {
            self.ahead = Some(self.begin(CHUNK));
        }
        let ids = page.rows.iter().map(Readable::id).collect();
        self.results.audit.append(&entry(&self.actor, "result.export", &self.query, ids)).await?;
        Ok(Some(page.rows))
    }

    /// Begins to read. A task of its own, so that a client that is slow to take the last chunk holds up no read.
    fn begin(&self, most: u32) -> Ahead<T> {
        let (reading, (done, page)) = (self.read(most), oneshot::channel());
        self.results.tasks.start(async move {
            // The client may have gone away.
            let _ = done.send(reading.await);
        });
        Ahead::Reading(page)
    }

    fn read(&self, most: u32) -> impl Future<Output = Result<Page<T>, StoreError>> + Send + use<T> {
        let limit = u32::try_from(self.left).unwrap_or(u32::MAX).min(most);
        let (results, query, after) = (Arc::clone(&self.results), self.query.clone(), self.after);
        async move { T::page(&*results.store, &query, after, limit).await }
    }
}

fn interrupted(_: oneshot::error::RecvError) -> StoreError {
    StoreError::Failed("reading for an export was interrupted".to_owned())
}
