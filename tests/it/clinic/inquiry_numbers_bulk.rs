//! Inquiry numbers in bulk: a receipt number, progress, and an outcome for each item.

use harness::clinic::OpenClinic;
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::inquiry_numbers::{check, insurance, job_ends, set, wait_for};

const BULK: &str = "/v1/inquiry-numbers/bulk";

async fn hand_in(open: &OpenClinic, items: &[Value]) -> String {
    let reply = open.visitor.post(BULK, &json!({ "items": items })).await;
    assert_eq!(reply.status, 202, "{}", reply.code());
    assert_eq!(reply.json()["items"], items.len());
    format!("{BULK}/{}", reply.json()["receipt"])
}

/// Looks until the bulk is done, moving the clock whenever it is not.
async fn done(open: &OpenClinic, target: &str) -> Value {
    wait_for(&open.visitor, target, |stand| {
        open.clock.advance(SignedDuration::from_secs(1));
        stand["state"] == "done"
    })
    .await
}

fn of_person(persona: &str, number: &str) -> Value {
    json!({ "inquiry_number": number, "insurance": insurance(persona) })
}

#[tokio::test]
async fn each_item_has_its_own_outcome_in_the_order_of_the_request() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.set_bulk_polls(2);
    let (taro, several) = (check(&open, "taro").await, check(&open, "multiple").await);
    assert_eq!(set(&open.visitor, taro, "K-1").await.status, 200);
    let mut stranger = of_person("kokuho", "K-4");
    stranger["insurance"]["insured_identification_number"] = json!("9999999");
    let items = [
        json!({ "inquiry_number": "K-2", "result": taro }),
        json!({ "inquiry_number": "K-3", "result": several }),
        json!({ "inquiry_number": "K-3", "result": 999 }),
        stranger,
        of_person("hanako", "K-5"),
        of_person("kokuho", "K-5"),
    ];
    let target = hand_in(&open, &items).await;
    let stand = done(&open, &target).await;
    assert_eq!((&stand["registered"], &stand["failed"]), (&json!(2), &json!(4)), "{stand}");
    let codes: Vec<_> = stand["outcomes"]
        .as_array()
        .expect("outcomes")
        .iter()
        .map(|outcome| outcome["failure"]["code"].as_str().unwrap_or_default())
        .collect();
    let expected = [
        "",
        "inquiry_person_ambiguous",
        "result_not_found",
        "inquiry_person_not_found",
        "",
        "inquiry_number_in_use",
    ];
    assert_eq!(codes, expected);
    assert_eq!(stand["outcomes"][0]["results"], json!([taro]));
    assert_eq!(open.visitor.get(&format!("/v1/results/{taro}")).await.json()["inquiry_number"], "K-2");
    assert_eq!(open.clinic.upstream.inquiry_number("hanako").as_deref(), Some("K-5"));
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryBulk), 1, "one message for all");
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryBulkOutcome), 3, "twice it was not done");

    let page = open.visitor.get(&format!("{target}?position=2&limit=3")).await.json();
    let positions: Vec<_> =
        page["outcomes"].as_array().expect("outcomes").iter().map(|one| &one["position"]).collect();
    assert_eq!((positions, &page["next_position"]), (vec![&json!(2), &json!(3), &json!(4)], &json!(5)));
    let last = open.visitor.get(&format!("{target}?position=5")).await.json();
    assert!(last["next_position"].is_null());
    assert_eq!(open.visitor.get(&format!("{BULK}/99")).await.code(), "inquiry_job_not_found");
}

#[tokio::test]
async fn a_bulk_survives_outages_restarts_and_a_receipt_number_that_nobody_knows_any_more() {
    let mut open = OpenClinic::at_noon().await;
    open.clinic.upstream.set_bulk_polls(1_000_000);
    open.clinic.upstream.script(Endpoint::InquiryBulk, Fault::Maintenance);
    // What was processed and whose answer was lost is sent again.
    open.clinic.upstream.script(Endpoint::InquiryBulk, Fault::CutAfter(40));
    let target = hand_in(&open, &[of_person("taro", "K-1"), of_person("hanako", "K-2")]).await;
    let upstream = &open.clinic.upstream;
    // No more than the queue's waits need: thousands of looks must not make the session too old.
    wait_for(&open.visitor, &target, |_| {
        open.clock.advance(SignedDuration::from_secs(1));
        upstream.requests(Endpoint::InquiryBulkOutcome) > 0
    })
    .await;
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryBulk), 3);

    // The receipt number is on disk: after a restart nothing is sent again, only asked for.
    let asked = open.clinic.upstream.requests(Endpoint::InquiryBulkOutcome);
    open.clock.advance(SignedDuration::from_secs(61));
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    open.visitor = visitor;
    let upstream = &open.clinic.upstream;
    wait_for(&open.visitor, &target, |_| {
        open.clock.advance(SignedDuration::from_secs(1));
        upstream.requests(Endpoint::InquiryBulkOutcome) > asked
    })
    .await;
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryBulk), 3);

    open.clinic.upstream.forget_bulks();
    let stand = done(&open, &target).await;
    assert_eq!((&stand["registered"], &stand["failed"]), (&json!(2), &json!(0)), "{stand}");
    assert_eq!(open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-1"));
    assert_eq!(open.clinic.upstream.inquiry_number("hanako").as_deref(), Some("K-2"));
}

#[tokio::test]
async fn a_receipt_that_is_answered_with_garbage_holds_no_number_up() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.break_down(Endpoint::InquiryBulkOutcome, Fault::Garbage);
    let target = hand_in(&open, &[of_person("taro", "K-1"), of_person("hanako", "K-2")]).await;
    let upstream = &open.clinic.upstream;
    wait_for(&open.visitor, &target, |_| {
        open.clock.advance(SignedDuration::from_secs(1));
        upstream.requests(Endpoint::InquiryBulkOutcome) > 0
    })
    .await;
    for number in ["K-3", "K-4", "K-5"] {
        // Whatever waits has been waiting for long enough.
        open.clock.advance(SignedDuration::from_secs(61));
        let reply = open.visitor.put("/v1/inquiry-numbers", &of_person("kokuho", number)).await;
        assert!([200, 202].contains(&reply.status), "{}", reply.code());
        let job = job_ends(&open.clock, &open.visitor, &reply.json()["job"]).await;
        assert_eq!(job["state"], "registered");
        assert_eq!(open.clinic.upstream.inquiry_number("kokuho").as_deref(), Some(number));
    }
    let collected = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!(collected.status, 200, "the connection is not given up for it: {}", collected.code());

    open.clinic.upstream.mend();
    open.clock.advance(SignedDuration::from_secs(61));
    // Another number wakes the queue at once.
    open.visitor.put("/v1/inquiry-numbers", &of_person("kokuho", "K-6")).await;
    let stand = done(&open, &target).await;
    assert_eq!((&stand["registered"], &stand["failed"]), (&json!(2), &json!(0)), "{stand}");
}

#[tokio::test]
async fn a_bulk_with_a_broken_item_is_refused_whole_and_names_it() {
    let open = OpenClinic::at_noon().await;
    let good = of_person("taro", "K-1");
    let mut both = good.clone();
    both["result"] = json!(1);
    let mut long = good.clone();
    long["inquiry_number"] = json!("9".repeat(51));
    let mut branch = good.clone();
    branch["insurance"]["insured_branch_number"] = json!("x");
    for (item, code, field) in [
        (both, "invalid_request", "items[1].result"),
        (json!({ "inquiry_number": "K-2" }), "invalid_request", "items[1].result"),
        (long, "inquiry_number_invalid", "items[1].inquiry_number"),
        (branch, "invalid_request", "items[1].insurance.insured_branch_number"),
    ] {
        let refused = open.visitor.post(BULK, &json!({ "items": [good, item] })).await;
        assert_eq!((refused.code().as_str(), &refused.json()["field"]), (code, &json!(field)));
    }
    assert_eq!(open.visitor.get("/v1/health").await.json()["queue"]["depth"], 0);
}

#[tokio::test]
async fn ten_thousand_numbers_go_in_at_once_and_an_eleventh_thousand_does_not_fit() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.refuse_connections(usize::MAX);
    let items: Vec<_> = (0..10_000)
        .map(|index| {
            json!({ "inquiry_number": format!("K-{index}"), "insurance": {
                "insurer_number": "138990", "insured_identification_number": format!("{index:07}"),
            }})
        })
        .collect();
    hand_in(&open, &items).await;
    let full = open.visitor.post(BULK, &json!({ "items": [of_person("taro", "K-x")] })).await;
    assert_eq!((full.status, full.code().as_str()), (503, "inquiry_queue_full"));
    assert_eq!(full.header("retry-after"), Some("60"));
    let single = open
        .visitor
        .put("/v1/inquiry-numbers", &json!({ "inquiry_number": "K-y", "insurance": insurance("taro") }))
        .await;
    assert_eq!(single.status, 202, "the front desk goes on: {}", single.code());
    assert_eq!(open.visitor.get("/v1/health").await.json()["queue"]["depth"], 10_001);
}
