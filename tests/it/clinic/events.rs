//! The stream of events: everybody hears of what concerns them, nobody of a person, and it ends when it must.

use std::time::Duration;

use daemon::app::ports::{Clock as _, Role};
use harness::clinic::OpenClinic;
use harness::raw_http::Raw;
use jiff::SignedDuration;
use serde_json::Value;

use super::results::check;

/// The next event with this name: its id and its content. Everything that came before it is thrown away.
async fn next(stream: &mut Raw, name: &str) -> (Option<String>, Value) {
    stream.until(&format!("event: {name}\n")).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = stream.until("\n\n").await.expect("the rest of the event");
    let line = |prefix: &str| text.lines().find_map(|line| line.strip_prefix(prefix)).map(ToOwned::to_owned);
    let data = line("data: ").expect("content");
    (line("id: "), serde_json::from_str(&data).expect("JSON"))
}

#[tokio::test]
async fn a_client_hears_of_checks_results_and_readers_and_of_no_person() {
    let open = OpenClinic::at_noon().await;
    let mut stream = open.visitor.open("/v1/events", &[]).await;
    let (begin, _) = next(&mut stream, "ready").await;
    assert!(begin.is_some());
    let (_, readers) = next(&mut stream, "readers").await;
    assert_eq!(readers["readers"][0]["state"], "empty");
    let taro = check(&open, "taro").await;
    let everything = stream.until("event: result\n").await.expect("a result");
    assert!(everything.contains("event: check\n") && everything.contains("\"phase\":\"waiting_for_pin\""));
    assert!(everything.contains("\"state\":\"card\""));
    let text = stream.until("\n\n").await.expect("the rest");
    let expected =
        format!("{{\"id\":{taro},\"version\":1,\"validity\":\"valid\",\"terminal\":\"uketsuke-1\"}}");
    assert!(text.contains(&expected), "{text}");
    let person = open.visitor.get(&format!("/v1/results/{taro}")).await.json();
    for field in ["name", "name_kana", "birthdate", "insured_identification_number"] {
        let value = person["eligibilities"][0][field].as_str().expect("a field");
        assert!(!everything.contains(value) && !text.contains(value), "{field}");
    }
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_was_missed_once_and_in_order() {
    let open = OpenClinic::at_noon().await;
    let mut stream = open.visitor.open("/v1/events", &[]).await;
    let (begin, _) = next(&mut stream, "ready").await;
    let begin = begin.expect("a place");
    drop(stream);
    let missed = [check(&open, "taro").await, check(&open, "hanako").await];
    let mut stream = open.visitor.open("/v1/events", &[("Last-Event-ID", &begin)]).await;
    let mut last = String::new();
    for id in missed {
        let (place, event) = next(&mut stream, "result").await;
        assert_eq!(event["id"], id);
        last = place.expect("a place");
    }
    let live = check(&open, "taro").await;
    assert_eq!(next(&mut stream, "result").await.1["id"], live, "what is new follows without a gap");

    let changes = open.visitor.get(&format!("/v1/results/changes?cursor={last}")).await.json();
    assert_eq!(changes["results"][0]["id"], live, "an event's id is a cursor of changes");
    let refused = open.visitor.get_with("/v1/events", &[("Last-Event-ID", "x")]).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn checks_are_told_to_their_account_and_results_to_those_who_may_read_them() {
    let open = OpenClinic::with(|plan| {
        plan.accounts.push(("kanrisha", Role::Administrator));
        plan.accounts.push(("uketsuke", Role::Operator));
    })
    .await;
    let mut listeners = Vec::new();
    for account in ["kanrisha", "uketsuke"] {
        let mut visitor = open.clinic.visitor();
        visitor.sign_in(&open.clinic.credentials(account)).await;
        let mut stream = visitor.open("/v1/events", &[]).await;
        next(&mut stream, "readers").await;
        listeners.push(stream);
    }
    let mut own = open.visitor.open("/v1/events", &[]).await;
    next(&mut own, "readers").await;
    check(&open, "taro").await;
    next(&mut own, "result").await;
    let [administrator, operator] = &mut listeners[..] else { panic!("two listeners") };
    let heard = operator.until("event: result\n").await.expect("the result");
    assert!(!heard.contains("event: check\n"), "somebody else's check");
    // The card that is taken away comes after everything else.
    open.clinic.readers.take(harness::clinic::READER);
    let heard = administrator.until("\"state\":\"empty\"").await.expect("the reader");
    assert!(!heard.contains("event: check\n") && !heard.contains("event: result\n"), "{heard}");
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_keeps_none_alive() {
    let mut open = OpenClinic::at_noon().await;
    let mut stream = open.visitor.open("/v1/events", &[]).await;
    next(&mut stream, "ready").await;
    assert_eq!(open.visitor.delete("/v1/sessions/current").await.status, 204);
    assert_eq!(next(&mut stream, "end").await.1["reason"], "session_ended");

    open.clock.advance(SignedDuration::from_secs(31));
    open.visitor.sign_in(&open.credentials.clone()).await;
    let mut stream = open.visitor.open("/v1/events", &[]).await;
    next(&mut stream, "ready").await;
    for _ in 0..2 {
        open.clock.advance(SignedDuration::from_mins(15));
    }
    assert_eq!(next(&mut stream, "end").await.1["reason"], "session_ended", "an open stream is no use of it");
    assert_eq!(open.visitor.get("/v1/results").await.status, 401);
}

#[tokio::test]
async fn the_end_of_a_month_is_told_to_who_listens() {
    let mut open = OpenClinic::at_noon().await;
    let end: jiff::Timestamp = "2026-07-31T15:00:00Z".parse().expect("an instant");
    open.clock.advance(end.duration_since(open.clock.now()) - SignedDuration::from_secs(40));
    open.visitor.sign_in(&open.credentials.clone()).await;
    let mut stream = open.visitor.open("/v1/events", &[]).await;
    next(&mut stream, "readers").await;
    open.clock.advance(SignedDuration::from_secs(40));
    let (place, expired) = next(&mut stream, "expired").await;
    assert_eq!(expired["expired_before"], "2026-07-01T00:00:00+09:00");
    assert!(place.is_some());
}

#[tokio::test]
async fn stopping_ends_open_streams_with_a_word_and_in_time() {
    let mut open = OpenClinic::at_noon().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = open.visitor.open("/v1/events", &[]).await;
        next(&mut stream, "ready").await;
        streams.push(stream);
    }
    tokio::time::timeout(Duration::from_secs(5), open.clinic.stop_daemon()).await.expect("stopped in time");
    for mut stream in streams {
        assert_eq!(next(&mut stream, "end").await.1["reason"], "stopping");
    }
}
