//! Following the results with a cursor: nothing is missed, nothing waits longer than it must.

use std::time::Duration;

use daemon::app::ports::Clock as _;
use harness::clinic::OpenClinic;
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::inquiry_numbers::{job_ends, set};
use super::results::check;

async fn changes(open: &OpenClinic, query: &str) -> Value {
    let reply = open.visitor.get(&format!("/v1/results/changes{query}")).await;
    assert_eq!(reply.status, 200, "{query}: {}", reply.code());
    reply.json()
}

fn ids(changes: &Value) -> Vec<i64> {
    let rows = changes["results"].as_array().expect("results");
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[tokio::test]
async fn a_follower_gets_every_result_and_every_change_of_one() {
    let open = OpenClinic::at_noon().await;
    let first = check(&open, "taro").await;
    let now = changes(&open, "").await;
    assert_eq!((ids(&now), &now["more"]), (vec![], &json!(false)), "without a cursor it begins now");
    assert_eq!(now["expired_before"], "2026-06-01T00:00:00+09:00");
    let all = changes(&open, "?from_start=true").await;
    assert_eq!(ids(&all), [first]);
    assert_eq!(all["cursor"], now["cursor"]);

    let second = check(&open, "hanako").await;
    let third = check(&open, "taro").await;
    let cursor = now["cursor"].as_str().expect("a cursor");
    let one = changes(&open, &format!("?cursor={cursor}&limit=1")).await;
    assert_eq!((ids(&one), &one["more"]), (vec![second], &json!(true)));
    let rest =
        changes(&open, &format!("?cursor={}&limit=1", one["cursor"].as_str().expect("a cursor"))).await;
    assert_eq!((ids(&rest), &rest["more"]), (vec![third], &json!(false)));

    let set = json!({ "inquiry_number": "K-000123" });
    assert_eq!(open.visitor.put(&format!("/v1/results/{first}/inquiry-number"), &set).await.status, 200);
    let cursor = rest["cursor"].as_str().expect("a cursor");
    let numbered = changes(&open, &format!("?cursor={cursor}&fields=inquiry_number,version")).await;
    let mut changed = ids(&numbered);
    changed.sort_unstable();
    assert_eq!(changed, [first, third]);
    assert_eq!(numbered["results"][0]["inquiry_number"], "K-000123");
    let cursor = numbered["cursor"].as_str().expect("a cursor");
    assert_eq!(ids(&changes(&open, &format!("?cursor={cursor}")).await), Vec::<i64>::new());
}

#[tokio::test]
async fn a_result_whose_number_waits_comes_in_the_turn_of_its_last_change_and_once() {
    let open = OpenClinic::at_noon().await;
    let (taro, hanako) = (check(&open, "taro").await, check(&open, "hanako").await);
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    let job = set(&open.visitor, taro, "K-1").await.json()["job"].clone();
    let last = check(&open, "hanako").await;

    let (mut seen, mut query) = (Vec::new(), "?from_start=true".to_owned());
    let cursor = loop {
        let page = changes(&open, &format!("{query}&limit=1")).await;
        seen.extend(ids(&page));
        let cursor = page["cursor"].as_str().expect("a cursor").to_owned();
        if page["more"] == json!(false) {
            break cursor;
        }
        query = format!("?cursor={cursor}");
    };
    assert_eq!(seen, [hanako, taro, last]);
    assert_eq!(ids(&changes(&open, "?from_start=true").await), seen, "in one page as well");

    open.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(job_ends(&open.clock, &open.visitor, &job).await["state"], "registered");
    let arrived = changes(&open, &format!("?cursor={cursor}")).await;
    assert_eq!(ids(&arrived), [taro]);
    assert_eq!(arrived["results"][0]["inquiry_number"], "K-1");
    assert_eq!(ids(&changes(&open, "?from_start=true").await), [hanako, last, taro]);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_change_and_with_the_program() {
    let mut open = OpenClinic::at_noon().await;
    let cursor = changes(&open, "").await["cursor"].as_str().expect("a cursor").to_owned();
    let target = format!("/v1/results/changes?cursor={cursor}&wait=60");
    // The answer must come long before the wait is over: the client itself gives up after 20 seconds.
    let waiting = open.visitor.clone();
    let (answer, stored) = tokio::join!(waiting.get(&target), check(&open, "taro"));
    assert_eq!(ids(&answer.json()), [stored]);

    let cursor = answer.json()["cursor"].as_str().expect("a cursor").to_owned();
    let mut poll = open.visitor.open(&format!("/v1/results/changes?cursor={cursor}&wait=60"), &[]).await;
    // The request is on its way before the daemon is told to stop: the next one was answered after it was taken in.
    assert_eq!(open.visitor.get("/v1/results/count").await.status, 200);
    open.clinic.stop_daemon().await;
    let reply = poll.reply().await.expect("an answer");
    assert_eq!((reply.status, ids(&reply.json())), (200, vec![]));
}

#[tokio::test]
async fn a_wait_without_a_change_ends_with_nothing_or_not_modified() {
    let open = OpenClinic::at_noon().await;
    let cursor = changes(&open, "").await["cursor"].as_str().expect("a cursor").to_owned();
    let target = format!("/v1/results/changes?cursor={cursor}&wait=1");
    let reply = open.visitor.get(&target).await;
    assert_eq!((reply.status, ids(&reply.json())), (200, vec![]));
    assert_eq!(reply.json()["cursor"], json!(cursor));
    let tag = reply.header("etag").expect("a tag").to_owned();
    assert_eq!(open.visitor.get_with(&target, &[("If-None-Match", &tag)]).await.status, 304);
}

#[tokio::test]
async fn the_end_of_a_month_is_told_at_once_and_nobody_waits_for_ever_after_signing_out() {
    let mut open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    let end: jiff::Timestamp = "2026-08-31T15:00:00Z".parse().expect("an instant");
    open.clock.advance(end.duration_since(open.clock.now()) - SignedDuration::from_secs(40));
    open.visitor.sign_in(&open.credentials.clone()).await;
    let all = changes(&open, "?from_start=true").await;
    assert_eq!((ids(&all), &all["expired_before"]), (vec![taro], &json!("2026-07-01T00:00:00+09:00")));
    let cursor = all["cursor"].as_str().expect("a cursor");
    let mut poll = open.visitor.open(&format!("/v1/results/changes?cursor={cursor}&wait=60"), &[]).await;
    open.clock.advance(SignedDuration::from_secs(40));
    let told = poll.reply().await.expect("an answer").json();
    assert_eq!((ids(&told), &told["expired_before"]), (vec![], &json!("2026-08-01T00:00:00+09:00")));

    let cursor = told["cursor"].as_str().expect("a cursor");
    let mut poll = open.visitor.open(&format!("/v1/results/changes?cursor={cursor}&wait=2"), &[]).await;
    assert_eq!(open.visitor.delete("/v1/sessions/current").await.status, 204);
    let reply = poll.reply().await.expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (401, "session_required"));
}

#[tokio::test]
async fn places_that_this_store_never_gave_out_are_refused() {
    let open = OpenClinic::at_noon().await;
    let here = changes(&open, "").await["cursor"].as_str().expect("a cursor").to_owned();
    check(&open, "taro").await;
    let ahead = changes(&open, "").await["cursor"].as_str().expect("a cursor").to_owned();
    let other = OpenClinic::at_noon().await;
    for (clinic, cursor) in [(&open, "AAAA"), (&open, &here[1..]), (&other, &ahead)] {
        let refused = clinic.visitor.get(&format!("/v1/results/changes?cursor={cursor}")).await;
        let found = (refused.status, refused.code(), refused.json()["field"].clone());
        assert_eq!(found, (400, "invalid_request".to_owned(), json!("cursor")), "{cursor}");
    }
    tokio::time::timeout(Duration::from_secs(20), other.clinic.close()).await.expect("it closes");
}
