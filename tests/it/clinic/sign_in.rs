//! Signing in: all factors, single-use codes, growing delays, sessions that end.

use daemon::app::ports::{Clock as _, Role};
use daemon::control::{AccountAct, Command};
use harness::clinic::OpenClinic;
use jiff::SignedDuration;
use serde_json::json;

fn seconds(open: &OpenClinic) -> u64 {
    u64::try_from(open.clock.now().as_second()).expect("after 1970")
}

#[tokio::test]
async fn wrong_institution_account_password_or_code_all_get_the_same_answer() {
    let open = OpenClinic::at_noon().await;
    open.clock.advance(SignedDuration::from_secs(30));
    let code = open.credentials.code(seconds(&open));
    let right = open.credentials.body(&code);
    let with = |field: &str, value: &str| {
        let mut body = right.clone();
        body[field] = json!(value);
        body
    };
    let mut answers = Vec::new();
    for body in [
        with("institution_code", "0000000000"),
        with("account", "nobody"),
        with("password", "wrong-password-1"),
        with("code", "000000"),
        with("code", "abc"),
    ] {
        let mut stranger = open.visitor.clone();
        stranger.set_token(None);
        let reply = stranger.post("/v1/sessions", &body).await;
        assert_eq!(reply.status, 401);
        answers.push((reply.code(), reply.body));
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "the answers must not differ");
    assert_eq!(answers[0].0, "sign_in_failed");
}

#[tokio::test]
async fn a_code_works_once_and_the_answer_says_when_the_next_one_comes() {
    let open = OpenClinic::at_noon().await;
    open.clock.advance(SignedDuration::from_secs(40));
    let body = open.credentials.body(&open.credentials.code(seconds(&open)));
    assert_eq!(open.visitor.post("/v1/sessions", &body).await.status, 201);
    let replayed = open.visitor.post("/v1/sessions", &body).await;
    assert_eq!((replayed.status, replayed.code().as_str()), (429, "sign_in_delayed"));
    let wait: u64 = replayed.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=30).contains(&wait));
    open.clock.advance(SignedDuration::from_secs(30));
    let next = open.credentials.body(&open.credentials.code(seconds(&open)));
    assert_eq!(open.visitor.post("/v1/sessions", &next).await.status, 201);
}

#[tokio::test]
async fn five_failures_are_free_then_the_account_waits_also_across_a_restart() {
    let mut open = OpenClinic::at_noon().await;
    open.clock.advance(SignedDuration::from_secs(30));
    let wrong = {
        let mut body = open.credentials.body("000000");
        body["password"] = json!("wrong-password-1");
        body
    };
    for _ in 0..5 {
        assert_eq!(open.visitor.post("/v1/sessions", &wrong).await.status, 401);
    }
    for wait in [1, 2, 4] {
        let delayed = open.visitor.post("/v1/sessions", &wrong).await;
        assert_eq!((delayed.status, delayed.code().as_str()), (429, "sign_in_delayed"));
        assert_eq!(delayed.header("retry-after"), Some(wait.to_string().as_str()));
        open.clock.advance(SignedDuration::from_secs(wait));
        assert_eq!(open.visitor.post("/v1/sessions", &wrong).await.status, 401);
    }

    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    open.clock.advance(SignedDuration::from_secs(7));
    let right = open.credentials.body(&open.credentials.code(seconds(&open)));
    assert_eq!(visitor.post("/v1/sessions", &right).await.status, 429, "the counter survives a restart");
    open.clock.advance(SignedDuration::from_secs(1));
    visitor.sign_in(&open.credentials).await;
}

#[tokio::test]
async fn an_unknown_name_slows_down_like_an_account() {
    let open = OpenClinic::at_noon().await;
    let mut body = open.credentials.body("000000");
    body["account"] = json!("nobody");
    for _ in 0..5 {
        assert_eq!(open.visitor.post("/v1/sessions", &body).await.status, 401);
    }
    assert_eq!(open.visitor.post("/v1/sessions", &body).await.status, 429);
}

#[tokio::test]
async fn a_session_ends_when_idle_at_its_limit_and_on_sign_out_and_survives_a_restart() {
    let mut open = OpenClinic::at_noon().await;
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    assert_eq!(visitor.get("/v1/sessions/current").await.status, 200, "a restart signs nobody out");

    open.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(visitor.get("/v1/sessions/current").await.status, 200);
    open.clock.advance(SignedDuration::from_mins(31));
    let idle = visitor.get("/v1/sessions/current").await;
    assert_eq!((idle.status, idle.code().as_str()), (401, "session_required"));

    visitor.set_token(None);
    visitor.sign_in(&open.credentials).await;
    for _ in 0..(12 * 60 / 29) {
        open.clock.advance(SignedDuration::from_mins(29));
        assert_eq!(visitor.get("/v1/sessions/current").await.status, 200);
    }
    open.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(visitor.get("/v1/sessions/current").await.status, 401, "twelve hours are the end");

    visitor.set_token(None);
    visitor.sign_in(&open.credentials).await;
    assert_eq!(visitor.delete("/v1/sessions/current").await.status, 204);
    assert_eq!(visitor.get("/v1/sessions/current").await.status, 401);
}

#[tokio::test]
async fn an_administrator_sees_health_but_no_patients() {
    let mut open = OpenClinic::at_noon().await;
    let credentials = open.clinic.enrol("admin", Role::Administrator).await;
    let mut admin = open.clinic.visitor();
    admin.sign_in(&credentials).await;
    assert_eq!(admin.get("/v1/health").await.status, 200);
    for reply in [
        admin.get("/v1/results").await,
        admin.get("/v1/results/count").await,
        admin.get("/v1/results/1").await,
        admin.post("/v1/checks", &json!({ "method": "card_pin" })).await,
        admin.put("/v1/results/1/inquiry-number", &json!({ "inquiry_number": "1" })).await,
    ] {
        assert_eq!((reply.status, reply.code().as_str()), (403, "forbidden_role"));
    }
}

#[tokio::test]
async fn codes_that_were_used_while_the_clock_ran_ahead_lock_nobody_out_once_it_is_right() {
    let open = OpenClinic::at_noon().await;
    let years = SignedDuration::from_hours(24 * 365 * 4);
    let minute = SignedDuration::from_mins(1);
    let sign_in = async || {
        let body = open.credentials.body(&open.credentials.code(seconds(&open)));
        open.clinic.visitor().post("/v1/sessions", &body).await.status
    };
    let run_ahead = async || {
        open.clock.jump(years);
        assert_eq!(sign_in().await, 201);
        open.clock.jump(-years);
        open.clock.advance(minute);
        assert_eq!(sign_in().await, 429, "a clock that was set back shows codes that were used");
    };
    run_ahead().await;
    let unlock = Command::Account { name: "receipt".to_owned(), act: AccountAct::Unlock };
    open.clinic.control(unlock).await.expect("unlocked");
    assert_eq!(sign_in().await, 429, "not the code of this moment: it may have been used");
    open.clock.advance(minute);
    assert_eq!(sign_in().await, 201, "an administrator's word");

    run_ahead().await;
    open.clinic.kernel.say(Some(true));
    open.clock.advance(minute * 10);
    open.clinic.retention().run_if_due().await.expect("the store works");
    assert_eq!(sign_in().await, 429);
    open.clock.advance(minute);
    assert_eq!(sign_in().await, 201, "a clock that is vouched for");
    assert_eq!(sign_in().await, 429, "once");
    open.clock.jump(-minute * 5);
    open.clinic.retention().run_if_due().await.expect("the store works");
    open.clock.advance(minute * 5);
    assert_eq!(sign_in().await, 429, "one that was used under it stays used");
}
