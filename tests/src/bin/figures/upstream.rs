//! The connection to the central system: what is left of it when it is away, slow or wrong.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::app::ports::{CardCheck as _, RequestId};
use daemon::system::SystemClock;
use daemon::upstream::{Credentials, Upstream};
use harness::ambient::SeededRandom;
use harness::clinic::personas::{Outcome, play_all};
use harness::clinic::{OpenClinic, Visitor};
use harness::exchanges;
use harness::outage::{eight_hours, kills};
use harness::upstream::pki::ServerCertificate;
use harness::upstream::{Options, SimUpstream};
use serde_json::json;
use tempfile::TempDir;

use crate::{figure, median};

/// Prints every figure of the topic.
pub fn measure(long: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        everyone().await;
        bad_certificates().await;
        overhead().await;
        outage(long).await;
        // Last, because a long lane of it takes hours.
        schedules(long).await;
    });
}

/// Prints `upstream.schedules`, `upstream.double_rows` and `upstream.mixups`, and every finding with its seed.
async fn schedules(long: bool) {
    let (count, time) =
        if long { (1_000_000, Duration::from_hours(6)) } else { (20_000, Duration::from_mins(10)) };
    let report = exchanges::run(1, count, time).await;
    let tally = report.tally;
    figure("upstream.schedules", tally.schedules);
    figure("upstream.double_rows", tally.double_rows);
    figure("upstream.mixups", tally.mixups);
    figure("upstream.schedules_faults", tally.faults);
    figure("upstream.schedules_confirmations", tally.confirmations);
    figure("upstream.schedules_findings", report.findings.len());
    for finding in report.findings.iter().take(20) {
        figure("upstream.schedules_finding", finding);
    }
}

/// Prints `upstream.bad_certs` and `upstream.bad_cert_body_bytes`: bytes of requests that servers with a bad certificate
/// received over TLS, and `upstream.bad_certs_refused`.
async fn bad_certificates() {
    let (mut refused, mut bytes) = (0, 0);
    for shown in ServerCertificate::BAD {
        let mut options = Options::new(Arc::new(SystemClock), Arc::new(SeededRandom::new(1)));
        options.server_certificate = shown;
        let sim = SimUpstream::start(options).await.expect("the simulated central system starts");
        let directory = TempDir::new().expect("a directory");
        let config = sim.write_files(directory.path()).expect("its files").config().expect("a configuration");
        let credentials = Credentials::load(&config).expect("its credentials");
        let random = Arc::new(SeededRandom::new(2));
        let upstream =
            Upstream::new(&config, &credentials, Arc::new(SystemClock), random).expect("an adapter");
        let answer = upstream.challenge(&RequestId("0".repeat(26))).await;
        refused += usize::from(answer.is_err() && sim.connections() > 0);
        bytes += sim.received_bytes();
        sim.stop().await;
    }
    figure("upstream.bad_certs", ServerCertificate::BAD.len());
    figure("upstream.bad_certs_refused", refused);
    figure("upstream.bad_cert_body_bytes", bytes);
}

/// Prints `upstream.overhead_ms`: a whole check through the API of a real daemon, from POST to the phase `done`, without
/// the simulated card's RSA and without the simulator's work on the answers. In it are the HTTP requests with a connection
/// each, the long polls, the card session, two questions over mutual TLS on a kept connection with the simulator's side of
/// that, and the stored result with its syncs to the disk. Beside it `upstream.overhead_one_sync_ms`: what the disk under it takes
/// for one small append, alone.
async fn overhead() {
    const ROUNDS: usize = 60;
    let open = OpenClinic::at_noon().await;
    let (mut measured, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        measured.push(one_check(&open, &open.visitor).await);
        syncs.push(one_sync(&open.clinic.config.store.directory));
    }
    // The first one signs in to the central system.
    let own = measured.split_off(1);
    figure("upstream.overhead_ms", format!("{:.2}", median(own)));
    figure("upstream.overhead_one_sync_ms", format!("{:.2}", median(syncs)));
    open.clinic.close().await;
}

/// What the disk takes to keep one small append.
#[expect(clippy::disallowed_methods, reason = "measures")]
fn one_sync(directory: &Path) -> f64 {
    let path = directory.join("one-sync");
    let mut file = File::options().create(true).append(true).open(path).expect("a file");
    let begun = Instant::now();
    file.write_all(&[0x55; 4096]).and_then(|()| file.sync_data()).expect("the disk takes it");
    begun.elapsed().as_secs_f64() * 1000.0
}

#[expect(clippy::disallowed_methods, reason = "measures")]
async fn one_check(open: &OpenClinic, visitor: &Visitor) -> f64 {
    let card = open.clinic.next_patient(visitor, "taro").await;
    while visitor.get("/v1/readers").await.json()["readers"][0]["state"] == "empty" {
        tokio::task::yield_now().await;
    }
    let upstream_before = open.clinic.upstream.answering_time();
    let begun = Instant::now();
    let reply = visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await;
    let check = reply.json()["id"].as_str().expect("a check").to_owned();
    visitor.enter_pin(&check, "1234").await;
    let end = visitor.wait_for(&check, &["done", "failed"]).await;
    let elapsed = begun.elapsed();
    assert_eq!(end["phase"], "done", "{end}");
    let rsa = card.lock().expect("the card").rsa_time();
    let upstream = open.clinic.upstream.answering_time().saturating_sub(upstream_before);
    elapsed.saturating_sub(rsa).saturating_sub(upstream).as_secs_f64() * 1000.0
}

/// Prints `upstream.outage_lost`, `upstream.outage_drain_virtual_min`, `upstream.outage_in_flight_max` and
/// `upstream.outage_kills`: eight virtual hours with 500 numbers an hour, then real processes that are killed.
async fn outage(long: bool) {
    /// Numbers registered in an hour.
    const AN_HOUR: u32 = 500;
    // Every third round kills twice.
    let rounds = if long { 150 } else { 30 };
    let outage = eight_hours(AN_HOUR).await;
    let killed = kills(rounds).await;
    figure("upstream.outage_taken", outage.taken);
    figure("upstream.outage_lost", outage.lost + killed.lost);
    figure("upstream.outage_reordered", outage.reordered);
    figure("upstream.outage_drain_virtual_min", format!("{:.1}", outage.drain.as_secs_f64() / 60.0));
    figure("upstream.outage_in_flight_max", outage.in_flight_max);
    figure("upstream.outage_kills", killed.kills);
    figure("upstream.outage_kills_acknowledged", killed.acknowledged);
}

/// Every invented person from tap to download.
async fn everyone() {
    let outcomes = play_all().await;
    figure("upstream.personas_ok", outcomes.iter().filter(|outcome| outcome.is_ok()).count());
    figure("upstream.personas_all", outcomes.len());
    for problem in outcomes.iter().flat_map(|Outcome { problems, .. }| problems) {
        figure("upstream.personas_problem", problem);
    }
}
