//! Checks: from the tap to the stored result, and what staff and patient do on the way.

use std::time::Duration;

use harness::card::readers::SharedCard;
use harness::clinic::{OpenClinic, READER, TERMINAL};
use harness::upstream::{Endpoint, Fault};
use serde_json::json;

/// A check that waits for staff to confirm the last PIN try of the card on the reader.
async fn at_the_last_try(open: &OpenClinic, pin: &str) -> (SharedCard, String) {
    let card = open.clinic.card("taro");
    card.lock().expect("the card").set_tries_left(1);
    open.clinic.readers.insert(READER, &card);
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.wait_for(&check, &["waiting_for_pin"]).await;
    open.visitor.enter_pin(&check, pin).await;
    open.visitor.wait_for(&check, &["confirming_last_try"]).await;
    (card, check)
}

#[tokio::test]
async fn from_tap_to_download() {
    let open = OpenClinic::at_noon().await;
    let card = open.clinic.tap("taro");

    let done = open.visitor.check_with_pin("1234").await;

    assert_eq!(done["phase"], "done");
    assert_eq!((done["terminal"].as_str(), done["reader"].as_str()), (Some(TERMINAL), Some(READER)));
    let result = open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json();
    assert_eq!(result["check_id"], done["id"]);
    assert_eq!(result["checked_at"], "2026-07-08T12:00:00+09:00");
    assert_eq!(result["expires_at"], "2026-09-01T00:00:00+09:00");
    assert_eq!(result["validity"]["code"], "valid");
    assert_eq!(result["sandbox"], true);
    let card = card.lock().expect("the card");
    assert_eq!((card.verify_count(), card.tries_left()), (1, 3));
}

#[tokio::test]
async fn the_card_may_come_after_the_pin() {
    let open = OpenClinic::at_noon().await;
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.wait_for(&check, &["waiting_for_pin"]).await;
    open.visitor.enter_pin(&check, "1234").await;
    open.visitor.wait_for(&check, &["waiting_for_card"]).await;
    open.clinic.tap("taro");
    let done = open.visitor.wait_for(&check, &["done", "failed"]).await;
    assert_eq!(done["phase"], "done");
}

/// A check whose challenge is on its way for a while.
async fn at_a_slow_network(open: &OpenClinic) -> String {
    open.clinic.upstream.script(Endpoint::Challenge, Fault::Slow(Duration::from_millis(700)));
    open.visitor.start_check("card_pin").await
}

/// Was refused: whoever typed while the network was slow had to type again.
#[tokio::test]
async fn a_pin_entered_while_the_challenge_is_on_its_way_is_kept_and_used_once() {
    for card_first in [true, false] {
        let open = OpenClinic::at_noon().await;
        let card = open.clinic.card("taro");
        if card_first {
            open.clinic.readers.insert(READER, &card);
        }
        let check = at_a_slow_network(&open).await;
        let taken = open.visitor.enter_pin(&check, "1234").await;
        assert_eq!((taken.status, taken.json()["phase"].as_str()), (200, Some("fetching_challenge")));
        let again = open.visitor.enter_pin(&check, "9999").await;
        assert_eq!((again.status, again.code().as_str()), (409, "wrong_phase"));
        if !card_first {
            let stand = open.visitor.wait_for(&check, &["waiting_for_card", "waiting_for_pin"]).await;
            assert_eq!(stand["phase"], "waiting_for_card", "nobody is asked for a PIN that is there");
            open.clinic.readers.insert(READER, &card);
        }
        assert_eq!(open.visitor.wait_for(&check, &["done", "failed"]).await["phase"], "done");
        assert_eq!(card.lock().expect("the card").verify_count(), 1);
    }
}

#[tokio::test]
async fn a_pin_entered_early_is_for_the_card_that_lay_there() {
    let open = OpenClinic::at_noon().await;
    let first = open.clinic.tap("taro");
    let check = at_a_slow_network(&open).await;
    assert_eq!(open.visitor.enter_pin(&check, "1234").await.status, 200);
    let second = open.clinic.tap("hanako");
    let failed = open.visitor.wait_for(&check, &["done", "failed"]).await;
    assert_eq!(failed["failure"]["code"], "card_removed");
    for card in [first, second] {
        assert_eq!(card.lock().expect("the card").verify_count(), 0);
    }
}

#[tokio::test]
async fn a_method_without_a_pin_takes_none_early() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.script(Endpoint::Challenge, Fault::Slow(Duration::from_millis(700)));
    let check = open.visitor.start_check("iphone").await;
    let refused = open.visitor.enter_pin(&check, "1234").await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "wrong_phase"));
}

#[tokio::test]
async fn by_sight_the_card_is_read_without_a_pin_where_the_profile_allows_it() {
    let open = OpenClinic::at_noon().await;
    let card = open.clinic.tap("taro");
    let check = open.visitor.start_check("visual").await;
    let done = open.visitor.wait_for(&check, &["done", "failed"]).await;
    assert_eq!(done["phase"], "done");
    let card = card.lock().expect("the card");
    assert_eq!((card.verify_count(), card.apdu_count()), (0, 2));
}

#[tokio::test]
async fn by_sight_is_refused_where_terminal_material_would_be_needed() {
    let open = OpenClinic::with(|plan| plan.accepts_unsigned_visual = false).await;
    open.clinic.tap("taro");
    let refused = open.visitor.post("/v1/checks", &json!({ "method": "visual" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "visual_needs_terminal_material"));
    let readers = open.visitor.get("/v1/readers").await.json();
    assert_eq!(readers["methods"], json!(["card_pin", "iphone", "android_pin"]));
}

#[tokio::test]
async fn a_wrong_pin_tells_the_tries_left_and_costs_exactly_one() {
    let open = OpenClinic::at_noon().await;
    let card = open.clinic.tap("taro");
    let failed = open.visitor.check_with_pin("9999").await;
    assert_eq!(failed["failure"]["code"], "wrong_pin");
    assert_eq!(failed["failure"]["tries_left"], 2);
    assert_eq!(card.lock().expect("the card").verify_count(), 1);
    // Nothing is stored, and the next check is free to start.
    assert_eq!(open.visitor.get("/v1/results/count").await.json()["count"], 0);
    assert_eq!(open.visitor.check_with_pin("1234").await["phase"], "done");
}

#[tokio::test]
async fn the_last_try_is_used_only_after_staff_confirmed_it() {
    let open = OpenClinic::at_noon().await;
    let (card, check) = at_the_last_try(&open, "1234").await;
    assert_eq!(card.lock().expect("the card").verify_count(), 0);

    let confirmed =
        open.visitor.post(&format!("/v1/checks/{check}/confirm-last-try"), &serde_json::Value::Null).await;
    assert_eq!(confirmed.status, 200);
    assert_eq!(open.visitor.wait_for(&check, &["done", "failed"]).await["phase"], "done");
    assert_eq!(card.lock().expect("the card").verify_count(), 1);
}

#[tokio::test]
async fn the_last_wrong_try_locks_and_a_locked_card_sees_no_verify() {
    let open = OpenClinic::at_noon().await;
    let (card, check) = at_the_last_try(&open, "9999").await;
    open.visitor.post(&format!("/v1/checks/{check}/confirm-last-try"), &serde_json::Value::Null).await;
    let failed = open.visitor.wait_for(&check, &["failed"]).await;
    assert_eq!(failed["failure"]["code"], "pin_locked");

    let again = open.visitor.check_with_pin("1234").await;
    assert_eq!(again["failure"]["code"], "pin_locked");
    assert_eq!(card.lock().expect("the card").verify_count(), 1);
}

#[tokio::test]
async fn a_reader_serves_one_check_at_a_time_and_is_free_at_the_end() {
    let open = OpenClinic::at_noon().await;
    let first = open.visitor.start_check("card_pin").await;
    let second = open.visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await;
    assert_eq!((second.status, second.code().as_str()), (409, "reader_busy"));
    let readers = open.visitor.get("/v1/readers").await.json();
    assert_eq!(readers["readers"][0]["check_id"], first.as_str());

    let cancelled = open.visitor.delete(&format!("/v1/checks/{first}")).await;
    assert_eq!(cancelled.json()["phase"], "cancelled");
    open.visitor.start_check("card_pin").await;
}

#[tokio::test]
async fn a_forgotten_card_never_meets_the_next_patients_pin() {
    let open = OpenClinic::at_noon().await;
    let forgotten = open.clinic.tap("taro");
    assert_eq!(open.visitor.check_with_pin("1234").await["phase"], "done");
    let verified_once = forgotten.lock().expect("the card").verify_count();

    let check = open.visitor.start_check("card_pin").await;
    open.visitor.wait_for(&check, &["waiting_for_pin"]).await;
    open.visitor.enter_pin(&check, "5678").await;
    open.visitor.wait_for(&check, &["waiting_for_card"]).await;
    open.clinic.readers.take(READER);
    open.clinic.tap("hanako");
    let end = open.visitor.wait_for(&check, &["done", "failed"]).await;
    // Hanako's own PIN is another one: what matters is whose card was asked.
    assert!(end["phase"] == "done" || end["failure"]["code"] == "wrong_pin", "{end}");
    assert_eq!(forgotten.lock().expect("the card").verify_count(), verified_once);
}

#[tokio::test]
async fn a_swapped_card_ends_the_check_before_its_pin_reaches_the_other_card() {
    let open = OpenClinic::at_noon().await;
    let (_first, check) = at_the_last_try(&open, "1234").await;

    let second = open.clinic.tap("hanako");
    let failed = open.visitor.wait_for(&check, &["failed"]).await;
    assert_eq!(failed["failure"]["code"], "card_removed");
    assert_eq!(second.lock().expect("the card").verify_count(), 0);
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_refused_and_change_nothing() {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap("taro");
    let check = open.visitor.start_check("card_pin").await;
    open.visitor.wait_for(&check, &["waiting_for_pin"]).await;
    for pin in ["", "123", "12345", "12a4", "１２３４"] {
        let refused = open.visitor.enter_pin(&check, pin).await;
        assert!([400, 422].contains(&refused.status), "{pin:?}: {}", refused.status);
        assert!(!String::from_utf8_lossy(&refused.body).contains(&format!("\"{pin}\"")) || pin.is_empty());
    }
    let early =
        open.visitor.post(&format!("/v1/checks/{check}/confirm-last-try"), &serde_json::Value::Null).await;
    assert_eq!((early.status, early.code().as_str()), (409, "wrong_phase"));
    open.visitor.enter_pin(&check, "1234").await;
    assert_eq!(open.visitor.wait_for(&check, &["done", "failed"]).await["phase"], "done");
    let late = open.visitor.enter_pin(&check, "1234").await;
    assert_eq!((late.status, late.code().as_str()), (409, "wrong_phase"));
}

#[tokio::test]
async fn the_terminal_and_the_reader_must_be_known() {
    let open = OpenClinic::with(|plan| plan.readers = vec![READER, "Other Reader 01 00"]).await;
    for (request, code) in [
        (json!({ "method": "card_pin", "terminal": "nowhere" }), "unknown_terminal"),
        (json!({ "method": "card_pin", "reader": "No Such Reader" }), "reader_unavailable"),
    ] {
        let refused = open.visitor.post("/v1/checks", &request).await;
        assert_eq!(refused.code(), code);
    }
}
