//! How results become a document of a form: rendered bodies put one after the other, or written by `formats`.

use api::service::{Characters, Document};
use api::wire as w;
use jiff::Timestamp;

use super::UseCases;
use crate::app::ports::{Origin, ReadyResult, Source, StoredResult};
use crate::formats::charset::{Charset, Counts, Encoder};
use crate::formats::{self, Format, Row, Writer};

/// How results become a document, piece by piece.
pub(super) trait Layout<T>: Send {
    /// What stands before the first result.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// One result.
    fn row(&mut self, row: &T, out: &mut Vec<u8>);

    /// What stands after the last result, and what the document came to.
    fn end(&mut self, out: &mut Vec<u8>) -> w::ExportSummary;
}

/// The media type of a document of this form.
pub(super) fn media_type(form: w::ResultForm) -> &'static str {
    written_as(form.format)
        .map_or(form.format.media_type(), |format| format.media_type(charset(form.charset)))
}

/// One rendered result as a document.
pub(super) fn one_ready(result: &ReadyResult, form: w::ResultForm) -> Document {
    let mut ready = Ready::new(form);
    let mut body = Vec::with_capacity(result.body.len() + 1);
    ready.put(result, &mut body);
    Document { body, media_type: media_type(form), characters: characters(ready.counts) }
}

/// One opened result as a document of `formats`.
pub(super) fn one_written(
    cases: &UseCases,
    result: &StoredResult,
    format: Format,
    form: w::ResultForm,
) -> Document {
    let about = about(cases, form, cases.health.now());
    let (body, counts) = formats::one(format, &about, &row(result));
    Document { body, media_type: media_type(form), characters: characters(counts) }
}

/// Which form `formats` writes; `None` for the forms that are rendered already.
pub(super) fn written_as(format: w::ResultFormat) -> Option<Format> {
    match format {
        w::ResultFormat::Json | w::ResultFormat::Ndjson => None,
        w::ResultFormat::XmlmsgXml => Some(Format::XmlMsgXml),
        w::ResultFormat::XmlmsgJson => Some(Format::XmlMsgJson),
        w::ResultFormat::Csv => Some(Format::Csv),
        w::ResultFormat::Text => Some(Format::CopiedText),
        w::ResultFormat::Fhir => Some(Format::FhirJson),
    }
}

fn charset(charset: w::Charset) -> Charset {
    match charset {
        w::Charset::Utf8 => Charset::Utf8,
        w::Charset::Cp932 => Charset::Cp932,
        w::Charset::JisX0208 => Charset::JisX0208,
    }
}

fn about(cases: &UseCases, form: w::ResultForm, made_at: Timestamp) -> formats::Document {
    formats::Document { institution: cases.institution.clone(), charset: charset(form.charset), made_at }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn characters(counts: Counts) -> Characters {
    Characters { reduced: number(counts.reduced), lost: number(counts.lost) }
}

fn summary(results: u64, counts: Counts) -> w::ExportSummary {
    let Characters { reduced, lost } = characters(counts);
    w::ExportSummary { results, reduced_characters: reduced, lost_characters: lost }
}

pub(super) fn row(stored: &StoredResult) -> Row<'_> {
    let content = &stored.content;
    Row {
        id: stored.id,
        version: stored.version,
        terminal: &content.terminal.0,
        method: match content.source {
            Source::Own { method, .. } => Some(method),
            Source::Elsewhere => None,
        },
        sandbox: content.origin == Origin::Sandbox,
        expires_at: stored.expires_at,
        inquiry_number: stored.inquiry_number.as_ref(),
        confirmation: &content.confirmation,
    }
}

/// Results that are rendered already, one after the other.
pub(super) struct Ready {
    format: w::ResultFormat,
    /// None where every character stays as it is.
    encoder: Option<Encoder>,
    counts: Counts,
    rows: u64,
}

impl Ready {
    /// Nothing yet.
    pub(super) fn new(form: w::ResultForm) -> Self {
        let encoder = match charset(form.charset) {
            Charset::Utf8 => None,
            charset => Some(Encoder::new(charset)),
        };
        Self { format: form.format, encoder, counts: Counts::default(), rows: 0 }
    }

    fn put(&mut self, row: &ReadyResult, out: &mut Vec<u8>) {
        match self.encoder {
            None => out.extend_from_slice(&row.body),
            Some(encoder) => {
                // Bodies are UTF-8. A table never puts a character that JSON escapes in the place of another, so a text that
                // was reduced as a whole is the document of reduced values.
                let text = String::from_utf8_lossy(&row.body);
                let (text, counts) = encoder.reduce(&text);
                self.counts += counts;
                out.extend_from_slice(text.as_bytes());
            }
        }
        if self.format == w::ResultFormat::Ndjson {
            out.push(b'\n');
        }
    }
}

impl Layout<ReadyResult> for Ready {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.format == w::ResultFormat::Json {
            out.extend_from_slice(b"{\"results\":[");
        }
    }

    fn row(&mut self, row: &ReadyResult, out: &mut Vec<u8>) {
        if self.format == w::ResultFormat::Json && self.rows > 0 {
            out.push(b',');
        }
        self.put(row, out);
        self.rows += 1;
    }

    fn end(&mut self, out: &mut Vec<u8>) -> w::ExportSummary {
        let summary = summary(self.rows, self.counts);
        if self.format == w::ResultFormat::Json {
            // Numbers cannot fail to serialise.
            let summary = serde_json::to_string(&summary).unwrap_or_default();
            out.extend_from_slice(format!("],\"summary\":{summary}}}").as_bytes());
        }
        summary
    }
}

/// Results that `formats` writes.
pub(super) struct Written(Writer);

impl Written {
    /// Nothing yet; `made_at` is when the export began.
    pub(super) fn new(cases: &UseCases, format: Format, form: w::ResultForm, made_at: Timestamp) -> Self {
        Self(Writer::new(format, about(cases, form, made_at)))
    }
}

impl Layout<StoredResult> for Written {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.0.begin(out);
    }

    fn row(&mut self, stored: &StoredResult, out: &mut Vec<u8>) {
        self.0.row(&row(stored), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) -> w::ExportSummary {
        self.0.end(out);
        let totals = self.0.totals();
        summary(totals.rows, totals.characters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_media_type_that_the_contract_names() {
        for (format, named) in w::ResultFormat::ALL {
            for charset in [w::Charset::Utf8, w::Charset::Cp932, w::Charset::JisX0208] {
                let whole = media_type(w::ResultForm { format: *format, charset });
                assert_eq!(whole.split(';').next(), Some(*named));
            }
        }
    }
}
