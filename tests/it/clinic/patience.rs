//! Nobody comes: a check that waits for people ends, frees its reader, and says so.

use std::time::Duration;

use daemon::app::checks::Patience;
use harness::clinic::OpenClinic;
use harness::upstream::Endpoint;
use serde_json::json;

use super::methods::audited;

/// Short enough for a test, longer than anything else here takes.
const SHORT: Duration = Duration::from_millis(400);

#[test]
fn people_are_given_the_time_that_the_manual_leaves_them() {
    let minutes = |minutes| Duration::from_mins(minutes);
    let usual = Patience { pin_or_card: minutes(2), last_try: minutes(1), consent: minutes(5) };
    assert_eq!(Patience::default(), usual);
}

async fn timed_out(open: &OpenClinic, check: &str) {
    let end = open.visitor.wait_for(check, &["timed_out", "done", "failed"]).await;
    assert_eq!(end["phase"], "timed_out", "{end}");
    assert_eq!(audited(open).await.last().map(|(action, _)| action.as_str()), Some("check.end"));
}

#[tokio::test]
async fn a_consent_that_nobody_gives_in_time_ends_the_check_and_registers_nothing() {
    let patience = Patience { consent: SHORT, ..Patience::default() };
    let open = OpenClinic::with(|plan| plan.patience = patience).await;
    open.clinic.tap("unregistered");
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.enter_pin(&check, "1234").await;
    timed_out(&open, &check).await;
    assert_eq!(open.clinic.upstream.requests(Endpoint::Confirm), 1, "it was offered");
    let late = open
        .visitor
        .post(&format!("/v1/checks/{check}/card-use-registration"), &json!({ "consent": true }))
        .await;
    assert_eq!((late.status, late.code().as_str()), (409, "wrong_phase"));
    assert_eq!(open.clinic.upstream.requests(Endpoint::CardUseRegistration), 0);
    let rows = audited(&open).await;
    assert_eq!(rows.last(), Some(&("check.end".to_owned(), "timed_out".to_owned())));
    assert!(rows.iter().all(|(action, _)| action != "check.registration_consent"), "nobody decided");
    // The reader is free for whoever comes next.
    open.clinic.next_patient(&open.visitor, "taro").await;
    assert_eq!(open.visitor.check_with_pin("1234").await["phase"], "done");
}

#[tokio::test]
async fn neither_a_pin_nor_a_card_is_waited_for_without_end() {
    let patience = Patience { pin_or_card: SHORT, ..Patience::default() };
    let open = OpenClinic::with(|plan| plan.patience = patience).await;
    let without_pin = open.visitor.start_check("card_pin").await;
    timed_out(&open, &without_pin).await;
    let without_card = open.visitor.start_check("card_pin").await;
    open.visitor.enter_pin(&without_card, "1234").await;
    timed_out(&open, &without_card).await;
}

#[tokio::test]
async fn the_last_try_is_not_used_because_nobody_answers() {
    let patience = Patience { last_try: SHORT, ..Patience::default() };
    let open = OpenClinic::with(|plan| plan.patience = patience).await;
    let card = open.clinic.tap("taro");
    for _ in 0..2 {
        assert_eq!(open.visitor.check_with_pin("9999").await["phase"], "failed");
        open.clinic.next_card(&open.visitor, &card).await;
    }
    let verified = card.lock().expect("the card").verify_count();
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.enter_pin(&check, "1234").await;
    timed_out(&open, &check).await;
    assert_eq!(card.lock().expect("the card").verify_count(), verified, "the try is still there");
}
