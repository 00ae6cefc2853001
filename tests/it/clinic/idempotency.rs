//! Requests that carry a key: a lost answer never does anything twice.

use std::time::Duration;

use harness::clinic::{OpenClinic, Visitor};
use harness::raw_http::{Raw, Reply};
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::inquiry_numbers::{check, insurance};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
const BULK: &str = "/v1/inquiry-numbers/bulk";
const NUMBERS: &str = "/v1/inquiry-numbers";

fn of_taro(number: &str) -> Value {
    json!({ "inquiry_number": number, "insurance": insurance("taro") })
}

async fn start(visitor: &Visitor, method: &str) -> Reply {
    visitor.post("/v1/checks", &json!({ "method": method })).await
}

#[tokio::test]
async fn a_bulk_that_is_sent_again_is_the_same_bulk() {
    let mut open = OpenClinic::with(|plan| {
        plan.accounts.push(("second", daemon::app::ports::Role::ReceiptComputer));
    })
    .await;
    let keyed = open.visitor.with_key(KEY);
    let items = json!({ "items": [of_taro("K-1")] });
    let first = keyed.post(BULK, &items).await;
    let again = keyed.post(BULK, &items).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body, again.body, "not a byte differs");
    let quoted = open.visitor.with_key(&format!("\"{KEY}\"")).post(BULK, &items).await;
    assert_eq!(quoted.body, first.body, "quotes are no part of a key");

    let other = keyed.post(BULK, &json!({ "items": [of_taro("K-2")] })).await;
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    let elsewhere = keyed.put(NUMBERS, &of_taro("K-1")).await;
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (422, "idempotency_key_reused"));
    let mut second = open.clinic.visitor();
    second.sign_in(&open.clinic.credentials("second")).await;
    let theirs = second.with_key(KEY).post(BULK, &items).await;
    assert_ne!(theirs.json()["receipt"], first.json()["receipt"], "another account's keys are its own");
    let without = open.visitor.post(BULK, &items).await;
    assert_ne!(without.json()["receipt"], first.json()["receipt"]);

    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    assert_eq!(visitor.with_key(KEY).post(BULK, &items).await.body, first.body, "as after a crash");
}

#[tokio::test]
async fn a_number_that_is_sent_again_is_set_once_and_tells_how_it_ended() {
    let open = OpenClinic::at_noon().await;
    let keyed = open.visitor.with_key(KEY);
    let first = keyed.put(NUMBERS, &of_taro("K-1")).await;
    assert_eq!(first.status, 200);
    assert_eq!(open.visitor.put(NUMBERS, &of_taro("K-2")).await.status, 200, "somebody sets another one");
    let again = keyed.put(NUMBERS, &of_taro("K-1")).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-2"), "nothing is set again");

    let stranger = json!({ "inquiry_number": "K-3", "insurance": {
        "insurer_number": "01139991", "insured_identification_number": "9999999",
    }});
    let keyed = open.visitor.with_key("another-key");
    let asked = open.clinic.upstream.requests(Endpoint::InquiryNumber);
    for _ in 0..2 {
        let refused = keyed.put(NUMBERS, &stranger).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "inquiry_person_not_found"));
    }
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryNumber), asked + 1, "an answer is an answer");
    open.clinic.tap("taro");
    let result = check(&open, "taro").await;
    let target = format!("/v1/results/{result}/inquiry-number");
    let keyed = open.visitor.with_key("a-third-key");
    let first = keyed.put(&target, &json!({ "inquiry_number": "K-4" })).await;
    assert_eq!(first.json()["results"], json!([result]));
    assert_eq!(keyed.put(&target, &json!({ "inquiry_number": "K-4" })).await.body, first.body);
    let other = keyed.put("/v1/results/999/inquiry-number", &json!({ "inquiry_number": "K-4" })).await;
    assert_eq!(other.code(), "idempotency_key_reused", "the path is part of the request");
}

#[tokio::test]
async fn while_the_first_is_being_worked_on_the_second_is_told_to_wait() {
    let open = OpenClinic::with(|plan| plan.upstream_total_ms = 3_000).await;
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Hang);
    let keyed = open.visitor.with_key(KEY);
    let first = async { keyed.put(NUMBERS, &of_taro("K-1")).await };
    let second = async {
        while open.clinic.upstream.requests(Endpoint::InquiryNumber) == 0 {
            tokio::task::yield_now().await;
        }
        keyed.put(NUMBERS, &of_taro("K-1")).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((second.status, second.code().as_str()), (409, "idempotency_key_in_use"));
    assert_eq!(second.header("retry-after"), Some("1"));
    // The adapter may have asked again within its time and been answered.
    assert!([200, 202].contains(&first.status), "{}", first.code());
    let third = keyed.put(NUMBERS, &of_taro("K-1")).await;
    assert_eq!(third.json()["job"], first.json()["job"]);
}

#[tokio::test]
async fn whoever_leaves_before_the_answer_gets_it_the_next_time() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Hang);
    let keyed = open.visitor.with_key(KEY);
    let body = of_taro("K-1").to_string();
    let mut connection = Raw::connect(open.clinic.api).await.expect("a connection");
    let request = format!(
        "PUT {NUMBERS} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        open.clinic.api,
        open.visitor.token().expect("a token"),
        body.len()
    );
    connection.send(request).await.expect("sent");
    while open.clinic.upstream.requests(Endpoint::InquiryNumber) == 0 {
        tokio::task::yield_now().await;
    }
    drop(connection);
    let known = async {
        loop {
            let again = keyed.put(NUMBERS, &of_taro("K-1")).await;
            // The daemon may not have noticed yet that the other end is gone.
            if again.code() != "idempotency_key_in_use" {
                return again;
            }
        }
    };
    let again = tokio::time::timeout(Duration::from_mins(1), known).await.expect("the key is let in");
    assert_eq!((again.status, &again.json()["job"]), (202, &json!(1)), "{}", again.code());
    assert_eq!(open.visitor.get("/v1/inquiry-numbers/2").await.code(), "inquiry_job_not_found");
}

#[tokio::test]
async fn a_lost_answer_starts_no_second_check() {
    let mut open = OpenClinic::at_noon().await;
    let keyed = open.visitor.with_key(KEY);
    let first = start(&keyed, "card_pin").await;
    assert_eq!(first.status, 201);
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    let again = start(&keyed, "card_pin").await;
    assert_eq!((again.status, &again.json()["id"]), (201, &json!(id)), "{}", again.code());
    assert_eq!(start(&keyed, "iphone").await.code(), "idempotency_key_reused");

    let busy = start(&open.visitor.with_key("another-key"), "card_pin").await;
    assert_eq!((busy.status, busy.code().as_str()), (409, "reader_busy"));
    assert_eq!(open.visitor.delete(&format!("/v1/checks/{id}")).await.status, 200);
    open.visitor.wait_for(&id, &["cancelled"]).await;
    let ended = start(&keyed, "card_pin").await.json();
    assert_eq!((&ended["id"], &ended["phase"]), (&json!(id), &json!("cancelled")), "it is not begun again");
    let next = start(&open.visitor.with_key("another-key"), "card_pin").await;
    assert_eq!(next.status, 201, "what was refused leaves its key free");
    assert_ne!(next.json()["id"], json!(id));

    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    let gone = start(&visitor.with_key(KEY), "card_pin").await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "check_not_found"));
    assert_eq!(start(&visitor.with_key("a-third-key"), "card_pin").await.status, 201);
}

#[tokio::test]
async fn a_key_is_kept_for_24_hours() {
    let open = OpenClinic::at_noon().await;
    let keyed = open.visitor.with_key(KEY);
    let first = keyed.put(NUMBERS, &of_taro("K-1")).await.json();
    open.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.credentials).await;
    let again = visitor.with_key(KEY).put(NUMBERS, &of_taro("K-1")).await.json();
    assert_eq!(again["job"], first["job"]);
    open.clock.advance(SignedDuration::from_secs(1));
    let later = visitor.with_key(KEY).put(NUMBERS, &of_taro("K-5")).await;
    assert_eq!((later.status, later.json()["job"] == first["job"]), (200, false), "{}", later.code());
}

#[tokio::test]
async fn a_broken_key_is_refused_by_its_name_before_anything_happens() {
    let open = OpenClinic::at_noon().await;
    let long = "k".repeat(129);
    for bad in
        ["short-7", "with a space", "half\"quoted", &long, "\"\"", "12345678\r\nIdempotency-Key: 12345678"]
    {
        let refused = open.visitor.with_key(bad).put(NUMBERS, &of_taro("K-1")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"), "{bad}");
        assert_eq!(refused.json()["field"], "Idempotency-Key");
    }
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryNumber), 0);
}
