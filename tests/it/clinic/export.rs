//! Exports: whole, in parts, broken off and taken up again; never more than the log knows of.

use harness::clinic::OpenClinic;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::results::check;

async fn five(open: &OpenClinic) -> Vec<i64> {
    let mut stored = Vec::new();
    for persona in ["taro", "hanako", "taro", "hanako", "taro"] {
        stored.push(check(open, persona).await);
        open.clock.advance(SignedDuration::from_secs(61));
    }
    stored.reverse();
    stored
}

fn lines(body: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[tokio::test]
async fn an_export_holds_what_the_list_holds_in_every_form() {
    let open = OpenClinic::at_noon().await;
    let stored = five(&open).await;
    let list = open.visitor.get("/v1/results").await.json();
    let json = open.visitor.get("/v1/results/export").await;
    assert_eq!(json.json()["results"], list["results"]);
    assert_eq!(
        json.json()["summary"],
        json!({ "results": 5, "reduced_characters": 0, "lost_characters": 0 })
    );
    assert_eq!(json.header("shikaku-total"), Some("5"));
    let ndjson = open
        .visitor
        .get_with("/v1/results/export", &[("Accept", "application/x-ndjson"), ("TE", "trailers")]);
    let ndjson = ndjson.await;
    assert_eq!(ids(&lines(&ndjson.body)), stored);
    assert_eq!(ndjson.header("shikaku-results"), Some("5"));
    let none = open.visitor.get("/v1/results/export?to=2026-07-07").await;
    assert_eq!((none.header("shikaku-total"), &none.json()["results"]), (Some("0"), &json!([])));
    let one = open.visitor.get(&format!("/v1/results/{}?format=ndjson", stored[0])).await;
    assert_eq!(lines(&one.body), [list["results"][0].clone()]);
}

#[tokio::test]
async fn an_export_in_parts_misses_nothing_and_holds_nothing_newer() {
    let open = OpenClinic::at_noon().await;
    let stored = five(&open).await;
    let query = "format=ndjson&from=2026-07-08&limit=2";
    let mut part = open.visitor.get(&format!("/v1/results/export?{query}")).await;
    let mut exported = ids(&lines(&part.body));
    let mut newer = Vec::new();
    while let Some(cursor) = part.header("shikaku-next-cursor").map(ToOwned::to_owned) {
        newer.push(check(&open, "hanako").await);
        let other = open.visitor.get(&format!("/v1/results/export?limit=2&cursor={cursor}")).await;
        assert_eq!((other.status, &other.json()["field"]), (400, &json!("cursor")));
        part = open.visitor.get(&format!("/v1/results/export?{query}&cursor={cursor}")).await;
        exported.extend(ids(&lines(&part.body)));
    }
    assert_eq!(exported, stored);
    assert_eq!(newer.len(), 2);
}

#[tokio::test]
async fn a_broken_export_goes_on_after_the_last_result_that_came() {
    let open = OpenClinic::at_noon().await;
    let stored = five(&open).await;
    let rest = open.visitor.get(&format!("/v1/results/export?format=ndjson&after_id={}", stored[1])).await;
    assert_eq!(ids(&lines(&rest.body)), stored[2..]);
    assert_eq!(rest.header("shikaku-total"), Some("5"));
    let end = open.visitor.get(&format!("/v1/results/export?after_id={}", stored[4])).await;
    assert_eq!(end.json()["results"], json!([]));
    let unknown = open.visitor.get("/v1/results/export?after_id=999999").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "result_not_found"));
}

#[tokio::test]
async fn an_export_is_compressed_when_asked() {
    let open = OpenClinic::at_noon().await;
    five(&open).await;
    let plain = open.visitor.get("/v1/results/export").await;
    for encoding in ["gzip", "zstd"] {
        // Compressed bytes are not held against the document.
        let mut connection = open.visitor.open("/v1/results/export", &[("Accept-Encoding", encoding)]).await;
        let reply = connection.reply().await.expect("an answer");
        assert_eq!(reply.header("content-encoding"), Some(encoding));
        assert!(reply.body.len() < plain.body.len() / 2, "{} of {}", reply.body.len(), plain.body.len());
    }
}
