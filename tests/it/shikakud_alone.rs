//! The shipped binary on its own: killed without warning where it hurts most, and what its own timer does.

use std::sync::Arc;
use std::time::Duration;

use daemon::app::ports::Clock as _;
use daemon::system::{OsRandom, SystemClock};
use harness::ambient::MovedClock;
use harness::card::SimCard;
use harness::clinic::Visitor;
use harness::lane::READER;
use harness::personas::Personas;
use harness::pki::CardPki;
use harness::process::{Installation, Running, Site};
use harness::upstream::{Endpoint, Options, SimUpstream};
use serde_json::json;
use tempfile::TempDir;

use crate::lane;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn ready(installation: &Installation) -> Running {
    let mut running = installation.run();
    running.wait_ready();
    running
}

/// The actions and outcomes in the log, as `shikakud` writes it out.
fn on_record(installation: &Installation) -> Vec<String> {
    let exported = installation.command(&["audit", "export"]).output().expect("shikakud starts");
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let rows = String::from_utf8_lossy(&exported.stdout).into_owned();
    let read = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("action"), text("outcome"))
    };
    rows.lines().map(read).filter(|row| row.starts_with("check.")).collect()
}

/// The hour in which registration is closed must not matter to a test: everybody lives by a clock that begins at noon.
#[test]
fn killed_between_consent_and_answer_it_asks_nothing_again_and_the_next_read_works() {
    lane::run(
        "shikakud_alone::killed_between_consent_and_answer_it_asks_nothing_again_and_the_next_read_works",
        |lane| block_on(killed_while_registering(lane)),
    );
}

async fn killed_while_registering(lane: &harness::lane::Lane) {
    let clock = Arc::new(MovedClock::at_noon());
    let directory = TempDir::new().expect("a directory");
    let upstream = SimUpstream::start(Options::new(clock.clone(), Arc::new(OsRandom))).await;
    let upstream = upstream.expect("the central system starts");
    let reader = READER.to_str().expect("a name");
    let mut installation = Installation::write(directory.path(), &upstream, Some(reader), "info");
    installation.live_by(*clock);
    let credentials = installation.add_account("receipt", "receipt-computer");
    let running = ready(&installation);
    let persona = Personas::builtin().by_name("unregistered").expect("a built-in persona");
    let _link = lane.insert(SimCard::for_persona(persona, &CardPki::new(), clock.now()));
    let mut visitor = Visitor::at(installation.api, clock.clone());
    visitor.sign_in(&credentials).await;
    let check = visitor.start_check("card_pin").await;
    visitor.enter_pin(&check, "1234").await;
    visitor.wait_for(&check, &["offering_registration"]).await;
    upstream.hold_registrations();
    let consent = json!({ "consent": true });
    let taken = visitor.post(&format!("/v1/checks/{check}/card-use-registration"), &consent).await;
    assert_eq!(taken.json()["phase"], "registering", "{}", running.log());
    upstream.registration_begun("unregistered", 1).await;
    // Dropping it is `kill -9`.
    drop(running);
    assert_eq!(on_record(&installation), ["check.registration_consent patient"]);

    upstream.finish_registrations().await;
    upstream.forget_used_codes();
    let running = ready(&installation);
    let done = visitor.check_with_pin("1234").await;
    assert_eq!(done["phase"], "done", "{done}\n{}", running.log());
    let asked = upstream.requests(Endpoint::CardUseRegistration);
    assert_eq!((asked, upstream.registrations("unregistered")), (1, 1), "nothing was repeated");
    assert!(running.stop().success());
    assert_eq!(on_record(&installation), ["check.registration_consent patient", "check.end ok"]);
}

/// Nobody asks for it: the first collection comes by itself within fifteen seconds of the start.
#[tokio::test(flavor = "multi_thread")]
async fn it_collects_by_its_own_timer() {
    let Site { installation, upstream, directory: _directory } = Site::open("info").await;
    assert!(upstream.add_result("taro", "PHONE-1", SystemClock.now()));
    installation.configure("[collect]\nevery_minutes = 1");
    let credentials = installation.add_account("receipt", "receipt-computer");
    let running = ready(&installation);
    let mut visitor = Visitor::at(installation.api, Arc::new(SystemClock));
    visitor.sign_in(&credentials).await;
    let collected = async {
        upstream.asked(Endpoint::Results, 1).await;
        while visitor.get("/v1/results/count").await.json()["count"] != 1 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(40), collected).await;
    assert!(waited.is_ok(), "nothing was collected:\n{}", running.log());
    let health = visitor.get("/v1/health").await.json();
    assert_eq!(health["collect"]["scheduled"], true, "{health}");
    assert_eq!(upstream.requests(Endpoint::Results), 1);
    assert!(running.stop().success());
}
