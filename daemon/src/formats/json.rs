//! `XmlMsg` as JSON: the same elements as members, lists as arrays. Bytes are UTF-8 always, so `CharacterCodeIdentifier`
//! is 0 also where the repertoire is reduced.

use super::message::{self, Notation};
use super::text::Values;
use super::{Charset, Document, Form, Row, Totals};

pub(super) struct XmlMsgJson;

impl Form for XmlMsgJson {
    fn one(&self, document: &Document, row: &Row<'_>, values: &mut Values, text: &mut String) {
        entry(document, row, values, text);
        text.push('\n');
    }

    fn begin(&self, _: &Document, text: &mut String) {
        text.push_str("{\"XmlMsgList\":[\n");
    }

    fn row(&self, document: &Document, row: &Row<'_>, first: bool, values: &mut Values, text: &mut String) {
        if !first {
            text.push_str(",\n");
        }
        entry(document, row, values, text);
    }

    fn end(&self, totals: Totals, text: &mut String) {
        text.push_str("\n],\"Summary\":{");
        let mut to = Json(text);
        to.text("Results", &totals.rows.to_string());
        to.text("ReducedCharacters", &totals.characters.reduced.to_string());
        to.text("LostCharacters", &totals.characters.lost.to_string());
        text.push_str("}}\n");
    }
}

/// One message; beside it, not in it, that it is not real.
fn entry(document: &Document, row: &Row<'_>, values: &mut Values, text: &mut String) {
    text.push('{');
    message::write(document, Charset::Utf8, row, values, &mut Json(text));
    if row.sandbox {
        Json(text).text("Sandbox", "1");
    }
    text.push('}');
}

struct Json<'a>(&'a mut String);

impl Json<'_> {
    /// A member's name, with a comma unless it is the first of its object.
    fn name(&mut self, tag: &str) {
        if !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(tag);
        self.0.push_str("\":");
    }
}

impl Notation for Json<'_> {
    fn open(&mut self, tag: &'static str) {
        self.name(tag);
        self.0.push('{');
    }

    fn close(&mut self, _: &'static str) {
        self.0.push('}');
    }

    fn text(&mut self, tag: &'static str, value: &str) {
        self.name(tag);
        self.0.push('"');
        // Values hold no control characters, so these two are all that JSON asks for.
        for c in value.chars() {
            if matches!(c, '"' | '\\') {
                self.0.push('\\');
            }
            self.0.push(c);
        }
        self.0.push('"');
    }

    fn open_list(&mut self, tag: &'static str) {
        self.name(tag);
        self.0.push('[');
    }

    fn close_list(&mut self, _: &'static str) {
        self.0.push(']');
    }

    fn open_item(&mut self) {
        if !self.0.ends_with('[') {
            self.0.push(',');
        }
        self.0.push('{');
    }

    fn close_item(&mut self) {
        self.0.push('}');
    }
}
