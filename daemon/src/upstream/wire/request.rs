//! What is sent.

use data_encoding::BASE64;
use jiff::civil::Date;
use serde::Serialize;

use super::Correlation;
use crate::app::ports::{CardUseRegistration, Proof};
use crate::domain::eligibility::format_date;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::personal::{Personal, Secret};
use crate::domain::retention::jst_datetime;

#[derive(Serialize)]
struct Envelope<'a, B> {
    #[serde(rename = "XmlMsg")]
    message: Message<'a, B>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a, B> {
    message_header: Header<'a>,
    message_body: B,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Header<'a> {
    medical_institution_code: &'a str,
    arbitrary_file_identifier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_classification: Option<&'static str>,
    character_code_identifier: &'static str,
}

/// 照会区分: by My Number card.
const BY_CARD: &str = "1";
/// 文字コード識別: UTF-8.
const UTF_8: &str = "0";

pub(super) fn message<B: Serialize>(
    by: Option<&'static str>,
    correlation: Correlation<'_>,
    body: B,
) -> Vec<u8> {
    let header = Header {
        medical_institution_code: correlation.institution.as_str(),
        arbitrary_file_identifier: &correlation.request.0,
        reference_classification: by,
        character_code_identifier: UTF_8,
    };
    encode(&Envelope { message: Message { message_header: header, message_body: body } })
}

/// Structs of strings always encode; an empty body would be refused by the other side, not misunderstood.
fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[derive(Serialize)]
struct Nothing {}

/// Sign-in. The bytes hold secrets: they are handed to the HTTP client at once and never logged.
pub(in crate::upstream) fn auth(
    correlation: Correlation<'_>,
    account: &str,
    password: Option<&Secret>,
    code: &Secret,
) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Auth<'a> {
        medical_institution_code: &'a str,
        arbitrary_file_identifier: &'a str,
        account: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<&'a str>,
        one_time_password: &'a str,
    }
    encode(&Auth {
        medical_institution_code: correlation.institution.as_str(),
        arbitrary_file_identifier: &correlation.request.0,
        account,
        password: password.map(Secret::expose),
        one_time_password: code.expose(),
    })
}

/// Asks for a challenge.
pub(in crate::upstream) fn challenge(correlation: Correlation<'_>) -> Vec<u8> {
    message(Some(BY_CARD), correlation, Nothing {})
}

/// Asks for something that needs no more than who asks.
pub(super) fn header_only(correlation: Correlation<'_>) -> Vec<u8> {
    message(None, correlation, Nothing {})
}

/// Asks for the eligibility.
pub(in crate::upstream) fn confirm(correlation: Correlation<'_>, proof: &Proof) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Confirm<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        challenge_id: Option<&'a str>,
        certificate: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    }
    let body = match proof {
        Proof::Signed { challenge_id, signed } => Confirm {
            challenge_id: Some(challenge_id),
            certificate: BASE64.encode(&signed.certificate),
            signature: Some(BASE64.encode(&signed.signature)),
        },
        Proof::Visual(card) => {
            Confirm { challenge_id: None, certificate: BASE64.encode(&card.der), signature: None }
        }
    };
    message(Some(BY_CARD), correlation, body)
}

/// Registers a card for use as a health insurance card.
pub(in crate::upstream) fn card_use_registration(
    correlation: Correlation<'_>,
    registration: &CardUseRegistration,
) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Register<'a> {
        registration_ticket: &'a str,
        consent_time: String,
    }
    let body = Register {
        registration_ticket: registration.ticket.expose(),
        consent_time: jst_datetime(registration.consented_at).strftime("%Y%m%d%H%M%S").to_string(),
    };
    message(Some(BY_CARD), correlation, body)
}

/// Asks for the results of a period; `cursor` is the place where the last page ended.
pub(in crate::upstream) fn results(
    correlation: Correlation<'_>,
    from: Date,
    to: Date,
    cursor: Option<&str>,
) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Period<'a> {
        from: String,
        to: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<&'a str>,
    }
    message(None, correlation, Period { from: format_date(from), to: format_date(to), cursor })
}

/// One person's inquiry number, with the field names that are parsed in the field today.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Registration<'a> {
    reference_number: &'a str,
    insurer_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    insured_card_symbol: Option<&'a str>,
    insured_identification_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    insured_branch_number: Option<&'a str>,
}

impl<'a> Registration<'a> {
    pub(super) fn new(person: &'a InsuranceIdentifiers, number: &'a InquiryNumber) -> Self {
        Self {
            reference_number: number.expose(),
            insurer_number: person.insurer_number.expose(),
            insured_card_symbol: person.symbol.as_ref().map(Personal::expose),
            insured_identification_number: person.number.expose(),
            insured_branch_number: person.branch.as_ref().map(Personal::expose),
        }
    }
}

/// Sets an inquiry number.
pub(in crate::upstream) fn inquiry_number(
    correlation: Correlation<'_>,
    person: &InsuranceIdentifiers,
    number: &InquiryNumber,
) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        reference_number_registration_info: Registration<'a>,
    }
    message(None, correlation, Body { reference_number_registration_info: Registration::new(person, number) })
}
