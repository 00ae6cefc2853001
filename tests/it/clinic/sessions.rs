//! Sessions: seen, ended one by one or all at once, and never left behind by a new sign-in.

use daemon::app::ports::Role;
use daemon::control::Command;
use harness::clinic::{OpenClinic, Visitor};
use harness::prometheus::Scrape;
use jiff::SignedDuration;
use serde_json::Value;
use sha2::Digest as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::accounts::{audited, row, with_people};
use super::{machines, terminals};

async fn listed(visitor: &Visitor, scope: &str) -> Vec<Value> {
    let listed = visitor.get(&format!("/v1/sessions?scope={scope}")).await;
    assert_eq!(listed.status, 200);
    listed.json()["sessions"].as_array().expect("a list").clone()
}

async fn signed_in_later(open: &OpenClinic) -> Visitor {
    open.clock.advance(SignedDuration::from_secs(30));
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.credentials).await;
    visitor
}

/// SHA-256 of the token, hexadecimal.
fn hash_of(visitor: &Visitor) -> String {
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(visitor.token().expect("a token")))
}

/// Another connection of the same session, after a restart.
fn again(open: &OpenClinic, visitor: &Visitor) -> Visitor {
    let mut again = open.clinic.visitor();
    again.set_token(visitor.token());
    again
}

async fn current(visitor: &Visitor) -> u16 {
    visitor.get("/v1/sessions/current").await.status
}

/// The figure of live sessions, as monitoring reads it.
async fn are_counted(open: &OpenClinic, expected: f64) {
    let text = String::from_utf8(open.clinic.visitor().get("/metrics").await.body).expect("UTF-8");
    let counted = Scrape::read(&text).value("shikaku_sessions");
    assert!((counted - expected).abs() < f64::EPSILON, "{counted}, not {expected}");
}

/// Whose sessions live, and what they are bound to, as an administrator sees it.
async fn living(boss: &Visitor) -> Vec<String> {
    let all = listed(boss, "all").await;
    let mut living: Vec<_> = all
        .iter()
        .map(|session| {
            let place = match (&session["bound_to_terminal"], &session["bound_to_certificate"]) {
                (Value::Bool(true), _) => "terminal",
                (_, Value::Bool(true)) => "certificate",
                _ => "anywhere",
            };
            format!("{} {place}", session["account"].as_str().expect("a name"))
        })
        .collect();
    living.sort();
    living
}

async fn database(open: &OpenClinic) -> SqliteConnection {
    let path = open.clinic.config.store.directory.join("shikaku.db");
    SqliteConnectOptions::new().filename(path).connect().await.expect("the database")
}

#[tokio::test]
async fn ones_sessions_are_listed_and_ended_by_names_that_say_nothing_of_the_token() {
    let open = OpenClinic::at_noon().await;
    let other = signed_in_later(&open).await;
    let sessions = listed(&open.visitor, "own").await;
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&false.into(), &true.into()));
    let id = sessions[0]["id"].as_str().expect("an id").to_owned();
    let hash = hash_of(&other);
    assert!(!hash.contains(&id) && !other.token().expect("a token").contains(&id));

    assert_eq!(open.visitor.delete("/v1/sessions/0000000000000000").await.code(), "session_not_found");
    assert_eq!(open.visitor.delete(&format!("/v1/sessions/{id}")).await.status, 204);
    assert_eq!(other.get("/v1/sessions/current").await.status, 401);
    assert_eq!(open.visitor.delete(&format!("/v1/sessions/{id}")).await.status, 404);

    let (second, third) = (signed_in_later(&open).await, signed_in_later(&open).await);
    assert_eq!(third.delete("/v1/sessions").await.status, 204);
    assert_eq!(third.get("/v1/sessions/current").await.status, 200);
    for ended in [&open.visitor, &second] {
        assert_eq!(ended.get("/v1/sessions/current").await.status, 401);
    }
}

#[tokio::test]
async fn an_administrator_sees_and_ends_everybodys_sessions_others_only_their_own() {
    let people = [("boss", Role::Administrator), ("hanako", Role::Operator)];
    let open = OpenClinic::with(|plan| plan.accounts.extend(people)).await;
    let (mut boss, mut hanako) = (open.clinic.visitor(), open.clinic.visitor());
    boss.sign_in(&open.clinic.credentials("boss")).await;
    hanako.sign_in(&open.clinic.credentials("hanako")).await;
    let all = listed(&boss, "all").await;
    let of = |account: &str| {
        let found = all.iter().find(|session| session["account"] == account).expect("a session");
        found["id"].as_str().expect("an id").to_owned()
    };
    assert_eq!(all.len(), 3);
    assert_eq!(listed(&hanako, "own").await.len(), 1);
    let strange = hanako.delete(&format!("/v1/sessions/{}", of("boss"))).await;
    assert_eq!(strange.code(), "session_not_found", "another's session is as good as none");
    assert_eq!(boss.delete(&format!("/v1/sessions/{}", of("hanako"))).await.status, 204);
    assert_eq!(hanako.get("/v1/sessions/current").await.status, 401);
}

#[tokio::test]
async fn signing_in_ends_the_session_whose_token_came_along() {
    let open = OpenClinic::at_noon().await;
    let before = open.visitor.clone();
    open.clock.advance(SignedDuration::from_secs(30));
    let mut again = open.visitor.clone();
    let wrong = again.post("/v1/sessions", &open.credentials.body("000000")).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(before.get("/v1/sessions/current").await.status, 200, "a failure ends nothing");
    again.sign_in(&open.credentials).await;
    assert_ne!(again.token(), before.token());
    assert_eq!(before.get("/v1/sessions/current").await.status, 401);
    assert_eq!(again.get("/v1/sessions/current").await.status, 200);
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_sessions_and_a_correction_ends_none() {
    let open = OpenClinic::at_noon().await;
    open.clock.jump(SignedDuration::from_mins(-2));
    assert_eq!(current(&open.visitor).await, 200);
    open.clock.jump(SignedDuration::from_secs(-1));
    assert_eq!(current(&open.visitor).await, 401, "it would not idle out for longer than it may");
    open.clock.jump(SignedDuration::from_mins(3));
    assert_eq!(current(&open.visitor).await, 401, "what has ended stays so");

    let later = signed_in_later(&open).await;
    open.clock.advance(SignedDuration::from_mins(20));
    assert_eq!(current(&later).await, 200);
    open.clock.jump(SignedDuration::from_mins(-10));
    assert_eq!(current(&later).await, 401, "its last use lies ahead");
}

#[tokio::test]
async fn a_session_ends_to_the_second_when_nobody_uses_it_and_when_its_day_is_over() {
    let open = OpenClinic::at_noon().await;
    let (second, half_an_hour) = (SignedDuration::from_secs(1), SignedDuration::from_mins(30));
    for _ in 0..24 {
        open.clock.advance(half_an_hour - second);
        assert_eq!(current(&open.visitor).await, 200);
    }
    open.clock.advance(SignedDuration::from_secs(23));
    are_counted(&open, 1.0).await;
    assert_eq!(current(&open.visitor).await, 200, "a second is left of its twelve hours");
    open.clock.advance(second);
    are_counted(&open, 0.0).await;
    assert_eq!(current(&open.visitor).await, 401);

    let idle = signed_in_later(&open).await;
    open.clock.advance(half_an_hour - second);
    assert_eq!(current(&idle).await, 200);
    open.clock.advance(half_an_hour);
    are_counted(&open, 0.0).await;
    assert_eq!(current(&idle).await, 401);
}

#[tokio::test]
async fn what_was_ended_by_hand_stays_ended_over_a_restart_and_is_on_record() {
    let (mut open, boss) = with_people().await;
    let (left, revoked) = (signed_in_later(&open).await, signed_in_later(&open).await);
    let last = signed_in_later(&open).await;
    are_counted(&open, 5.0).await;
    assert_eq!(left.delete("/v1/sessions/current").await.status, 204);
    let own = listed(&revoked, "own").await;
    let own = own.iter().find(|session| session["current"] == true).expect("its own session");
    let target = format!("/v1/sessions/{}", own["id"].as_str().expect("an id"));
    assert_eq!(boss.delete(&target).await.status, 204);
    are_counted(&open, 3.0).await;
    assert_eq!(last.delete("/v1/sessions").await.status, 204);
    are_counted(&open, 2.0).await;

    open.clinic.restart().await.expect("the daemon starts");
    for (ended, what) in [(&left, "signed out"), (&revoked, "revoked"), (&open.visitor, "another one")] {
        assert_eq!(current(&again(&open, ended)).await, 401, "{what}");
    }
    for goes_on in [&last, &boss] {
        assert_eq!(current(&again(&open, goes_on)).await, 200);
    }
    let rows = audited(&open).await;
    for expected in [
        row("receipt", "session.sign_out", "ok"),
        row("boss", "session.revoke", "ok:receipt"),
        row("receipt", "session.revoke_others", "ok"),
    ] {
        assert_eq!(rows.iter().filter(|row| **row == expected).count(), 1, "{expected:?}");
    }
    open.clinic.stop_daemon().await;
    let mut database = database(&open).await;
    let rows = sqlx::query_scalar("SELECT source FROM audit WHERE action = 'session.revoke_others'");
    let source: String = rows.fetch_one(&mut database).await.expect("a row");
    database.close().await.expect("closed");
    assert_eq!(source, format!("loopback/{}", &hash_of(&last)[..8]), "which session it was");
}

#[tokio::test]
async fn a_device_that_goes_takes_its_own_sessions_with_it_and_nobody_elses() {
    let mut open = OpenClinic::with(|plan| {
        plan.tls = true;
        plan.kernel.say(Some(true));
        plan.accounts.extend([("boss", Role::Administrator), ("other", Role::ReceiptComputer)]);
    })
    .await;
    open.clock.advance(SignedDuration::from_secs(60));
    let (receipt, other) = (open.credentials.clone(), open.clinic.credentials("other"));
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("boss")).await;
    let (mut first, mut second) =
        (terminals::enrolled(&open, "uketsuke-1").await, terminals::enrolled(&open, "uketsuke-2").await);
    first.sign_in(&receipt).await;
    second.sign_in(&other).await;
    for credentials in [&receipt, &other] {
        let mut machine = machines::enrolled(&open, &credentials.account).await;
        machine.sign_in_with(&machines::without_code(credentials)).await;
    }
    let everybodys = [
        "boss anywhere",
        "other certificate",
        "other terminal",
        "receipt anywhere",
        "receipt certificate",
        "receipt terminal",
    ];
    assert_eq!(living(&boss).await, everybodys);

    assert_eq!(boss.delete("/v1/terminals/uketsuke-1").await.status, 204);
    assert_eq!(living(&boss).await, everybodys[..5], "the terminal is gone");
    let lines = machines::listed(&open).await;
    let number = lines.iter().find(|line| line.account == "receipt").expect("a certificate").number;
    open.clinic.control(Command::MachineRevoke { number }).await.expect("revoked");
    assert_eq!(living(&boss).await, everybodys[..4], "the certificate is revoked");
    assert_eq!(second.get("/v1/results").await.status, 200);
    terminals::enrolled(&open, "uketsuke-2").await;
    let left = ["boss anywhere", "other certificate", "receipt anywhere"];
    assert_eq!(living(&boss).await, left, "another terminal has taken its place");

    open.clinic.restart().await.expect("the daemon starts");
    assert_eq!(living(&again(&open, &boss)).await, left);
    // A crash comes between a device's end and that of its sessions.
    open.clinic.stop_daemon().await;
    let mut database = database(&open).await;
    sqlx::query("DELETE FROM machine_certificates").execute(&mut database).await.expect("deleted");
    database.close().await.expect("closed");
    open.clinic.restart().await.expect("the daemon starts");
    assert_eq!(living(&again(&open, &boss)).await, ["boss anywhere", "receipt anywhere"]);
}
