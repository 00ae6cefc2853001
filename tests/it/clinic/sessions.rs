//! Sessions: seen, ended one by one or all at once, and never left behind by a new sign-in.

use daemon::app::ports::Role;
use harness::clinic::{OpenClinic, Visitor};
use jiff::SignedDuration;
use serde_json::Value;

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

#[tokio::test]
async fn ones_sessions_are_listed_and_ended_by_names_that_say_nothing_of_the_token() {
    let open = OpenClinic::at_noon().await;
    let other = signed_in_later(&open).await;
    let sessions = listed(&open.visitor, "own").await;
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&false.into(), &true.into()));
    let id = sessions[0]["id"].as_str().expect("an id").to_owned();
    let hash = {
        use sha2::Digest as _;
        data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(other.token().expect("a token")))
    };
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
    let current = async |visitor: &Visitor| visitor.get("/v1/sessions/current").await.status;
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
