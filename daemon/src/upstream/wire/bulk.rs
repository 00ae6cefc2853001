//! Inquiry numbers in bulk: what is sent and what comes back (interfaces of OQSmuimm01 and OQSmuimm02, as JSON).

use serde::{Deserialize, Serialize};

use super::answer::{Read, Registered, open, open_ended, text};
use super::request::{Registration, message};
use super::{Correlation, WireError, harmless};
use crate::app::ports::{BulkItem, BulkOutcome};
use crate::domain::queue::Receipt;

/// Hands in numbers in bulk.
pub(in crate::upstream) fn inquiry_bulk(correlation: Correlation<'_>, items: &[BulkItem]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        reference_number_registration_info: Vec<Registration<'a>>,
    }
    let list = items.iter().map(|item| Registration::new(&item.person, &item.number)).collect();
    message(None, correlation, Body { reference_number_registration_info: list })
}

/// Asks what became of a bulk.
pub(in crate::upstream) fn bulk_outcome(correlation: Correlation<'_>, receipt: &Receipt) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        reception_number: &'a str,
    }
    message(None, correlation, Body { reception_number: &receipt.0 })
}

/// Reads the receipt of a bulk.
pub(in crate::upstream) fn read_reception(bytes: &[u8], correlation: Correlation<'_>) -> Read<Receipt> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        #[serde(default, deserialize_with = "text")]
        processing_result_status: Option<String>,
        #[serde(default, deserialize_with = "text")]
        processing_result_code: Option<String>,
        #[serde(default, deserialize_with = "text")]
        reception_number: Option<String>,
    }
    const LONGEST: usize = 64;
    let (_, body) = open::<Body>(bytes, correlation)?;
    if let (Some("2"), Some(code)) = (body.processing_result_status.as_deref(), &body.processing_result_code)
    {
        return Err(WireError::from_code(code));
    }
    let plain =
        |number: &String| number.len() <= LONGEST && number.bytes().all(|byte| byte.is_ascii_graphic());
    body.reception_number.filter(plain).map(Receipt).ok_or(WireError::Malformed("no usable ReceptionNumber"))
}

/// Reads what became of a bulk of these items. An outcome that is not of exactly these items says nothing about any.
pub(in crate::upstream) fn read_bulk_outcome(
    bytes: &[u8],
    correlation: Correlation<'_>,
    items: &[BulkItem],
) -> Read<BulkOutcome> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        #[serde(default, deserialize_with = "text")]
        processing_result_status: Option<String>,
        #[serde(default, deserialize_with = "text")]
        processing_result_code: Option<String>,
        #[serde(default)]
        reference_number_registration_result: Vec<Registered>,
    }
    let Some((_, body)) = open_ended::<Body>(bytes, correlation)? else {
        return Ok(BulkOutcome::Processing);
    };
    if let (Some("2"), Some(code)) = (body.processing_result_status.as_deref(), &body.processing_result_code)
    {
        return Err(WireError::from_code(code));
    }
    if body.reference_number_registration_result.len() != items.len() {
        return Err(WireError::Malformed("the outcome has another number of items"));
    }
    let read = |(item, asked): (Registered, &BulkItem)| {
        if item.reference_number.as_deref() != Some(asked.number.expose()) {
            return Err(WireError::Malformed("the outcome is of other items"));
        }
        match (item.processing_result_status.as_deref(), item.processing_result_code) {
            (Some("1"), _) => Ok(Ok(())),
            (Some("2"), Some(code)) => Ok(Err(harmless(&code))),
            _ => Err(WireError::Malformed("an item is neither taken nor refused with a code")),
        }
    };
    let items = body.reference_number_registration_result.into_iter().zip(items).map(read);
    items.collect::<Read<Vec<_>>>().map(BulkOutcome::Done)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::app::ports::RequestId;
    use crate::domain::identifiers::{InquiryNumber, InstitutionCode, InsuranceIdentifiers};

    fn item(number: &str) -> BulkItem {
        BulkItem {
            person: InsuranceIdentifiers::parse("138990", None, "0045678", None).unwrap(),
            number: InquiryNumber::parse(number).unwrap(),
        }
    }

    fn answer(segment: &str, body: &Value) -> Vec<u8> {
        let header = json!({
            "MedicalInstitutionCode": "1399900001", "ArbitraryFileIdentifier": "A1", "SegmentOfResult": segment,
        });
        json!({ "XmlMsg": { "MessageHeader": header, "MessageBody": body } }).to_string().into_bytes()
    }

    #[test]
    fn an_outcome_counts_only_for_exactly_the_items_that_were_sent() {
        let (institution, request) =
            (InstitutionCode::parse("1399900001").unwrap(), RequestId("A1".to_owned()));
        let ours = Correlation { institution: &institution, request: &request };
        let items = [item("A"), item("B")];
        let read = |segment: &str, body: &Value| read_bulk_outcome(&answer(segment, body), ours, &items);
        let list = |list: Value| json!({ "ReferenceNumberRegistrationResult": list });
        let taken = |number: &str| json!({ "ProcessingResultStatus": "1", "ReferenceNumber": number });
        let refused = json!({
            "ProcessingResultStatus": "2", "ProcessingResultCode": "NUMBER_IN_USE", "ReferenceNumber": "B",
        });
        assert_eq!(
            read("1", &list(json!([taken("A"), refused]))),
            Ok(BulkOutcome::Done(vec![Ok(()), Err("NUMBER_IN_USE".to_owned())]))
        );
        assert_eq!(read("2", &Value::Null), Ok(BulkOutcome::Processing));
        let whole = json!({ "ProcessingResultStatus": "2", "ProcessingResultCode": "RECEPTION_UNKNOWN" });
        assert_eq!(read("1", &whole), Err(WireError::Refused("RECEPTION_UNKNOWN".to_owned())));
        for broken in [
            json!([taken("A")]),
            json!([taken("B"), taken("A")]),
            json!([taken("A"), taken("B"), taken("C")]),
            json!([taken("A"), { "ReferenceNumber": "B" }]),
            json!([taken("A"), { "ProcessingResultStatus": "2", "ReferenceNumber": "B" }]),
        ] {
            assert!(matches!(read("1", &list(broken)), Err(WireError::Malformed(_))));
        }
        let other = RequestId("A2".to_owned());
        let theirs = Correlation { institution: &institution, request: &other };
        let foreign = read_bulk_outcome(&answer("2", &Value::Null), theirs, &items);
        assert!(matches!(foreign, Err(WireError::Malformed(_))));
    }

    #[test]
    fn a_receipt_number_is_short_and_plain() {
        let (institution, request) =
            (InstitutionCode::parse("1399900001").unwrap(), RequestId("A1".to_owned()));
        let ours = Correlation { institution: &institution, request: &request };
        let read = |body: &Value| read_reception(&answer("1", body), ours);
        assert_eq!(read(&json!({ "ReceptionNumber": "R-1" })), Ok(Receipt("R-1".to_owned())));
        for number in ["", "a b", "受付", &"9".repeat(65)] {
            assert!(matches!(read(&json!({ "ReceptionNumber": number })), Err(WireError::Malformed(_))));
        }
        let sent: Value = serde_json::from_slice(&inquiry_bulk(ours, &[item("A"), item("B")])).unwrap();
        let list = &sent["XmlMsg"]["MessageBody"]["ReferenceNumberRegistrationInfo"];
        assert_eq!(
            (&list[1]["ReferenceNumber"], &list[1]["InsurerNumber"]),
            (&json!("B"), &json!("  138990"))
        );
    }
}
