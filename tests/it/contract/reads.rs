//! Reading results on the wire: tags, fields, forms, places, compression, trailers.

use std::time::Duration;

use api::limits::Limits;
use harness::contract::Contract;
use harness::raw_http::Raw;
use serde_json::json;
use tokio::time::timeout;

use super::fake::{Script, Server, TOKEN};

const SOON: Duration = Duration::from_secs(10);

fn with(request: &str, header: &str) -> String {
    request.replacen("\r\n", &format!("\r\n{header}\r\n"), 1)
}

/// What the service says of what it answers, in hexadecimal digits.
const TAG: &str = "\"776861742069742069732061626f7574\"";

#[tokio::test]
async fn reads_carry_a_tag_and_a_known_answer_has_no_body() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for target in ["/v1/results", "/v1/results/count", "/v1/results/42", "/v1/results/changes"] {
        server.service.script(Script::Answer);
        let request = server.request("GET", target, Some(TOKEN), None);
        let fresh = server.send(&request).await;
        assert_eq!((fresh.status, fresh.header("etag")), (200, Some(TAG)), "{target}");
        server.service.script(Script::Known);
        let known = server.send(with(&request, &format!("if-none-match: W/{TAG}"))).await;
        assert_eq!((known.status, known.header("etag")), (304, Some(TAG)), "{target}");
        assert_eq!((known.body.len(), known.header("content-type")), (0, None), "{target}");
        contract.check("GET", target, &known).unwrap();
    }
}

#[tokio::test]
async fn selected_fields_are_all_that_comes() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    let get = async |target: &str| {
        let reply = server.send(server.request("GET", target, Some(TOKEN), None)).await;
        contract.check("GET", target, &reply).unwrap();
        reply.json()
    };
    let page = get("/v1/results?fields=version,eligibilities.name").await;
    let first = json!({ "id": 42, "version": 1, "eligibilities": [{ "name": "資格 ●郎" }] });
    assert_eq!(page["results"], json!([first, { "id": 42, "version": 1, "eligibilities": [{}] }]));
    assert_eq!(page["next_cursor"], "bmV4dA");
    let changes = get("/v1/results/changes?fields=id").await;
    assert_eq!(changes["results"], json!([{ "id": 42 }, { "id": 42 }]));
    assert_eq!(get("/v1/results/42?fields=terminal").await, json!({ "id": 42, "terminal": "uketsuke-1" }));
    let search = json!({ "name": "資格", "fields": ["validity"] }).to_string();
    let found = server.send(server.request("POST", "/v1/results/search", Some(TOKEN), Some(&search))).await;
    contract.check("POST", "/v1/results/search", &found).unwrap();
    assert_eq!(found.json()["results"][0]["validity"]["code"], "valid");
    assert!(found.json()["results"][0].get("terminal").is_none());
}

#[tokio::test]
async fn the_form_is_negotiated_or_named() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for (target, accept, status, kind) in [
        ("/v1/results/42", "accept: application/x-ndjson", 200, "application/x-ndjson"),
        ("/v1/results/42?format=json", "accept: image/png", 200, "application/json"),
        ("/v1/results/42", "accept: image/png", 406, "application/problem+json"),
        ("/v1/results/42?format=docx", "accept: */*", 400, "application/problem+json"),
        ("/v1/results/42?format=ndjson&fields=id", "accept: */*", 400, "application/problem+json"),
        ("/v1/results/42", "accept: text/csv", 200, "text/csv"),
        ("/v1/results/42?format=fhir&charset=cp932", "accept: */*", 200, "application/fhir+json"),
        ("/v1/results/42", "accept: text/csv;charset=euc-jp", 406, "application/problem+json"),
        ("/v1/results/42?charset=euc-jp", "accept: */*", 400, "application/problem+json"),
        ("/v1/results/export", "accept: application/x-ndjson;q=0.9, image/png", 200, "application/x-ndjson"),
        ("/v1/results/export?format=xmlmsg-xml", "accept: */*", 200, "application/xml"),
        ("/v1/results/export?format=xmlmsg-json", "accept: */*", 200, "application/x.xmlmsg+json"),
        ("/v1/results/export?format=text", "accept: */*", 200, "text/plain"),
        ("/v1/results/export?format=docx", "accept: */*", 400, "application/problem+json"),
    ] {
        let request = with(&server.request("GET", target, Some(TOKEN), None), accept);
        let reply = server.send(request).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, Some(kind)), "{target} {accept}");
        contract.check("GET", target, &reply).unwrap();
    }
}

#[tokio::test]
async fn an_export_says_what_it_is_and_how_it_ended() {
    let server = Server::start(Limits::default());
    let request = server.request("GET", "/v1/results/export?limit=1", Some(TOKEN), None);
    let reply = server.send(with(&request, "te: trailers")).await;
    for (name, value) in [
        ("shikaku-total", "17"),
        ("shikaku-cut-off", "2026-07-08T12:00:00+09:00"),
        ("shikaku-next-cursor", "bmV4dA"),
        ("content-disposition", "attachment; filename=\"results.json\""),
        ("shikaku-results", "1"),
        ("shikaku-reduced-characters", "2"),
        ("shikaku-lost-characters", "3"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(reply.json()["summary"]["results"], 1);
    let whole = server.send(server.request("GET", "/v1/results/export", Some(TOKEN), None)).await;
    assert_eq!((whole.header("shikaku-next-cursor"), whole.header("shikaku-results")), (None, None));
}

#[tokio::test]
async fn only_large_answers_are_compressed_and_only_when_asked() {
    let server = Server::start(Limits::default());
    for (target, encoding, expected) in [
        ("/openapi.yaml", "gzip", Some("gzip")),
        ("/openapi.yaml", "zstd", Some("zstd")),
        ("/openapi.yaml", "br", None),
        ("/v1/results/export", "gzip", Some("gzip")),
        ("/v1/results/export", "zstd, gzip;q=0.5", Some("zstd")),
        ("/v1/results/export", "identity", None),
        ("/v1/results", "gzip", None),
        ("/v1/results/42", "zstd", None),
        ("/v1/events", "gzip", None),
    ] {
        let request = server.request("GET", target, Some(TOKEN), None);
        let reply = server.send(with(&request, &format!("accept-encoding: {encoding}"))).await;
        assert_eq!((reply.status, reply.header("content-encoding")), (200, expected), "{target} {encoding}");
    }
}

#[tokio::test]
async fn open_streams_and_exports_have_places_and_closing_gives_them_back() {
    let contract = Contract::committed();
    let limits =
        Limits { streams: 2, streams_of_account: 1, exports: 1, exports_of_account: 1, ..Limits::default() };
    let server = Server::start(limits);
    let stays = with(&server.request("GET", "/v1/events", Some(TOKEN), None), "last-event-id: cGxhY2U");
    let mut stream = Raw::connect(server.address).await.unwrap();
    stream.send(&stays).await.unwrap();
    stream.until("event: ready").await.unwrap();
    for target in ["/v1/events", "/v1/results/changes?wait=1"] {
        let refused = server.send(server.request("GET", target, Some(TOKEN), None)).await;
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_streams"), "{target}");
        assert_eq!(refused.header("retry-after"), Some("5"));
        contract.check("GET", target, &refused).unwrap();
    }
    let at_once = server.send(server.request("GET", "/v1/results/changes", Some(TOKEN), None)).await;
    assert_eq!(at_once.status, 200, "who does not wait needs no place");

    let endless = server.request("GET", "/v1/results/export?after_id=4711", Some(TOKEN), None);
    let mut export = Raw::connect(server.address).await.unwrap();
    export.send(&endless).await.unwrap();
    export.until("summary").await.unwrap();
    let plain = server.request("GET", "/v1/results/export", Some(TOKEN), None);
    let refused = server.send(&plain).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "exports_full"));
    contract.check("GET", "/v1/results/export", &refused).unwrap();

    // The server learns of the close in its own time: ask until it has.
    drop((stream, export));
    let events = server.request("GET", "/v1/events", Some(TOKEN), None);
    for request in [&plain, &events] {
        let let_in = async { while server.send(request).await.status != 200 {} };
        timeout(SOON, let_in).await.expect("a closed connection gives its place back");
    }
}
