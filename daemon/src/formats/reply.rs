//! Answers to requests about inquiry numbers, as files (`OQSsiimm01res`, `OQSmuimm01res`, `OQSmuimm02res`).
//!
//! Which elements, in which order; the identifiers stand exactly once, as consumers demand. The words of the outcomes are the
//! caller's.

use jiff::Timestamp;

use super::charset::{Charset, Encoder};
use super::message::Notation as _;
use super::text::{Values, date_time};
use super::xml::{Xml, declaration};

/// What every answer says about its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// MedicalInstitutionCode.
    pub institution: &'a str,
    /// ArbitraryFileIdentifier, if the request has one.
    pub identifier: Option<&'a str>,
    /// The answer's character set.
    pub charset: Charset,
}

/// Why something was not done: a code, and words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why<'a> {
    /// The stable code.
    pub code: &'a str,
    /// Japanese.
    pub message: &'a str,
}

/// An item of a bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// ReferenceNumber.
    pub number: &'a str,
    /// Why it was not registered.
    pub failure: Option<Why<'a>>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The request itself is at fault: SegmentOfResult 9.
    Fault(Why<'a>),
    /// A number was registered, or not.
    Single(Item<'a>),
    /// A bulk was taken in.
    Received {
        /// ReceptionNumber.
        number: &'a str,
        /// ReceptionDateTime.
        at: Timestamp,
    },
    /// A bulk is still being worked on: SegmentOfResult 2.
    Running {
        /// ReceptionNumber.
        number: &'a str,
    },
    /// A bulk has ended.
    Ended {
        /// ReceptionNumber.
        number: &'a str,
        /// Its items in their order.
        items: Vec<Item<'a>>,
    },
}

const DONE: &str = "1";
const STILL_RUNNING: &str = "2";
const BROKEN: &str = "9";
const GOOD: &str = "1";
const BAD: &str = "2";

/// The file.
pub fn write(envelope: &Envelope<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let mut text = String::new();
    declaration(envelope.charset, &mut text);
    let mut writer = Writer { to: Xml(&mut text), values: Values::new(envelope.charset) };
    writer.to.open("XmlMsg");
    writer.header(envelope, reply);
    writer.to.open("MessageBody");
    writer.body(reply);
    writer.to.close("MessageBody");
    writer.to.close("XmlMsg");
    text.push('\n');
    let mut bytes = Vec::with_capacity(text.len());
    Encoder::new(envelope.charset).encode(&text, &mut bytes);
    bytes
}

struct Writer<'t> {
    to: Xml<'t>,
    values: Values,
}

impl Writer<'_> {
    fn text(&mut self, tag: &'static str, value: &str) {
        let value = self.values.plain(value);
        self.to.text(tag, &value);
    }

    fn header(&mut self, envelope: &Envelope<'_>, reply: &Reply<'_>) {
        self.to.open("MessageHeader");
        self.text("MedicalInstitutionCode", envelope.institution);
        if let Some(identifier) = envelope.identifier {
            self.text("ArbitraryFileIdentifier", identifier);
        }
        let segment = match reply {
            Reply::Fault(_) => BROKEN,
            Reply::Running { .. } => STILL_RUNNING,
            Reply::Single(_) | Reply::Received { .. } | Reply::Ended { .. } => DONE,
        };
        self.text("SegmentOfResult", segment);
        if let Reply::Fault(why) = reply {
            self.text("ErrorCode", why.code);
            self.text("ErrorMessage", why.message);
        }
        self.text("CharacterCodeIdentifier", if envelope.charset == Charset::Utf8 { "0" } else { "1" });
        self.to.close("MessageHeader");
    }

    fn body(&mut self, reply: &Reply<'_>) {
        match reply {
            Reply::Fault(why) => self.outcome(Some(why)),
            Reply::Single(item) => self.item(item),
            Reply::Received { number, at } => {
                self.outcome(None);
                self.text("ReceptionNumber", number);
                self.text("ReceptionDateTime", &date_time(*at));
            }
            Reply::Running { number } => {
                self.outcome(None);
                self.text("ReceptionNumber", number);
            }
            Reply::Ended { number, items } => {
                self.outcome(None);
                self.text("ReceptionNumber", number);
                for item in items {
                    self.to.open("ReferenceNumberRegistrationResult");
                    self.item(item);
                    self.to.close("ReferenceNumberRegistrationResult");
                }
            }
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        self.outcome(item.failure.as_ref());
        self.text("ReferenceNumber", item.number);
    }

    fn outcome(&mut self, failure: Option<&Why<'_>>) {
        self.text("ProcessingResultStatus", if failure.is_some() { BAD } else { GOOD });
        if let Some(why) = failure {
            self.text("ProcessingResultCode", why.code);
            self.text("ProcessingResultMessage", why.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope<'_> =
        Envelope { institution: "1312345678", identifier: Some("A<1>"), charset: Charset::Utf8 };

    fn shown(reply: &Reply<'_>) -> String {
        String::from_utf8(write(&ENVELOPE, reply)).unwrap()
    }

    #[test]
    fn a_refused_number_names_why_and_echoes_what_was_asked() {
        let failure = Some(Why { code: "inquiry_number_in_use", message: "使用中です。" });
        assert_eq!(
            shown(&Reply::Single(Item { number: "K-1", failure })),
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n<XmlMsg><MessageHeader>\
             <MedicalInstitutionCode>1312345678</MedicalInstitutionCode>\
             <ArbitraryFileIdentifier>A&lt;1&gt;</ArbitraryFileIdentifier><SegmentOfResult>1</SegmentOfResult>\
             <CharacterCodeIdentifier>0</CharacterCodeIdentifier></MessageHeader><MessageBody>\
             <ProcessingResultStatus>2</ProcessingResultStatus>\
             <ProcessingResultCode>inquiry_number_in_use</ProcessingResultCode>\
             <ProcessingResultMessage>使用中です。</ProcessingResultMessage>\
             <ReferenceNumber>K-1</ReferenceNumber></MessageBody></XmlMsg>\n"
        );
    }

    #[test]
    fn a_fault_stands_in_the_header_and_a_running_bulk_says_two() {
        let fault = shown(&Reply::Fault(Why { code: "x", message: "y" }));
        assert!(fault.contains("<SegmentOfResult>9</SegmentOfResult><ErrorCode>x</ErrorCode>"), "{fault}");
        let running = shown(&Reply::Running { number: "7" });
        assert!(running.contains("<SegmentOfResult>2</SegmentOfResult>"), "{running}");
    }

    #[test]
    fn a_receipt_has_number_and_time_and_its_outcome_every_item() {
        let at = "2026-07-08T03:00:05Z".parse().unwrap();
        let receipt = shown(&Reply::Received { number: "7", at });
        assert!(receipt.contains(
            "<ReceptionNumber>7</ReceptionNumber><ReceptionDateTime>20260708120005</ReceptionDateTime>"
        ));
        let items = vec![
            Item { number: "A", failure: None },
            Item { number: "B", failure: Some(Why { code: "c", message: "m" }) },
        ];
        let ended = shown(&Reply::Ended { number: "7", items });
        assert_eq!(ended.matches("<ReferenceNumberRegistrationResult>").count(), 2);
        assert!(ended.contains("<ProcessingResultStatus>1</ProcessingResultStatus><ReferenceNumber>A<"));
    }
}
