//! Results and events, as the contract needs them: ready bytes, tags, streams.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
pub use axum::body::Bytes;
use futures_util::Stream;

use super::{Answer, Caller};
use crate::etag::{Known, Tagged};
use crate::wire;

/// A page of rendered results: each the JSON object of a [`wire::EligibilityResult`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadyPage {
    /// The results, newest first.
    pub results: Vec<Vec<u8>>,
    /// Where the next page goes on.
    pub next_cursor: Option<String>,
}

/// Rendered results that were stored or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyChanges {
    /// The results, the oldest change first.
    pub results: Vec<Vec<u8>>,
    /// Where the next question goes on.
    pub cursor: String,
    /// Whether there are more already.
    pub more: bool,
    /// Results of checks before this instant are gone.
    pub expired_before: String,
}

/// What a form of results did to characters it cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Characters {
    /// Replaced by another character that stands for the same.
    pub reduced: u64,
    /// Replaced by ●.
    pub lost: u64,
}

/// One result in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The bytes.
    pub body: Vec<u8>,
    /// Their media type.
    pub media_type: &'static str,
    /// What became of characters that the form cannot hold.
    pub characters: Characters,
}

/// Why an export broke off; the daemon's log says more. The client sees an answer without its end.
#[derive(Debug)]
pub struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the export broke off")
    }
}

impl std::error::Error for BrokenOff {}

/// A part of an export's body.
#[derive(Debug)]
pub enum ExportPart {
    /// Bytes of the form.
    Bytes(Bytes),
    /// The last part: how many results came, and what became of their characters.
    End(wire::ExportSummary),
}

/// An export's body, made as it is read.
pub type ExportParts = Pin<Box<dyn Stream<Item = Result<ExportPart, BrokenOff>> + Send>>;

/// Results of a period in a form.
pub struct Export {
    /// The media type.
    pub media_type: &'static str,
    /// How many results the conditions had at the start.
    pub total: u64,
    /// When it was cut off: what is stored later is not in it. Japan time, RFC 3339.
    pub cut_off: String,
    /// With a limit, where the next part goes on.
    pub next_cursor: Option<String>,
    /// With a limit, what it comes to; otherwise only the last part of the body knows.
    pub summary: Option<wire::ExportSummary>,
    /// The body.
    pub parts: ExportParts,
}

/// Events in the form of `text/event-stream`; ends when the session ends or the program stops.
pub type Events = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The part of [`super::Service`] about results.
#[async_trait]
pub trait ResultService: Send + Sync + 'static {
    /// A page of searchable results, newest first.
    async fn results(
        &self,
        caller: &Caller,
        query: wire::ResultQuery,
        known: &Known,
    ) -> Answer<Tagged<ReadyPage>>;

    /// A page of searchable results of a person, newest first.
    async fn search_results(&self, caller: &Caller, search: wire::ResultSearch) -> Answer<ReadyPage>;

    /// How many results fit the conditions of a search.
    async fn count_search(
        &self,
        caller: &Caller,
        search: wire::ResultSearchCount,
    ) -> Answer<wire::ResultCount>;

    /// How many searchable results there are.
    async fn count_results(
        &self,
        caller: &Caller,
        query: wire::CountQuery,
        known: &Known,
    ) -> Answer<Tagged<wire::ResultCount>>;

    /// One result, searchable or not, in a form. `fields` are those that will be left of it: another choice is another answer.
    async fn result(
        &self,
        caller: &Caller,
        id: i64,
        form: wire::ResultForm,
        fields: Option<&str>,
        known: &Known,
    ) -> Answer<Tagged<Document>>;

    /// Results stored or changed since a cursor; waits for one if it is told to and there is none.
    async fn changes(
        &self,
        caller: &Caller,
        query: wire::ChangesQuery,
        known: &Known,
    ) -> Answer<Tagged<ReadyChanges>>;

    /// The results of a period in a form. Each part of the body is in the audit log before it is handed out.
    async fn export(
        &self,
        caller: &Caller,
        query: wire::ExportQuery,
        form: wire::ResultForm,
    ) -> Answer<Export>;

    /// What happens, as it happens; goes on after the cursor of an earlier stream if one is given.
    async fn events(&self, caller: &Caller, after: Option<String>) -> Answer<Events>;

    /// Fetches what other terminals and phones of the facility confirmed, or waits for the run that is on.
    async fn collect_results(&self, caller: &Caller) -> Answer<wire::Collected>;
}
