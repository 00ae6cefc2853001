//! Results, their changes, exports and events: the wire's questions to the use cases, ready bytes back.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use api::codes::Code;
use api::etag::{ETag, Known, Tagged};
use api::service::{
    Answer, Bytes, Caller, Document, Events, Export, ReadyChanges, ReadyPage, ResultService, ServiceError,
};
use api::wire as w;
use async_trait::async_trait;
use futures_util::stream;
use sha2::{Digest, Sha256};

use super::{JsonForm, UseCases, actor, collect, errors, export, layout, query, wire};
use crate::app::access::Actor;
use crate::app::events::Events as AllEvents;
use crate::app::ports::{Page, ReadyResult, ResultForm as _, ResultsMark};
use crate::app::results::{Followed, Read, Readable};
use crate::domain::check::ResultId;

#[async_trait]
impl ResultService for UseCases {
    async fn results(
        &self,
        caller: &Caller,
        query: w::ResultQuery,
        known: &Known,
    ) -> Answer<Tagged<ReadyPage>> {
        let (conditions, after, limit) = query::page(&query)?;
        let actor = actor(caller);
        let mark = self.results.mark(&actor).map_err(errors::results)?;
        let etag = tag(mark, caller, "list", &query);
        if known.holds(&etag) {
            return Ok(Tagged::known(etag));
        }
        let page = self.results.page(&actor, &conditions, after, limit).await.map_err(errors::results)?;
        let digest = query::digest(&query);
        Ok(Tagged::new(etag, ready_page(page, digest)))
    }

    async fn search_results(&self, caller: &Caller, search: w::ResultSearch) -> Answer<ReadyPage> {
        let (conditions, after, limit) = query::search(&search)?;
        let page = self.results.search(&actor(caller), &conditions, after, limit).await;
        Ok(ready_page(page.map_err(errors::results)?, query::search_digest(&search)))
    }

    async fn count_search(&self, caller: &Caller, search: w::ResultSearchCount) -> Answer<w::ResultCount> {
        let (conditions, ..) = query::search(&search.into_search())?;
        let count = self.results.count_search(&actor(caller), &conditions).await.map_err(errors::results)?;
        Ok(w::ResultCount { count: i64::try_from(count).unwrap_or(i64::MAX) })
    }

    async fn count_results(
        &self,
        caller: &Caller,
        query: w::CountQuery,
        known: &Known,
    ) -> Answer<Tagged<w::ResultCount>> {
        let conditions = query::count(&query)?;
        let actor = actor(caller);
        let mark = self.results.mark(&actor).map_err(errors::results)?;
        let etag = tag(mark, caller, "count", &query);
        if known.holds(&etag) {
            return Ok(Tagged::known(etag));
        }
        let count = self.results.count(&actor, &conditions).await.map_err(errors::results)?;
        Ok(Tagged::new(etag, w::ResultCount { count: i64::try_from(count).unwrap_or(i64::MAX) }))
    }

    async fn result(
        &self,
        caller: &Caller,
        id: i64,
        form: w::ResultForm,
        fields: Option<&str>,
        known: &Known,
    ) -> Answer<Tagged<Document>> {
        let actor = actor(caller);
        let mark = self.results.mark(&actor).map_err(errors::results)?;
        let tag = |version| one_tag(id, version, mark, form, fields);
        match layout::written_as(form.format) {
            None => one(self, &actor, id, known, tag, |ready| layout::one_ready(&ready, form)).await,
            Some(format) => {
                let write = |stored| layout::one_written(self, &stored, format, form);
                one(self, &actor, id, known, tag, write).await
            }
        }
    }

    async fn changes(
        &self,
        caller: &Caller,
        query: w::ChangesQuery,
        known: &Known,
    ) -> Answer<Tagged<ReadyChanges>> {
        let actor = actor(caller);
        let mark = self.results.mark(&actor).map_err(errors::results)?;
        let begin = if query.from_start == Some(true) { 0 } else { mark.change };
        let after = match &query.cursor {
            Some(text) => query::read_place(text).ok_or_else(query::bad_cursor)?,
            None => Followed { change: begin, ..Followed::to(mark) },
        };
        let patience = Duration::from_secs(u64::from(query.wait.unwrap_or_default()));
        if !patience.is_zero() && query.cursor.is_some() {
            self.results.wait_for_news(after, patience, &self.stopping).await;
            // Who was signed out meanwhile hears nothing any more.
            self.live_session(caller)?;
        }
        let mark = self.results.mark(&actor).map_err(errors::results)?;
        let etag =
            tag(mark, caller, "changes", &(&query.cursor, query.from_start, query.limit, &query.fields));
        if known.holds(&etag) {
            return Ok(Tagged::known(etag));
        }
        let limit = query.limit.unwrap_or(query::DEFAULT_LIMIT);
        let changes = self.results.changes(&actor, after, limit).await.map_err(errors::results)?;
        let expired_before = changes.followed.expired_before().map(wire::jst).unwrap_or_default();
        let ready = ReadyChanges {
            results: bodies(changes.rows),
            cursor: query::place_text(changes.followed),
            more: changes.more,
            expired_before,
        };
        Ok(Tagged::new(etag, ready))
    }

    async fn export(&self, caller: &Caller, query: w::ExportQuery, form: w::ResultForm) -> Answer<Export> {
        export::export(self, caller, &query, form).await
    }

    async fn events(&self, caller: &Caller, after: Option<String>) -> Answer<Events> {
        let actor = actor(caller);
        AllEvents::admits(&actor).map_err(errors::forbidden)?;
        let bad = || ServiceError::new(Code::InvalidRequest).field("Last-Event-ID");
        let after = after.map(|text| query::read_place(&text).ok_or_else(bad)).transpose()?;
        let listener = self.events.follow(&actor, caller.session.0, after).await.map_err(errors::store)?;
        Ok(Box::pin(stream::unfold(listener, async |mut listener| {
            let frame = listener.next().await?;
            Some((Bytes::from_owner(frame), listener))
        })))
    }

    async fn collect_results(&self, caller: &Caller) -> Answer<w::Collected> {
        let report = self.collect.collect_now(&actor(caller)).await.map_err(errors::collect)?;
        Ok(collect::collected(report))
    }
}

/// One result in the shape that its form is made of.
async fn one<T: Readable>(
    cases: &UseCases,
    actor: &Actor,
    id: i64,
    known: &Known,
    tag: impl Fn(i64) -> ETag + Send + Sync,
    write: impl FnOnce(T) -> Document + Send,
) -> Answer<Tagged<Document>> {
    let has = |version| known.holds(&tag(version));
    let read: Read<T> = cases.results.one(actor, ResultId(id), has).await.map_err(errors::results)?;
    Ok(match read {
        Read::Known { version } => Tagged::known(tag(version)),
        Read::Fresh(result) => Tagged::new(tag(result.version()), write(result)),
    })
}

fn ready_page(page: Page<ReadyResult>, conditions: query::Conditions) -> ReadyPage {
    let next_cursor = page.next.map(|next| query::cursor(conditions, next));
    ReadyPage { results: bodies(page.rows), next_cursor }
}

fn bodies(rows: Vec<ReadyResult>) -> Vec<Vec<u8>> {
    rows.into_iter().map(|row| row.body).collect()
}

/// The tag of an answer about many results: it is the same as long as the results stand where they stand.
fn tag(mark: ResultsMark, caller: &Caller, kind: &str, question: &impl Hash) -> ETag {
    let ResultsMark { store, change, month } = mark;
    let form = JsonForm.number();
    hashed(&(kind, store, change, month.number(), form, caller.role, question))
}

/// The tag of one result in a version and a form. The store is in it, because the same number and version mean something else in
/// another; the month, because the result is gone when it ends; the program's version, because another one may write the form
/// differently.
fn one_tag(id: i64, version: i64, mark: ResultsMark, form: w::ResultForm, fields: Option<&str>) -> ETag {
    let (program, month) = (env!("CARGO_PKG_VERSION"), mark.month.number());
    hashed(&("one", mark.store, id, version, month, JsonForm.number(), program, form, fields))
}

/// Every poll pays this, so nothing is written out as text. Another version of the compiler may hash otherwise: then a tag is not
/// known, and the answer is given.
fn hashed(identity: &impl Hash) -> ETag {
    let mut digest = Digested(Sha256::new());
    identity.hash(&mut digest);
    let hash: [u8; 32] = digest.0.finalize().into();
    ETag::of(hash.first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// Feeds what is hashed to SHA-256: nobody can find two questions with the same tag.
struct Digested(Sha256);

impl Hasher for Digested {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash: [u8; 32] = self.0.clone().finalize().into();
        hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}
