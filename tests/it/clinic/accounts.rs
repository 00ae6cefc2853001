//! Accounts: first passwords, second factors, recovery, locks, and what an administrator may do.

use daemon::app::ports::{Clock as _, Role};
use daemon::control::{AccountAct, Command, Reply};
use harness::clinic::{CHOSEN, Credentials, OpenClinic, Visitor};
use harness::process::secret_of;
use jiff::SignedDuration;
use serde_json::{Value, json};

pub(super) fn seconds(open: &OpenClinic) -> u64 {
    u64::try_from(open.clock.now().as_second()).expect("after 1970")
}

/// A clinic with an administrator, signed in, and an operator who has chosen a password.
pub(super) async fn with_people() -> (OpenClinic, Visitor) {
    let people = [("boss", Role::Administrator), ("hanako", Role::Operator)];
    let open = OpenClinic::with(|plan| plan.accounts.extend(people)).await;
    let mut administrator = open.clinic.visitor();
    administrator.sign_in(&open.clinic.credentials("boss")).await;
    (open, administrator)
}

/// The next code's time.
pub(super) fn next_step(open: &OpenClinic) {
    open.clock.advance(SignedDuration::from_secs(30));
}

pub(super) async fn audited(open: &OpenClinic) -> Vec<(String, String, String)> {
    use sqlx::Row as _;
    let path = open.clinic.config.store.directory.join("shikaku.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = sqlx::ConnectOptions::connect(&options).await.expect("the database");
    let rows = sqlx::query("SELECT actor, action, outcome FROM audit ORDER BY seq");
    let rows = rows.fetch_all(&mut database).await.expect("rows");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

pub(super) fn row(actor: &str, action: &str, outcome: &str) -> (String, String, String) {
    (actor.to_owned(), action.to_owned(), outcome.to_owned())
}

async fn machine(open: &OpenClinic, name: &str, act: AccountAct) -> Reply {
    let command = Command::Account { name: name.to_owned(), act };
    open.clinic.control(command).await.expect("the command succeeds")
}

async fn id_of(administrator: &Visitor, name: &str) -> i64 {
    let accounts = administrator.get("/v1/accounts").await.json();
    let found = accounts["accounts"].as_array().expect("a list").iter().find(|one| one["account"] == name);
    found.expect("the account")["id"].as_i64().expect("a number")
}

#[tokio::test]
async fn a_password_that_somebody_else_chose_opens_nothing_but_its_own_change() {
    let (mut open, administrator) = with_people().await;
    let new = administrator.post("/v1/accounts", &json!({ "account": "jiro", "role": "operator" })).await;
    assert_eq!(new.status, 201);
    let new = new.json();
    assert!(new["totp"]["qr_svg"].as_str().expect("a QR code").contains("<svg"));
    let otpauth = new["totp"]["otpauth"].as_str().expect("an address").to_owned();
    let jiro = Credentials {
        account: "jiro".to_owned(),
        password: new["password"].as_str().expect("a password").to_owned(),
        totp_secret: secret_of(&otpauth),
        otpauth,
        ..open.credentials.clone()
    };
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&jiro).await;
    assert_eq!(visitor.get("/v1/sessions/current").await.json()["password_change_required"], true);
    for refused in [
        visitor.get("/v1/results").await,
        visitor.get("/v1/health").await,
        visitor.get("/v1/sessions").await,
        visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await,
        visitor.post("/v1/accounts/me/totp", &json!({ "password": jiro.password })).await,
    ] {
        assert_eq!((refused.status, refused.code().as_str()), (403, "password_change_required"));
    }
    let token = visitor.token().map(str::to_owned);
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(token.as_deref());
    assert_eq!(visitor.get("/v1/results").await.status, 403, "a restart does not lift it");

    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        visitor.put("/v1/accounts/me/password", &body).await
    };
    for weak in ["short1", "password1234567", "jiro1312345678", &jiro.password] {
        let refused = change(&jiro.password, weak).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "password_unacceptable"), "{weak}");
        assert!(!String::from_utf8_lossy(&refused.body).contains(weak));
    }
    let wrong = change("not-the-password-1", CHOSEN).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (422, "wrong_credentials"));
    assert_eq!(change(&jiro.password, CHOSEN).await.status, 204);
    assert_eq!(visitor.get("/v1/results").await.status, 200, "the same session goes on");
    let rows = audited(&open).await;
    assert!(rows.contains(&row("boss", "account.create", "ok:jiro")));
    assert!(rows.contains(&row("jiro", "account.change_password", "ok")));
    assert!(rows.contains(&row("jiro", "account.change_password", "wrong_credentials")));
}

#[tokio::test]
async fn a_change_of_password_or_authenticator_ends_the_other_sessions() {
    let (open, _) = with_people().await;
    let hanako = open.clinic.credentials("hanako");
    let mut here = open.clinic.visitor();
    here.sign_in(&hanako).await;
    next_step(&open);
    let mut elsewhere = open.clinic.visitor();
    elsewhere.sign_in(&hanako).await;
    let body = json!({ "current_password": CHOSEN, "new_password": "kasa-to-neko-77-ame" });
    assert_eq!(here.put("/v1/accounts/me/password", &body).await.status, 204);
    assert_eq!(elsewhere.get("/v1/sessions/current").await.status, 401);
    assert_eq!(here.get("/v1/sessions/current").await.status, 200);

    next_step(&open);
    let hanako = Credentials { password: "kasa-to-neko-77-ame".to_owned(), ..hanako };
    elsewhere.set_token(None);
    elsewhere.sign_in(&hanako).await;
    let proof = json!({ "password": hanako.password });
    let offered = here.post("/v1/accounts/me/totp", &proof).await.json();
    let otpauth = offered["otpauth"].as_str().expect("an address").to_owned();
    assert!(offered["qr_svg"].as_str().expect("a QR code").contains("<svg"));
    let renewed = Credentials { totp_secret: secret_of(&otpauth), otpauth, ..hanako.clone() };
    assert_ne!(renewed.totp_secret, hanako.totp_secret);
    let confirm =
        async |code: &str| here.post("/v1/accounts/me/totp/confirm", &json!({ "code": code })).await;
    assert_eq!(confirm("000000").await.code(), "wrong_credentials");
    assert_eq!(elsewhere.get("/v1/sessions/current").await.status, 200, "until then the old one is in use");
    next_step(&open);
    let code = renewed.code(seconds(&open));
    assert_eq!(confirm(&code).await.status, 204);
    assert_eq!(confirm(&code).await.code(), "totp_not_offered");
    assert_eq!(elsewhere.get("/v1/sessions/current").await.status, 401);

    let mut visitor = open.clinic.visitor();
    let old = visitor.post("/v1/sessions", &hanako.body(&hanako.code(seconds(&open)))).await;
    assert_eq!(old.status, 401, "the old authenticator is of no use");
    let used = visitor.post("/v1/sessions", &renewed.body(&code)).await;
    assert_eq!(used.status, 429, "the code that confirmed it is used up");
    next_step(&open);
    visitor.sign_in(&renewed).await;
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_code_once() {
    let (open, _) = with_people().await;
    let hanako = open.clinic.credentials("hanako");
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&hanako).await;
    let issued = visitor.post("/v1/accounts/me/recovery-codes", &json!({ "password": CHOSEN })).await.json();
    let codes: Vec<String> = serde_json::from_value(issued["recovery_codes"].clone()).expect("codes");
    assert_eq!(codes.len(), 10);
    let with = |code: &str| {
        let mut body = hanako.body("");
        body["code"].take();
        body.as_object_mut().expect("an object").remove("code");
        body["recovery_code"] = json!(code);
        body
    };
    visitor.set_token(None);
    assert_eq!(visitor.post("/v1/sessions", &with("aaaa-bbbb-cccc-dddd")).await.code(), "sign_in_failed");
    let typed = codes[0].to_uppercase().replace('-', " ");
    assert_eq!(visitor.post("/v1/sessions", &with(&typed)).await.status, 201, "as people type it");
    assert_eq!(visitor.post("/v1/sessions", &with(&codes[0])).await.code(), "sign_in_failed", "once");
    let mut wrong_password = with(&codes[1]);
    wrong_password["password"] = json!("not-the-password-1");
    assert_eq!(visitor.post("/v1/sessions", &wrong_password).await.code(), "sign_in_failed");
    assert_eq!(visitor.post("/v1/sessions", &with(&codes[1])).await.status, 201, "not used up by a failure");

    // The same counter as for any other factor.
    for _ in 0..5 {
        assert_eq!(visitor.post("/v1/sessions", &with("aaaa-bbbb-cccc-dddd")).await.status, 401);
    }
    assert_eq!(visitor.post("/v1/sessions", &with(&codes[2])).await.status, 429);
    let rows = audited(&open).await;
    assert!(rows.contains(&row("hanako", "session.sign_in_recovery", "ok")));
    assert!(rows.contains(&row("unknown", "session.sign_in_recovery", "sign_in_failed")));

    let Reply::RecoveryCodes(renewed) = machine(&open, "hanako", AccountAct::RecoveryCodes).await else {
        panic!("codes are shown")
    };
    machine(&open, "hanako", AccountAct::Unlock).await;
    assert_eq!(visitor.post("/v1/sessions", &with(&codes[2])).await.status, 401, "the old set is gone");
    assert_eq!(visitor.post("/v1/sessions", &with(renewed[9].expose())).await.status, 201);
}

#[tokio::test]
async fn two_steps_judge_nothing_before_the_second() {
    let open = OpenClinic::at_noon().await;
    next_step(&open);
    let claim = |account: &str, password: &str| {
        json!({
            "institution_code": open.credentials.institution_code, "account": account, "password": password,
        })
    };
    let visitor = open.clinic.visitor();
    let begin = async |account: &str, password: &str| {
        let begun = visitor.post("/v1/sessions/begin", &claim(account, password)).await;
        assert_eq!(begun.status, 200);
        let begun = begun.json();
        assert_eq!((&begun["code_required"], &begun["expires_in_s"]), (&json!(true), &json!(120)));
        begun["ticket"].as_str().expect("a ticket").to_owned()
    };
    let code = open.credentials.code(seconds(&open));
    let finish = async |ticket: &str, code: &str| {
        visitor.post("/v1/sessions", &json!({ "ticket": ticket, "code": code })).await
    };
    let mut answers = Vec::new();
    for (account, password) in [("nobody", "wrong-password-1"), ("receipt", "wrong-password-1")] {
        let ticket = begin(account, password).await;
        answers.push(finish(&ticket, &code).await);
    }
    let right = begin("receipt", &open.credentials.password).await;
    answers.push(finish(&right, "000000").await);
    answers.push(finish(&right, &code).await);
    answers.push(finish("no-such-ticket", &code).await);
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (401, &answers[0].body),
            "all the same, a ticket serves once"
        );
    }
    let right = begin("receipt", &open.credentials.password).await;
    assert_eq!(finish(&right, &code).await.status, 201);
    next_step(&open);
    let late = begin("receipt", &open.credentials.password).await;
    open.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(finish(&late, &open.credentials.code(seconds(&open))).await.status, 401);
    for _ in 0..20 {
        begin("receipt", "wrong-password-1").await;
    }
    let right = begin("receipt", &open.credentials.password).await;
    let body = finish(&right, &open.credentials.code(seconds(&open))).await;
    assert_eq!(body.status, 201, "the first step counts nothing: {}", body.code());
}

#[tokio::test]
async fn operators_may_go_without_a_code_where_the_facility_says_so() {
    let (open, administrator) = with_people().await;
    let hanako = open.clinic.credentials("hanako");
    let without = |credentials: &Credentials| {
        let mut body = credentials.body("");
        body.as_object_mut().expect("an object").remove("code");
        body
    };
    let mut visitor = open.clinic.visitor();
    assert_eq!(visitor.post("/v1/sessions", &without(&hanako)).await.code(), "sign_in_failed");
    // A password that is long enough beside a code only.
    visitor.sign_in(&hanako).await;
    let short = json!({ "current_password": CHOSEN, "new_password": "kasa7min" });
    assert_eq!(visitor.put("/v1/accounts/me/password", &short).await.status, 204);

    let settings = json!({ "visual_confirmation": true, "operators_need_code": false });
    assert_eq!(administrator.put("/v1/settings/security", &settings).await.status, 200);
    assert!(audited(&open).await.contains(&row(
        "boss",
        "settings.visual_confirmation_on",
        "ok:operators_need_code_off"
    )));
    let hanako = Credentials { password: "kasa7min".to_owned(), ..hanako };
    visitor.set_token(None);
    visitor.sign_in_with(&without(&hanako)).await;
    let required = visitor.get("/v1/sessions/current").await.json()["password_change_required"].clone();
    assert_eq!(required, true, "alone it is too short");
    let again = json!({ "current_password": "kasa7min", "new_password": "neko8ame" });
    assert_eq!(visitor.put("/v1/accounts/me/password", &again).await.code(), "password_unacceptable");
    let long = json!({ "current_password": "kasa7min", "new_password": "neko8ame kasa to" });
    assert_eq!(visitor.put("/v1/accounts/me/password", &long).await.status, 204);
    for account in ["receipt", "boss"] {
        let refused = visitor.post("/v1/sessions", &without(&open.clinic.credentials(account))).await;
        assert_eq!(refused.code(), "sign_in_failed", "{account} always needs one");
    }
}

#[tokio::test]
async fn locked_disabled_unknown_and_wrong_all_answer_alike_and_live_sessions_go_on() {
    let (open, administrator) = with_people().await;
    next_step(&open);
    let wrong = {
        let mut body = open.credentials.body("000000");
        body["password"] = json!("wrong-password-1");
        body
    };
    let stranger = open.clinic.visitor();
    let mut evaluated = 0;
    while evaluated < 100 {
        let reply = stranger.post("/v1/sessions", &wrong).await;
        match reply.status {
            401 => evaluated += 1,
            429 => open.clock.advance(SignedDuration::from_secs(60)),
            other => panic!("{other}"),
        }
        if evaluated % 20 == 0 {
            assert_eq!(open.visitor.get("/v1/sessions/current").await.status, 200, "in use meanwhile");
        }
    }
    let accounts = administrator.get("/v1/accounts").await;
    assert_eq!(accounts.status, 401, "idle for an hour");
    open.clock.advance(SignedDuration::from_mins(10));
    let right = open.credentials.body(&open.credentials.code(seconds(&open)));
    let locked = stranger.post("/v1/sessions", &right).await;
    assert_eq!((locked.status, locked.code().as_str()), (401, "sign_in_failed"));
    assert_eq!(open.visitor.get("/v1/sessions/current").await.status, 200, "live sessions go on");

    machine(&open, "hanako", AccountAct::Disable).await;
    let hanako = open.clinic.credentials("hanako");
    let disabled = stranger.post("/v1/sessions", &hanako.body(&hanako.code(seconds(&open)))).await;
    let mut nobody = right.clone();
    nobody["account"] = json!("nobody");
    let unknown = stranger.post("/v1/sessions", &nobody).await;
    for other in [&disabled, &unknown] {
        assert_eq!((other.status, &other.body), (locked.status, &locked.body));
    }

    machine(&open, "receipt", AccountAct::Unlock).await;
    machine(&open, "hanako", AccountAct::Enable).await;
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.credentials).await;
    visitor.set_token(None);
    visitor.sign_in(&hanako).await;
    let rows = audited(&open).await;
    for (action, name) in
        [("account.unlock", "receipt"), ("account.disable", "hanako"), ("account.enable", "hanako")]
    {
        assert!(rows.contains(&row("machine", action, &format!("ok:{name}"))), "{action}");
    }
    assert!(rows.contains(&row("unknown", "session.sign_in", "account_locked")));
}

#[tokio::test]
async fn an_administrator_manages_accounts_but_not_the_last_administrator_away() {
    let (open, administrator) = with_people().await;
    let hanako = open.clinic.credentials("hanako");
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&hanako).await;
    let (boss_id, id) = (id_of(&administrator, "boss").await, id_of(&administrator, "hanako").await);
    for refused in [
        visitor.get("/v1/accounts").await,
        visitor.post("/v1/accounts", &json!({ "account": "x", "role": "administrator" })).await,
        visitor.post(&format!("/v1/accounts/{boss_id}/reset"), &json!({ "password": true })).await,
        visitor.call("POST", &format!("/v1/accounts/{id}/unlock"), None).await,
        visitor.put(&format!("/v1/accounts/{id}/status"), &json!({ "disabled": false })).await,
        visitor.delete(&format!("/v1/accounts/{boss_id}")).await,
        visitor.get("/v1/sessions?scope=all").await,
        visitor.get("/v1/terminals").await,
    ] {
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden_role"));
    }
    let status = |id: i64| format!("/v1/accounts/{id}/status");
    let last = administrator.put(&status(boss_id), &json!({ "disabled": true })).await;
    assert_eq!((last.status, last.code().as_str()), (409, "last_administrator"));
    assert_eq!(administrator.delete(&format!("/v1/accounts/{boss_id}")).await.code(), "last_administrator");
    assert_eq!(
        administrator.put(&status(9999), &json!({ "disabled": true })).await.code(),
        "account_not_found"
    );
    let taken = administrator.post("/v1/accounts", &json!({ "account": "hanako", "role": "operator" })).await;
    assert_eq!(taken.code(), "account_exists");
    for name in ["ha na", "ha:na"] {
        let named = administrator.post("/v1/accounts", &json!({ "account": name, "role": "operator" })).await;
        assert_eq!((named.status, named.json()["field"].clone()), (400, json!("account")), "{name}");
    }

    assert_eq!(administrator.put(&status(id), &json!({ "disabled": true })).await.status, 204);
    assert_eq!(visitor.get("/v1/sessions/current").await.status, 401, "its sessions end at once");
    assert_eq!(administrator.put(&status(id), &json!({ "disabled": false })).await.status, 204);
    let both = json!({ "password": true, "totp": true });
    let reset = administrator.post(&format!("/v1/accounts/{id}/reset"), &both).await;
    assert_eq!(reset.status, 200);
    let reset = reset.json();
    let otpauth = reset["totp"]["otpauth"].as_str().expect("an address").to_owned();
    let password = reset["password"].as_str().expect("a password").to_owned();
    let renewed = Credentials { password, totp_secret: secret_of(&otpauth), otpauth, ..hanako.clone() };
    next_step(&open);
    let old = visitor.post("/v1/sessions", &hanako.body(&hanako.code(seconds(&open)))).await;
    assert_eq!(old.status, 401);
    visitor.sign_in(&renewed).await;
    let own: Value = visitor.get("/v1/sessions/current").await.json();
    assert_eq!(own["password_change_required"], true, "somebody else knows it");
    assert_eq!(administrator.delete(&format!("/v1/accounts/{id}")).await.status, 204);
    assert_eq!(visitor.get("/v1/sessions/current").await.status, 401);
    next_step(&open);
    let gone = visitor.post("/v1/sessions", &renewed.body(&renewed.code(seconds(&open)))).await;
    assert_eq!(gone.status, 401);
}
