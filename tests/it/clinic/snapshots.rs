//! Wire forms as vendors see them: results of people of every kind, a failed check, a problem. Clock and randomness are
//! held, so the whole text stands still.

use daemon::app::ports::{
    InquiryFailure, NewResult, Origin, PendingNumber, ResultForm as _, Source, StoredResult, TerminalId,
};
use daemon::domain::check::{Method, ResultId};
use daemon::domain::eligibility::{Confirmation, Eligibility, Field, ProcessingNote, Validity};
use daemon::domain::identifiers::InquiryNumber;
use daemon::domain::personal::Personal;
use daemon::domain::queue::JobId;
use daemon::domain::retention::{expiry, jst_day};
use daemon::service::JsonForm;
use harness::clinic::OpenClinic;
use harness::personas::Personas;
use insta::assert_snapshot;

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

async fn result_of(persona: &str) -> String {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap(persona);
    let pin = &Personas::builtin().by_name(persona).expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    assert_eq!(done["phase"], "done", "{done}");
    pretty(&open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json())
}

#[tokio::test]
async fn results_of_the_manuals_cases() {
    for persona in [
        "taro",
        "late-elderly",
        "elderly-recipient",
        "assistance-unknown-birth",
        "alias",
        "withheld-part",
        "not-found",
        "multiple",
        "unknown-code",
        "expires-soon",
    ] {
        assert_snapshot!(format!("result-{persona}"), result_of(persona).await);
    }
}

#[tokio::test]
async fn a_failed_check_and_a_problem() {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap("taro");
    let failed = open.visitor.check_with_pin("9999").await;
    assert_snapshot!("check-wrong-pin", pretty(&failed));
    let problem = open.visitor.get("/v1/results?from=2026-02-30").await;
    assert_snapshot!("problem-impossible-date", pretty(&problem.json()));
    assert_snapshot!("readers", pretty(&open.visitor.get("/v1/readers").await.json()));
    assert_snapshot!("health", pretty(&open.visitor.get("/v1/health").await.json()));
}

/// Stored bodies are rendered anew when the number of their form grows: whoever changes this snapshot raises the number
/// in `JsonForm`.
#[test]
fn the_form_of_ready_results_has_a_number_of_its_own() {
    let bytes = JsonForm.render(&full()).expect("rendered");
    let json: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_snapshot!("result-form", format!("form {}\n{}", JsonForm.number(), pretty(&json)));
}

/// A result with every field there is.
fn full() -> StoredResult {
    let everything = Field::ALL.iter().map(|field| (*field, Personal::new(format!("値 {}", field.tag()))));
    let processed_at = "2026-06-10T01:00:00Z".parse().expect("a time");
    StoredResult {
        id: ResultId(7),
        expires_at: expiry(processed_at),
        version: 3,
        inquiry_number: InquiryNumber::parse("カルテ7").ok(),
        pending: Some(PendingNumber { job: JobId(5), failure: Some(InquiryFailure::NumberInUse) }),
        content: NewResult {
            source: Source::Own { check_id: "CHECK".to_owned(), method: Method::CardPin },
            terminal: TerminalId("uketsuke-1".to_owned()),
            origin: Origin::Sandbox,
            confirmation: Confirmation {
                upstream_id: None,
                processed_at,
                confirmed_for: jst_day(processed_at),
                validity: Validity::Valid,
                note: Some(ProcessingNote {
                    code: "OQ0001".to_owned(), message: "期限が近い".to_owned()
                }),
                eligibilities: vec![Eligibility::from_fields(everything)],
            },
        },
    }
}
