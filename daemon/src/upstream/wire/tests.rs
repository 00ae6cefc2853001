use super::*;
use crate::app::ports::Answer;
use crate::domain::eligibility::{Confirmation, Field, Validity};
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::personal::{Personal, Secret};

const SAMPLE: &str = r#"{"XmlMsg":{
  "MessageHeader":{"ProcessExecutionTime":"20261008235959","QualificationConfirmationDate":"20261001",
    "MedicalInstitutionCode":"1399900001","ArbitraryFileIdentifier":"01J0000000000000000000000A",
    "ReferenceClassification":"1","SegmentOfResult":"1","CharacterCodeIdentifier":"0","Later":{"x":[1,2]}},
  "MessageBody":{"ProcessingResultStatus":"1","ProcessingResultCode":"","QualificationValidity":"1",
    "ResultList":[{"ResultOfQualificationConfirmation":{
      "InsurerNumber":"  138990","InsuredBranchNumber":"","Name":"●藤 茂","InsuredCardClassification":"Z9",
      "ElderlyRecipientCertificateInfo":{"ElderlyRecipientContributionRatio":"020","New":"1"},
      "TagOfTheFuture":{"deep":[true]},"NameKana":null}}]}}}"#;

struct Ours {
    institution: InstitutionCode,
    request: RequestId,
}

impl Ours {
    fn new() -> Self {
        Self {
            institution: InstitutionCode::parse("1399900001").unwrap(),
            request: RequestId("01J0000000000000000000000A".to_owned()),
        }
    }

    fn correlation(&self) -> Correlation<'_> {
        Correlation { institution: &self.institution, request: &self.request }
    }
}

fn read(text: &str) -> Result<Answer, WireError> {
    read_confirmation(text.as_bytes(), Ours::new().correlation())
}

fn confirmed(text: &str) -> Confirmation {
    match read(text) {
        Ok(Answer::Confirmed(confirmation)) => confirmation,
        other => panic!("{other:?}"),
    }
}

fn malformed(text: &str) -> bool {
    matches!(read(text), Err(WireError::Malformed(_)))
}

#[test]
fn known_fields_are_kept_as_received_and_the_rest_is_skipped() {
    let confirmation = confirmed(SAMPLE);
    assert_eq!(confirmation.processed_at, "2026-10-08T14:59:59Z".parse().unwrap());
    assert_eq!(confirmation.confirmed_for, jiff::civil::date(2026, 10, 1));
    assert_eq!((confirmation.validity, confirmation.note), (Validity::Valid, None));
    let fields: Vec<_> =
        confirmation.eligibilities[0].iter().map(|(field, value)| (field.tag(), value.expose())).collect();
    assert_eq!(
        fields,
        [
            ("InsuredCardClassification", "Z9"),
            ("InsurerNumber", "  138990"),
            ("Name", "●藤 茂"),
            ("ElderlyRecipientContributionRatio", "020"),
        ]
    );
}

#[test]
fn answers_to_somebody_else_and_broken_rules_are_malformed() {
    for (from, to) in [
        ("01J0000000000000000000000A", "01J0000000000000000000000B"),
        ("1399900001", "1399900002"),
        ("\"SegmentOfResult\":\"1\"", "\"SegmentOfResult\":\"2\""),
        ("\"SegmentOfResult\":\"1\"", "\"SegmentOfResult\":1"),
        ("20261008235959", "20261008245959"),
        ("20261008235959", "2026100823595"),
        ("20261008235959", "2026-10-08 23:"),
        ("20261008235959", "２０２６１００８"),
        ("20261001", "20261301"),
        ("\"QualificationValidity\":\"1\",", ""),
        ("\"ProcessingResultStatus\":\"1\"", "\"ProcessingResultStatus\":\"3\""),
        // A number would have lost its leading zeros.
        ("\"  138990\"", "138990"),
        // Nobody could say which of two counts.
        ("\"NameKana\":null", "\"Name\":\"資格 太郎\""),
        ("\"NameKana\":null", "\"ElderlyRecipientContributionRatio\":\"030\""),
        ("\"MessageBody\"", "\"Body\""),
        ("[{\"Result", "[1,{\"Result"),
    ] {
        assert!(SAMPLE.contains(from), "{from}");
        assert!(malformed(&SAMPLE.replace(from, to)), "{from} -> {to}");
    }
}

/// An answer without our id is as useless as one with another's.
#[test]
fn a_success_must_carry_our_id() {
    let without = SAMPLE.replace("\"ArbitraryFileIdentifier\":\"01J0000000000000000000000A\",", "");
    assert!(malformed(&without));
}

#[test]
fn a_list_of_one_may_come_as_the_element_itself() {
    let single = SAMPLE.replace("\"ResultList\":[{", "\"ResultList\":{").replace("}}]}}}", "}}}}}");
    assert_eq!(confirmed(&single), confirmed(SAMPLE));
    for empty in ["\"\"", "null", "[]"] {
        let (head, _) = SAMPLE.split_once("\"ResultList\":").unwrap();
        assert!(
            confirmed(&format!("{head}\"ResultList\":{empty}}}}}}}")).eligibilities.is_empty(),
            "{empty}"
        );
    }
}

#[test]
fn outcomes_and_refusals_are_told_apart() {
    let outcome = |code: &str| {
        read(&SAMPLE.replace(
            "\"ProcessingResultStatus\":\"1\",\"ProcessingResultCode\":\"\"",
            &format!("\"ProcessingResultStatus\":\"2\",\"ProcessingResultCode\":\"{code}\""),
        ))
    };
    assert_eq!(outcome("CARD_NOT_REGISTERED"), Ok(Answer::NotRegistered { ticket: None }));
    assert_eq!(outcome("CERTIFICATE_EXPIRED"), Ok(Answer::CertificateExpired));
    let with_ticket = outcome("CARD_NOT_REGISTERED\",\"RegistrationTicket\":\"t-1");
    let Ok(Answer::NotRegistered { ticket: Some(ticket) }) = with_ticket else { panic!("no ticket") };
    assert_eq!((ticket.expose(), format!("{ticket:?}").as_str()), ("t-1", "***"));
    let endless = format!("CARD_NOT_REGISTERED\",\"RegistrationTicket\":\"{}", "t".repeat(9_000));
    assert!(matches!(outcome(&endless), Err(WireError::Malformed(_))));
    assert_eq!(outcome("E-123"), Err(WireError::Refused("E-123".to_owned())));
    let error = |header: &str| {
        read(&format!("{{\"XmlMsg\":{{\"MessageHeader\":{{\"SegmentOfResult\":\"9\"{header}}}}}}}"))
    };
    assert_eq!(error(",\"ErrorCode\":\"MAINTENANCE\""), Err(WireError::Maintenance));
    assert_eq!(error(",\"ErrorCode\":\"E1\""), Err(WireError::Refused("E1".to_owned())));
    assert_eq!(error(""), Err(WireError::Refused("NO_CODE".to_owned())));
    assert!(matches!(
        error(",\"ErrorCode\":\"E1\",\"ArbitraryFileIdentifier\":\"another\""),
        Err(WireError::Malformed(_))
    ));
}

#[test]
fn codes_leave_without_anything_harmful() {
    assert_eq!(harmless("E-1_a<script>\u{1b}[31m資格\r\n"), "E-1_ascript31m");
    assert_eq!(harmless(&"x".repeat(100)).len(), 32);
}

/// Every prefix of an answer, and the answer with every single byte replaced, is read or refused without a panic; a
/// prefix is never read as a success.
#[test]
fn damaged_answers_never_panic() {
    let ours = Ours::new();
    let number = InquiryNumber::parse("1").unwrap();
    let read_all = |bytes: &[u8]| {
        let _ = read_challenge(bytes, ours.correlation());
        let _ = read_results(bytes, ours.correlation());
        let _ = read_registration(bytes, ours.correlation(), &number);
        let _ = read_error(bytes, ours.correlation());
        let _ = read_token(bytes);
        read_confirmation(bytes, ours.correlation())
    };
    let sample = SAMPLE.as_bytes();
    for end in 0..sample.len() {
        assert!(read_all(&sample[..end]).is_err(), "{end}");
    }
    for at in 0..sample.len() {
        for byte in [0x00, b'"', b'}', b'[', b'9', 0xFF] {
            let mut damaged = sample.to_vec();
            damaged[at] = byte;
            let _ = read_all(&damaged);
        }
    }
    let deep = "[".repeat(100_000);
    assert!(read_all(deep.as_bytes()).is_err());
    assert!(read_all(format!("{{\"XmlMsg\":{deep}").as_bytes()).is_err());
}

#[test]
fn tokens_must_fit_a_header() {
    assert_eq!(read_token(br#"{"IdToken":"abc.def","ExpiresIn":"1800"}"#).unwrap().expires_in, Some(1800));
    assert_eq!(read_token(br#"{"IdToken":"abc","More":1}"#).unwrap().expires_in, None);
    for body in [
        r#"{"IdToken":""}"#,
        r#"{"IdToken":"a b"}"#,
        r#"{"IdToken":"a\r\nX: y"}"#,
        r#"{"IdToken":"a","ExpiresIn":"x"}"#,
    ] {
        assert!(read_token(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn challenges_have_16_to_64_bytes() {
    let ours = Ours::new();
    let message = |challenge: &str| {
        let (head, _) = SAMPLE.split_once("\"MessageBody\"").unwrap();
        format!("{head}\"MessageBody\":{{\"ChallengeId\":\"c1\",\"Challenge\":\"{challenge}\"}}}}}}")
    };
    for (bytes, good) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
        let encoded = data_encoding::BASE64.encode(&vec![7; bytes]);
        let read = read_challenge(message(&encoded).as_bytes(), ours.correlation());
        assert_eq!(read.is_ok(), good, "{bytes}");
    }
    assert!(read_challenge(message("!!!!").as_bytes(), ours.correlation()).is_err());
}

#[test]
fn requests_carry_what_they_must_and_nothing_absent() {
    let ours = Ours::new();
    let parse = |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
    let person = InsuranceIdentifiers {
        insurer_number: Personal::new("  138990"),
        symbol: None,
        number: Personal::new("0045678"),
        branch: None,
    };
    let message = parse(inquiry_number(ours.correlation(), &person, &InquiryNumber::parse("A-1").unwrap()));
    assert_eq!(
        message,
        serde_json::json!({"XmlMsg": {
            "MessageHeader": {
                "MedicalInstitutionCode": "1399900001",
                "ArbitraryFileIdentifier": "01J0000000000000000000000A",
                "CharacterCodeIdentifier": "0",
            },
            "MessageBody": {"ReferenceNumberRegistrationInfo": {
                "ReferenceNumber": "A-1",
                "InsurerNumber": "  138990",
                "InsuredIdentificationNumber": "0045678",
            }},
        }})
    );
    let message = parse(auth(ours.correlation(), "acc", None, &Secret::new("012345".to_owned())));
    assert_eq!(
        message,
        serde_json::json!({
            "MedicalInstitutionCode": "1399900001",
            "ArbitraryFileIdentifier": "01J0000000000000000000000A",
            "Account": "acc",
            "OneTimePassword": "012345",
        })
    );
}

#[test]
fn fields_of_a_registration_echo_must_fit() {
    let ours = Ours::new();
    let message = |echo: &str| {
        let (head, _) = SAMPLE.split_once("\"MessageBody\"").unwrap();
        format!(
            "{head}\"MessageBody\":{{\"ProcessingResultStatus\":\"1\",\"ReferenceNumber\":\"{echo}\"}}}}}}"
        )
    };
    let number = InquiryNumber::parse("A-1").unwrap();
    let read = |echo: &str| read_registration(message(echo).as_bytes(), ours.correlation(), &number);
    assert_eq!((read("A-1"), read("")), (Ok(()), Ok(())));
    assert!(matches!(read("A-2"), Err(WireError::Malformed(_))));
    assert_eq!(Field::ReferenceNumber.tag(), "ReferenceNumber");
}

#[test]
fn a_registration_carries_ticket_and_time_of_consent_and_is_answered_like_a_confirmation() {
    use crate::app::ports::{CardUseRegistration, RegistrationTicket};
    let registration = CardUseRegistration {
        ticket: RegistrationTicket::new("t-1".to_owned()),
        consented_at: "2026-07-08T17:59:30Z".parse().unwrap(),
    };
    let ours = Ours::new();
    let sent = card_use_registration(ours.correlation(), &registration);
    let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
    let body = &sent["XmlMsg"]["MessageBody"];
    assert_eq!(body["RegistrationTicket"], "t-1");
    assert_eq!(body["ConsentTime"], "20260709025930");
    let read = |text: &str| read_card_use_registration(text.as_bytes(), ours.correlation());
    assert_eq!(read(SAMPLE), Ok(confirmed(SAMPLE)));
    let refused = SAMPLE.replace(
        "\"ProcessingResultStatus\":\"1\",\"ProcessingResultCode\":\"\"",
        "\"ProcessingResultStatus\":\"2\",\"ProcessingResultCode\":\"CARD_NOT_REGISTERED\"",
    );
    assert_eq!(read(&refused), Err(WireError::Refused("CARD_NOT_REGISTERED".to_owned())));
}
