//! `XmlMsg` as XML.
//!
//! One result is a document whose root is `XmlMsg`. An export repeats that very element inside a root of ours,
//! `XmlMsgList`, because time, day and validity stand in each message and cannot be shared; it ends with a `Summary`, so
//! that a document that was cut off is not even well-formed.

use super::message::{self, Notation};
use super::text::{SANDBOX, Values};
use super::{Charset, Document, Form, Row, Totals};

/// Elements as XML text.
pub(super) struct XmlMsgXml;

impl Form for XmlMsgXml {
    fn one(&self, document: &Document, row: &Row<'_>, values: &mut Values, text: &mut String) {
        declaration(document.charset, text);
        self.row(document, row, true, values, text);
    }

    fn begin(&self, document: &Document, text: &mut String) {
        declaration(document.charset, text);
        text.push_str("<XmlMsgList>\n");
    }

    fn row(&self, document: &Document, row: &Row<'_>, _: bool, values: &mut Values, text: &mut String) {
        if row.sandbox {
            // A comment: the message itself stays exactly as the national system writes it.
            text.push_str("<!-- ");
            text.push_str(SANDBOX);
            text.push_str(" -->\n");
        }
        message::write(document, document.charset, row, values, &mut Xml(text));
        text.push('\n');
    }

    fn end(&self, totals: Totals, text: &mut String) {
        let mut to = Xml(text);
        to.open("Summary");
        to.text("Results", &totals.rows.to_string());
        to.text("ReducedCharacters", &totals.characters.reduced.to_string());
        to.text("LostCharacters", &totals.characters.lost.to_string());
        to.close("Summary");
        text.push_str("\n</XmlMsgList>\n");
    }
}

/// Both repertoires of Shift_JIS are declared as the field's software expects it.
pub(super) fn declaration(charset: Charset, text: &mut String) {
    let encoding = if charset == Charset::Utf8 { "UTF-8" } else { "Shift_JIS" };
    text.push_str("<?xml version=\"1.0\" encoding=\"");
    text.push_str(encoding);
    text.push_str("\" standalone=\"no\"?>\n");
}

/// Elements as XML text.
pub(super) struct Xml<'a>(pub(super) &'a mut String);

impl Xml<'_> {
    fn tag(&mut self, before: &str, tag: &str) {
        self.0.push_str(before);
        self.0.push_str(tag);
        self.0.push('>');
    }
}

impl Notation for Xml<'_> {
    fn open(&mut self, tag: &'static str) {
        self.tag("<", tag);
    }

    fn close(&mut self, tag: &'static str) {
        self.tag("</", tag);
    }

    fn text(&mut self, tag: &'static str, value: &str) {
        self.open(tag);
        for c in value.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                c => self.0.push(c),
            }
        }
        self.close(tag);
    }

    fn open_list(&mut self, tag: &'static str) {
        self.open(tag);
    }

    fn close_list(&mut self, tag: &'static str) {
        self.close(tag);
    }

    fn open_item(&mut self) {}

    fn close_item(&mut self) {}
}
