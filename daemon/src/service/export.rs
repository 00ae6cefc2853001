//! Exports: chunks of results → bytes of a form, with its beginning and its end.

use api::codes::Code;
use api::service::{Answer, BrokenOff, Caller, Characters, Export, ExportPart, ExportParts};
use api::wire as w;
use futures_util::{StreamExt as _, stream};

use super::{UseCases, actor, errors, query, wire};
use crate::app::ports::ReadyResult;
use crate::app::results::{Exported, Exporter};

/// How results become a document, piece by piece.
trait Layout<T>: Send {
    /// What stands before the first result.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// One result.
    fn row(&mut self, row: &T, out: &mut Vec<u8>);

    /// What stands after the last result.
    fn end(&mut self, rows: u64, out: &mut Vec<u8>) -> Characters;
}

/// Results that are rendered already, one after the other.
struct Ready {
    format: w::ResultFormat,
    first: bool,
}

impl Layout<ReadyResult> for Ready {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.format == w::ResultFormat::Json {
            out.extend_from_slice(b"{\"results\":[");
        }
    }

    fn row(&mut self, row: &ReadyResult, out: &mut Vec<u8>) {
        let first = std::mem::replace(&mut self.first, false);
        if self.format == w::ResultFormat::Json && !first {
            out.push(b',');
        }
        out.extend_from_slice(&row.body);
        if self.format == w::ResultFormat::Ndjson {
            out.push(b'\n');
        }
    }

    fn end(&mut self, rows: u64, out: &mut Vec<u8>) -> Characters {
        if self.format == w::ResultFormat::Json {
            let summary = w::ExportSummary { results: rows, reduced_characters: 0, lost_characters: 0 };
            // Numbers cannot fail to serialise.
            let summary = serde_json::to_string(&summary).unwrap_or_default();
            out.extend_from_slice(format!("],\"summary\":{summary}}}").as_bytes());
        }
        Characters::default()
    }
}

/// Begins an export.
pub(super) async fn export(
    cases: &UseCases,
    caller: &Caller,
    query: &w::ExportQuery,
    form: w::ResultForm,
) -> Answer<Export> {
    let layout = Ready { format: form.format, first: true };
    begin(cases, caller, query, form, Box::new(layout)).await
}

/// A part with a limit is small enough to be made at once, so that its next cursor can go ahead of it.
async fn begin<T: Exported>(
    cases: &UseCases,
    caller: &Caller,
    query: &w::ExportQuery,
    form: w::ResultForm,
    layout: Box<dyn Layout<T>>,
) -> Answer<Export> {
    let (conditions, start) = query::export(query)?;
    let begun = cases.results.export(&actor(caller), conditions, start, query.limit).await;
    let exporter: Exporter<T> = begun.map_err(errors::results)?;
    let (sessions, session) = (cases.sessions.clone(), caller.session.0);
    let total = exporter.total();
    let mut writing = Writing {
        exporter,
        layout,
        rows: 0,
        stage: Stage::Begin,
        is_alive: Box::new(move || sessions.is_alive(&session)),
    };
    let mut next_cursor = None;
    let parts: ExportParts = if query.limit.is_some() {
        let mut parts = Vec::new();
        while let Some(part) = writing.part().await {
            parts.push(Ok(part.map_err(|BrokenOff| Code::Internal)?));
        }
        let place = writing.exporter.place();
        next_cursor = place.map(|(after, cut_off)| query::export_cursor(query, after, cut_off));
        stream::iter(parts).boxed()
    } else {
        stream::unfold(writing, async |mut writing| Some((writing.part().await?, writing))).boxed()
    };
    let cut_off = wire::jst(cases.health.now());
    let (media_type, extension) = (form.format.media_type(), form.format.extension());
    Ok(Export { media_type, extension, total, cut_off, next_cursor, parts })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Rows,
    End(Characters),
    Done,
}

/// An export on its way out.
struct Writing<T> {
    exporter: Exporter<T>,
    layout: Box<dyn Layout<T>>,
    rows: u64,
    stage: Stage,
    is_alive: Box<dyn Fn() -> bool + Send + Sync>,
}

impl<T: Exported> Writing<T> {
    /// The next part of the body; `None` after the end or after an error.
    async fn part(&mut self) -> Option<Result<ExportPart, BrokenOff>> {
        match self.stage {
            Stage::Done => return None,
            Stage::End(characters) => {
                self.stage = Stage::Done;
                return Some(Ok(ExportPart::End(self.rows, characters)));
            }
            Stage::Begin | Stage::Rows => {}
        }
        if !(self.is_alive)() {
            tracing::info!("an export broke off because its session has ended");
            self.stage = Stage::Done;
            return Some(Err(BrokenOff));
        }
        let mut bytes = Vec::new();
        if self.stage == Stage::Begin {
            self.layout.begin(&mut bytes);
            self.stage = Stage::Rows;
        }
        match self.exporter.next().await {
            Ok(Some(rows)) => {
                for row in &rows {
                    self.layout.row(row, &mut bytes);
                }
                self.rows += rows.len() as u64;
            }
            Ok(None) => self.stage = Stage::End(self.layout.end(self.rows, &mut bytes)),
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                self.stage = Stage::Done;
                return Some(Err(BrokenOff));
            }
        }
        Some(Ok(ExportPart::Bytes(bytes.into())))
    }
}
