//! `Coverage` in the shape of JP_Coverage, and its payor in the shape of JP_Organization.

use serde_json::{Value, json};

use super::{Person, absent, reference};
use crate::domain::eligibility::{Classification, Field, Validity, parse_date};
use crate::formats::text::iso_day;

const EXTENSION: &str = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPerson";
const INSURER_NUMBER: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber";
const INSURANCE_CATEGORY: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuranceMajorCategory";
const PERSON_CATEGORY: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuredPersonCategory";

/// The insurer; `None` where neither its number nor its name is disclosed, for FHIR asks for one of them.
pub(super) fn insurer(person: &Person<'_>) -> Option<Value> {
    let (number, name) = (person.text(Field::InsurerNumber), person.text(Field::InsurerName));
    if number.is_none() && name.is_none() {
        return None;
    }
    let number = number.map(|number| json!({ "system": INSURER_NUMBER, "value": number.trim() }));
    let kind = "http://terminology.hl7.org/CodeSystem/organization-type";
    Some(json!({
        "resourceType": "Organization",
        "meta": person.meta("JP_Organization"),
        "identifier": [number],
        "type": [{ "coding": [{ "system": kind, "code": "pay", "display": "Payer" }] }],
        "name": name,
    }))
}

pub(super) fn coverage(person: &Person<'_>) -> Value {
    let symbol = person.text(Field::InsuredCardSymbol);
    let number = person.text(Field::InsuredIdentificationNumber);
    let branch = person.text(Field::InsuredBranchNumber);
    let subscriber = number.map(|number| format!("{}:{number}", symbol.unwrap_or_default()));
    json!({
        "resourceType": "Coverage",
        "meta": person.meta("JP_Coverage"),
        "extension": [
            extension("Symbol", symbol),
            extension("Number", number),
            extension("SubNumber", branch),
        ],
        "identifier": [person.member_id()],
        "status": status(&person.row.confirmation.validity),
        "type": kind(person),
        "subscriberId": subscriber,
        "beneficiary": reference(&person.id("patient")),
        "dependent": branch,
        "relationship": relationship(person),
        "period": period(person),
        "payor": [payor(person)],
        "costToBeneficiary": shares(person),
    })
}

fn extension(part: &str, value: Option<&str>) -> Option<Value> {
    value.map(|value| json!({ "url": format!("{EXTENSION}{part}"), "valueString": value }))
}

/// In force only where the central system said so; `draft` where it left open which insurance is the right one, or said
/// something that this version does not know.
fn status(validity: &Validity) -> &'static str {
    match validity {
        Validity::Valid => "active",
        Validity::Invalid | Validity::InvalidNewExists | Validity::NotFound => "cancelled",
        Validity::Multiple | Validity::Unknown(_) => "draft",
    }
}

/// The kind of insurance that the number of its insurer tells (厚生労働省 別表11), and the 区分 in words.
fn kind(person: &Person<'_>) -> Value {
    let assistance = person.eligibility.classification() == Some(Classification::MedicalAssistance);
    let number = person.code(Field::InsurerNumber).map(str::trim);
    let coding = match number {
        _ if assistance => Some(("8", "公費")),
        Some(number) if number.len() == 6 || number.starts_with("67") => Some(("2", "国保")),
        Some(number) if number.starts_with("39") => Some(("7", "後期高齢者")),
        Some(number) if number.len() == 8 => Some(("1", "医保")),
        _ => None,
    };
    let coding = coding
        .map(|(code, display)| json!({ "system": INSURANCE_CATEGORY, "code": code, "display": display }));
    json!({ "coding": [coding], "text": person.classification })
}

fn relationship(person: &Person<'_>) -> Value {
    let (code, display) = match person.code(Field::PersonalFamilyClassification) {
        Some("1") => ("1", "被保険者"),
        Some("2") => ("2", "被扶養者"),
        _ => return Value::Null,
    };
    json!({ "coding": [{ "system": PERSON_CATEGORY, "code": code, "display": display }] })
}

/// From 有効開始日 (else 資格取得年月日) to the last day: 有効終了日 or the day before 資格喪失年月日, whichever comes first. An
/// end before the start would be no period; it is left out.
fn period(person: &Person<'_>) -> Value {
    let day = |field| person.code(field).and_then(parse_date);
    let start = day(Field::InsuredCardValidDate).or_else(|| day(Field::QualificationDate));
    let lost = day(Field::DisqualificationDate).and_then(|day| day.yesterday().ok());
    let end = [day(Field::InsuredCardExpirationDate), lost].into_iter().flatten().min();
    let end = end.filter(|end| start.is_none_or(|start| start <= *end));
    json!({ "start": start.map(iso_day), "end": end.map(iso_day) })
}

fn payor(person: &Person<'_>) -> Value {
    let known =
        [Field::InsurerNumber, Field::InsurerName].into_iter().any(|field| person.code(field).is_some());
    if known { reference(&person.id("insurer")) } else { absent("masked") }
}

/// What the patient bears, in percent.
fn shares(person: &Person<'_>) -> Vec<Value> {
    let kind = "http://terminology.hl7.org/CodeSystem/coverage-copay-type";
    [Field::InsuredPartialContributionRatio, Field::ElderlyRecipientContributionRatio]
        .into_iter()
        .filter_map(|field| person.code(field)?.parse::<u8>().ok())
        .map(|percent| {
            json!({
                "type": { "coding": [{ "system": kind, "code": "copaypct" }] },
                "valueQuantity": {
                    "value": percent, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%",
                },
            })
        })
        .collect()
}
