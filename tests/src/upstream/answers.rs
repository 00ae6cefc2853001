//! The messages it answers with, in the JSON form of `XmlMsg`.

use daemon::domain::eligibility::{Field, format_date};
use daemon::domain::retention::{jst_datetime, jst_day};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::state::Given;
use crate::personas::AnswerSpec;

/// Whom an answer is for.
pub(super) struct Addressee {
    pub institution: String,
    pub request: String,
}

/// A success.
pub(super) fn success(to: &Addressee, at: Timestamp, body: &Value) -> Value {
    json!({ "XmlMsg": {
        "MessageHeader": {
            "ProcessExecutionTime": date_time(at),
            "QualificationConfirmationDate": format_date(jst_day(at)),
            "MedicalInstitutionCode": to.institution,
            "ArbitraryFileIdentifier": to.request,
            "ReferenceClassification": "1",
            "SegmentOfResult": "1",
            "CharacterCodeIdentifier": "0",
        },
        "MessageBody": body,
    }})
}

/// Still being processed (処理中).
pub(super) fn running(to: &Addressee, at: Timestamp) -> Value {
    let mut message = success(to, at, &Value::Null);
    message["XmlMsg"]["MessageHeader"]["SegmentOfResult"] = json!("2");
    if let Some(message) = message["XmlMsg"].as_object_mut() {
        message.remove("MessageBody");
    }
    message
}

/// An error (異常終了).
pub(super) fn error(to: Option<&Addressee>, at: Timestamp, code: &str) -> Value {
    let mut header = json!({
        "ProcessExecutionTime": date_time(at),
        "SegmentOfResult": "9",
        "ErrorCode": code,
        "ErrorMessage": "模擬システムのエラーです。",
        "CharacterCodeIdentifier": "0",
    });
    if let Some(to) = to {
        header["MedicalInstitutionCode"] = json!(to.institution);
        header["ArbitraryFileIdentifier"] = json!(to.request);
    }
    json!({ "XmlMsg": { "MessageHeader": header } })
}

/// Body of an outcome without a result (処理結果状況 2).
pub(super) fn outcome(code: &str, message: &str) -> Value {
    json!({ "ProcessingResultStatus": "2", "ProcessingResultCode": code, "ProcessingResultMessage": message })
}

/// Body of a persona's result.
pub(super) fn eligibility(answer: &AnswerSpec, inquiry_number: Option<&str>) -> Value {
    let mut body = json!({ "ProcessingResultStatus": "1", "QualificationValidity": answer.validity });
    if let Some(note) = &answer.note {
        body["ProcessingResultCode"] = json!(note.code);
        body["ProcessingResultMessage"] = json!(note.message);
    }
    let results: Vec<_> = answer
        .fields()
        .map(|fields| json!({ "ResultOfQualificationConfirmation": person(fields, inquiry_number) }))
        .collect();
    if !results.is_empty() {
        body["ResultList"] = Value::Array(results);
    }
    body
}

fn person(fields: Vec<(Field, &str)>, inquiry_number: Option<&str>) -> Value {
    let mut person = Map::new();
    let mut elderly = Map::new();
    for (field, value) in fields {
        let into = if field.in_elderly_recipient_certificate() { &mut elderly } else { &mut person };
        into.insert(field.tag().to_owned(), json!(value));
    }
    if !elderly.is_empty() {
        person.insert("ElderlyRecipientCertificateInfo".to_owned(), Value::Object(elderly));
    }
    if let Some(number) = inquiry_number {
        person.insert(Field::ReferenceNumber.tag().to_owned(), json!(number));
    }
    Value::Object(person)
}

/// One entry of the results of a period, with the inquiry number the person has now.
pub(super) fn given(given: &Given, inquiry_number: Option<&str>) -> Value {
    let mut entry = eligibility(&given.persona.answer, inquiry_number);
    entry["UpstreamResultId"] = json!(given.id);
    entry["Terminal"] = json!(given.terminal);
    entry["ProcessExecutionTime"] = json!(date_time(given.at));
    entry["QualificationConfirmationDate"] = json!(format_date(jst_day(given.at)));
    entry
}

/// `YYYYMMDDhhmmss` in Japan time.
pub(super) fn date_time(at: Timestamp) -> String {
    let at = jst_datetime(at);
    format!("{}{:02}{:02}{:02}", format_date(at.date()), at.hour(), at.minute(), at.second())
}
