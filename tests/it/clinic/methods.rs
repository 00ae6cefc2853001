//! The four methods of the manual (chapter 2, section 2), the security setting, and what certificates say.

use std::sync::Arc;

use daemon::app::ports::Role;
use harness::card::terminal::SyntheticTerminal;
use harness::clinic::{OpenClinic, Visitor};
use harness::raw_http::Reply;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The open clinic, and its administrator signed in.
async fn with_administrator() -> (OpenClinic, Visitor) {
    let open = OpenClinic::with(|plan| plan.accounts.push(("boss", Role::Administrator))).await;
    let mut administrator = open.clinic.visitor();
    administrator.sign_in(&open.clinic.credentials("boss")).await;
    (open, administrator)
}

/// The security settings with everything else as it is from the start.
fn security(visual_confirmation: bool) -> Value {
    json!({ "visual_confirmation": visual_confirmation, "operators_need_code": true })
}

async fn set_visual(administrator: &Visitor, on: bool) {
    let set = administrator.put("/v1/settings/security", &json!({ "visual_confirmation": on })).await;
    assert_eq!((set.status, set.json()), (200, security(on)));
}

async fn ask(visitor: &Visitor, request: Value) -> Reply {
    visitor.post("/v1/checks", &request).await
}

/// Starts a check with a request and waits for its end.
async fn run(visitor: &Visitor, request: Value) -> Value {
    let begun = ask(visitor, request).await;
    assert_eq!(begun.status, 201, "{}", begun.code());
    visitor.wait_for(begun.json()["id"].as_str().expect("an id"), &["done", "failed"]).await
}

/// Starts a check with a request, enters a PIN and waits for its end.
async fn run_with_pin(visitor: &Visitor, request: Value, pin: &str) -> Value {
    let begun = ask(visitor, request).await;
    assert_eq!(begun.status, 201, "{}", begun.code());
    let check = begun.json()["id"].as_str().expect("an id").to_owned();
    visitor.wait_for(&check, &["waiting_for_pin"]).await;
    visitor.enter_pin(&check, pin).await;
    visitor.wait_for(&check, &["done", "failed"]).await
}

pub(super) async fn audited(open: &OpenClinic) -> Vec<(String, String)> {
    use sqlx::Row as _;
    let path = open.clinic.config.store.directory.join("shikaku.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = sqlx::ConnectOptions::connect(&options).await.expect("the database");
    let rows = sqlx::query("SELECT action, outcome FROM audit ORDER BY seq").fetch_all(&mut database).await;
    rows.expect("rows").iter().map(|row| (row.get(0), row.get(1))).collect()
}

//------------ Phones -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_iphone_confirms_without_a_pin_and_is_stored_as_such() {
    let open = OpenClinic::at_noon().await;
    let phone = open.clinic.tap("iphone");
    let done = run(&open.visitor, json!({ "method": "iphone" })).await;
    assert_eq!(done["phase"], "done", "{done}");
    let result = open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json();
    assert_eq!(
        (result["method"].as_str(), result["validity"]["code"].as_str()),
        (Some("iphone"), Some("valid"))
    );
    {
        let phone = phone.lock().expect("the phone");
        assert_eq!((phone.verify_count(), phone.apdu_count()), (0, 6));
    }

    let locked = open.clinic.card("iphone");
    locked.lock().expect("the phone").behaviour.owner_recognised = false;
    open.clinic.next_card(&open.visitor, &locked).await;
    let failed = run(&open.visitor, json!({ "method": "iphone" })).await;
    assert_eq!(failed["failure"]["code"], "phone_not_unlocked");
}

#[tokio::test]
async fn an_android_phone_confirms_with_its_own_pin() {
    let open = OpenClinic::at_noon().await;
    let phone = open.clinic.tap("android");
    let wrong = run_with_pin(&open.visitor, json!({ "method": "android_pin" }), "9999").await;
    assert_eq!(wrong["failure"]["code"], "wrong_pin_phone");
    assert_eq!(wrong["failure"]["tries_left"], 2);
    assert!(wrong.get("certificate").is_none(), "it was never read");
    let done = run_with_pin(&open.visitor, json!({ "method": "android_pin" }), "1234").await;
    assert_eq!(
        (done["phase"].as_str(), done["certificate"]["state"].as_str()),
        (Some("done"), Some("valid"))
    );
    {
        let phone = phone.lock().expect("the phone");
        assert_eq!((phone.verify_count(), phone.tries_left()), (2, 3));
    }
    let locked = open.clinic.card("android");
    locked.lock().expect("the phone").set_tries_left(0);
    open.clinic.next_card(&open.visitor, &locked).await;
    let failed = run_with_pin(&open.visitor, json!({ "method": "android_pin" }), "1234").await;
    assert_eq!(failed["failure"]["code"], "pin_locked_phone");
    // A phone's lock opens no way around the card's PIN.
    let request = json!({ "method": "visual", "visual_after_lock_of": failed["id"] });
    assert_eq!(ask(&open.visitor, request).await.code(), "visual_switch_refused");
}

#[tokio::test]
async fn whatever_is_held_on_the_reader_for_another_method_is_named_and_sees_no_pin() {
    let open = OpenClinic::at_noon().await;
    for (persona, found, methods) in [
        ("taro", "plastic", ["iphone", "android_pin"].as_slice()),
        ("iphone", "iphone", &["visual", "card_pin", "android_pin"]),
        ("android", "android", &["visual", "card_pin", "iphone"]),
    ] {
        for method in methods {
            let token = open.clinic.next_patient(&open.visitor, persona).await;
            let failed = if method.ends_with("_pin") {
                run_with_pin(&open.visitor, json!({ "method": method }), "1234").await
            } else {
                run(&open.visitor, json!({ "method": method })).await
            };
            assert_eq!(failed["failure"]["code"], "wrong_token", "{persona} for {method}");
            assert_eq!(failed["failure"]["token"], found);
            assert_eq!(token.lock().expect("the token").verify_count(), 0, "{persona} for {method}");
        }
    }
}

//------------ Certificates -------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_certificate_is_shown_while_the_check_lives_and_the_central_system_decides() {
    let open = OpenClinic::at_noon().await;
    for (persona, method, state, end) in [
        ("taro", "card_pin", "valid", "done"),
        ("expires-soon", "card_pin", "expires_soon", "done"),
        ("in-grace", "card_pin", "in_grace", "done"),
        ("past-grace", "card_pin", "past_grace", "certificate_expired"),
        ("android-expired", "android_pin", "past_grace", "certificate_expired_phone"),
    ] {
        open.clinic.next_patient(&open.visitor, persona).await;
        let check = run_with_pin(&open.visitor, json!({ "method": method }), "1234").await;
        let ended = check["failure"]["code"].as_str().or(check["phase"].as_str());
        assert_eq!(ended, Some(end), "{persona}: {check}");
        let certificate = &check["certificate"];
        assert_eq!(certificate["state"], state, "{persona}");
        // The synthetic authority is none of the known generations: a warning, never a refusal.
        assert_eq!(certificate["issuer_known"], false);
        assert!(certificate["warning"].as_str().is_some_and(|text| text.contains("発行元")));
        assert!(certificate["not_after"].as_str().is_some_and(|text| text.ends_with("T23:59:59+09:00")));
    }
}

//------------ Kinds of card, and who enters the PIN ------------------------------------------------------------------

#[tokio::test]
async fn an_infant_is_confirmed_by_the_representatives_pin_and_not_by_sight() {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap("infant");
    let by_sight = json!({ "method": "visual", "card_kind": "without_photo" });
    let refused = ask(&open.visitor, by_sight).await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "visual_without_photo"));
    assert!(refused.json()["guidance"].as_str().is_some_and(|text| text.contains("法定代理人")));

    let by_pin = json!({
        "method": "card_pin", "card_kind": "without_photo", "entered_by": "legal_representative"
    });
    let done = run_with_pin(&open.visitor, by_pin, "1234").await;
    assert_eq!(done["phase"], "done");
    assert_eq!(
        (done["card_kind"].as_str(), done["entered_by"].as_str()),
        (Some("without_photo"), Some("legal_representative"))
    );
    let assisted = ("check.assisted".to_owned(), "legal_representative".to_owned());
    assert!(audited(&open).await.contains(&assisted));
}

#[tokio::test]
async fn a_face_card_has_no_pin_and_is_confirmed_by_sight() {
    let open = OpenClinic::at_noon().await;
    let card = open.clinic.tap("face-card");
    let stated = json!({ "method": "card_pin", "card_kind": "face_authentication" });
    assert_eq!(ask(&open.visitor, stated).await.code(), "pin_on_face_card");
    // Nobody said so: the chip answers like a locked card, and no VERIFY is sent.
    let failed = open.visitor.check_with_pin("1234").await;
    assert_eq!(failed["failure"]["code"], "pin_locked");
    let done = run(&open.visitor, json!({ "method": "visual", "card_kind": "face_authentication" })).await;
    assert_eq!(done["phase"], "done");
    assert_eq!(card.lock().expect("the card").verify_count(), 0);
    let phone = json!({ "method": "iphone", "card_kind": "with_photo" });
    assert_eq!(ask(&open.visitor, phone).await.code(), "invalid_request");
}

//------------ Security setting ---------------------------------------------------------------------------------------

#[tokio::test]
async fn the_setting_is_seen_by_all_changed_by_administrators_kept_and_audited() {
    let (mut open, administrator) = with_administrator().await;
    let seen = open.visitor.get("/v1/settings/security").await;
    assert_eq!((seen.status, seen.json()), (200, security(true)));
    let refused = open.visitor.put("/v1/settings/security", &json!({ "visual_confirmation": false })).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden_role"));
    let all = json!(["visual", "card_pin", "iphone", "android_pin"]);
    assert_eq!(open.visitor.get("/v1/readers").await.json()["methods"], all);

    set_visual(&administrator, false).await;
    let readers = open.visitor.get("/v1/readers").await.json();
    assert_eq!(readers["methods"], json!(["card_pin", "iphone", "android_pin"]));
    let switched = ("settings.visual_confirmation_off".to_owned(), "ok".to_owned());
    assert!(audited(&open).await.contains(&switched));

    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    open.clock.advance(SignedDuration::from_secs(30));
    visitor.sign_in(&open.credentials).await;
    assert_eq!(visitor.get("/v1/settings/security").await.json(), security(false));
}

#[tokio::test]
async fn with_the_setting_off_a_lock_opens_one_check_by_sight_for_fifteen_minutes() {
    let (open, administrator) = with_administrator().await;
    set_visual(&administrator, false).await;
    open.clinic.tap("pin-locked");
    let refused = ask(&open.visitor, json!({ "method": "visual" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "visual_disabled"));

    let locked = open.visitor.check_with_pin("1234").await;
    assert_eq!(locked["failure"]["code"], "pin_locked");
    let after = |lock: &Value| json!({ "method": "visual", "visual_after_lock_of": lock });
    assert_eq!(ask(&open.visitor, after(&json!("nosuchcheck"))).await.code(), "visual_switch_refused");
    let with_pin = json!({ "method": "card_pin", "visual_after_lock_of": locked["id"] });
    assert_eq!(ask(&open.visitor, with_pin).await.code(), "invalid_request");

    open.clock.advance(SignedDuration::from_mins(15));
    let done = run(&open.visitor, after(&locked["id"])).await;
    assert_eq!((done["phase"].as_str(), &done["visual_after_lock_of"]), (Some("done"), &locked["id"]));
    assert_eq!(ask(&open.visitor, after(&locked["id"])).await.code(), "visual_switch_refused", "once");
    let switched = audited(&open).await.into_iter().filter(|(action, _)| action == "check.visual_after_lock");
    assert_eq!(switched.count(), 1);

    open.clinic.tap("pin-locked");
    let late = open.visitor.check_with_pin("1234").await;
    open.clock.advance(SignedDuration::from_mins(15) + SignedDuration::from_secs(1));
    assert_eq!(ask(&open.visitor, after(&late["id"])).await.code(), "visual_switch_refused");
}

//------------ Terminal authentication --------------------------------------------------------------------------------

/// With an invented exchange: it shows that `visual` signs where an installation brings terminal authentication.
#[tokio::test]
async fn with_terminal_authentication_a_check_by_sight_is_signed_without_the_pin() {
    let open = OpenClinic::with(|plan| {
        plan.accepts_unsigned_visual = false;
        plan.terminal_authentication = Some(Arc::new(SyntheticTerminal([7; 32])));
    })
    .await;
    assert_eq!(open.visitor.get("/v1/readers").await.json()["methods"][0], "visual");
    for (key, end) in [([7; 32], "done"), ([8; 32], "card_unreadable")] {
        let card = open.clinic.card("pin-locked");
        card.lock().expect("the card").behaviour.terminal_key = Some(key);
        open.clinic.next_card(&open.visitor, &card).await;
        let check = run(&open.visitor, json!({ "method": "visual" })).await;
        let ended = check["failure"]["code"].as_str().or(check["phase"].as_str());
        assert_eq!(ended, Some(end), "{check}");
        let card = card.lock().expect("the card");
        let signatures = card.log().iter().filter(|record| record.is_sign()).count();
        assert_eq!((card.verify_count(), signatures), (0, usize::from(end == "done")));
    }
}
