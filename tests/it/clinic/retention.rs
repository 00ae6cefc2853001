//! Retention as a receipt computer sees it: the boundary at the end of a month, clocks that are set, restarts between.

use daemon::app::ports::{Purged, Role};
use daemon::domain::clock::{Doubt, Trust};
use harness::clinic::{Clinic, OpenClinic, Visitor};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

/// First instant at which a result of noon, 8 July 2026, is gone.
const GONE: &str = "2026-08-31T15:00:00Z";
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A code is good once, and a clock that was set back shows codes that were used: so everybody comes once.
const PEOPLE: [&str; 5] = ["one", "two", "three", "four", "five"];

async fn open() -> OpenClinic {
    OpenClinic::with(|plan| {
        plan.accounts.extend(PEOPLE.map(|name| (name, Role::ReceiptComputer)));
    })
    .await
}

async fn open_with_result() -> (OpenClinic, String) {
    let open = open().await;
    open.clinic.tap("taro");
    let done = open.visitor.check_with_pin("1234").await;
    assert_eq!(done["phase"], "done", "{done}");
    let result = format!("/v1/results/{}", done["result_id"]);
    (open, result)
}

fn until(open: &OpenClinic, instant: &str) -> SignedDuration {
    let instant: Timestamp = instant.parse().expect("an instant");
    instant.duration_since(open.clinic.now())
}

/// Sessions end with time too: somebody else signs in.
async fn arrive(open: &OpenClinic, person: usize) -> Visitor {
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.clinic.credentials(PEOPLE[person])).await;
    visitor
}

async fn status(open: &OpenClinic, person: usize, result: &str) -> u16 {
    arrive(open, person).await.get(result).await.status
}

async fn health(open: &OpenClinic, person: usize) -> Value {
    arrive(open, person).await.get("/v1/health").await.json()["retention"].clone()
}

async fn destroyed(clinic: &Clinic) -> Option<Purged> {
    clinic.retention().run_if_due().await.expect("the store works").purged
}

#[tokio::test]
async fn a_result_is_served_until_the_last_instant_and_destroyed_at_the_boundary() {
    let (open, result) = open_with_result().await;
    open.clinic.kernel.say(Some(true));
    open.clock.advance(until(&open, GONE) - SECOND * 40);
    let visitor = arrive(&open, 0).await;
    open.clock.advance(SECOND * 39);
    assert_eq!(visitor.get(&result).await.status, 200);
    assert_eq!(destroyed(&open.clinic).await, None);
    open.clock.advance(SECOND);
    assert_eq!(visitor.get(&result).await.status, 404);
    assert_eq!(destroyed(&open.clinic).await, Some(Purged { results: 1, months: 1 }));
    assert_eq!(destroyed(&open.clinic).await, None);
    let part = health(&open, 1).await;
    assert_eq!((&part["state"], &part["clock"]), (&"ok".into(), &"synchronised".into()), "{part}");
    open.clinic.close().await;
}

#[tokio::test]
async fn a_clock_that_nobody_vouches_for_hides_and_destroys_nothing() {
    let (mut open, result) = open_with_result().await;
    open.clock.jump(until(&open, GONE));
    open.clinic.kernel.say(Some(false));
    assert_eq!(status(&open, 0, &result).await, 404);
    let run = open.clinic.retention().run_if_due().await.unwrap();
    assert_eq!((run.clock, run.purged), (Err(Doubt::Unsynchronised), None));
    open.clock.advance(SECOND * 90);
    let part = health(&open, 1).await;
    assert_eq!(part["code"], "retention_waits_for_clock", "{part}");
    assert_eq!((&part["lag_seconds"], &part["clock"]), (&90.into(), &"unsynchronised".into()));
    // Listening is allowed while hidden.
    open.clinic.restart().await.unwrap();
    assert_eq!(status(&open, 2, &result).await, 404);

    // The hand that set it forward sets it back: hidden still, until somebody vouches for it.
    open.clock.jump(SignedDuration::from_hours(-24 * 55));
    assert_eq!(status(&open, 3, &result).await, 404);
    open.clinic.kernel.say(Some(true));
    let run = open.clinic.retention().run_if_due().await.unwrap();
    assert_eq!((run.clock, run.purged), (Ok(Trust::Kernel), None));
    assert_eq!(status(&open, 4, &result).await, 200, "nothing was destroyed, and it is not due");
    open.clinic.close().await;
}

/// The keys that told since when something waits are gone with its first step.
#[tokio::test]
async fn a_purge_that_does_not_end_lags_although_its_keys_are_gone() {
    let mut open = open().await;
    open.clinic.stop_daemon().await;
    let database = open.clinic.config.store.directory.join("shikaku.db");
    let mut database = SqliteConnectOptions::new().filename(database).connect().await.expect("the database");
    database.execute("UPDATE retention SET unfinished = 1").await.expect("the mark of a crash");
    database.close().await.expect("closed");
    open.clinic.kernel.say(Some(false));
    open.clinic.restart().await.unwrap();
    open.clock.advance(SECOND * 90);
    let part = health(&open, 0).await;
    assert_eq!(part["lag_seconds"], json!(90), "{part}");
    open.clinic.kernel.say(Some(true));
    assert_eq!(destroyed(&open.clinic).await, Some(Purged { results: 0, months: 0 }));
    assert_eq!(health(&open, 1).await["lag_seconds"], json!(0));
    open.clinic.close().await;
}

#[tokio::test]
async fn what_the_system_says_of_its_clock_holds_for_ten_minutes() {
    let (open, _result) = open_with_result().await;
    let clock = async || open.clinic.retention().run_if_due().await.unwrap().clock;
    open.clinic.kernel.say(Some(true));
    open.clock.advance(SECOND * 600);
    assert_eq!(clock().await, Ok(Trust::Kernel));
    open.clinic.kernel.say(Some(false));
    open.clock.advance(SECOND * 599);
    assert_eq!(clock().await, Ok(Trust::Kernel));
    open.clock.advance(SECOND);
    assert_eq!(clock().await, Ok(Trust::CentralSystem), "asked again: another vouches");
    open.clinic.close().await;
}

#[tokio::test]
async fn whoever_follows_begins_anew_once_a_clock_that_ran_ahead_is_right() {
    let (open, _result) = open_with_result().await;
    open.clock.advance(until(&open, GONE) - SECOND * 30);
    open.clinic.kernel.say(Some(false));
    let visitor = arrive(&open, 0).await;
    let mut stream = visitor.open("/v1/events", &[]).await;
    stream.until("event: readers\n").await.expect("it listens");
    open.clock.jump(SECOND * 60);
    stream.until("event: expired\n").await.expect("the end of the month");
    let told = stream.until("\n\n").await.expect("a place");
    let place = told.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    let told = visitor.get("/v1/results/changes?from_start=true").await.json();
    assert_eq!(
        (&told["results"], &told["expired_before"]),
        (&json!([]), &"2026-08-01T00:00:00+09:00".into())
    );

    open.clock.jump(SECOND * -60);
    open.clinic.kernel.say(Some(true));
    open.clinic.retention().run_if_due().await.unwrap();
    stream.until("event: resync\n").await.expect("the word that it must read anew");
    let cursor = told["cursor"].as_str().expect("a cursor");
    let refused = visitor.get(&format!("/v1/results/changes?cursor={cursor}")).await;
    assert_eq!((refused.status, refused.json()["field"].clone()), (400, "cursor".into()));
    let mut stream = visitor.open("/v1/events", &[("Last-Event-ID", &place)]).await;
    stream.until("event: resync\n").await.expect("also whoever comes back");
    let anew = visitor.get("/v1/results/changes?from_start=true").await.json();
    assert_eq!(anew["results"].as_array().map(Vec::len), Some(1));
    open.clinic.close().await;
}

#[tokio::test]
async fn a_clock_set_back_after_the_boundary_brings_nothing_back_and_a_restart_destroys_before_it_answers() {
    let (mut open, result) = open_with_result().await;
    open.clock.advance(until(&open, GONE));
    assert_eq!(status(&open, 0, &result).await, 404);
    open.clock.jump(SignedDuration::from_hours(-24 * 60));
    assert_eq!(status(&open, 1, &result).await, 404);
    open.clinic.restart().await.unwrap();
    assert_eq!(status(&open, 2, &result).await, 404);
    open.clock.jump(SignedDuration::from_hours(24 * 60));
    open.clinic.kernel.say(Some(true));
    open.clinic.restart().await.unwrap();
    let view = open.clinic.retention().view().await.unwrap();
    assert!(view.stock.months.is_empty() && !view.due, "{view:?}");
    assert_eq!(view.stock.last.map(|last| last.purged), Some(Purged { results: 1, months: 1 }));
    open.clinic.close().await;
}

#[tokio::test]
async fn a_clock_that_stands_still_or_was_set_back_keeps_nothing_longer() {
    let (open, result) = open_with_result().await;
    open.clock.jump(SignedDuration::from_hours(-24 * 200));
    let left = until(&open, GONE) - SignedDuration::from_hours(24 * 200);
    open.clock.advance(left - SECOND);
    let visitor = arrive(&open, 0).await;
    assert_eq!(visitor.get(&result).await.status, 200);
    open.clock.advance(SECOND);
    assert_eq!(visitor.get(&result).await.status, 404, "time went on, whatever the clock shows");
    open.clinic.close().await;
}

#[tokio::test]
async fn an_administrator_may_vouch_for_the_clock_once() {
    let (open, _result) = open_with_result().await;
    open.clock.advance(until(&open, GONE));
    let refused = open.clinic.retention().run_now(false).await;
    assert!(refused.is_err(), "{refused:?}");
    let run = open.clinic.retention().run_now(true).await.unwrap();
    assert_eq!((run.clock, run.purged), (Ok(Trust::Administrator), Some(Purged { results: 1, months: 1 })));
    open.clinic.close().await;
}

#[tokio::test]
async fn below_the_low_water_mark_a_check_is_refused_before_a_card_is_asked_for() {
    let mut open = open().await;
    open.clinic.config.store.low_water_mib = u64::MAX >> 21;
    open.clinic.restart().await.unwrap();
    let visitor = arrive(&open, 0).await;
    let refused = visitor.post("/v1/checks", &serde_json::json!({ "method": "card_pin" })).await;
    assert_eq!((refused.status, &refused.json()["code"]), (507, &"store_full".into()));
    let health = visitor.get("/v1/health").await.json();
    assert_eq!((&health["state"], &health["store"]["state"]), (&"degraded".into(), &"degraded".into()));
    assert_eq!(visitor.get("/v1/results").await.status, 200, "reading goes on");
    open.clinic.close().await;
}
