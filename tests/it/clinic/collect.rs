//! What other terminals and phones of the facility confirmed reaches the receipt computer, once.

use harness::clinic::OpenClinic;
use harness::upstream::{Endpoint, Fault};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const EARLIER: &str = "2026-07-08T01:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn add(open: &OpenClinic, persona: &str, terminal: &str, when: &str) {
    assert!(open.clinic.upstream.add_result(persona, terminal, at(when)), "{persona}");
}

async fn collect(open: &OpenClinic) -> Value {
    let reply = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.code());
    reply.json()
}

fn brought(report: &Value) -> (i64, i64, i64) {
    let number = |name: &str| report[name].as_i64().expect("a count");
    assert_eq!(report["complete"], true);
    (number("added"), number("updated"), number("known"))
}

async fn listed(open: &OpenClinic, query: &str) -> Vec<Value> {
    let page = open.visitor.get(&format!("/v1/results{query}")).await.json();
    page["results"].as_array().expect("results").clone()
}

async fn signed_in_again(open: &mut OpenClinic) {
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.credentials).await;
    open.visitor = visitor;
}

/// Scheduled every five minutes.
async fn scheduled() -> OpenClinic {
    OpenClinic::with(|plan| plan.collect_every_minutes = 5).await
}

/// Moves the clock until the schedule has run, at most to the end of the longest pause.
async fn next_run(open: &OpenClinic) -> Result<u64, String> {
    for _ in 0..40 {
        open.clock.advance(SignedDuration::from_mins(1));
        if let Some(run) = open.clinic.collect_if_due().await {
            return run.map(|report| report.added).map_err(|error| error.to_string());
        }
    }
    panic!("nothing was due");
}

#[tokio::test]
async fn another_terminals_result_appears_once_and_can_be_told_from_ours() {
    let open = OpenClinic::at_noon().await;
    add(&open, "hanako", "PHONE-1", EARLIER);
    let report = collect(&open).await;
    assert_eq!(brought(&report), (1, 0, 0));
    assert_eq!((report["from"].as_str(), report["to"].as_str()), (Some("2026-06-01"), Some("2026-07-08")));
    assert_eq!(brought(&collect(&open).await), (0, 0, 1));

    let all = listed(&open, "").await;
    assert_eq!(all.len(), 1);
    let result = &all[0];
    assert_eq!((&result["source"], &result["terminal"]), (&json!("elsewhere"), &json!("central:PHONE-1")));
    assert_eq!((&result["method"], &result["check_id"]), (&Value::Null, &Value::Null));
    assert_eq!(result["checked_at"], "2026-07-08T10:00:00+09:00");
    assert_eq!(listed(&open, "?terminal=central:PHONE-1").await.len(), 1);
    assert_eq!(listed(&open, "?terminal=uketsuke-1").await.len(), 0);
}

#[tokio::test]
async fn our_own_check_is_not_doubled_whether_its_confirmation_carried_an_id_or_not() {
    for hidden in [false, true] {
        let open = OpenClinic::at_noon().await;
        open.clinic.upstream.hide_result_ids(hidden);
        open.clinic.tap("taro");
        let done = open.visitor.check_with_pin("1234").await;
        // The same person in the same second on a phone is a result of its own.
        add(&open, "taro", "PHONE-1", "2026-07-08T03:00:00Z");
        assert_eq!(brought(&collect(&open).await), (1, 0, 1), "hidden: {hidden}");
        assert_eq!(brought(&collect(&open).await), (0, 0, 2), "hidden: {hidden}");
        let own = open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json();
        assert_eq!((&own["source"], &own["method"]), (&json!("own"), &json!("card_pin")));
        assert_eq!(own["version"], 1);
    }
}

#[tokio::test]
async fn results_that_come_in_while_pages_are_fetched_are_neither_lost_nor_doubled() {
    let open = OpenClinic::with(|plan| plan.upstream_page_size = 2).await;
    for hour in 0..5 {
        add(&open, "hanako", "PHONE-1", &format!("2026-07-08T00:0{hour}:00Z"));
    }
    // One of an earlier time than everything already passed.
    assert!(open.clinic.upstream.add_result_while_paging("taro", "PHONE-2", at("2026-07-07T00:00:00Z")));
    assert_eq!(brought(&collect(&open).await), (6, 0, 0));
    assert_eq!(open.clinic.upstream.requests(Endpoint::Results), 3);
    assert_eq!(brought(&collect(&open).await), (0, 0, 6));
}

#[tokio::test]
async fn who_asks_while_a_run_is_on_waits_for_that_one() {
    let open = scheduled().await;
    add(&open, "hanako", "PHONE-1", EARLIER);
    open.clock.advance(SignedDuration::from_mins(1));
    let slow = Fault::Slow(std::time::Duration::from_millis(300));
    open.clinic.upstream.script(Endpoint::Announcements, slow);
    let (scheduled, one, other) = tokio::join!(open.clinic.collect_if_due(), collect(&open), collect(&open));
    assert_eq!(scheduled.expect("due").expect("collected").added, 1);
    assert_eq!((brought(&one), brought(&other)), ((1, 0, 0), (1, 0, 0)));
    assert_eq!(open.clinic.upstream.requests(Endpoint::Results), 1, "one run, three who wait");
}

#[tokio::test]
async fn runs_ask_for_a_little_and_once_a_day_for_everything() {
    let mut open = OpenClinic::at_noon().await;
    assert_eq!(collect(&open).await["from"], "2026-06-01");
    assert_eq!(collect(&open).await["from"], "2026-07-06");
    // The last second of July in Japan, then the first of August: June is gone, July is last month.
    open.clock.advance(at("2026-07-31T14:59:59Z").duration_since(open.clinic.now()));
    signed_in_again(&mut open).await;
    add(&open, "hanako", "PHONE-1", "2026-06-30T14:59:59Z");
    add(&open, "taro", "PHONE-1", "2026-06-30T15:00:00Z");
    let report = collect(&open).await;
    assert_eq!((&report["from"], &report["to"]), (&json!("2026-06-01"), &json!("2026-07-31")));
    assert_eq!(listed(&open, "").await.len(), 2);
    open.clock.advance(SignedDuration::from_secs(1));
    let report = collect(&open).await;
    assert_eq!((&report["from"], &report["to"]), (&json!("2026-07-29"), &json!("2026-08-01")));
    let left = listed(&open, "").await;
    assert_eq!(left.len(), 1, "June's result is past its retention");
    assert_eq!(left[0]["checked_at"], "2026-07-01T00:00:00+09:00");
}

#[tokio::test]
async fn an_outage_is_waited_out_and_then_everything_is_caught_up() {
    let open = scheduled().await;
    assert_eq!(open.visitor.get("/v1/health").await.json()["collect"]["part"]["state"], "unknown");
    assert_eq!(next_run(&open).await, Ok(0));
    let mut pauses = Vec::new();
    for _ in 0..3 {
        open.clinic.upstream.script(Endpoint::Results, Fault::Garbage);
        let before = open.clinic.now();
        assert!(next_run(&open).await.is_err());
        pauses.push(open.clinic.now().duration_since(before).as_secs() / 60);
    }
    assert!(pauses[0] <= 6 && pauses[2] > pauses[1] && pauses[2] >= 10, "{pauses:?}");
    let health = open.visitor.get("/v1/health").await.json();
    let part = &health["collect"]["part"];
    assert_eq!((&part["state"], &part["code"]), (&json!("degraded"), &json!("upstream_malformed")));
    assert_eq!(health["state"], "degraded");
    add(&open, "hanako", "PHONE-1", EARLIER);
    add(&open, "taro", "PHONE-2", EARLIER);
    assert_eq!(next_run(&open).await, Ok(2));
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!((&health["collect"]["part"]["state"], &health["collect"]["added"]), (&json!("ok"), &json!(2)));
}

/// A machine without a battery starts with any clock, and gets the right one a moment later.
#[tokio::test]
async fn a_clock_that_was_ahead_at_the_start_does_not_stop_the_schedule() {
    let mut open = scheduled().await;
    add(&open, "hanako", "PHONE-1", EARLIER);
    open.clock.jump(SignedDuration::from_hours(12));
    open.clinic.restart().await.expect("the daemon starts");
    open.clock.jump(SignedDuration::from_hours(-12));
    assert_eq!(next_run(&open).await, Ok(1));
}

#[tokio::test]
async fn a_failure_on_demand_has_its_code_and_what_was_merged_is_remembered_over_a_restart() {
    let mut open = OpenClinic::at_noon().await;
    add(&open, "hanako", "PHONE-1", EARLIER);
    collect(&open).await;
    open.clinic.upstream.script(Endpoint::Results, Fault::Garbage);
    let refused = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (502, "upstream_malformed"));
    let token = open.visitor.token().map(str::to_owned);
    open.clinic.restart().await.expect("the daemon starts");
    open.visitor = open.clinic.visitor();
    open.visitor.set_token(token.as_deref());
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(health["collect"]["part"]["code"], "upstream_malformed");
    open.clock.advance(SignedDuration::from_secs(30));
    let report = collect(&open).await;
    assert_eq!((brought(&report), &report["from"]), ((0, 0, 1), &json!("2026-07-06")));
}

#[tokio::test]
async fn a_person_who_changed_insurer_keeps_the_inquiry_number_and_a_new_number_follows() {
    let open = OpenClinic::at_noon().await;
    add(&open, "changed-insurer-before", "PHONE-1", "2026-07-07T01:00:00Z");
    add(&open, "changed-insurer", "PHONE-1", EARLIER);
    assert_eq!(brought(&collect(&open).await), (2, 0, 0));
    let all = listed(&open, "").await;
    assert!(all.iter().all(|result| result["inquiry_number"] == "P-000123"), "{all:?}");

    open.clock.advance(SignedDuration::from_secs(1));
    let target = format!("/v1/results/{}/inquiry-number", all[0]["id"]);
    let set = open.visitor.put(&target, &json!({ "inquiry_number": "P-000999" })).await;
    assert_eq!(set.status, 200, "{}", set.code());
    open.clock.advance(SignedDuration::from_secs(1));
    // The central system knows that both insurances are one person's.
    assert_eq!(brought(&collect(&open).await), (0, 1, 1));
    let all = listed(&open, "").await;
    assert!(all.iter().all(|result| result["inquiry_number"] == "P-000999"), "{all:?}");
    let mut versions: Vec<_> = all.iter().filter_map(|result| result["version"].as_i64()).collect();
    versions.sort_unstable();
    assert_eq!(versions, [2, 3], "collected; on its way and then set");
}

#[tokio::test]
async fn a_clinic_without_any_reader_collects_by_itself_and_serves() {
    let open = OpenClinic::with(|plan| {
        plan.readers = Vec::new();
        plan.collect_every_minutes = 5;
    })
    .await;
    add(&open, "hanako", "PHONE-1", EARLIER);
    assert_eq!(next_run(&open).await, Ok(1));
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(
        (&health["card"]["code"], &health["collect"]["part"]["state"]),
        (&json!("no_reader"), &json!("ok"))
    );
    let all = listed(&open, "").await;
    assert_eq!(all.len(), 1);
    assert_eq!(open.visitor.get(&format!("/v1/results/{}", all[0]["id"])).await.status, 200);
}
