//! Enrolling devices: what is refused is on record, and no certificate is made by a clock that nobody vouches for.

use daemon::control::{Command, Reply};
use harness::clinic::{MachineKey, OpenClinic};
use jiff::SignedDuration;
use serde_json::json;

use super::methods::audited;

async fn code(open: &OpenClinic, command: Command) -> String {
    match open.clinic.control(command).await.expect("a code") {
        Reply::EnrolmentCode { code, .. } => code.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn receipt() -> Command {
    Command::MachineOffer { name: "receipt".to_owned() }
}

/// What the log says of enrolments.
async fn on_record(open: &OpenClinic) -> Vec<String> {
    let rows =
        audited(open).await.into_iter().filter(|(action, _)| action.split('.').nth(1) == Some("enrol"));
    rows.map(|(action, outcome)| format!("{action} {outcome}")).collect()
}

#[tokio::test]
async fn a_code_that_enrols_nothing_is_on_record_without_being_written_down() {
    let open = OpenClinic::with(|plan| plan.kernel.say(Some(true))).await;
    let visitor = open.clinic.visitor();
    let wrong = json!({ "code": "aaaa-bbbb-cccc-dddd" });
    assert_eq!(visitor.post("/v1/terminals/enrol", &wrong).await.code(), "enrolment_code_invalid");
    let csr = MachineKey::default().request();
    let wrong = json!({ "code": "aaaa-bbbb-cccc-dddd", "csr": csr });
    assert_eq!(visitor.post("/v1/machines/enrol", &wrong).await.code(), "enrolment_code_invalid");
    let unusable = json!({ "code": code(&open, receipt()).await, "csr": "no request" });
    assert_eq!(visitor.post("/v1/machines/enrol", &unusable).await.code(), "certificate_request_invalid");

    let terminal = code(&open, Command::TerminalOffer { name: "uketsuke-9".to_owned() }).await;
    let right = json!({ "code": terminal });
    assert_eq!(visitor.post("/v1/terminals/enrol", &right).await.status, 201);
    assert_eq!(visitor.post("/v1/terminals/enrol", &right).await.code(), "enrolment_code_invalid", "used");
    let late = json!({ "code": code(&open, receipt()).await, "csr": csr });
    open.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(visitor.post("/v1/machines/enrol", &late).await.code(), "enrolment_code_invalid", "too old");
    let rows = [
        "terminal.enrol enrolment_code_invalid",
        "machine.enrol enrolment_code_invalid",
        "machine.enrol certificate_request_invalid",
        "terminal.enrol ok:uketsuke-9",
        "terminal.enrol enrolment_code_invalid",
        "machine.enrol enrolment_code_invalid",
    ];
    assert_eq!(on_record(&open).await, rows);
}

#[tokio::test]
async fn without_a_trusted_clock_no_certificate_is_made_and_the_code_stays_good() {
    let open = OpenClinic::at_noon().await;
    let visitor = open.clinic.visitor();
    let enrolment = json!({ "code": code(&open, receipt()).await, "csr": MachineKey::default().request() });
    for said in [None, Some(false)] {
        open.clinic.kernel.say(said);
        let refused = visitor.post("/v1/machines/enrol", &enrolment).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "clock_untrusted"), "{said:?}");
    }
    open.clinic.kernel.say(Some(true));
    let issued = visitor.post("/v1/machines/enrol", &enrolment).await;
    assert_eq!(issued.status, 201, "{}", issued.code());
    let rows = ["machine.enrol clock_untrusted", "machine.enrol clock_untrusted", "machine.enrol ok:receipt"];
    assert_eq!(on_record(&open).await, rows);
}

/// The central system's word is enough: it was heard over mutual TLS.
#[tokio::test]
async fn a_clock_that_agrees_with_the_central_system_will_do() {
    let open = OpenClinic::at_noon().await;
    let collected = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!(collected.status, 200, "{}", collected.code());
    open.clock.advance(SignedDuration::from_secs(5));
    let enrolment = json!({ "code": code(&open, receipt()).await, "csr": MachineKey::default().request() });
    let issued = open.clinic.visitor().post("/v1/machines/enrol", &enrolment).await;
    assert_eq!(issued.status, 201, "{}", issued.code());
}
