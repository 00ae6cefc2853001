//! Exports: chunks of results → bytes of a form, with its beginning and its end.

use api::codes::Code;
use api::service::{Answer, BrokenOff, Caller, Export, ExportPart, ExportParts};
use api::wire as w;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::layout::{self, Layout, Ready, Written};
use super::{UseCases, actor, errors, query, wire};
use crate::app::results::{Exporter, Readable};

/// Begins an export.
pub(super) async fn export(
    cases: &UseCases,
    caller: &Caller,
    query: &w::ExportQuery,
    form: w::ResultForm,
) -> Answer<Export> {
    match layout::written_as(form.format) {
        None => begin(cases, caller, query, form, |_| Box::new(Ready::new(form))).await,
        Some(format) => {
            begin(cases, caller, query, form, |began| Box::new(Written::new(cases, format, form, began)))
                .await
        }
    }
}

/// A part with a limit is small enough to be made at once, so that its next cursor and what it comes to can go ahead of it.
async fn begin<T: Readable>(
    cases: &UseCases,
    caller: &Caller,
    query: &w::ExportQuery,
    form: w::ResultForm,
    layout: impl FnOnce(Timestamp) -> Box<dyn Layout<T>> + Send,
) -> Answer<Export> {
    let (conditions, start) = query::export(query)?;
    let now = cases.health.now();
    let begun = cases.results.export(&actor(caller), conditions, start, query.limit, now).await;
    let exporter: Exporter<T> = begun.map_err(errors::results)?;
    let (sessions, session) = (cases.sessions.clone(), caller.session.0);
    let (total, cut_off) = (exporter.total(), exporter.cut_off());
    let mut writing = Writing {
        exporter,
        layout: layout(cut_off.at),
        stage: Stage::Begin,
        room: 0,
        is_alive: Box::new(move || sessions.is_alive(&session)),
    };
    let (mut next_cursor, mut summary) = (None, None);
    let parts: ExportParts = if query.limit.is_some() {
        let mut parts = Vec::new();
        while let Some(part) = writing.part().await {
            match part.map_err(|BrokenOff| Code::Internal)? {
                ExportPart::End(end) => summary = Some(end),
                bytes @ ExportPart::Bytes(_) => parts.push(Ok(bytes)),
            }
        }
        next_cursor = writing.exporter.place().map(|after| query::export_cursor(query, after, cut_off));
        stream::iter(parts).boxed()
    } else {
        stream::unfold(writing, async |mut writing| Some((writing.part().await?, writing))).boxed()
    };
    let cut_off = wire::jst(cut_off.at);
    Ok(Export { media_type: layout::media_type(form), total, cut_off, next_cursor, summary, parts })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Rows,
    End(w::ExportSummary),
    Done,
}

/// An export on its way out.
struct Writing<T> {
    exporter: Exporter<T>,
    layout: Box<dyn Layout<T>>,
    stage: Stage,
    /// Bytes of the largest part so far: the next is seldom larger, and one that grows leaves copies of itself behind.
    room: usize,
    is_alive: Box<dyn Fn() -> bool + Send + Sync>,
}

impl<T: Readable> Writing<T> {
    /// The next part of the body; `None` after the end or after an error.
    async fn part(&mut self) -> Option<Result<ExportPart, BrokenOff>> {
        match self.stage {
            Stage::Done => return None,
            Stage::End(summary) => {
                self.stage = Stage::Done;
                return Some(Ok(ExportPart::End(summary)));
            }
            Stage::Begin | Stage::Rows => {}
        }
        if !(self.is_alive)() {
            tracing::info!("an export broke off because its session has ended");
            self.stage = Stage::Done;
            return Some(Err(BrokenOff));
        }
        let mut bytes = Vec::with_capacity(self.room);
        if self.stage == Stage::Begin {
            self.layout.begin(&mut bytes);
            self.stage = Stage::Rows;
        }
        match self.exporter.next().await {
            Ok(Some(rows)) => {
                for row in &rows {
                    self.layout.row(row, &mut bytes);
                }
            }
            Ok(None) => self.stage = Stage::End(self.layout.end(&mut bytes)),
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                self.stage = Stage::Done;
                return Some(Err(BrokenOff));
            }
        }
        self.room = self.room.max(bytes.len());
        Some(Ok(ExportPart::Bytes(bytes.into())))
    }
}
