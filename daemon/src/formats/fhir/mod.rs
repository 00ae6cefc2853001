//! FHIR R4: a `Bundle` (collection) of `Patient`, `Organization` (the insurer) and `Coverage` for each eligibility, in the
//! shape of JP Core's profiles.
//!
//! Ids are made from institution, result and place in the result, so that the same result is the same resource in every
//! export. What is withheld (不開示) is marked with `data-absent-reason` where the profile asks for the element, and left
//! out elsewhere. 性別2 (the register's sex) has no place here and is left out.

mod coverage;
mod patient;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::text::{Values, rfc3339, validity};
use super::{Document, Form, Row, Totals};
use crate::domain::eligibility::{Eligibility, Field};

/// 被保険者個人識別子, of a person as of a coverage.
const MEMBER_ID: &str = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID";

pub(super) struct FhirJson;

impl Form for FhirJson {
    fn begin(&self, document: &Document, text: &mut String) {
        text.push_str("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"");
        text.push_str(&rfc3339(document.made_at));
        text.push('"');
    }

    fn row(&self, document: &Document, row: &Row<'_>, first: bool, values: &mut Values, text: &mut String) {
        // FHIR knows no empty list: the list begins with its first entry.
        let mut before = if first { ",\"entry\":[\n" } else { ",\n" };
        for entry in entries(document, row, values) {
            text.push_str(before);
            text.push_str(&entry.to_string());
            before = ",\n";
        }
    }

    fn end(&self, totals: Totals, text: &mut String) {
        text.push_str(if totals.rows == 0 { "}\n" } else { "\n]}\n" });
    }
}

/// The resources of one result; never none.
fn entries(document: &Document, row: &Row<'_>, values: &mut Values) -> Vec<Value> {
    let people = &row.confirmation.eligibilities;
    if people.is_empty() {
        return vec![nothing_found(document, row)];
    }
    let mut entries = Vec::with_capacity(3 * people.len());
    for (index, eligibility) in people.iter().enumerate() {
        let person = Person::new(document, row, eligibility, index, values);
        entries.push(entry(person.id("patient"), patient::patient(&person)));
        if let Some(insurer) = coverage::insurer(&person) {
            entries.push(entry(person.id("insurer"), insurer));
        }
        entries.push(entry(person.id("coverage"), coverage::coverage(&person)));
    }
    entries
}

/// Fields that are written as text; 記号 and 番号 in full width, as JP Core asks.
const TEXTS: [(Field, bool); 12] = [
    (Field::InsurerNumber, false),
    (Field::InsuredCardSymbol, true),
    (Field::InsuredIdentificationNumber, true),
    (Field::InsuredBranchNumber, false),
    (Field::Name, false),
    (Field::NameOfOther, false),
    (Field::NameKana, false),
    (Field::NameOfOtherKana, false),
    (Field::Address, false),
    (Field::PostNumber, false),
    (Field::InsurerName, false),
    (Field::ReferenceNumber, false),
];

/// One eligibility of a result, with what is needed to write about it.
struct Person<'a> {
    document: &'a Document,
    row: &'a Row<'a>,
    eligibility: &'a Eligibility,
    index: usize,
    /// In the repertoire of the document: brought into it once, however often a text is written.
    texts: BTreeMap<Field, String>,
    /// The word for 区分, likewise.
    classification: Option<String>,
}

impl<'a> Person<'a> {
    fn new(
        document: &'a Document,
        row: &'a Row<'a>,
        eligibility: &'a Eligibility,
        index: usize,
        values: &mut Values,
    ) -> Self {
        let mut texts = BTreeMap::new();
        for (field, wide) in TEXTS {
            if let Some(value) = row.field(eligibility, field) {
                let value = if wide { full_width(value) } else { value.to_owned() };
                texts.insert(field, values.plain(&value).into_owned());
            }
        }
        let label = eligibility.classification().map(|known| known.label());
        let classification = label.map(|label| values.plain(&label).into_owned());
        Self { document, row, eligibility, index, texts, classification }
    }

    /// One of the [`TEXTS`].
    fn text(&self, field: Field) -> Option<&str> {
        self.texts.get(&field).map(String::as_str)
    }

    /// A code or a date as received.
    fn code(&self, field: Field) -> Option<&str> {
        self.row.field(self.eligibility, field)
    }

    fn id(&self, kind: &str) -> String {
        uuid(self.document, self.row, self.index, kind)
    }

    fn meta(&self, profile: &str) -> Value {
        let profile = format!("http://jpfhir.jp/fhir/core/StructureDefinition/{profile}");
        json!({ "versionId": self.row.version.to_string(), "profile": [profile], "security": security(self.row) })
    }

    /// 保険者番号:記号:番号:枝番, the number of the insurer with eight digits, as JP Core writes a member's identifier; `None`
    /// where insurer number or number are withheld.
    fn member_id(&self) -> Option<Value> {
        let insurer = self.text(Field::InsurerNumber)?.trim();
        let number = self.text(Field::InsuredIdentificationNumber)?;
        let symbol = self.text(Field::InsuredCardSymbol).unwrap_or_default();
        let branch = self.text(Field::InsuredBranchNumber).unwrap_or_default();
        let member = format!("{insurer:0>8}:{symbol}:{number}:{branch}");
        Some(json!({ "system": MEMBER_ID, "value": member }))
    }
}

/// Test data is marked as FHIR foresees it.
fn security(row: &Row<'_>) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    if row.sandbox { json!([{ "system": system, "code": "HTEST" }]) } else { Value::Null }
}

fn entry(id: String, mut resource: Value) -> Value {
    let url = format!("urn:uuid:{id}");
    resource["id"] = Value::String(id);
    compact(&mut resource);
    json!({ "fullUrl": url, "resource": resource })
}

fn nothing_found(document: &Document, row: &Row<'_>) -> Value {
    let words = validity(&row.confirmation.validity);
    let resource = json!({
        "resourceType": "OperationOutcome",
        "meta": { "security": security(row) },
        "issue": [{ "severity": "information", "code": "not-found", "details": { "text": words } }],
    });
    entry(uuid(document, row, 0, "outcome"), resource)
}

/// A UUID of version 8 (RFC 9562: the maker's own scheme): the beginning of a SHA-256 over what names the resource.
fn uuid(document: &Document, row: &Row<'_>, index: usize, kind: &str) -> String {
    let name = format!("shikaku-bridge/{}/{}/{index}/{kind}", document.institution.as_str(), row.id.0);
    let hash = Sha256::digest(name.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn reference(id: &str) -> Value {
    json!({ "reference": format!("urn:uuid:{id}") })
}

/// Stands where the profile asks for a value that there is none of.
fn absent(reason: &str) -> Value {
    json!({ "extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": reason,
    }]})
}

/// Takes out what is null or empty, for FHIR knows neither; `false` where nothing is left.
fn compact(value: &mut Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => {
            items.retain_mut(compact);
            !items.is_empty()
        }
        Value::Object(members) => {
            members.retain(|_, member| compact(member));
            !members.is_empty()
        }
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// ASCII in full width.
fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' ' => '\u{3000}',
            '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_gets_its_full_width_form() {
        assert_eq!(full_width("12-3 あ・ｱ~"), "１２－３　あ・ｱ～");
    }

    #[test]
    fn nothing_null_or_empty_is_left() {
        let mut value = json!({ "a": null, "b": [], "c": { "d": "" }, "e": [{ "f": null }, 1], "g": false });
        assert!(compact(&mut value));
        assert_eq!(value, json!({ "e": [1], "g": false }));
        assert!(!compact(&mut json!({ "a": [null] })));
    }
}
