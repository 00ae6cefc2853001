//! What each operation of the API writes into the audit log. A new operation fails here until it is decided.

use std::collections::BTreeMap;
use std::path::PathBuf;

use daemon::app::ports::Role;
use daemon::config::FolderSection;
use harness::authenticator::Authenticator;
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
    /// It writes this action for whoever asked, once, before it answers.
    Writes(&'static str),
    /// It writes one of these, as asked for.
    WritesOneOf(&'static [&'static str]),
    /// It drives a check, which writes one row at its end: with the result in the same transaction, or without one.
    EndsIn(&'static str),
    /// It shows and changes nothing about persons or security; why.
    Nothing(&'static str),
}

use Decision::{EndsIn, Nothing, Writes, WritesOneOf};

const DECISIONS: &[(&str, Decision)] = &[
    ("get_liveness", Nothing("says that a process runs")),
    ("get_readiness", Nothing("says whether a process can work")),
    ("get_metrics", Nothing("counts and times, no person")),
    ("get_openapi", Nothing("the contract is public")),
    ("get_health", Nothing("the state of parts")),
    ("list_readers", Nothing("readers and their state")),
    ("get_session", Nothing("one's own session")),
    ("get_security_settings", Nothing("a setting, no person")),
    ("set_security_settings", Writes("settings.visual_confirmation_off")),
    ("get_folder_settings", Nothing("paths of folders and who accepted, no person")),
    ("set_folder_access", WritesOneOf(&["settings.folders_accepted", "settings.folders_withdrawn"])),
    ("sign_in", Writes("session.sign_in")),
    ("sign_out", Writes("session.sign_out")),
    ("create_check", EndsIn("check.end")),
    ("get_check", EndsIn("check.end")),
    ("enter_pin", EndsIn("check.end")),
    ("confirm_last_try", EndsIn("check.end")),
    ("cancel_check", EndsIn("check.end")),
    ("list_results", Writes("result.list")),
    ("search_results", Writes("result.search")),
    ("list_result_changes", Writes("result.changes")),
    ("export_results", Writes("result.export")),
    (
        "stream_events",
        Nothing("numbers, codes and names of devices, no person; reading what they tell of is written"),
    ),
    ("count_results", Writes("result.count")),
    ("get_result", Writes("result.read")),
    ("register_card_use", Writes("check.registration_consent")),
    ("set_inquiry_number", Writes("inquiry_number.queued")),
    ("set_inquiry_number_of_insurance", Writes("inquiry_number.queued")),
    ("set_inquiry_numbers_in_bulk", Writes("inquiry_number.bulk_queued")),
    ("list_inquiry_jobs", Nothing("numbers of results and codes, no person")),
    ("get_inquiry_job", Nothing("numbers of results and a code, no person")),
    ("get_inquiry_bulk", Nothing("numbers of results and codes, no person")),
    ("collect_results", Writes("results.collect")),
    ("list_announcements", Nothing("public texts")),
    ("begin_sign_in", Nothing("judges nothing; the second step is written down")),
    ("ask_for_passkey", Nothing("a question; its answer is written down")),
    ("sign_in_with_passkey", Writes("session.sign_in_passkey")),
    ("begin_passkey", Writes("account.offer_passkey")),
    ("add_passkey", Writes("account.add_passkey")),
    ("list_passkeys", Nothing("one's own devices")),
    ("remove_passkey", Writes("account.remove_passkey")),
    ("remove_passkeys_of_account", Writes("account.remove_passkeys")),
    ("get_checklist", Nothing("the manual's list and who ticked it, no patient")),
    ("record_checklist", Writes("checklist.record")),
    ("record_incident", Writes("incident.record")),
    ("list_incidents", Writes("incident.viewed")),
    ("count_search", Writes("result.count_search")),
    ("list_sessions", Nothing("staff's sessions, no patient")),
    ("end_session", Writes("session.revoke")),
    ("end_other_sessions", Writes("session.revoke_others")),
    ("change_password", Writes("account.change_password")),
    ("offer_totp", Writes("account.offer_totp")),
    ("confirm_totp", Writes("account.confirm_totp")),
    ("renew_recovery_codes", Writes("account.recovery_codes")),
    ("list_accounts", Nothing("staff's accounts, no patient and no secret")),
    ("create_account", Writes("account.create")),
    ("set_account_status", WritesOneOf(&["account.disable", "account.enable"])),
    ("unlock_account", Writes("account.unlock")),
    ("reset_account", WritesOneOf(&["account.reset_password", "account.reset_totp"])),
    ("remove_account", Writes("account.remove")),
    ("list_audit", Writes("audit.viewed")),
    ("get_retention", Nothing("counts of months, no person")),
    ("list_terminals", Nothing("names of devices")),
    ("offer_terminal", Writes("terminal.enrol_code")),
    ("enrol_terminal", Writes("terminal.enrol")),
    ("remove_terminal", Writes("terminal.remove")),
    ("enrol_machine", Writes("machine.enrol")),
    ("renew_machine", Writes("machine.renew")),
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
        // What the daemon does because of it has rows of its own.
        let asked: Vec<_> = news.iter().filter(|(_, _, source)| source != "daemon").collect();
        match decision {
            Writes(action) | EndsIn(action) => wrote(operation, &[action], &asked),
            WritesOneOf(actions) => wrote(operation, actions, &asked),
            Nothing(why) => {
                assert!(news.is_empty(), "{operation} ({why}): {news:?}");
                Vec::new()
            }
        }
    }
}

/// The one row of whoever asked, and its results.
fn wrote(operation: &str, actions: &[&str], asked: &[&(String, Vec<u8>, String)]) -> Vec<u8> {
    let [(found, results, source)] = asked else { panic!("{operation}: {asked:?}") };
    assert!(actions.contains(&found.as_str()), "{operation}: {found}");
    // Whoever enrols a terminal has no session.
    let expected = if operation == "enrol_terminal" { "loopback" } else { "loopback/" };
    assert!(source.starts_with(expected), "{operation}: {source}");
    results.clone()
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
        ("get_readiness", "/readyz"),
        ("get_metrics", "/metrics"),
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
    let search = json!({ "kana": "シカク" });
    assert_eq!(open.visitor.post("/v1/results/search", &search).await.status, 200);
    assert_eq!(log.expect("search_results").await, id.to_be_bytes());
    for (operation, target) in [
        ("list_result_changes", "/v1/results/changes?from_start=true"),
        ("export_results", "/v1/results/export"),
    ] {
        assert_eq!(open.visitor.get(target).await.status, 200, "{target}");
        assert_eq!(log.expect(operation).await, id.to_be_bytes());
    }
    let mut events = open.visitor.open("/v1/events", &[]).await;
    events.until("event: readers").await.expect("events");
    log.expect("stream_events").await;
    for target in ["/v1/results", "/v1/results/count", &*format!("/v1/results/{id}")] {
        assert_eq!(open.visitor.get_with(target, &[("If-None-Match", "*")]).await.status, 304, "{target}");
        assert!(log.news().await.is_empty(), "nothing about a person left: {target}");
    }
    let number = json!({ "inquiry_number": "K-1" });
    assert_eq!(open.visitor.put(&format!("/v1/results/{id}/inquiry-number"), &number).await.status, 200);
    assert_eq!(log.expect("set_inquiry_number").await, id.to_be_bytes());
    assert_eq!(open.visitor.delete("/v1/sessions/current").await.status, 204);
    log.expect("sign_out").await;

    open.clock.advance(SignedDuration::from_secs(31));
    let mut administrator = open.clinic.visitor();
    administrator.sign_in(&open.clinic.credentials("kanrisha")).await;
    log.expect("sign_in").await;
    let off = json!({ "visual_confirmation": false, "operators_need_code": true });
    assert_eq!(administrator.put("/v1/settings/security", &off).await.status, 200);
    log.expect("set_security_settings").await;
    open.visitor.set_token(None);
}

#[tokio::test]
async fn each_operation_about_staff_and_devices_writes_what_was_decided() {
    let folder = tempfile::TempDir::new().expect("a directory");
    let section = FolderSection::new("receipt", folder.path().to_owned());
    let open = OpenClinic::with(|plan| {
        plan.accounts.push(("kanrisha", Role::Administrator));
        plan.folders.push(section);
    })
    .await;
    let mut log = Log { database: open.clinic.config.store.directory.join("shikaku.db"), seen: 0 };
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    log.news().await;
    for (operation, target) in [
        ("list_accounts", "/v1/accounts"),
        ("list_terminals", "/v1/terminals"),
        ("list_audit", "/v1/audit"),
        ("get_retention", "/v1/retention"),
        ("get_folder_settings", "/v1/settings/folders"),
        ("list_sessions", "/v1/sessions?scope=all"),
        ("list_announcements", "/v1/announcements"),
    ] {
        assert_eq!(boss.get(target).await.status, 200, "{target}");
        log.expect(operation).await;
    }
    for accepted in [true, false] {
        let access = json!({ "readers_need_no_mfa": accepted });
        assert_eq!(boss.put("/v1/settings/folders", &access).await.status, 200);
        log.expect("set_folder_access").await;
    }
    let new = boss.post("/v1/accounts", &json!({ "account": "jiro", "role": "operator" })).await;
    assert_eq!(new.status, 201);
    log.expect("create_account").await;
    let accounts = boss.get("/v1/accounts").await.json();
    let jiro = accounts["accounts"].as_array().expect("a list").iter().find(|one| one["account"] == "jiro");
    let jiro = format!("/v1/accounts/{}", jiro.expect("the account")["id"]);
    for disabled in [true, false] {
        let status = json!({ "disabled": disabled });
        assert_eq!(boss.put(&format!("{jiro}/status"), &status).await.status, 204);
        log.expect("set_account_status").await;
    }
    assert_eq!(boss.post(&format!("{jiro}/unlock"), &json!({})).await.status, 204);
    log.expect("unlock_account").await;
    for reset in [json!({ "password": true }), json!({ "totp": true })] {
        assert_eq!(boss.post(&format!("{jiro}/reset"), &reset).await.status, 200);
        log.expect("reset_account").await;
    }
    assert_eq!(boss.delete(&jiro).await.status, 204);
    log.expect("remove_account").await;

    let code = boss.post("/v1/terminals/enrolment-codes", &json!({ "name": "uketsuke-9" })).await;
    log.expect("offer_terminal").await;
    let enrolment = json!({ "code": code.json()["code"] });
    assert_eq!(open.clinic.visitor().post("/v1/terminals/enrol", &enrolment).await.status, 201);
    log.expect("enrol_terminal").await;
    assert_eq!(boss.delete("/v1/terminals/uketsuke-9").await.status, 204);
    log.expect("remove_terminal").await;
    assert_eq!(boss.delete("/v1/sessions").await.status, 204);
    log.expect("end_other_sessions").await;

    assert_eq!(open.visitor.post("/v1/results/collect", &json!({})).await.status, 200);
    log.expect("collect_results").await;
    let proof = json!({ "password": open.credentials.password });
    assert_eq!(open.visitor.post("/v1/accounts/me/totp", &proof).await.status, 200);
    log.expect("offer_totp").await;
    assert_eq!(open.visitor.post("/v1/accounts/me/recovery-codes", &proof).await.status, 200);
    log.expect("renew_recovery_codes").await;
    let change =
        json!({ "current_password": open.credentials.password, "new_password": "kasa-to-neko-77-ame" });
    assert_eq!(open.visitor.put("/v1/accounts/me/password", &change).await.status, 204);
    log.expect("change_password").await;
    let sessions = boss.get("/v1/sessions?scope=all").await.json();
    let theirs = sessions["sessions"].as_array().expect("a list").iter().find(|one| one["current"] == false);
    let theirs = theirs.expect("the other session")["id"].as_str().expect("an id").to_owned();
    log.news().await;
    assert_eq!(boss.delete(&format!("/v1/sessions/{theirs}")).await.status, 204);
    log.expect("end_session").await;
}

#[tokio::test]
async fn each_operation_about_passkeys_and_records_writes_what_was_decided() {
    let people = [("kanrisha", Role::Administrator), ("hanako", Role::Operator)];
    let open = OpenClinic::with(|plan| plan.accounts.extend(people)).await;
    let mut log = Log { database: open.clinic.config.store.directory.join("shikaku.db"), seen: 0 };
    let (mut boss, mut hanako) = (open.clinic.visitor(), open.clinic.visitor());
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    let credentials = open.clinic.credentials("hanako");
    hanako.sign_in(&credentials).await;
    open.clock.advance(SignedDuration::from_secs(30));
    log.news().await;

    let code = credentials.code(u64::try_from(open.clinic.now().as_second()).expect("after 1970"));
    let proof = json!({ "password": credentials.password, "code": code });
    let begun = hanako.post("/v1/accounts/me/passkeys/begin", &proof).await.json();
    log.expect("begin_passkey").await;
    let mut passkey =
        Authenticator::new("localhost", &format!("http://localhost:{}", open.clinic.api.port()));
    let added = hanako.post("/v1/accounts/me/passkeys", &passkey.make(&begun, "tablet")).await;
    log.expect("add_passkey").await;
    assert_eq!(hanako.get("/v1/accounts/me/passkeys").await.status, 200);
    log.expect("list_passkeys").await;
    let asked = open.clinic.visitor().post("/v1/sessions/passkey/begin", &json!(null)).await.json();
    log.expect("ask_for_passkey").await;
    let welcome = open.clinic.visitor().post("/v1/sessions/passkey", &passkey.answer(&asked)).await;
    assert_eq!(welcome.status, 201);
    log.expect("sign_in_with_passkey").await;
    let own = format!("/v1/accounts/me/passkeys/{}", added.json()["id"]);
    assert_eq!(hanako.delete(&own).await.status, 204);
    log.expect("remove_passkey").await;
    let accounts = boss.get("/v1/accounts").await.json();
    let id = accounts["accounts"].as_array().expect("a list").iter().find(|one| one["account"] == "receipt");
    let theirs = format!("/v1/accounts/{}/passkeys", id.expect("the account")["id"]);
    assert_eq!(boss.delete(&theirs).await.status, 204);
    log.expect("remove_passkeys_of_account").await;

    assert_eq!(hanako.get("/v1/checklist").await.status, 200);
    log.expect("get_checklist").await;
    assert_eq!(hanako.put("/v1/checklist", &json!({ "done": ["lock"] })).await.status, 200);
    log.expect("record_checklist").await;
    assert_eq!(hanako.post("/v1/incidents", &json!({ "kind": "identity_in_doubt" })).await.status, 201);
    log.expect("record_incident").await;
    assert_eq!(boss.get("/v1/incidents").await.status, 200);
    log.expect("list_incidents").await;
    let search = json!({ "kana": "シカク" });
    assert_eq!(hanako.post("/v1/results/search/count", &search).await.status, 200);
    log.expect("count_search").await;
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
