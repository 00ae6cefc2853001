//! Card-use registration (利用登録) inside a check: offered, consented to, sent once, and the next read simply works.

use std::time::Duration;

use harness::clinic::OpenClinic;
use harness::raw_http::Reply;
use harness::upstream::{Endpoint, Fault};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::methods::audited;

/// 02:59:30 on a night in Japan.
const BEFORE_THREE: &str = "2026-07-08T17:59:30Z";

async fn decide(open: &OpenClinic, check: &str, decision: Value) -> Reply {
    open.visitor.post(&format!("/v1/checks/{check}/card-use-registration"), &decision).await
}

/// A check with the unregistered card on the reader, up to one of the phases.
async fn read_until(open: &OpenClinic, phases: &[&str]) -> (String, Value) {
    open.clinic.next_patient(&open.visitor, "unregistered").await;
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.enter_pin(&check, "1234").await;
    let stand = open.visitor.wait_for(&check, phases).await;
    (check, stand)
}

async fn offered(open: &OpenClinic) -> String {
    read_until(open, &["offering_registration"]).await.0
}

/// Consents, and returns the check at its end.
async fn register(open: &OpenClinic, check: &str) -> Value {
    let taken = decide(open, check, json!({ "consent": true })).await;
    assert_eq!(taken.status, 200, "{}", taken.code());
    open.visitor.wait_for(check, &["done", "failed"]).await
}

/// The next read of the card that lies there gives its result.
async fn next_read_works(open: &OpenClinic) {
    let (_, done) = read_until(open, &["done", "failed"]).await;
    assert_eq!(done["phase"], "done", "{done}");
}

fn requests(open: &OpenClinic) -> (usize, usize) {
    let upstream = &open.clinic.upstream;
    (upstream.requests(Endpoint::CardUseRegistration), upstream.registrations("unregistered"))
}

/// What the audit log says of registrations and of checks' ends.
async fn on_record(open: &OpenClinic) -> Vec<String> {
    let rows = audited(open).await.into_iter().filter(|(action, _)| action.starts_with("check."));
    rows.map(|(action, outcome)| format!("{action} {outcome}")).collect()
}

fn at(instant: &str) -> Timestamp {
    instant.parse().expect("an instant")
}

/// Moves everybody's clock.
fn move_to(open: &OpenClinic, instant: &str) {
    open.clock.advance(at(instant).duration_since(open.clinic.now()));
}

/// The open clinic at another time.
async fn open_at(instant: &str) -> OpenClinic {
    let mut open = OpenClinic::at_noon().await;
    move_to(&open, instant);
    open.visitor.sign_in(&open.credentials).await;
    open
}

fn code(check: &Value) -> &str {
    let failure = &check["failure"];
    assert!(failure["guidance"].as_str().is_some_and(|text| text.contains("資格確認書")), "{check}");
    failure["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn with_consent_the_card_is_registered_and_the_check_goes_on_to_its_result() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    let by = json!({ "consent": true, "consented_by": "legal_representative" });
    assert_eq!(decide(&open, &check, by).await.status, 200);
    let done = open.visitor.wait_for(&check, &["done", "failed"]).await;
    assert_eq!(done["phase"], "done", "{done}");
    let result = open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json();
    assert_eq!(result["validity"]["code"], "valid");
    assert_eq!(result["check_id"], check.as_str());
    assert_eq!(requests(&open), (1, 1));
    let rows = ["check.registration_consent legal_representative", "check.registration ok", "check.end ok"];
    assert_eq!(on_record(&open).await, rows);
    // From now on the card works like any other, also in the hand of whoever taps it again.
    next_read_works(&open).await;
    assert_eq!(requests(&open), (1, 1));
}

#[tokio::test]
async fn a_card_registers_by_sight_as_well() {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap("unregistered");
    let check = open.visitor.start_check("visual").await;
    open.visitor.wait_for(&check, &["offering_registration"]).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
}

#[tokio::test]
async fn whoever_declines_is_told_what_else_there_is() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    let declined = decide(&open, &check, json!({ "consent": false })).await;
    assert_eq!((declined.status, code(&declined.json())), (200, "card_use_not_registered"));
    assert_eq!(requests(&open), (0, 0));
    let rows = ["check.registration_consent declined", "check.end card_use_not_registered"];
    assert_eq!(on_record(&open).await, rows);
    // The reader is free, and the patient may think again.
    let check = offered(&open).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
}

#[tokio::test]
async fn before_consent_it_can_be_cancelled_and_nothing_else_fits() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    let pin = open.visitor.enter_pin(&check, "1234").await;
    assert_eq!((pin.status, pin.code().as_str()), (409, "wrong_phase"));
    let cancelled = open.visitor.delete(&format!("/v1/checks/{check}")).await;
    assert_eq!(cancelled.json()["phase"], "cancelled");
    let late = decide(&open, &check, json!({ "consent": true })).await;
    assert_eq!((late.status, late.code().as_str()), (409, "wrong_phase"));
    assert_eq!(requests(&open), (0, 0));
    assert_eq!(on_record(&open).await, ["check.end cancelled"]);
}

#[tokio::test]
async fn a_decision_is_taken_only_where_registration_was_offered() {
    let open = OpenClinic::at_noon().await;
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.wait_for(&check, &["waiting_for_pin"]).await;
    for consent in [true, false] {
        let early = decide(&open, &check, json!({ "consent": consent })).await;
        assert_eq!((early.status, early.code().as_str()), (409, "wrong_phase"));
    }
    let unknown = decide(&open, "nosuchcheck", json!({ "consent": true })).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "check_not_found"));
    assert!(on_record(&open).await.is_empty(), "nothing was decided");
}

#[tokio::test]
async fn a_registration_under_way_is_neither_cancelled_nor_asked_for_twice() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    open.clinic.upstream.hold_registrations();
    assert_eq!(decide(&open, &check, json!({ "consent": true })).await.json()["phase"], "registering");
    open.clinic.upstream.registration_begun("unregistered", 1).await;
    let cancelled = open.visitor.delete(&format!("/v1/checks/{check}")).await;
    let again = decide(&open, &check, json!({ "consent": true })).await;
    assert_eq!((cancelled.code().as_str(), again.code().as_str()), ("wrong_phase", "wrong_phase"));
    open.clinic.upstream.finish_registrations().await;
    assert_eq!(open.visitor.wait_for(&check, &["done", "failed"]).await["phase"], "done");
    assert_eq!(requests(&open), (1, 1));
}

#[tokio::test]
async fn at_night_it_is_not_offered() {
    let open = open_at("2026-07-08T18:00:00Z").await;
    let (_, failed) = read_until(&open, &["failed", "offering_registration"]).await;
    assert_eq!(code(&failed), "card_use_registration_closed");
    assert_eq!(requests(&open), (0, 0));
    move_to(&open, "2026-07-08T21:00:00Z");
    let mut visitor = open.visitor.clone();
    visitor.sign_in(&open.credentials).await;
    let open = OpenClinic { visitor, ..open };
    let check = offered(&open).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
}

#[tokio::test]
async fn a_consent_at_three_oclock_comes_too_late() {
    let open = open_at(BEFORE_THREE).await;
    let check = offered(&open).await;
    open.clock.advance(SignedDuration::from_secs(30));
    let late = decide(&open, &check, json!({ "consent": true })).await;
    assert_eq!((late.status, code(&late.json())), (200, "card_use_registration_closed"));
    assert_eq!(requests(&open), (0, 0));
}

#[tokio::test]
async fn in_announced_maintenance_it_is_not_offered() {
    use daemon::app::maintenance::MaintenanceCalendar;
    use daemon::domain::maintenance::Window;
    let calendar = MaintenanceCalendar::default();
    let open = OpenClinic::with(|plan| plan.maintenance = calendar.clone()).await;
    let window = Window { from: at("2026-07-08T02:00:00Z"), until: at("2026-07-08T03:10:00Z") };
    calendar.set(vec![window]);
    let (_, failed) = read_until(&open, &["failed", "offering_registration"]).await;
    assert_eq!(code(&failed), "card_use_registration_closed");
    assert_eq!(requests(&open), (0, 0));
    move_to(&open, "2026-07-08T03:10:00Z");
    let check = offered(&open).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
}

/// The announcement may not have reached the daemon.
#[tokio::test]
async fn a_central_system_that_is_closed_for_registration_is_believed() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.close_registration(at("2026-07-08T02:00:00Z"), at("2026-07-08T03:10:00Z"));
    let check = offered(&open).await;
    assert_eq!(code(&register(&open, &check).await), "card_use_registration_closed");
    assert_eq!(requests(&open), (1, 1));
    move_to(&open, "2026-07-08T03:10:00Z");
    let check = offered(&open).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
}

#[tokio::test]
async fn one_that_takes_too_long_comes_to_its_end_and_the_next_read_simply_works() {
    let open = OpenClinic::with(|plan| plan.registration_ms = 400).await;
    open.clinic.upstream.hold_registrations();
    let check = offered(&open).await;
    let failed = register(&open, &check).await;
    assert_eq!(code(&failed), "card_use_registration_pending");
    assert!(failed["failure"]["guidance"].as_str().is_some_and(|text| text.contains("数分")));
    let rows = [
        "check.registration_consent patient",
        "check.registration card_use_registration_pending",
        "check.end card_use_registration_pending",
    ];
    assert_eq!(on_record(&open).await, rows);
    // Read again at once: it is not registered yet, and nothing is asked for by itself.
    let check = offered(&open).await;
    open.visitor.delete(&format!("/v1/checks/{check}")).await;
    assert_eq!(requests(&open), (1, 1));
    open.clinic.upstream.finish_registrations().await;
    next_read_works(&open).await;
    assert_eq!(requests(&open), (1, 1));
}

/// However the answer is lost, whether it was registered is unknown, nothing is sent again, and the next read works.
#[tokio::test]
async fn a_lost_answer_is_no_reason_to_ask_again() {
    for fault in [
        Fault::CutAfter(0),
        Fault::CutAfter(40),
        Fault::CutAfter(400),
        Fault::Reset,
        Fault::WrongEcho,
        Fault::WrongInstitution,
    ] {
        let open = OpenClinic::at_noon().await;
        let check = offered(&open).await;
        open.clinic.upstream.script(Endpoint::CardUseRegistration, fault.clone());
        assert_eq!(code(&register(&open, &check).await), "card_use_registration_pending", "{fault:?}");
        assert_eq!(requests(&open), (1, 1), "{fault:?}");
        next_read_works(&open).await;
        assert_eq!(requests(&open), (1, 1), "{fault:?}");
    }
}

/// Nothing was processed, but nobody can know.
#[tokio::test]
async fn a_gateway_that_failed_may_have_passed_it_on() {
    let open = OpenClinic::with(|plan| plan.registration_ms = 1_000).await;
    for fault in [Fault::Status(500), Fault::Status(502), Fault::Status(504), Fault::Garbage, Fault::Hang] {
        let asked = requests(&open).0;
        let check = offered(&open).await;
        open.clinic.upstream.script(Endpoint::CardUseRegistration, fault.clone());
        assert_eq!(code(&register(&open, &check).await), "card_use_registration_pending", "{fault:?}");
        assert_eq!(requests(&open), (asked + 1, 0), "{fault:?}");
    }
    let check = offered(&open).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
}

#[tokio::test]
async fn a_refused_token_is_reported_and_not_replaced() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    open.clinic.upstream.forget_tokens();
    let signed_in = open.clinic.upstream.requests(Endpoint::Auth);
    let failed = register(&open, &check).await;
    assert_eq!(failed["failure"]["code"], "upstream_refused");
    assert_eq!(failed["failure"]["upstream_code"], "TOKEN_INVALID");
    assert_eq!(requests(&open), (1, 0));
    assert_eq!(open.clinic.upstream.requests(Endpoint::Auth), signed_in);
    // The next check signs in anew.
    open.clock.advance(SignedDuration::from_secs(30));
    let check = offered(&open).await;
    assert_eq!(register(&open, &check).await["phase"], "done");
    assert_eq!(requests(&open), (2, 1));
}

#[tokio::test]
async fn a_token_near_its_end_is_replaced_beforehand() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    // The simulator's tokens are good for 30 minutes; this is seconds before the end.
    open.clock.advance(SignedDuration::from_secs(1_790));
    let late = decide(&open, &check, json!({ "consent": true })).await;
    assert_eq!(late.status, 200, "{}", late.code());
    let end = open.visitor.wait_for(&check, &["done", "failed"]).await;
    // The consent came after the ticket's end, but with a token that is taken.
    assert_eq!(end["failure"]["upstream_code"], "TICKET_UNKNOWN", "{end}");
    assert_eq!(open.clinic.upstream.requests(Endpoint::Auth), 2);
    assert_eq!(requests(&open).0, 1);
}

#[tokio::test]
async fn a_central_system_that_is_away_was_sent_nothing() {
    let open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    open.clinic.upstream.stop().await;
    assert_eq!(code(&register(&open, &check).await), "upstream_unreachable");
    assert_eq!(requests(&open), (0, 0));
}

#[tokio::test]
async fn a_phone_is_shown_the_way_to_the_portal() {
    let open = OpenClinic::at_noon().await;
    for (persona, method) in [("iphone", "iphone"), ("android", "android_pin")] {
        open.clinic.upstream.set_registered(persona, false);
        open.clinic.next_patient(&open.visitor, persona).await;
        let check = open.visitor.start_check(method).await;
        if method == "android_pin" {
            open.visitor.enter_pin(&check, "1234").await;
        }
        let failed = open.visitor.wait_for(&check, &["failed", "offering_registration"]).await;
        assert_eq!(code(&failed), "card_use_not_registered_phone", "{persona}");
        let guidance = failed["failure"]["guidance"].as_str().unwrap_or_default();
        assert!(guidance.contains("マイナポータル") && guidance.contains("5分"), "{guidance}");
    }
    assert_eq!(open.clinic.upstream.requests(Endpoint::CardUseRegistration), 0);
}

#[tokio::test]
async fn a_daemon_stopped_while_registering_writes_down_that_the_outcome_is_open() {
    let mut open = OpenClinic::at_noon().await;
    let check = offered(&open).await;
    open.clinic.upstream.hold_registrations();
    assert_eq!(decide(&open, &check, json!({ "consent": true })).await.status, 200);
    open.clinic.upstream.registration_begun("unregistered", 1).await;
    // Far less than the registration may take.
    let stopping = open.clinic.stop_daemon();
    tokio::time::timeout(Duration::from_secs(5), stopping).await.expect("it does not wait for the answer");
    let rows = [
        "check.registration_consent patient",
        "check.registration card_use_registration_pending",
        "check.end card_use_registration_pending",
    ];
    assert_eq!(on_record(&open).await, rows);
    open.clinic.upstream.finish_registrations().await;
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    open.visitor = visitor;
    // The code of this half minute was sent before the stop.
    open.clock.advance(SignedDuration::from_secs(30));
    next_read_works(&open).await;
    assert_eq!(requests(&open), (1, 1));
}
