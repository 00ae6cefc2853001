//! `Patient` in the shape of JP_Patient.

use serde_json::{Value, json};

use super::{MEMBER_ID, Person, absent};
use crate::domain::eligibility::{Field, parse_date};
use crate::formats::text::iso_day;

const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

pub(super) fn patient(person: &Person<'_>) -> Value {
    json!({
        "resourceType": "Patient",
        "meta": person.meta("JP_Patient"),
        "identifier": identifiers(person),
        "name": names(person),
        "gender": gender(person),
        "birthDate": person.eligibility.birthdate().map(iso_day),
        "_birthDate": birthdate_absent(person),
        "address": address(person),
    })
}

/// The facility's own number and the member's; JP_Patient asks for one.
fn identifiers(person: &Person<'_>) -> Value {
    let own = format!("urn:oid:1.2.392.100495.20.3.51.1{}", person.document.institution.as_str());
    let mut identifiers = Vec::new();
    if let Some(number) = person.text(Field::ReferenceNumber) {
        identifiers.push(json!({ "system": own, "value": number }));
    }
    identifiers.extend(person.member_id());
    if identifiers.is_empty() {
        identifiers.push(json!({ "system": MEMBER_ID, "_value": absent("masked") }));
    }
    Value::Array(identifiers)
}

/// The name on the front and its kana; beside them the legal name where the front has an alias.
fn names(person: &Person<'_>) -> Value {
    let (front, front_kana) = (person.text(Field::Name), person.text(Field::NameKana));
    let (legal, legal_kana) = (person.text(Field::NameOfOther), person.text(Field::NameOfOtherKana));
    let use_of_front = if legal.is_some() || legal_kana.is_some() { "usual" } else { "official" };
    let mut names: Vec<Value> = [
        (front, "IDE", use_of_front),
        (front_kana, "SYL", use_of_front),
        (legal, "IDE", "official"),
        (legal_kana, "SYL", "official"),
    ]
    .into_iter()
    .filter_map(|(name, representation, use_of_it)| Some(human_name(name?, representation, use_of_it)))
    .collect();
    if names.is_empty() {
        names.push(absent("masked"));
    }
    Value::Array(names)
}

fn human_name(name: &str, representation: &str, use_of_it: &str) -> Value {
    // Only where there is exactly one space is it known which part is which.
    let mut parts = name.split([' ', '\u{3000}']).filter(|part| !part.is_empty());
    let (family, given) = match (parts.next(), parts.next(), parts.next()) {
        (Some(family), Some(given), None) => (Some(family), Some([given])),
        _ => (None, None),
    };
    json!({
        "extension": [{ "url": REPRESENTATION, "valueCode": representation }],
        "use": use_of_it,
        "text": name,
        "family": family,
        "given": given,
    })
}

fn gender(person: &Person<'_>) -> Option<&'static str> {
    match person.code(Field::Sex1)? {
        "1" => Some("male"),
        "2" => Some("female"),
        "3" => Some("unknown"),
        _ => None,
    }
}

fn birthdate_absent(person: &Person<'_>) -> Value {
    let received = person.code(Field::Birthdate);
    match (person.eligibility.birthdate(), received) {
        (Some(_), _) => Value::Null,
        (None, None) => absent("masked"),
        (None, Some(text)) if parse_date(text).is_some() => absent("unknown"),
        (None, Some(_)) => absent("error"),
    }
}

fn address(person: &Person<'_>) -> Value {
    let (text, code) = (person.text(Field::Address), person.text(Field::PostNumber));
    if text.is_none() && code.is_none() {
        return Value::Null;
    }
    let code = code.map(|code| match code.as_bytes() {
        digits if digits.len() == 7 && digits.iter().all(u8::is_ascii_digit) => {
            format!("{}-{}", &code[..3], &code[3..])
        }
        _ => code.to_owned(),
    });
    json!([{ "text": text, "postalCode": code, "country": "JP" }])
}
