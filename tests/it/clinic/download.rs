//! Downloads: count, list, one person, the inquiry number, and the end of the retention.

use daemon::app::ports::{Clock as _, Role};
use harness::clinic::OpenClinic;
use harness::personas::Personas;
use harness::upstream::Endpoint;
use jiff::SignedDuration;
use serde_json::json;

async fn check(open: &OpenClinic, persona: &str) -> i64 {
    open.clinic.next_patient(&open.visitor, persona).await;
    let pin = &Personas::builtin().by_name(persona).expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    assert_eq!(done["phase"], "done", "{persona}: {done}");
    done["result_id"].as_i64().expect("a result")
}

#[tokio::test]
async fn pages_go_newest_first_without_gaps_and_their_cursor_fits_no_other_list() {
    let open = OpenClinic::at_noon().await;
    let mut stored = Vec::new();
    for persona in ["taro", "hanako", "taro", "hanako", "taro"] {
        stored.push(check(&open, persona).await);
        open.clock.advance(SignedDuration::from_secs(61));
    }
    stored.reverse();

    let mut listed = Vec::new();
    let mut target = "/v1/results?limit=2&from=2026-07-08&to=2026-07-08".to_owned();
    loop {
        let page = open.visitor.get(&target).await.json();
        listed.extend(
            page["results"].as_array().expect("results").iter().map(|row| row["id"].as_i64().expect("id")),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let other = open.visitor.get(&format!("/v1/results?limit=2&cursor={cursor}")).await;
        assert_eq!((other.status, other.code().as_str()), (400, "invalid_request"));
        target = format!("/v1/results?limit=2&from=2026-07-08&to=2026-07-08&cursor={cursor}");
    }
    assert_eq!(listed, stored);
    for (query, expected) in [("", 5), ("?to=2026-07-07", 0), ("?from=2026-07-09", 0), ("?terminal=other", 0)]
    {
        let count = open.visitor.get(&format!("/v1/results/count{query}")).await.json();
        assert_eq!(count["count"], expected, "{query}");
    }
}

#[tokio::test]
async fn a_result_is_served_until_the_last_instant_of_the_next_month_and_never_after() {
    let mut open = OpenClinic::at_noon().await;
    let id = check(&open, "taro").await;
    let end: jiff::Timestamp = "2026-08-31T15:00:00Z".parse().expect("an instant");
    let before = end.duration_since(open.clock.now()) - SignedDuration::from_secs(1);
    open.clock.advance(before);
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.credentials).await;
    assert_eq!(visitor.get(&format!("/v1/results/{id}")).await.status, 200);
    assert_eq!(visitor.get("/v1/results/count").await.json()["count"], 1);

    open.clock.advance(SignedDuration::from_secs(1));
    let gone = visitor.get(&format!("/v1/results/{id}")).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "result_not_found"));
    assert_eq!(visitor.get("/v1/results/count").await.json()["count"], 0);
    assert_eq!(visitor.get("/v1/results").await.json()["results"], json!([]));

    // A clock set back brings nothing back, also after a restart.
    open.clock.advance(-SignedDuration::from_hours(24 * 10));
    open.clinic.restart().await.expect("the daemon starts");
    let credentials = open.clinic.enrol("second", Role::ReceiptComputer).await;
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&credentials).await;
    assert_eq!(visitor.get(&format!("/v1/results/{id}")).await.status, 404);
}

#[tokio::test]
async fn an_inquiry_number_goes_upstream_and_comes_back_with_every_result_of_the_person() {
    let open = OpenClinic::at_noon().await;
    let first = check(&open, "taro").await;
    let second = check(&open, "taro").await;
    let other = check(&open, "hanako").await;

    let set = open
        .visitor
        .put(&format!("/v1/results/{first}/inquiry-number"), &json!({ "inquiry_number": "K-000123" }))
        .await;
    assert_eq!(set.status, 200, "{}", set.code());
    let mut changed = set.json()["results"].as_array().expect("results").clone();
    changed.sort_by_key(serde_json::Value::as_i64);
    assert_eq!(changed, [json!(first), json!(second)]);

    for (id, number) in [(first, Some("K-000123")), (second, Some("K-000123")), (other, None)] {
        let result = open.visitor.get(&format!("/v1/results/{id}")).await.json();
        assert_eq!(result["inquiry_number"].as_str(), number);
    }
    let third = check(&open, "taro").await;
    let result = open.visitor.get(&format!("/v1/results/{third}")).await.json();
    assert_eq!(result["inquiry_number"], "K-000123", "the central system returns it with the next result");
}

#[tokio::test]
async fn an_inquiry_number_of_a_wrong_form_is_refused() {
    let open = OpenClinic::at_noon().await;
    let id = check(&open, "taro").await;
    let target = format!("/v1/results/{id}/inquiry-number");
    for number in ["", " 1", &*"9".repeat(51)] {
        let refused = open.visitor.put(&target, &json!({ "inquiry_number": number })).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "inquiry_number_invalid"));
    }
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryNumber), 0);
}
