//! The scripted program's part about results and events.

use api::etag::{Known, Tagged};
use api::service::{
    Answer, Bytes, Caller, Characters, Document, Events, Export, ExportPart, ReadyChanges, ReadyPage,
    ResultService,
};
use api::wire;
use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};

use super::fake::Scripted;
use super::sample;

fn rendered() -> Vec<Vec<u8>> {
    let results = [sample::full_result(), sample::withheld_result()];
    results.iter().map(|result| serde_json::to_vec(result).unwrap()).collect()
}

fn page() -> ReadyPage {
    ReadyPage { results: rendered(), next_cursor: Some("bmV4dA".to_owned()) }
}

const SUMMARY: wire::ExportSummary =
    wire::ExportSummary { results: 1, reduced_characters: 2, lost_characters: 3 };

fn exported(form: wire::ResultForm) -> Vec<u8> {
    let results = vec![sample::full_result()];
    match form.format {
        wire::ResultFormat::Json => {
            serde_json::to_vec(&wire::ExportedResults { results, summary: SUMMARY }).unwrap()
        }
        form => other(form),
    }
}

fn other(form: wire::ResultFormat) -> Vec<u8> {
    if form.is_json() { b"{}".to_vec() } else { b"form".to_vec() }
}

#[async_trait]
impl ResultService for Scripted {
    async fn results(&self, _: &Caller, _: wire::ResultQuery, _: &Known) -> Answer<Tagged<ReadyPage>> {
        self.play_tagged(page()).await
    }

    async fn search_results(&self, _: &Caller, _: wire::ResultSearch) -> Answer<ReadyPage> {
        self.play(page()).await
    }

    async fn count_search(&self, _: &Caller, _: wire::ResultSearchCount) -> Answer<wire::ResultCount> {
        self.play(wire::ResultCount { count: 17 }).await
    }

    async fn count_results(
        &self,
        _: &Caller,
        _: wire::CountQuery,
        _: &Known,
    ) -> Answer<Tagged<wire::ResultCount>> {
        self.play_tagged(wire::ResultCount { count: 17 }).await
    }

    async fn result(
        &self,
        _: &Caller,
        id: i64,
        form: wire::ResultForm,
        _: Option<&str>,
        _: &Known,
    ) -> Answer<Tagged<Document>> {
        let result = wire::EligibilityResult { id, ..sample::full_result() };
        let body = match form.format {
            wire::ResultFormat::Json => serde_json::to_vec(&result).unwrap(),
            form => other(form),
        };
        let characters = Characters { reduced: 2, lost: 3 };
        self.play_tagged(Document { body, media_type: form.format.media_type(), characters }).await
    }

    /// A wait never ends by itself here.
    async fn changes(
        &self,
        _: &Caller,
        query: wire::ChangesQuery,
        _: &Known,
    ) -> Answer<Tagged<ReadyChanges>> {
        let changes = ReadyChanges {
            results: rendered(),
            cursor: "cGxhY2U".to_owned(),
            more: false,
            expired_before: "2026-06-01T00:00:00+09:00".to_owned(),
        };
        let answer = self.play_tagged(changes).await?;
        if query.wait.is_some_and(|seconds| seconds > 0) {
            return std::future::pending().await;
        }
        Ok(answer)
    }

    async fn export(&self, _: &Caller, query: wire::ExportQuery, form: wire::ResultForm) -> Answer<Export> {
        let begun = stream::iter([Ok(ExportPart::Bytes(Bytes::from(exported(form))))]);
        let end = Ok(ExportPart::End(SUMMARY));
        // An export without an end keeps its place.
        let parts = match query.after_id {
            Some(4711) => begun.chain(stream::pending()).boxed(),
            _ => begun.chain(stream::iter([end])).boxed(),
        };
        self.play(Export {
            media_type: form.format.media_type(),
            total: 17,
            cut_off: "2026-07-08T12:00:00+09:00".to_owned(),
            next_cursor: query.limit.map(|_| "bmV4dA".to_owned()),
            summary: query.limit.map(|_| SUMMARY),
            parts,
        })
        .await
    }

    async fn events(&self, _: &Caller, after: Option<String>) -> Answer<Events> {
        let ready = wire::Event::Ready.frame(Some("cGxhY2U"));
        let end = wire::Event::End(wire::EndReason::Stopping).frame(None);
        let begun = stream::iter([Bytes::from(ready)]);
        // Whoever comes back stays.
        let events = match after {
            Some(_) => begun.chain(stream::pending()).boxed(),
            None => begun.chain(stream::iter([Bytes::from(end)])).boxed(),
        };
        self.play(events).await
    }

    async fn collect_results(&self, _: &Caller) -> Answer<wire::Collected> {
        self.play(sample::collected()).await
    }
}
