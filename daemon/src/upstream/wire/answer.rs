//! What is received: strict about what it belongs to and what it must hold, tolerant of codes and tags yet unknown.

use data_encoding::BASE64;
use jiff::Timestamp;
use jiff::civil::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::person::Entries;
use super::{CERTIFICATE_EXPIRED, CHALLENGE_BYTES, Correlation, NOT_REGISTERED, Page, Token, WireError};
use crate::app::ports::{Answer, Challenge, LinkedResult, RegistrationTicket};
use crate::domain::announcement::clean;
use crate::domain::eligibility::{Confirmation, ProcessingNote, Validity, parse_date};
use crate::domain::identifiers::{InquiryNumber, UpstreamResultId};
use crate::domain::personal::Secret;
use crate::domain::retention::from_jst;

/// Most characters of a terminal's name.
const LONGEST_TERMINAL: usize = 64;

pub(super) type Read<T> = Result<T, WireError>;

#[derive(Deserialize)]
struct Envelope<B> {
    #[serde(rename = "XmlMsg")]
    message: Message<B>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message<B> {
    message_header: Header,
    message_body: Option<B>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct Header {
    #[serde(deserialize_with = "text")]
    process_execution_time: Option<String>,
    #[serde(deserialize_with = "text")]
    qualification_confirmation_date: Option<String>,
    #[serde(deserialize_with = "text")]
    medical_institution_code: Option<String>,
    #[serde(deserialize_with = "text")]
    arbitrary_file_identifier: Option<String>,
    #[serde(deserialize_with = "text")]
    segment_of_result: Option<String>,
    #[serde(deserialize_with = "text")]
    error_code: Option<String>,
}

/// An empty element means the same as none.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Opens a message, checks that it answers our request, and takes out a refusal.
pub(super) fn open<B: DeserializeOwned>(bytes: &[u8], correlation: Correlation<'_>) -> Read<(Header, B)> {
    open_ended(bytes, correlation)?.ok_or(WireError::Malformed("SegmentOfResult is neither 1 nor 9"))
}

/// As [`open`], of something that may still be processed (SegmentOfResult 2): `None` then.
pub(super) fn open_ended<B: DeserializeOwned>(
    bytes: &[u8],
    correlation: Correlation<'_>,
) -> Read<Option<(Header, B)>> {
    let envelope: Envelope<B> =
        serde_json::from_slice(bytes).map_err(|_| WireError::Malformed("not the JSON form of XmlMsg"))?;
    let Message { message_header: header, message_body: body } = envelope.message;
    let ours = |sent: &str, got: &Option<String>| got.as_deref().map(|got| got == sent);
    let institution = ours(correlation.institution.as_str(), &header.medical_institution_code);
    let request = ours(&correlation.request.0, &header.arbitrary_file_identifier);
    match header.segment_of_result.as_deref() {
        // A gateway that refuses may not know whose request it was; but it must not be somebody else's.
        Some("9") if institution != Some(false) && request != Some(false) => {
            Err(WireError::from_code(header.error_code.as_deref().unwrap_or("NO_CODE")))
        }
        Some("1") if institution == Some(true) && request == Some(true) => {
            Ok(Some((header, body.ok_or(WireError::Malformed("no MessageBody"))?)))
        }
        Some("2") if institution == Some(true) && request == Some(true) => Ok(None),
        Some("1" | "2" | "9") => Err(WireError::Malformed("answers another request")),
        _ => Err(WireError::Malformed("SegmentOfResult is none of 1, 2 and 9")),
    }
}

/// The refusal inside an HTTP error answer, if there is one that may be ours.
pub(in crate::upstream) fn read_error(bytes: &[u8], correlation: Correlation<'_>) -> Option<WireError> {
    match open::<serde::de::IgnoredAny>(bytes, correlation) {
        Err(error @ (WireError::Refused(_) | WireError::Maintenance)) => Some(error),
        Err(WireError::Malformed(_)) | Ok(_) => None,
    }
}

/// Reads the answer to a sign-in.
pub(in crate::upstream) fn read_token(bytes: &[u8]) -> Read<Token> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        id_token: String,
        #[serde(default, deserialize_with = "text")]
        expires_in: Option<String>,
    }
    const LONGEST: usize = 8 * 1024;
    let body: Body = serde_json::from_slice(bytes).map_err(|_| WireError::Malformed("no token"))?;
    let text = Secret::new(body.id_token);
    if text.expose().is_empty()
        || text.expose().len() > LONGEST
        || !text.expose().bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(WireError::Malformed("unusable token"));
    }
    let expires_in = match body.expires_in.as_deref().map(str::parse::<u32>) {
        Some(Ok(seconds)) => Some(seconds),
        Some(Err(_)) => return Err(WireError::Malformed("unusable ExpiresIn")),
        None => None,
    };
    Ok(Token { text, expires_in })
}

/// Reads a challenge.
pub(in crate::upstream) fn read_challenge(bytes: &[u8], correlation: Correlation<'_>) -> Read<Challenge> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        challenge_id: String,
        challenge: String,
    }
    let (_, body) = open::<Body>(bytes, correlation)?;
    let challenge = BASE64
        .decode(body.challenge.as_bytes())
        .map_err(|_| WireError::Malformed("the challenge is not Base64"))?;
    if body.challenge_id.is_empty() || !CHALLENGE_BYTES.contains(&challenge.len()) {
        return Err(WireError::Malformed("unusable challenge"));
    }
    Ok(Challenge { id: body.challenge_id, bytes: challenge })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Outcome {
    #[serde(deserialize_with = "text")]
    processing_result_status: Option<String>,
    #[serde(deserialize_with = "text")]
    processing_result_code: Option<String>,
    #[serde(deserialize_with = "text")]
    processing_result_message: Option<String>,
    #[serde(deserialize_with = "text")]
    qualification_validity: Option<String>,
    #[serde(deserialize_with = "text")]
    registration_ticket: Option<String>,
    #[serde(deserialize_with = "text")]
    upstream_result_id: Option<String>,
    result_list: Entries,
}

impl Outcome {
    /// What was confirmed, given the two dates of the message.
    fn into_confirmation(self, processed: Option<&str>, day: Option<&str>) -> Read<Confirmation> {
        let validity = self.qualification_validity.ok_or(WireError::Malformed("no QualificationValidity"))?;
        let note = match (self.processing_result_code, self.processing_result_message) {
            (None, None) => None,
            (code, message) => {
                Some(ProcessingNote { code: code.unwrap_or_default(), message: message.unwrap_or_default() })
            }
        };
        // An id that cannot be used is none: a confirmation is not thrown away for it.
        let upstream_id = self.upstream_result_id.and_then(|id| UpstreamResultId::parse(&id).ok());
        Ok(Confirmation {
            upstream_id,
            processed_at: processed
                .and_then(instant)
                .ok_or(WireError::Malformed("no ProcessExecutionTime"))?,
            confirmed_for: day
                .and_then(parse_date)
                .ok_or(WireError::Malformed("no QualificationConfirmationDate"))?,
            validity: Validity::from_code(&validity),
            note,
            eligibilities: self.result_list.into_eligibilities(),
        })
    }
}

/// Reads `YYYYMMDDhhmmss` in Japan time.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_at_checked(8)?;
    if time.len() != 6 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| time.get(range)?.parse::<i8>().ok();
    let time = Time::new(part(0..2)?, part(2..4)?, part(4..6)?, 0).ok()?;
    from_jst(parse_date(day)?.to_datetime(time))
}

/// Reads the answer to a proof.
pub(in crate::upstream) fn read_confirmation(bytes: &[u8], correlation: Correlation<'_>) -> Read<Answer> {
    let (header, body) = open::<Outcome>(bytes, correlation)?;
    match (body.processing_result_status.as_deref(), body.processing_result_code.as_deref()) {
        (Some("2"), Some(NOT_REGISTERED)) => Ok(Answer::NotRegistered { ticket: ticket(body)? }),
        (Some("2"), Some(CERTIFICATE_EXPIRED)) => Ok(Answer::CertificateExpired),
        _ => eligibility(&header, body).map(Answer::Confirmed),
    }
}

/// Reads the answer to a card-use registration.
pub(in crate::upstream) fn read_card_use_registration(
    bytes: &[u8],
    correlation: Correlation<'_>,
) -> Read<Confirmation> {
    let (header, body) = open::<Outcome>(bytes, correlation)?;
    eligibility(&header, body)
}

/// What it takes to register a card; it is sent back as it came.
fn ticket(body: Outcome) -> Read<Option<RegistrationTicket>> {
    const LONGEST: usize = 8 * 1024;
    match body.registration_ticket.map(RegistrationTicket::new) {
        Some(ticket) if ticket.expose().len() > LONGEST => {
            Err(WireError::Malformed("unusable RegistrationTicket"))
        }
        ticket => Ok(ticket),
    }
}

fn eligibility(header: &Header, body: Outcome) -> Read<Confirmation> {
    match (body.processing_result_status.as_deref(), body.processing_result_code.as_deref()) {
        (Some("1"), _) => body.into_confirmation(
            header.process_execution_time.as_deref(),
            header.qualification_confirmation_date.as_deref(),
        ),
        (Some("2"), Some(code)) => Err(WireError::from_code(code)),
        _ => Err(WireError::Malformed("ProcessingResultStatus is neither 1 nor 2 with a code")),
    }
}

/// Reads one page of the results of a period. One unreadable result makes the page unusable: a result left out
/// silently would be missed by nobody.
pub(in crate::upstream) fn read_results(bytes: &[u8], correlation: Correlation<'_>) -> Read<Page> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item {
        #[serde(default)]
        terminal: String,
        #[serde(default, deserialize_with = "text")]
        process_execution_time: Option<String>,
        #[serde(default, deserialize_with = "text")]
        qualification_confirmation_date: Option<String>,
        #[serde(flatten)]
        outcome: Outcome,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        #[serde(default)]
        results: Vec<Item>,
        #[serde(default, deserialize_with = "text")]
        next_cursor: Option<String>,
    }
    let (_, body) = open::<Body>(bytes, correlation)?;
    let results = body
        .results
        .into_iter()
        .map(|item| {
            let confirmation = item.outcome.into_confirmation(
                item.process_execution_time.as_deref(),
                item.qualification_confirmation_date.as_deref(),
            )?;
            if confirmation.upstream_id.is_none() {
                return Err(WireError::Malformed("no usable UpstreamResultId"));
            }
            Ok(LinkedResult { terminal: clean(&item.terminal, LONGEST_TERMINAL, false), confirmation })
        })
        .collect::<Read<Vec<_>>>()?;
    Ok(Page { results, next: body.next_cursor })
}

/// What became of one inquiry number, alone or in a bulk.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Registered {
    #[serde(default, deserialize_with = "text")]
    pub(super) processing_result_status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) processing_result_code: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) reference_number: Option<String>,
}

/// Reads the answer to setting an inquiry number.
pub(in crate::upstream) fn read_registration(
    bytes: &[u8],
    correlation: Correlation<'_>,
    number: &InquiryNumber,
) -> Read<()> {
    let (_, body) = open::<Registered>(bytes, correlation)?;
    match (body.processing_result_status.as_deref(), body.processing_result_code.as_deref()) {
        (Some("1"), _) if body.reference_number.as_deref().is_none_or(|echo| echo == number.expose()) => {
            Ok(())
        }
        (Some("1"), _) => Err(WireError::Malformed("another inquiry number came back")),
        (Some("2"), Some(code)) => Err(WireError::from_code(code)),
        _ => Err(WireError::Malformed("ProcessingResultStatus is neither 1 nor 2 with a code")),
    }
}
