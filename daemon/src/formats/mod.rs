//! Results in the forms that receipt computers read: domain → text → bytes of a character set.
//!
//! Pure and synchronous: knows the domain and nothing else, no clock, no IO, no wire types of the API. A document is
//! written piece by piece ([`Writer::begin`], [`Writer::row`], [`Writer::end`]), so that an export needs the memory of one
//! result. Every value goes through `text::Values` first: there are no control characters in any format, and every
//! character is in the repertoire of the document before markup, quotes or guards are put around it.

pub mod charset;
pub mod copied;
pub mod csv;
mod fhir;
mod json;
mod media;
mod message;
pub mod reply;
mod text;
mod xml;

use jiff::Timestamp;

use crate::domain::check::{Method, ResultId};
use crate::domain::eligibility::{Confirmation, Eligibility, Field};
use crate::domain::identifiers::{InquiryNumber, InstitutionCode};
use crate::domain::personal::Personal;

use charset::Encoder;
pub use charset::{Charset, Counts};
use text::Values;

/// A form that results are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `XmlMsg`, the message of the national system, as XML.
    XmlMsgXml,
    /// `XmlMsg` as JSON.
    XmlMsgJson,
    /// One line a person's eligibility; [`csv::COLUMNS`].
    Csv,
    /// The text of the official app's copy button.
    CopiedText,
    /// FHIR R4 `Bundle` of `Coverage`, `Patient` and `Organization` in the shape of JP Core.
    FhirJson,
}

/// What a document says about itself.
#[derive(Debug, Clone)]
pub struct Document {
    /// Whose results these are.
    pub institution: InstitutionCode,
    /// The repertoire, and the bytes of XML, CSV and text (JSON is UTF-8 always).
    pub charset: Charset,
    /// When it was made; for an export the instant of its cut-off.
    pub made_at: Timestamp,
}

/// A result to be written.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Its number.
    pub id: ResultId,
    /// Grows with every change of the stored result.
    pub version: i64,
    /// The terminal that carried the check out.
    pub terminal: &'a str,
    /// How the identity was confirmed, if known.
    pub method: Option<Method>,
    /// Whether it comes from the simulated central system.
    pub sandbox: bool,
    /// First instant at which it is gone.
    pub expires_at: Timestamp,
    /// The person's inquiry number, if known.
    pub inquiry_number: Option<&'a InquiryNumber>,
    /// What was confirmed.
    pub confirmation: &'a Confirmation,
}

impl Row<'_> {
    /// A field of one of the eligibilities; empty counts as absent. The inquiry number is the person's, also where it was
    /// registered after the check.
    fn field<'b>(&'b self, eligibility: &'b Eligibility, field: Field) -> Option<&'b str> {
        let received = eligibility.get(field).map(Personal::expose);
        let value = match field {
            Field::ReferenceNumber => self.inquiry_number.map(InquiryNumber::expose).or(received),
            _ => received,
        };
        value.filter(|value| !value.is_empty())
    }
}

/// What a whole document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Results.
    pub rows: u64,
    /// Characters that the character set changed.
    pub characters: Counts,
}

/// How one format puts text around values. `text` is what was written since the last hand-over, never the whole document.
trait Form {
    /// The document of one result alone.
    fn one(&self, document: &Document, row: &Row<'_>, values: &mut Values, text: &mut String) {
        self.begin(document, text);
        self.row(document, row, true, values, text);
        self.end(Totals { rows: 1, characters: values.counts() }, text);
    }

    /// What stands before the first result.
    fn begin(&self, document: &Document, text: &mut String);

    /// One result.
    fn row(&self, document: &Document, row: &Row<'_>, first: bool, values: &mut Values, text: &mut String);

    /// What stands after the last result.
    fn end(&self, totals: Totals, text: &mut String);
}

impl Format {
    fn form(self) -> &'static dyn Form {
        match self {
            Self::XmlMsgXml => &xml::XmlMsgXml,
            Self::XmlMsgJson => &json::XmlMsgJson,
            Self::Csv => &csv::Csv,
            Self::CopiedText => &copied::CopiedText,
            Self::FhirJson => &fhir::FhirJson,
        }
    }

    /// The bytes a document of this format has: JSON is UTF-8 by RFC 8259, whatever its repertoire.
    fn bytes(self, document: &Document) -> Encoder {
        Encoder::new(if self.is_json() { Charset::Utf8 } else { document.charset })
    }
}

/// One result as a document of its own.
pub fn one(format: Format, document: &Document, row: &Row<'_>) -> (Vec<u8>, Counts) {
    let mut values = Values::new(document.charset);
    let mut text = String::new();
    format.form().one(document, row, &mut values, &mut text);
    let mut bytes = Vec::with_capacity(text.len());
    format.bytes(document).encode(&text, &mut bytes);
    (bytes, values.counts())
}

/// Writes a document of many results piece by piece; the caller decides when a piece leaves.
pub struct Writer {
    format: Format,
    document: Document,
    values: Values,
    rows: u64,
    text: String,
}

impl Writer {
    /// A writer that has written nothing yet.
    pub fn new(format: Format, document: Document) -> Self {
        let values = Values::new(document.charset);
        Self { format, document, values, rows: 0, text: String::new() }
    }

    /// Appends what stands before the first result.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        self.format.form().begin(&self.document, &mut self.text);
        self.hand_over(out);
    }

    /// Appends one result; returns what its characters cost.
    pub fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Counts {
        let before = self.values.counts();
        let first = self.rows == 0;
        self.format.form().row(&self.document, row, first, &mut self.values, &mut self.text);
        self.rows += 1;
        self.hand_over(out);
        let after = self.values.counts();
        Counts { reduced: after.reduced - before.reduced, lost: after.lost - before.lost }
    }

    /// Appends what stands after the last result. A document without it was cut off.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.format.form().end(self.totals(), &mut self.text);
        self.hand_over(out);
    }

    /// What was written so far.
    pub fn totals(&self) -> Totals {
        Totals { rows: self.rows, characters: self.values.counts() }
    }

    fn hand_over(&mut self, out: &mut Vec<u8>) {
        self.format.bytes(&self.document).encode(&self.text, out);
        self.text.clear();
    }
}
