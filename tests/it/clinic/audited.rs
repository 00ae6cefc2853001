//! What each operation of the API writes into the audit log. A new operation fails here until it is decided.

use std::collections::BTreeMap;
use std::path::PathBuf;

use daemon::app::ports::Role;
use harness::clinic::OpenClinic;
use harness::contract::Contract;
use harness::personas::Personas;
use jiff::SignedDuration;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// What is decided for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// It writes this action, once, before it answers.
    Writes(&'static str),
    /// It drives a check, which writes one row at its end: with the result in the same transaction, or without one.
    EndsIn(&'static str),
    /// It shows and changes nothing about persons or security; why.
    Nothing(&'static str),
}

use Decision::{EndsIn, Nothing, Writes};

const DECISIONS: &[(&str, Decision)] = &[
    ("get_liveness", Nothing("says that a process runs")),
    ("get_openapi", Nothing("the contract is public")),
    ("get_health", Nothing("the state of parts")),
    ("list_readers", Nothing("readers and their state")),
    ("get_session", Nothing("one's own session")),
    ("get_security_settings", Nothing("a setting, no person")),
    ("set_security_settings", Writes("settings.visual_confirmation_off")),
    ("sign_in", Writes("session.sign_in")),
    ("sign_out", Writes("session.sign_out")),
    ("create_check", EndsIn("check.end")),
    ("get_check", EndsIn("check.end")),
    ("enter_pin", EndsIn("check.end")),
    ("confirm_last_try", EndsIn("check.end")),
    ("cancel_check", EndsIn("check.end")),
    ("list_results", Writes("result.list")),
    ("count_results", Writes("result.count")),
    ("get_result", Writes("result.read")),
    ("set_inquiry_number", Writes("inquiry_number.set")),
];

#[test]
fn every_operation_is_decided() {
    let decided: BTreeMap<_, _> = DECISIONS.iter().copied().collect();
    assert_eq!(decided.len(), DECISIONS.len(), "no operation is decided twice");
    for operation in Contract::committed().operations() {
        let decision = decided.get(operation.id.as_str());
        let decision =
            decision.unwrap_or_else(|| panic!("{}: which audit action does it write?", operation.id));
        assert!(!matches!(decision, Nothing("")), "{}: say why not", operation.id);
    }
}

/// The log's rows: action, results, source.
struct Log {
    database: PathBuf,
    seen: i64,
}

impl Log {
    async fn news(&mut self) -> Vec<(String, Vec<u8>, String)> {
        let options = SqliteConnectOptions::new().filename(&self.database).read_only(true);
        let mut db = options.connect().await.expect("the database");
        let rows: Vec<(i64, String, Vec<u8>, String)> =
            sqlx::query_as("SELECT seq, action, results, source FROM audit WHERE seq > ?1 ORDER BY seq")
                .bind(self.seen)
                .fetch_all(&mut db)
                .await
                .expect("rows");
        db.close().await.expect("closed");
        self.seen = rows.last().map_or(self.seen, |(seq, ..)| *seq);
        rows.into_iter().map(|(_, action, results, source)| (action, results, source)).collect()
    }

    async fn expect(&mut self, operation: &str) -> Vec<u8> {
        let decision = DECISIONS.iter().find(|(id, _)| *id == operation).expect("decided").1;
        let news = self.news().await;
        match decision {
            Writes(action) | EndsIn(action) => {
                let [(found, results, source)] = news.as_slice() else { panic!("{operation}: {news:?}") };
                assert_eq!(found, action, "{operation}");
                assert!(source.starts_with("loopback/"), "{operation}: {source}");
                results.clone()
            }
            Nothing(why) => {
                assert!(news.is_empty(), "{operation} ({why}): {news:?}");
                Vec::new()
            }
        }
    }
}

#[tokio::test]
async fn each_operation_writes_what_was_decided_when_its_answer_is_there() {
    let mut open = OpenClinic::with(|plan| plan.accounts.push(("kanrisha", Role::Administrator))).await;
    let mut log = Log { database: open.clinic.config.store.directory.join("shikaku.db"), seen: 0 };
    log.news().await;
    open.clinic.tap("taro");
    let pin = &Personas::builtin().by_name("taro").expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    let id = done["result_id"].as_i64().expect("a result");
    assert_eq!(log.expect("enter_pin").await, id.to_be_bytes());

    let check = open.visitor.start_check("card_pin").await;
    open.visitor.wait_for(&check, &["waiting_for_pin"]).await;
    assert_eq!(open.visitor.delete(&format!("/v1/checks/{check}")).await.status, 200);
    open.visitor.wait_for(&check, &["cancelled"]).await;
    log.expect("cancel_check").await;

    for (operation, target) in [
        ("get_liveness", "/healthz"),
        ("get_health", "/v1/health"),
        ("list_readers", "/v1/readers"),
        ("get_session", "/v1/sessions/current"),
        ("get_security_settings", "/v1/settings/security"),
        ("count_results", "/v1/results/count"),
    ] {
        assert_eq!(open.visitor.get(target).await.status, 200, "{target}");
        log.expect(operation).await;
    }
    assert_eq!(open.visitor.get("/v1/results").await.status, 200);
    assert_eq!(log.expect("list_results").await, id.to_be_bytes(), "the answer's results are in its row");
    assert_eq!(open.visitor.get(&format!("/v1/results/{id}")).await.status, 200);
    assert_eq!(log.expect("get_result").await, id.to_be_bytes());
    let number = json!({ "inquiry_number": "K-1" });
    assert_eq!(open.visitor.put(&format!("/v1/results/{id}/inquiry-number"), &number).await.status, 200);
    assert_eq!(log.expect("set_inquiry_number").await, id.to_be_bytes());
    assert_eq!(open.visitor.delete("/v1/sessions/current").await.status, 204);
    log.expect("sign_out").await;

    open.clock.advance(SignedDuration::from_secs(31));
    let mut administrator = open.clinic.visitor();
    administrator.sign_in(&open.clinic.credentials("kanrisha")).await;
    log.expect("sign_in").await;
    let off = json!({ "visual_confirmation": false });
    assert_eq!(administrator.put("/v1/settings/security", &off).await.status, 200);
    log.expect("set_security_settings").await;
    open.visitor.set_token(None);
}

#[tokio::test]
async fn health_says_that_the_log_is_suspect_until_somebody_accepts_it() {
    let mut open = OpenClinic::at_noon().await;
    let anchor = open.clinic.config.store.directory.join("audit.anchor");
    std::fs::remove_file(&anchor).expect("an anchor");
    let store =
        async |visitor: &harness::clinic::Visitor| visitor.get("/v1/health").await.json()["store"].clone();
    assert_eq!(store(&open.visitor).await["code"], "audit_log_suspect");
    open.clinic.restart().await.expect("it starts all the same");
    assert!(anchor.exists());
    open.clock.advance(SignedDuration::from_secs(31));
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.credentials).await;
    let seen = store(&visitor).await;
    assert_eq!((&seen["state"], &seen["code"]), (&json!("degraded"), &json!("audit_log_suspect")));
    assert_eq!(visitor.get("/v1/results").await.status, 200, "the desk goes on");
}
