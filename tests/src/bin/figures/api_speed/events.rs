//! Events: how soon a thousand clients learn of a stored change.
//!
//! The daemon runs in this process, from its own composition root: what it allows one clinic is far fewer streams.

use std::time::Instant;

use api::limits::Limits;
use harness::clinic::OpenClinic;
use harness::raw_http::Raw;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::load::quantile_ms;
use crate::figure;

/// Who listens.
const CLIENTS: usize = 1_000;

/// Measures from sending a change that is committed before it is answered to the last byte of its event at each client.
pub fn measure(rounds: usize) {
    Runtime::new().expect("a runtime").block_on(measure_many(rounds));
}

#[expect(clippy::disallowed_methods, reason = "measures")]
async fn measure_many(rounds: usize) {
    let clinic = OpenClinic::with(|plan| {
        plan.limits = Limits {
            connections: CLIENTS * 2,
            connections_per_peer: CLIENTS * 2,
            streams: CLIENTS,
            streams_of_account: CLIENTS,
            ..Limits::default()
        };
    })
    .await;
    clinic.clinic.tap("taro");
    let check = clinic.visitor.check_with_pin("1234").await;
    let result = check["result_id"].as_i64().expect("a stored result");
    let number = async |number: String| {
        let body = json!({ "inquiry_number": number });
        let reply = clinic.visitor.put(&format!("/v1/results/{result}/inquiry-number"), &body).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
    };
    // With the central system away, a number changes the result once: when it is on disk.
    clinic.clinic.upstream.go_down();
    number("first".to_owned()).await;

    let (heard, mut hearing) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut stream = clinic.visitor.open("/v1/events", &[]).await;
        stream.until("event: readers\n").await.expect("a stream begins with what is");
        clients.spawn(listen(stream, rounds, heard.clone()));
    }
    let mut delays = Vec::with_capacity(CLIENTS * rounds);
    for round in 0..rounds {
        let sent = Instant::now();
        number(format!("KARTE-{round}")).await;
        for _ in 0..CLIENTS {
            let at: Instant = hearing.recv().await.expect("every client hears of it");
            let delay = at.checked_duration_since(sent).expect("nobody hears of what is not sent yet");
            delays.push(delay);
        }
    }
    clients.join_all().await;
    delays.sort();
    figure("api.sse_clients", CLIENTS);
    figure("api.sse_p50_ms", format!("{:.1}", quantile_ms(&delays, 0.5)));
    figure("api.sse_p99_ms", format!("{:.1}", quantile_ms(&delays, 0.99)));
    clinic.clinic.close().await;
}

#[expect(clippy::disallowed_methods, reason = "measures")]
async fn listen(mut stream: Raw, rounds: usize, heard: mpsc::UnboundedSender<Instant>) {
    for _ in 0..rounds {
        stream.until("event: result\n").await.expect("an event");
        stream.until("\n\n").await.expect("its end");
        heard.send(Instant::now()).expect("somebody counts");
    }
}
