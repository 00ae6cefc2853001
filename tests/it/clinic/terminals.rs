//! Terminals: enrolled once, known afterwards; nobody on the network locks them out, and their sessions work nowhere else.

use daemon::app::ports::{Clock as _, Role};
use daemon::control::{Command, Reply};
use harness::clinic::{OpenClinic, Visitor};
use jiff::SignedDuration;
use serde_json::json;

async fn code(open: &OpenClinic, name: &str) -> String {
    let command = Command::TerminalOffer { name: name.to_owned() };
    match open.clinic.control(command).await.expect("a code") {
        Reply::EnrolmentCode { code, .. } => code.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn enrolled(open: &OpenClinic, name: &str) -> Visitor {
    let code = code(open, name).await;
    let mut visitor = open.clinic.visitor();
    let token = visitor.post("/v1/terminals/enrol", &json!({ "code": code })).await;
    assert_eq!((token.status, token.json()["name"].as_str()), (201, Some(name)));
    visitor.set_terminal(token.json()["token"].as_str());
    visitor
}

#[tokio::test]
async fn a_code_enrols_one_terminal_once_within_the_hour() {
    let open = OpenClinic::with(|plan| plan.accounts.push(("boss", Role::Administrator))).await;
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("boss")).await;
    let issued = boss.post("/v1/terminals/enrolment-codes", &json!({ "name": "uketsuke-1" })).await;
    assert_eq!(
        (issued.status, issued.json()["expires_at"].as_str()),
        (201, Some("2026-07-08T13:00:00+09:00"))
    );
    let typed = issued.json()["code"].as_str().expect("a code").to_uppercase().replace('-', "");
    let enrol = async |code: &str| boss.post("/v1/terminals/enrol", &json!({ "code": code })).await;
    assert_eq!(enrol("aaaa-bbbb-cccc-dddd").await.code(), "enrolment_code_invalid");
    assert_eq!(enrol(&typed).await.status, 201);
    assert_eq!(enrol(&typed).await.code(), "enrolment_code_invalid", "once");
    let late = code(&open, "uketsuke-2").await;
    open.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(boss.get("/v1/sessions/current").await.status, 200);
    open.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(boss.get("/v1/terminals").await.json()["terminals"].as_array().map(Vec::len), Some(1));
    open.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(enrol(&late).await.code(), "enrolment_code_invalid", "too late");
    let named = boss.post("/v1/terminals/enrolment-codes", &json!({ "name": "受付" })).await;
    assert_eq!((named.status, named.json()["field"].as_str()), (400, Some("name")));
}

#[tokio::test]
async fn a_session_that_began_at_a_terminal_works_only_there_and_ends_with_it() {
    let mut open = OpenClinic::at_noon().await;
    open.clock.advance(SignedDuration::from_secs(30));
    let mut here = enrolled(&open, "uketsuke-1").await;
    here.sign_in(&open.credentials).await;
    assert_eq!(here.get("/v1/results").await.status, 200);
    let elsewhere = enrolled(&open, "uketsuke-2").await;
    for terminal in [None, Some("no-such-terminal")] {
        let mut stolen = here.clone();
        stolen.set_terminal(terminal);
        assert_eq!(stolen.get("/v1/results").await.code(), "session_required");
    }
    let mut stolen = elsewhere.clone();
    stolen.set_token(here.token());
    assert_eq!(stolen.get("/v1/results").await.code(), "session_required");
    assert_eq!(here.get("/v1/results").await.status, 200, "it goes on where it began");

    let (token, ours) = (here.token().map(str::to_owned), here.clone());
    open.clinic.restart().await.expect("the daemon starts");
    let mut again = open.clinic.visitor();
    again.set_token(token.as_deref());
    assert_eq!(again.get("/v1/results").await.status, 401, "also after a restart");
    drop(ours);
    let removed = open.clinic.control(Command::TerminalRemove { name: "uketsuke-1".to_owned() }).await;
    assert!(matches!(removed, Ok(Reply::Done)));
    assert!(open.clinic.control(Command::TerminalRemove { name: "uketsuke-1".to_owned() }).await.is_err());
    let Ok(Reply::Terminals(left)) = open.clinic.control(Command::TerminalList).await else {
        panic!("a list")
    };
    assert_eq!(left.iter().map(|terminal| terminal.name.as_str()).collect::<Vec<_>>(), ["uketsuke-2"]);
}

#[tokio::test]
async fn a_check_takes_place_at_the_terminal_of_its_session() {
    let open = OpenClinic::with(|plan| plan.terminals.push("uketsuke-2")).await;
    let check = json!({ "method": "card_pin" });
    let nowhere = open.visitor.post("/v1/checks", &check).await;
    assert_eq!(nowhere.code(), "unknown_terminal", "there are two, and it is at neither");
    assert_eq!(open.visitor.get("/v1/sessions/current").await.json().get("terminal"), None);
    for name in ["uketsuke-2", "uketsuke-1"] {
        open.clock.advance(SignedDuration::from_secs(30));
        let mut here = enrolled(&open, name).await;
        here.sign_in(&open.credentials).await;
        assert_eq!(here.get("/v1/sessions/current").await.json()["terminal"], name);
        let begun = here.post("/v1/checks", &check).await.json();
        assert_eq!(begun["terminal"], name, "{begun}");
        let id = begun["id"].as_str().expect("an id");
        assert_eq!(here.delete(&format!("/v1/checks/{id}")).await.status, 200);
    }
    open.clock.advance(SignedDuration::from_secs(30));
    let mut elsewhere = enrolled(&open, "not-configured").await;
    elsewhere.sign_in(&open.credentials).await;
    assert_eq!(elsewhere.post("/v1/checks", &check).await.code(), "unknown_terminal");
}

#[tokio::test]
async fn an_administrator_removes_a_terminal_and_its_sessions_end() {
    let open = OpenClinic::with(|plan| plan.accounts.push(("boss", Role::Administrator))).await;
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("boss")).await;
    open.clock.advance(SignedDuration::from_secs(30));
    let mut here = enrolled(&open, "uketsuke-1").await;
    here.sign_in(&open.credentials).await;
    assert_eq!(boss.delete("/v1/terminals/uketsuke-9").await.code(), "terminal_not_found");
    assert_eq!(boss.delete("/v1/terminals/uketsuke-1").await.status, 204);
    assert_eq!(here.get("/v1/results").await.status, 401);
    assert_eq!(open.visitor.get("/v1/results").await.status, 200, "others go on");

    // Enrolling anew takes the place of the old one.
    let first = enrolled(&open, "uketsuke-1").await;
    open.clock.advance(SignedDuration::from_secs(30));
    let mut first = first.clone();
    first.sign_in(&open.credentials).await;
    enrolled(&open, "uketsuke-1").await;
    assert_eq!(first.get("/v1/results").await.status, 401);
}

#[tokio::test]
async fn guesses_from_the_network_do_not_lock_an_enrolled_terminal_out() {
    let open = OpenClinic::at_noon().await;
    let mut here = enrolled(&open, "uketsuke-1").await;
    let stranger = open.clinic.visitor();
    let wrong = open.credentials.body("000000");
    for _ in 0..5 {
        assert_eq!(stranger.post("/v1/sessions", &wrong).await.status, 401);
    }
    open.clock.advance(SignedDuration::from_millis(900));
    assert_eq!(stranger.post("/v1/sessions", &wrong).await.status, 429);
    let seconds = u64::try_from(open.clock.now().as_second()).expect("after 1970") + 30;
    let right = open.credentials.body(&open.credentials.code(seconds));
    assert_eq!(stranger.post("/v1/sessions", &right).await.status, 429, "even with the right factors");
    here.sign_in_with(&right).await;
    let mut nobody = wrong.clone();
    nobody["account"] = json!("nobody");
    for _ in 0..5 {
        assert_eq!(here.post("/v1/sessions", &nobody).await.status, 401);
        assert_eq!(here.post("/v1/sessions", &wrong).await.status, 401);
    }
    for body in [&nobody, &wrong] {
        assert_eq!(
            here.post("/v1/sessions", body).await.status,
            429,
            "its own counter slows it down all the same"
        );
    }
}
