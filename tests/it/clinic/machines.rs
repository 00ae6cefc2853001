//! Receipt computers that nobody sits at: over real TLS, with a client certificate of the daemon's own authority in place of the
//! six-digit code.

use std::sync::Arc;

use daemon::app::ports::Role;
use daemon::control::{Command, MachineLine, Reply};
use harness::clinic::{CHOSEN, Credentials, MachineKey, OpenClinic, Plan, Visitor, client_tls};
use harness::raw_http::Raw;
use jiff::SignedDuration;
use rcgen::PKCS_ECDSA_P384_SHA384;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use x509_cert::der::Decode as _;

/// A clinic that speaks HTTPS, with another receipt computer and people; half a minute after the first sign-in, so that a code
/// may be used again.
async fn open() -> OpenClinic {
    let open = OpenClinic::with(|plan: &mut Plan| {
        plan.tls = true;
        plan.kernel.say(Some(true));
        plan.accounts.extend([("other", Role::ReceiptComputer), ("hanako", Role::Operator)]);
    })
    .await;
    open.clock.advance(SignedDuration::from_secs(60));
    open
}

async fn code(open: &OpenClinic, account: &str) -> String {
    match open.clinic.control(Command::MachineOffer { name: account.to_owned() }).await.expect("a code") {
        Reply::EnrolmentCode { code, .. } => code.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn listed(open: &OpenClinic) -> Vec<MachineLine> {
    match open.clinic.control(Command::MachineList).await.expect("a list") {
        Reply::Machines(machines) => machines,
        other => panic!("{other:?}"),
    }
}

fn connected(open: &OpenClinic, issued: &Value, key: &MachineKey) -> Arc<ClientConfig> {
    let text = |name: &str| issued[name].as_str().expect("PEM").to_owned();
    client_tls(&text("authority"), Some((&text("certificate"), key)), open.clock.clone())
}

/// A receipt computer of an account that connects with a certificate of its own.
pub(super) async fn enrolled(open: &OpenClinic, account: &str) -> Visitor {
    let key = MachineKey::default();
    let mut visitor = open.clinic.visitor();
    let body = json!({ "code": code(open, account).await, "csr": key.request() });
    let issued = visitor.post("/v1/machines/enrol", &body).await;
    assert_eq!(issued.status, 201, "{}", issued.code());
    visitor.set_tls(Some(connected(open, &issued.json(), &key)));
    visitor
}

pub(super) fn without_code(credentials: &Credentials) -> Value {
    let mut body = credentials.body("");
    body.as_object_mut().expect("an object").remove("code");
    body
}

async fn refused(visitor: &Visitor, body: &Value) {
    let reply = visitor.post("/v1/sessions", body).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "sign_in_failed"));
}

#[tokio::test]
async fn password_and_certificate_sign_a_receipt_computer_in() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    let body = without_code(&open.credentials);
    let mut wrong = body.clone();
    wrong["password"] = json!("not-the-password-1");
    refused(&machine, &wrong).await;
    machine.sign_in_with(&body).await;
    assert_eq!(machine.get("/v1/results").await.status, 200);
    let sessions = machine.get("/v1/sessions").await.json();
    assert_eq!(sessions["sessions"][0]["bound_to_certificate"], true);
    machine.sign_in_with(&body).await;
    assert_eq!(machine.get("/v1/results").await.status, 200, "again at once: no code is used up");

    // Two steps work as well.
    let claim = without_code(&open.credentials);
    let begun = machine.post("/v1/sessions/begin", &claim).await.json();
    machine.sign_in_with(&json!({ "ticket": begun["ticket"] })).await;

    let Ok(Reply::EnrolmentCode { .. }) =
        open.clinic.control(Command::MachineOffer { name: "receipt".to_owned() }).await
    else {
        panic!("a code")
    };
    assert!(open.clinic.control(Command::MachineOffer { name: "hanako".to_owned() }).await.is_err());
    assert!(open.clinic.control(Command::MachineOffer { name: "nobody".to_owned() }).await.is_err());
}

#[tokio::test]
async fn a_certificate_says_only_what_the_authority_says() {
    let open = open().await;
    let key = MachineKey::default();
    let body = json!({ "code": code(&open, "receipt").await, "csr": key.request() });
    let issued = open.clinic.visitor().post("/v1/machines/enrol", &body).await.json();
    let der = CertificateDer::from_pem_slice(issued["certificate"].as_str().expect("PEM").as_bytes())
        .expect("a certificate");
    let certificate = x509_cert::Certificate::from_der(&der).expect("a certificate");
    let subject = certificate.tbs_certificate().subject().to_string();
    assert!(subject.contains("CN=receipt") && !subject.contains("administrator"), "{subject}");
    assert!(!String::from_utf8_lossy(&der).contains("example.com"));
    let validity = certificate.tbs_certificate().validity();
    let second = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    let lasts = second(validity.not_after).checked_sub(second(validity.not_before));
    assert!(lasts.is_some_and(|seconds| seconds <= 397 * 86_400), "{lasts:?}");
    let machines = listed(&open).await;
    assert_eq!(machines.len(), 1);
    assert_eq!(issued["fingerprint"].as_str(), Some(machines[0].fingerprint.as_str()));
    assert_eq!(open.clinic.authority().await, issued["authority"].as_str().expect("PEM"));
}

#[tokio::test]
async fn without_a_certificate_of_the_account_nothing_takes_the_place_of_the_code() {
    let open = open().await;
    let body = without_code(&open.credentials);
    let plain = open.clinic.visitor();
    refused(&plain, &body).await;
    let other = enrolled(&open, "other").await;
    refused(&other, &body).await;
    refused(&other, &without_code(&open.clinic.credentials("hanako"))).await;
    let mut other = other;
    other.sign_in_with(&without_code(&open.clinic.credentials("other"))).await;

    // Whoever has no certificate connects all the same, and signs in with the code.
    let mut plain = plain;
    plain.sign_in(&open.credentials).await;
    assert_eq!(plain.get("/v1/results").await.status, 200);
}

#[tokio::test]
async fn a_session_of_a_certificate_works_nowhere_else() {
    let mut open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    machine.sign_in_with(&without_code(&open.credentials)).await;
    let mut thief = open.clinic.visitor();
    thief.set_token(machine.token());
    assert_eq!(thief.get("/v1/results").await.code(), "session_required");
    let mut neighbour = enrolled(&open, "other").await;
    neighbour.set_token(machine.token());
    assert_eq!(neighbour.get("/v1/results").await.code(), "session_required");
    assert_eq!(machine.get("/v1/results").await.status, 200);

    // A restart forgets neither the binding nor the authority.
    let authority = open.clinic.authority().await;
    open.clinic.restart().await.expect("the daemon starts");
    assert_eq!(open.clinic.authority().await, authority);
    let mut thief = open.clinic.visitor();
    thief.set_token(machine.token());
    assert_eq!(thief.get("/v1/results").await.code(), "session_required");
}

#[tokio::test]
async fn a_revoked_certificate_is_as_good_as_none() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    let body = without_code(&open.credentials);
    machine.sign_in_with(&body).await;
    let number = listed(&open).await[0].number;
    let revoke = async || open.clinic.control(Command::MachineRevoke { number }).await;
    assert!(matches!(revoke().await, Ok(Reply::Done)));
    assert_eq!(machine.get("/v1/results").await.code(), "session_required");
    refused(&machine, &body).await;
    assert!(revoke().await.is_err(), "there is none of this number any more");
    assert!(listed(&open).await.is_empty());
}

#[tokio::test]
async fn an_ended_certificate_does_not_even_connect_and_the_server_renews_its_own() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    let body = without_code(&open.credentials);
    for _ in 0..3 {
        open.clock.advance(SignedDuration::from_hours(24 * 100));
        machine.sign_in_with(&body).await;
    }
    open.clock.advance(SignedDuration::from_hours(24 * 96));
    machine.sign_in_with(&body).await;
    open.clock.advance(SignedDuration::from_hours(24));
    assert!(machine.try_call("POST", "/v1/sessions", Some(&body)).await.is_err(), "after 397 days");
    // Nobody else notices: the server's certificate was renewed in time.
    let mut plain = open.clinic.visitor();
    refused(&plain, &body).await;
    plain.sign_in(&open.credentials).await;
}

#[tokio::test]
async fn an_enrolment_code_is_used_up_by_a_certificate_and_by_nothing_else() {
    let open = open().await;
    let visitor = open.clinic.visitor();
    let code = code(&open, "receipt").await;
    let enrol = async |code: &str, csr: &str| {
        visitor.post("/v1/machines/enrol", &json!({ "code": code, "csr": csr })).await
    };
    let good = MachineKey::default().request();
    let broken = good.replacen('M', "N", 1);
    let other_curve = MachineKey::of(&PKCS_ECDSA_P384_SHA384).request();
    for csr in [broken.as_str(), other_curve.as_str(), "-----BEGIN CERTIFICATE REQUEST-----", "x"] {
        let reply = enrol(&code, csr).await;
        assert_eq!((reply.status, reply.code().as_str()), (422, "certificate_request_invalid"));
    }
    let large = enrol(&code, &"x".repeat(4097)).await;
    assert_eq!((large.status, large.json()["field"].as_str()), (400, Some("csr")));
    assert_eq!(enrol("aaaa-bbbb-cccc-dddd", &good).await.code(), "enrolment_code_invalid");
    assert_eq!(enrol(&code, &good).await.status, 201);
    assert_eq!(enrol(&code, &good).await.code(), "enrolment_code_invalid", "once");
    // A terminal's code enrols no machine.
    let offer = Command::TerminalOffer { name: "uketsuke-1".to_owned() };
    let Ok(Reply::EnrolmentCode { code: terminal, .. }) = open.clinic.control(offer).await else {
        panic!("a code")
    };
    assert_eq!(enrol(terminal.expose(), &good).await.code(), "enrolment_code_invalid");
    let late = self::code(&open, "receipt").await;
    open.clock.advance(SignedDuration::from_mins(60));
    assert_eq!(enrol(&late, &good).await.code(), "enrolment_code_invalid", "after an hour");
}

#[tokio::test]
async fn guesses_without_the_certificate_do_not_delay_the_machine() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    let (plain, other) = (open.clinic.visitor(), enrolled(&open, "other").await);
    let wrong = open.credentials.body("000000");
    for visitor in [&plain, &other, &plain, &other, &plain] {
        refused(visitor, &wrong).await;
    }
    for visitor in [&plain, &other] {
        assert_eq!(visitor.post("/v1/sessions", &wrong).await.status, 429, "one counter for all of them");
    }
    machine.sign_in_with(&without_code(&open.credentials)).await;
    for _ in 0..5 {
        refused(&machine, &wrong).await;
    }
    assert_eq!(machine.post("/v1/sessions", &wrong).await.status, 429, "its own counter slows it down");
}

#[tokio::test]
async fn a_machine_renews_its_certificate_in_the_last_sixty_days() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    let body = without_code(&open.credentials);
    machine.sign_in_with(&body).await;
    let key = MachineKey::default();
    let renewal = json!({ "csr": key.request() });
    let early = machine.post("/v1/machines/renew", &renewal).await;
    assert_eq!((early.status, early.code().as_str()), (409, "renewal_refused"));
    open.clock.advance(SignedDuration::from_hours(24 * 340));
    let mut plain = open.clinic.visitor();
    plain.sign_in(&open.credentials).await;
    let plainly = plain.post("/v1/machines/renew", &renewal).await;
    assert_eq!(plainly.code(), "renewal_refused", "only with the certificate");
    machine.sign_in_with(&body).await;
    let broken = machine.post("/v1/machines/renew", &json!({ "csr": "x" })).await;
    assert_eq!(broken.code(), "certificate_request_invalid");
    for _ in 0..2 {
        assert_eq!(machine.post("/v1/machines/renew", &renewal).await.status, 201);
    }
    assert_eq!(listed(&open).await.len(), 2, "a repeated renewal takes the place of the one before");
    let issued = machine.post("/v1/machines/renew", &renewal).await.json();
    assert_eq!(machine.get("/v1/results").await.status, 200, "the old one works until it ends");
    open.clock.advance(SignedDuration::from_hours(24 * 60));
    let mut renewed = open.clinic.visitor();
    renewed.set_tls(Some(connected(&open, &issued, &key)));
    renewed.sign_in_with(&body).await;
    assert_eq!(renewed.get("/v1/results").await.status, 200);
    // Who had the old key may have renewed it: revoking the old one revokes what came after.
    let number = listed(&open).await[0].number;
    open.clinic.control(Command::MachineRevoke { number }).await.expect("revoked");
    assert_eq!(renewed.get("/v1/results").await.code(), "session_required");
    assert!(listed(&open).await.is_empty());
}

#[tokio::test]
async fn a_certificate_does_not_outlive_its_account() {
    let mut open = open().await;
    let machine = enrolled(&open, "receipt").await;
    let act = daemon::control::AccountAct::Remove;
    let removal = Command::Account { name: "receipt".to_owned(), act };
    open.clinic.control(removal).await.expect("removed");
    refused(&machine, &without_code(&open.credentials)).await;
    let again = open.clinic.enrol("receipt", Role::ReceiptComputer).await;
    refused(&machine, &without_code(&again)).await;
    assert!(listed(&open).await.is_empty());
}

#[tokio::test]
async fn a_listener_with_tls_speaks_nothing_else() {
    let open = open().await;
    let mut plain = open.clinic.visitor();
    plain.set_tls(None);
    assert!(plain.try_call("GET", "/healthz", None).await.is_err());
    // The certificate is for the loopback names and only for those.
    let stranger = client_tls(&open.clinic.authority().await, None, open.clock.clone());
    assert!(Raw::connect_tls(open.clinic.api, stranger).await.is_ok());
    let elsewhere = OpenClinic::with(|plan| plan.tls = true).await;
    let foreign = client_tls(&elsewhere.clinic.authority().await, None, open.clock.clone());
    assert!(Raw::connect_tls(open.clinic.api, foreign).await.is_err(), "another machine's authority");
}

#[tokio::test]
async fn a_certificate_signs_in_until_the_second_at_which_it_ends() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    let body = without_code(&open.credentials);
    let ends = format!("{}+09:00", listed(&open).await[0].ends_at.replace(' ', "T"));
    let ends: jiff::Timestamp = ends.parse().expect("an instant");
    open.clock.set(ends - SignedDuration::from_secs(1));
    machine.sign_in_with(&body).await;
    assert_eq!(machine.get("/v1/results").await.status, 200);
    open.clock.set(ends);
    assert_eq!(machine.get("/v1/results").await.code(), "session_required");
    refused(&machine, &body).await;
}

#[tokio::test]
async fn a_password_that_is_long_enough_beside_a_second_factor_is_so_with_code_and_with_certificate() {
    let open = open().await;
    let change = json!({ "current_password": open.credentials.password, "new_password": "kasa7min" });
    assert_eq!(open.visitor.put("/v1/accounts/me/password", &change).await.status, 204);
    let receipt = Credentials { password: "kasa7min".to_owned(), ..open.credentials.clone() };
    let (mut plain, mut machine) = (open.clinic.visitor(), enrolled(&open, "receipt").await);
    plain.sign_in(&receipt).await;
    machine.sign_in_with(&without_code(&receipt)).await;
    for visitor in [&plain, &machine] {
        let own = visitor.get("/v1/sessions/current").await.json();
        assert_eq!(own["password_change_required"], false);
        assert_eq!(visitor.get("/v1/results").await.status, 200);
    }
}

#[tokio::test]
async fn wrong_passwords_inside_a_session_slow_down_its_own_device_and_nobody_elses() {
    let open = open().await;
    let mut machine = enrolled(&open, "receipt").await;
    machine.sign_in_with(&without_code(&open.credentials)).await;
    let mut here = super::terminals::enrolled(&open, "uketsuke-1").await;
    here.sign_in(&open.credentials).await;
    let wrong = json!({ "current_password": "not-the-password-1", "new_password": CHOSEN });
    let change = async |visitor: &Visitor| visitor.put("/v1/accounts/me/password", &wrong).await.code();
    for visitor in [&machine, &here] {
        for _ in 0..5 {
            assert_eq!(change(visitor).await, "wrong_credentials");
        }
        assert_eq!(change(visitor).await, "sign_in_delayed");
    }
    refused(&open.clinic.visitor(), &open.credentials.body("000000")).await;
}
