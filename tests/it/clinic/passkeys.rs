//! Passkeys, through the public door: enrolled with both factors, good alone, and refused whenever anything about them is wrong.

use daemon::app::ports::Role;
use harness::authenticator::{Authenticator, Says};
use harness::clinic::{CHOSEN, OpenClinic, Visitor};
use harness::raw_http::Reply;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::accounts::{audited, next_step, row, seconds, with_people};

const SITE: &str = "localhost";

/// What an authenticator says otherwise than it should.
type Fault = (&'static str, fn(&mut Says));

fn origin(open: &OpenClinic) -> String {
    format!("http://{SITE}:{}", open.clinic.api.port())
}

fn telephone(open: &OpenClinic) -> Authenticator {
    Authenticator::new(SITE, &origin(open))
}

async fn signed_in(open: &OpenClinic, name: &str) -> Visitor {
    let mut visitor = open.clinic.visitor();
    visitor.sign_in(&open.clinic.credentials(name)).await;
    visitor
}

/// What begins an enrolment, with the next code of the account.
async fn begin(open: &OpenClinic, visitor: &Visitor, name: &str) -> Reply {
    next_step(open);
    let code = open.clinic.credentials(name).code(seconds(open));
    visitor.post("/v1/accounts/me/passkeys/begin", &json!({ "password": CHOSEN, "code": code })).await
}

async fn add(visitor: &Visitor, new: &Value) -> Reply {
    visitor.post("/v1/accounts/me/passkeys", new).await
}

/// A passkey of an account that is signed in.
async fn enrolled(open: &OpenClinic, visitor: &Visitor, name: &str) -> Authenticator {
    let mut passkey = telephone(open);
    enrol(open, visitor, name, &mut passkey).await;
    passkey
}

async fn enrol(open: &OpenClinic, visitor: &Visitor, name: &str, passkey: &mut Authenticator) -> Value {
    let begun = begin(open, visitor, name).await;
    assert_eq!(begun.status, 200, "{}", begun.code());
    let added = add(visitor, &passkey.make(&begun.json(), "受付のパソコン")).await;
    assert_eq!(added.status, 201, "{}", added.code());
    added.json()
}

async fn ask(open: &OpenClinic) -> Value {
    let asked = open.clinic.visitor().post("/v1/sessions/passkey/begin", &Value::Null).await;
    assert_eq!(asked.status, 200);
    asked.json()
}

async fn send(open: &OpenClinic, answer: &Value) -> Reply {
    open.clinic.visitor().post("/v1/sessions/passkey", answer).await
}

/// A whole sign-in, later than whatever slows it down.
async fn come(open: &OpenClinic, passkey: &mut Authenticator) -> Reply {
    open.clock.advance(SignedDuration::from_mins(2));
    let asked = ask(open).await;
    send(open, &passkey.answer(&asked)).await
}

#[tokio::test]
async fn a_passkey_signs_its_person_in_alone_again_and_again() {
    let (open, boss) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let hello = Authenticator::windows_hello(SITE, &origin(&open));
    let mut silent = telephone(&open);
    silent.count = None;
    for (name, visitor, mut passkey) in
        [("hanako", &hanako, telephone(&open)), ("boss", &boss, hello), ("hanako", &hanako, silent)]
    {
        let added = enrol(&open, visitor, name, &mut passkey).await;
        assert_eq!((&added["name"], &added["last_used_at"]), (&json!("受付のパソコン"), &Value::Null));
        for _ in 0..2 {
            let welcome = come(&open, &mut passkey).await;
            assert_eq!(welcome.status, 201, "{name}: {}", welcome.code());
            let session = welcome.json();
            assert_eq!(
                (&session["account"], &session["password_change_required"]),
                (&json!(name), &json!(false))
            );
            let mut visitor = open.clinic.visitor();
            visitor.set_token(session["token"].as_str());
            assert_eq!(visitor.get("/v1/sessions/current").await.json()["account"], name);
        }
    }
    let listed = hanako.get("/v1/accounts/me/passkeys").await.json();
    let own = listed["passkeys"].as_array().expect("a list");
    assert!(own.len() == 2 && own.iter().all(|passkey| passkey["last_used_at"].is_string()), "{listed}");
    let rows = audited(&open).await;
    for expected in [
        row("hanako", "account.offer_passkey", "ok"),
        row("hanako", "account.add_passkey", "ok"),
        row("hanako", "session.sign_in_passkey", "ok"),
        row("boss", "session.sign_in_passkey", "ok"),
    ] {
        assert!(rows.contains(&expected), "{expected:?}");
    }
}

#[tokio::test]
async fn what_a_browser_is_asked_is_what_webauthn_wants() {
    let (open, _) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let first = enrolled(&open, &hanako, "hanako").await;
    let begun = begin(&open, &hanako, "hanako").await.json();
    let options = &begun["options"];
    assert_eq!((&options["rp"]["id"], &options["user"]["name"]), (&json!(SITE), &json!("hanako")));
    let handle = data_encoding::BASE64URL_NOPAD.encode(&first.says.user_handle);
    assert_eq!(options["user"]["id"], handle, "one account is one user");
    let known = data_encoding::BASE64URL_NOPAD.encode(&first.says.credential);
    assert_eq!(options["excludeCredentials"], json!([{ "type": "public-key", "id": known }]));
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let (one, other) = (ask(&open).await, ask(&open).await);
    assert_ne!(one["options"]["challenge"], other["options"]["challenge"]);
    assert_eq!(
        (&one["options"]["rpId"], &one["options"]["userVerification"]),
        (&json!(SITE), &json!("required"))
    );
}

#[tokio::test]
async fn enrolling_takes_both_factors_and_a_person() {
    let (open, _) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    next_step(&open);
    let code = open.clinic.credentials("hanako").code(seconds(&open));
    for wrong in [
        json!({ "password": "not-the-password-1", "code": code }),
        json!({ "password": CHOSEN, "code": "000000" }),
        json!({ "password": CHOSEN }),
    ] {
        let refused = hanako.post("/v1/accounts/me/passkeys/begin", &wrong).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "wrong_credentials"));
    }
    let right = json!({ "password": CHOSEN, "code": code });
    assert_eq!(hanako.post("/v1/accounts/me/passkeys/begin", &right).await.status, 200);
    let again = hanako.post("/v1/accounts/me/passkeys/begin", &right).await;
    assert_eq!((again.status, again.code().as_str()), (429, "sign_in_delayed"), "a code is good once");
    let machine = json!({ "password": open.credentials.password });
    let refused = open.visitor.post("/v1/accounts/me/passkeys/begin", &machine).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden_role"));
}

#[tokio::test]
async fn a_passkey_that_was_not_made_for_this_question_is_not_kept() {
    let (open, boss) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let faults: [Fault; 6] = [
        ("kind", |it| it.kind = Some("webauthn.get")),
        ("origin", |it| it.origin = "http://localhost.example".to_owned()),
        ("frame", |it| it.cross_origin = true),
        ("site", |it| it.site = "example.com".to_owned()),
        ("not present", |it| it.flags = 0b100),
        ("not verified", |it| it.flags = 0b001),
    ];
    let refused = async |visitor: &Visitor, new: &Value, what: &str| {
        let reply = add(visitor, new).await;
        assert_eq!((reply.status, reply.code().as_str()), (422, "passkey_refused"), "{what}");
    };
    for (what, break_it) in faults {
        let mut passkey = telephone(&open);
        break_it(&mut passkey.says);
        let begun = begin(&open, &hanako, "hanako").await.json();
        refused(&hanako, &passkey.make(&begun, what), what).await;
    }
    let mut passkey = telephone(&open);
    let (first, second) =
        (begin(&open, &hanako, "hanako").await.json(), begin(&open, &hanako, "hanako").await.json());
    let mixed = json!({ "ceremony": first["ceremony"], "options": second["options"] });
    refused(&hanako, &passkey.make(&mixed, "x"), "another challenge").await;
    refused(&boss, &passkey.make(&second, "x"), "another session").await;
    refused(&hanako, &passkey.make(&second, "x"), "the ticket was shown once").await;
    let late = begin(&open, &hanako, "hanako").await.json();
    open.clock.advance(SignedDuration::from_mins(2));
    refused(&hanako, &passkey.make(&late, "x"), "too late").await;
    assert_eq!(hanako.get("/v1/accounts/me/passkeys").await.json(), json!({ "passkeys": [] }));

    enrol(&open, &hanako, "hanako", &mut passkey).await;
    let begun = begin(&open, &boss, "boss").await.json();
    refused(&boss, &passkey.make(&begun, "x"), "somebody's already").await;
    assert!(audited(&open).await.contains(&row("hanako", "account.add_passkey", "passkey_refused")));
}

#[tokio::test]
async fn an_account_has_ten_passkeys_at_most() {
    let (open, _) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    for _ in 0..10 {
        enrolled(&open, &hanako, "hanako").await;
    }
    let begun = begin(&open, &hanako, "hanako").await.json();
    let refused = add(&hanako, &telephone(&open).make(&begun, "x")).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "too_many_passkeys"));
}

/// Whatever is wrong, the answer is the same, byte for byte.
#[tokio::test]
async fn every_refusal_of_a_sign_in_looks_alike() {
    let (open, boss) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let mut passkey = enrolled(&open, &hanako, "hanako").await;
    let others = enrolled(&open, &boss, "boss").await;
    let mut bodies = Vec::new();
    let mut refused = async |answer: &Value, what: &str| {
        // The counter slows down after five failures; each of these is judged.
        open.clock.advance(SignedDuration::from_secs(61));
        let reply = send(&open, answer).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "sign_in_failed"), "{what}");
        bodies.push(reply.body);
    };
    let faults: [Fault; 8] = [
        ("kind", |it| it.kind = Some("webauthn.create")),
        ("origin", |it| it.origin = "https://localhost".to_owned()),
        ("frame", |it| it.cross_origin = true),
        ("site", |it| it.site = "example.com".to_owned()),
        ("not present", |it| it.flags = 0b100),
        ("not verified", |it| it.flags = 0b001),
        ("unknown credential", |it| it.credential = vec![7; 32]),
        ("nobody's handle", |it| it.user_handle = vec![7; 32]),
    ];
    for (what, break_it) in faults {
        let right = passkey.says.clone();
        break_it(&mut passkey.says);
        let asked = ask(&open).await;
        refused(&passkey.answer(&asked), what).await;
        passkey.says = right;
    }
    let (one, other) = (ask(&open).await, ask(&open).await);
    let mixed = json!({ "ceremony": one["ceremony"], "options": other["options"] });
    refused(&passkey.answer(&mixed), "another challenge").await;
    let mut changed = passkey.answer(&other);
    changed["signature"] = passkey.answer(&ask(&open).await)["signature"].clone();
    refused(&changed, "another signature").await;
    let mut stolen = passkey.answer(&ask(&open).await);
    stolen["user_handle"] = json!(data_encoding::BASE64URL_NOPAD.encode(&others.says.user_handle));
    refused(&stolen, "as somebody else").await;
    let asked = ask(&open).await;
    let answer = passkey.answer(&asked);
    assert_eq!(send(&open, &answer).await.status, 429, "twelve failures slow the thirteenth try down");
    refused(&answer, "the ticket was shown once").await;
    let late = passkey.answer(&ask(&open).await);
    open.clock.advance(SignedDuration::from_mins(1));
    refused(&late, "too late").await;
    assert_eq!(come(&open, &mut passkey).await.status, 201, "nothing was wrong with the passkey");
    let asked = ask(&open).await;
    let answer = passkey.answer(&asked);
    assert_eq!(send(&open, &answer).await.status, 201);
    refused(&answer, "replayed").await;
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

/// Somebody copied the authenticator: whoever comes with a counter that was seen is refused.
#[tokio::test]
async fn a_counter_that_does_not_move_on_is_refused() {
    let (open, _) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let mut passkey = enrolled(&open, &hanako, "hanako").await;
    passkey.count = Some(10);
    assert_eq!(come(&open, &mut passkey).await.status, 201);
    for seen in [Some(10), Some(5), None] {
        passkey.count = seen;
        assert_eq!(come(&open, &mut passkey).await.code(), "sign_in_failed", "{seen:?}: 11 was seen");
    }
    passkey.count = Some(11);
    assert_eq!(come(&open, &mut passkey).await.status, 201);
}

#[tokio::test]
async fn failures_count_on_the_one_counter_of_the_account_and_unknown_passkeys_slow_down_alike() {
    let (open, _) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let mut passkey = enrolled(&open, &hanako, "hanako").await;
    let mut unknown = telephone(&open);
    passkey.says.flags = 0b001;
    for passkey in [&mut passkey, &mut unknown] {
        let mut outcomes = Vec::new();
        for _ in 0..6 {
            let asked = ask(&open).await;
            outcomes.push(send(&open, &passkey.answer(&asked)).await.code());
        }
        let expected = ["sign_in_failed"; 5].into_iter().chain(["sign_in_delayed"]);
        assert!(outcomes.iter().eq(expected), "{outcomes:?}");
    }
    let password = open.clinic.credentials("hanako").body("000000");
    let delayed = open.clinic.visitor().post("/v1/sessions", &password).await;
    assert_eq!(delayed.code(), "sign_in_delayed", "one counter for all factors");
    assert_eq!(hanako.get("/v1/sessions/current").await.status, 200, "live sessions go on");
    passkey.says.flags = 0b101;
    for _ in 5..100 {
        open.clock.advance(SignedDuration::from_secs(61));
        let asked = ask(&open).await;
        assert_eq!(send(&open, &unverified(&mut passkey, &asked)).await.code(), "sign_in_failed");
    }
    assert_eq!(come(&open, &mut passkey).await.code(), "sign_in_failed", "locked, and nobody can tell");
}

fn unverified(passkey: &mut Authenticator, asked: &Value) -> Value {
    passkey.says.flags = 0b001;
    let answer = passkey.answer(asked);
    passkey.says.flags = 0b101;
    answer
}

#[tokio::test]
async fn a_passkey_ends_with_its_removal_its_authenticator_app_and_its_account() {
    let (open, boss) = with_people().await;
    let hanako = signed_in(&open, "hanako").await;
    let mut passkey = telephone(&open);
    let id = enrol(&open, &hanako, "hanako", &mut passkey).await["id"].clone();
    let mut elsewhere = open.clinic.visitor();
    elsewhere.set_token(come(&open, &mut passkey).await.json()["token"].as_str());
    let others = format!("/v1/accounts/me/passkeys/{id}");
    assert_eq!(boss.delete(&others).await.code(), "passkey_not_found", "another's is as good as none");
    assert_eq!(hanako.delete(&others).await.status, 204);
    assert_eq!(hanako.delete(&others).await.status, 404);
    assert_eq!(elsewhere.get("/v1/sessions/current").await.status, 401, "it may have begun with the passkey");
    assert_eq!(hanako.get("/v1/sessions/current").await.status, 200);
    assert_eq!(come(&open, &mut passkey).await.code(), "sign_in_failed");

    let accounts = boss.get("/v1/accounts").await.json();
    let account =
        accounts["accounts"].as_array().expect("a list").iter().find(|one| one["account"] == "hanako");
    let account = format!("/v1/accounts/{}", account.expect("the account")["id"]);
    let mut lost = enrolled(&open, &hanako, "hanako").await;
    assert_eq!(boss.delete(&format!("{account}/passkeys")).await.status, 204);
    assert_eq!(come(&open, &mut lost).await.code(), "sign_in_failed");
    assert_eq!(hanako.get("/v1/sessions/current").await.status, 401);
    assert_eq!(boss.delete("/v1/accounts/999/passkeys").await.code(), "account_not_found");

    next_step(&open);
    let hanako = signed_in(&open, "hanako").await;
    let mut passkey = enrolled(&open, &hanako, "hanako").await;
    let disabled = async |disabled: bool| {
        boss.put(&format!("{account}/status"), &json!({ "disabled": disabled })).await.status
    };
    assert_eq!(disabled(true).await, 204);
    assert_eq!(come(&open, &mut passkey).await.code(), "sign_in_failed");
    assert_eq!(disabled(false).await, 204);
    assert_eq!(come(&open, &mut passkey).await.status, 201);
    let reset = boss.post(&format!("{account}/reset"), &json!({ "password": true })).await;
    assert_eq!(reset.status, 200);
    let welcome = come(&open, &mut passkey).await.json();
    assert_eq!(welcome["password_change_required"], true, "a password that somebody else chose comes first");
    assert_eq!(boss.post(&format!("{account}/reset"), &json!({ "totp": true })).await.status, 200);
    assert_eq!(come(&open, &mut passkey).await.code(), "sign_in_failed", "enrolled anew");
    assert!(audited(&open).await.contains(&row("boss", "account.remove_passkeys", "ok:hanako")));
}

#[tokio::test]
async fn an_operator_whose_password_is_enough_needs_no_code_for_a_passkey() {
    let open = OpenClinic::with(|plan| {
        plan.accounts.extend([("boss", Role::Administrator), ("hanako", Role::Operator)]);
    })
    .await;
    let (boss, hanako) = (signed_in(&open, "boss").await, signed_in(&open, "hanako").await);
    let settings = json!({ "visual_confirmation": true, "operators_need_code": false });
    assert_eq!(boss.put("/v1/settings/security", &settings).await.status, 200);
    for (visitor, status) in [(&hanako, 200), (&boss, 422)] {
        let begun = visitor.post("/v1/accounts/me/passkeys/begin", &json!({ "password": CHOSEN })).await;
        assert_eq!(begun.status, status);
    }
}

#[tokio::test]
async fn a_removal_ends_the_other_sessions_where_a_passkey_went_or_all_were_meant() {
    let (open, boss) = with_people().await;
    let here = signed_in(&open, "hanako").await;
    let mut passkey = telephone(&open);
    let id = enrol(&open, &here, "hanako", &mut passkey).await["id"].clone();
    next_step(&open);
    let elsewhere = signed_in(&open, "hanako").await;
    let is_alive = async |visitor: &Visitor| visitor.get("/v1/sessions/current").await.status == 200;
    let none = here.delete("/v1/accounts/me/passkeys/999").await;
    assert_eq!((none.status, none.code().as_str()), (404, "passkey_not_found"));
    assert!(is_alive(&here).await && is_alive(&elsewhere).await, "nothing was removed");
    assert_eq!(here.delete(&format!("/v1/accounts/me/passkeys/{id}")).await.status, 204);
    assert!(is_alive(&here).await && !is_alive(&elsewhere).await, "it may have begun with the passkey");
    assert_eq!(here.get("/v1/accounts/me/passkeys").await.json(), json!({ "passkeys": [] }));

    let accounts = boss.get("/v1/accounts").await.json();
    let account =
        accounts["accounts"].as_array().expect("a list").iter().find(|one| one["account"] == "hanako");
    let account = format!("/v1/accounts/{}", account.expect("the account")["id"]);
    assert_eq!(boss.delete(&format!("{account}/passkeys")).await.status, 204);
    assert!(is_alive(&boss).await && !is_alive(&here).await, "all were meant, though none was left");
    let rows = audited(&open).await;
    let own: Vec<_> = rows.iter().filter(|(_, action, _)| action == "account.remove_passkey").collect();
    assert_eq!(own, [&row("hanako", "account.remove_passkey", "ok")], "what was not there is not on record");
    assert!(rows.contains(&row("boss", "account.remove_passkeys", "ok:hanako")));
}
