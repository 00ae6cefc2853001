//! Trouble: whatever breaks, staff get a code with guidance, nothing is stored twice, nothing half.

use harness::card::Faults;
use harness::card::readers::Trouble;
use harness::clinic::{OpenClinic, READER};
use harness::upstream::{Endpoint, Fault};
use serde_json::json;

async fn count(open: &OpenClinic) -> i64 {
    open.visitor.get("/v1/results/count").await.json()["count"].as_i64().expect("a count")
}

#[tokio::test]
async fn a_card_torn_away_at_any_command_ends_the_check_and_the_next_one_works() {
    let open = OpenClinic::at_noon().await;
    for index in 0..5 {
        let card = open.clinic.card("taro");
        card.lock().expect("the card").set_faults(Faults { tear_after: Some(index), ..Faults::default() });
        open.clinic.next_card(&open.visitor, &card).await;
        let failed = open.visitor.check_with_pin("1234").await;
        assert_eq!(failed["failure"]["code"], "card_removed", "torn after {index} commands");
        let verifies = card.lock().expect("the card").verify_count();
        assert!(verifies <= 1, "{verifies} VERIFY after a tear at {index}");
    }
    assert_eq!(count(&open).await, 0);
    open.clinic.next_patient(&open.visitor, "taro").await;
    assert_eq!(open.visitor.check_with_pin("1234").await["phase"], "done");
    assert_eq!(count(&open).await, 1);
}

#[tokio::test]
async fn without_a_reader_or_its_service_no_check_begins() {
    let open = OpenClinic::at_noon().await;
    open.clinic.readers.unplug(READER);
    wait_for_card_health(&open, "no_reader").await;
    let refused = open.visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "no_reader"));

    open.clinic.readers.stop_service();
    wait_for_card_health(&open, "card_service_unavailable").await;
    let refused = open.visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "card_service_unavailable"));

    open.clinic.readers.start_service();
    open.clinic.readers.plug_in(READER);
    wait_for_card_health(&open, "").await;
    open.clinic.tap("taro");
    assert_eq!(open.visitor.check_with_pin("1234").await["phase"], "done");
}

/// Looks at health until the card part has this code, or none.
async fn wait_for_card_health(open: &OpenClinic, code: &str) {
    let wait = async {
        while open.visitor.get("/v1/health").await.json()["card"]["code"].as_str().unwrap_or_default() != code
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), wait).await.expect("health follows the readers");
}

#[tokio::test]
async fn a_card_held_by_another_program_and_a_foreign_card_have_their_own_words() {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap("taro");
    open.clinic.readers.set_trouble(READER, Some(Trouble::InUse));
    assert_eq!(open.visitor.check_with_pin("1234").await["failure"]["code"], "card_in_use");
    open.clinic.readers.set_trouble(READER, None);

    let foreign = open.clinic.card("taro");
    let not_found = Faults { status: [(0, 0x6A82)].into(), ..Faults::default() };
    foreign.lock().expect("the card").set_faults(not_found);
    open.clinic.next_card(&open.visitor, &foreign).await;
    let failed = open.visitor.check_with_pin("1234").await;
    assert_eq!(failed["failure"]["code"], "not_jpki_card");
    assert_eq!(foreign.lock().expect("the card").verify_count(), 0);
}

#[tokio::test]
async fn every_failure_of_the_central_system_has_its_code_and_stores_nothing() {
    let open = OpenClinic::with(|plan| plan.upstream_total_ms = 1_500).await;
    let faults = [
        (Fault::Garbage, "upstream_malformed"),
        (Fault::CutAfter(40), "upstream_malformed"),
        (Fault::WrongEcho, "upstream_malformed"),
        (Fault::WrongInstitution, "upstream_malformed"),
        (Fault::Oversized, "upstream_malformed"),
        (Fault::Maintenance, "upstream_maintenance"),
        (Fault::Hang, "upstream_timeout"),
    ];
    for (fault, code) in faults {
        open.clinic.next_patient(&open.visitor, "taro").await;
        open.clinic.upstream.script(Endpoint::Confirm, fault.clone());
        let asked = open.clinic.upstream.requests(Endpoint::Confirm);
        let failed = open.visitor.check_with_pin("1234").await;
        assert_eq!(failed["failure"]["code"], code, "{fault:?}");
        assert!(failed["failure"]["guidance"].as_str().is_some_and(|text| !text.is_empty()));
        // A confirmation is never repeated by the daemon.
        assert_eq!(open.clinic.upstream.requests(Endpoint::Confirm), asked + 1, "{fault:?}");
    }
    assert_eq!(count(&open).await, 0);
    open.clinic.next_patient(&open.visitor, "taro").await;
    assert_eq!(open.visitor.check_with_pin("1234").await["phase"], "done");
}

#[tokio::test]
async fn a_central_system_that_is_down_fails_the_check_before_the_pin_is_asked_for() {
    let open = OpenClinic::at_noon().await;
    let card = open.clinic.tap("taro");
    open.clinic.upstream.stop().await;
    let check = open.visitor.start_check("card_pin").await;
    let failed = open.visitor.wait_for(&check, &["failed"]).await;
    assert_eq!(failed["failure"]["code"], "upstream_unreachable");
    assert_eq!(card.lock().expect("the card").apdu_count(), 0);
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(
        (health["state"].as_str(), health["upstream"]["state"].as_str()),
        (Some("degraded"), Some("failed"))
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_reported_as_what_it_is() {
    let mut open = OpenClinic::at_noon().await;
    let other = harness::upstream::pki::TestPki::new();
    let client = other.client();
    let write = |path: &std::path::Path, text: &str| std::fs::write(path, text).expect("a writable file");
    write(&open.clinic.config.upstream.client_certificate_file, &client.certificate_pem);
    write(&open.clinic.config.upstream.client_key_file, &client.key_pem);
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    let check = visitor.start_check("card_pin").await;
    let failed = visitor.wait_for(&check, &["failed"]).await;
    assert_eq!(failed["failure"]["code"], "upstream_certificate");
}
