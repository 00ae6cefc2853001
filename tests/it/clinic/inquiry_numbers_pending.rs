//! A number that is on its way is seen on the results of its person, until it is theirs or failed.

use harness::clinic::OpenClinic;
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::inquiry_numbers::{check, job_ends, set};

async fn result(open: &OpenClinic, id: i64) -> Value {
    open.visitor.get(&format!("/v1/results/{id}")).await.json()
}

#[tokio::test]
async fn every_result_of_the_person_shows_the_number_that_waits_also_a_later_one() {
    let open = OpenClinic::at_noon().await;
    let (first, other) = (check(&open, "taro").await, check(&open, "hanako").await);
    let before = result(&open, first).await;
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    let job = set(&open.visitor, first, "K-1").await.json()["job"].clone();
    let waiting = json!({ "job": job, "state": "queued" });
    let shown = result(&open, first).await;
    assert_eq!(shown["inquiry_number_pending"], waiting);
    assert_eq!(
        shown["inquiry_number"],
        Value::Null,
        "nothing is shown that the central system has not taken"
    );
    assert!(shown["version"].as_i64() > before["version"].as_i64(), "whoever follows changes hears of it");
    let later = check(&open, "taro").await;
    assert_eq!(result(&open, later).await["inquiry_number_pending"], waiting);
    assert_eq!(result(&open, other).await["inquiry_number_pending"], Value::Null);
    let list = open.visitor.get("/v1/results").await.json();
    assert_eq!(list["results"][0]["inquiry_number_pending"], waiting, "a list shows it as well");

    open.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(job_ends(&open.clock, &open.visitor, &job).await["state"], "registered");
    for id in [first, later] {
        let shown = result(&open, id).await;
        assert_eq!(
            (&shown["inquiry_number"], &shown["inquiry_number_pending"]),
            (&json!("K-1"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn a_new_result_that_has_the_number_already_does_not_wait_for_it() {
    let open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    assert_eq!(set(&open.visitor, taro, "K-1").await.status, 200);
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    assert_eq!(set(&open.visitor, taro, "K-1").await.status, 202);
    let shown = result(&open, check(&open, "taro").await).await;
    assert_eq!((&shown["inquiry_number"], &shown["inquiry_number_pending"]), (&json!("K-1"), &Value::Null));

    let job = set(&open.visitor, taro, "K-2").await.json()["job"].clone();
    let shown = result(&open, check(&open, "taro").await).await;
    assert_eq!(
        (&shown["inquiry_number"], &shown["inquiry_number_pending"]["job"]),
        (&json!("K-1"), &job),
        "another one is on its way"
    );
}

#[tokio::test]
async fn the_later_of_two_numbers_is_shown_and_a_refusal_stays_until_the_next() {
    let open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    // The central system knows that the number is hanako's, the daemon does not: no result of hers is stored.
    let body = json!({ "inquiry_number": "K-9", "insurance": super::inquiry_numbers::insurance("hanako") });
    assert_eq!(open.visitor.put("/v1/inquiry-numbers", &body).await.status, 200);
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    let first = set(&open.visitor, taro, "K-1").await.json()["job"].clone();
    let second = set(&open.visitor, taro, "K-9").await.json()["job"].clone();
    assert_eq!(result(&open, taro).await["inquiry_number_pending"]["job"], second);

    open.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(job_ends(&open.clock, &open.visitor, &second).await["state"], "failed");
    assert_eq!(job_ends(&open.clock, &open.visitor, &first).await["state"], "registered");
    let shown = result(&open, taro).await;
    assert_eq!(shown["inquiry_number"], "K-1");
    let pending = &shown["inquiry_number_pending"];
    assert_eq!((&pending["job"], &pending["state"]), (&second, &json!("failed")));
    assert_eq!(pending["failure"]["code"], "inquiry_number_in_use");

    assert_eq!(set(&open.visitor, taro, "K-2").await.status, 200);
    let shown = result(&open, taro).await;
    assert_eq!((&shown["inquiry_number"], &shown["inquiry_number_pending"]), (&json!("K-2"), &Value::Null));
}
