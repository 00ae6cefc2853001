//! A receipt computer on another PC: the listener on the clinic's network, from the certificate that is carried there to the
//! results, and everybody who has none.

use std::sync::Arc;

use daemon::app::ports::Role;
use daemon::control::{AccountAct, Command, MachineLine, Reply};
use harness::clinic::{Clinic, Credentials, MachineKey, OpenClinic, Plan, Visitor, client_tls};
use harness::personas::Personas;
use harness::raw_http::Raw;
use jiff::SignedDuration;
use rustls::ClientConfig;
use serde_json::{Value, json};

/// By these names the network reaches the clinic of a test.
const HOSTS: [&str; 2] = ["127.0.0.1", "uketsuke.local"];

async fn open() -> OpenClinic {
    let open = OpenClinic::with(|plan: &mut Plan| {
        plan.lan_hosts = HOSTS.to_vec();
        plan.accounts.extend([("other", Role::ReceiptComputer), ("hanako", Role::Operator)]);
    })
    .await;
    open.clock.advance(SignedDuration::from_secs(60));
    open
}

/// What an administrator gets on the daemon's machine for a certificate request that was brought there.
async fn issue(clinic: &Clinic, account: &str, csr: String) -> Option<(String, String)> {
    match clinic.control(Command::MachineIssue { name: account.to_owned(), csr }).await {
        Ok(Reply::MachineIssued { certificate, authority, .. }) => Some((certificate, authority)),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    }
}

async fn identity(open: &OpenClinic, account: &str) -> Arc<ClientConfig> {
    let key = MachineKey::default();
    let issued = issue(&open.clinic, account, key.request()).await;
    let (certificate, authority) = issued.expect("a certificate");
    client_tls(&authority, Some((&certificate, &key)), open.clock.clone())
}

fn without_code(credentials: &Credentials) -> Value {
    let mut body = credentials.body("");
    body.as_object_mut().expect("an object").remove("code");
    body
}

async fn listed(open: &OpenClinic) -> Vec<MachineLine> {
    match open.clinic.control(Command::MachineList).await.expect("a list") {
        Reply::Machines(machines) => machines,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_receipt_computer_on_another_pc_works_with_the_certificate_that_was_carried_there() {
    let open = open().await;
    open.clinic.tap("taro");
    let pin = &Personas::builtin().by_name("taro").expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    assert_eq!(done["phase"], "done", "{done}");
    let mut machine = open.clinic.visitor_on_lan(identity(&open, "receipt").await);
    machine.sign_in_with(&without_code(&open.credentials)).await;
    assert_eq!(machine.get("/v1/results/count").await.json()["count"], 1);
    let results = machine.get("/v1/results").await.json();
    let id = results["results"][0]["id"].as_i64().expect("an id");
    assert_eq!(machine.get(&format!("/v1/results/{id}")).await.status, 200);
    let (place, body) = (format!("/v1/results/{id}/inquiry-number"), json!({ "inquiry_number": "K-1" }));
    assert_eq!(machine.put(&place, &body).await.status, 200);
    // Its session works with its certificate and nowhere else.
    let mut thief = open.clinic.visitor();
    thief.set_token(machine.token());
    assert_eq!(thief.get("/v1/results").await.code(), "session_required");
    let mut neighbour = open.clinic.visitor_on_lan(identity(&open, "other").await);
    neighbour.set_token(machine.token());
    assert_eq!(neighbour.get("/v1/results").await.code(), "session_required");
    // It renews its certificate from where it stands, under a clock that is vouched for.
    open.clinic.kernel.say(Some(true));
    open.clock.advance(SignedDuration::from_hours(24 * 340));
    machine.sign_in_with(&without_code(&open.credentials)).await;
    let key = MachineKey::default();
    let issued = machine.post("/v1/machines/renew", &json!({ "csr": key.request() })).await;
    assert_eq!(issued.status, 201, "{}", issued.code());
    let pem = |name: &str| issued.json()[name].as_str().expect("PEM").to_owned();
    let renewed = client_tls(&pem("authority"), Some((&pem("certificate"), &key)), open.clock.clone());
    open.clock.advance(SignedDuration::from_hours(24 * 60));
    let mut machine = open.clinic.visitor_on_lan(renewed);
    machine.sign_in_with(&without_code(&open.credentials)).await;
    assert_eq!(
        machine.get("/v1/results").await.status,
        200,
        "the server's own certificate was renewed as well"
    );
}

#[tokio::test]
async fn nobody_without_a_certificate_of_this_authority_gets_a_byte() {
    let open = open().await;
    let lan = open.clinic.lan.expect("a listener");
    let authority = open.clinic.authority().await;
    let elsewhere = self::open().await;
    let foreign = identity(&elsewhere, "receipt").await;
    let without = client_tls(&authority, None, open.clock.clone());
    let key = MachineKey::default();
    let foreign_certificate =
        issue(&elsewhere.clinic, "receipt", key.request()).await.expect("a certificate").0;
    let mixed = client_tls(&authority, Some((&foreign_certificate, &key)), open.clock.clone());
    for (case, tls) in [("none", without), ("another clinic's", foreign), ("this root, another's own", mixed)]
    {
        let visitor = open.clinic.visitor_on_lan(tls);
        assert!(visitor.try_call("GET", "/healthz", None).await.is_err(), "{case}");
    }
    let mut plain = Raw::connect(lan).await.expect("a connection");
    plain.send(format!("GET /healthz HTTP/1.1\r\nhost: {lan}\r\n\r\n")).await.expect("sent");
    let heard = plain.closed().await.expect("closed");
    assert!(!String::from_utf8_lossy(&heard).contains("HTTP"), "no plain HTTP");
}

#[tokio::test]
async fn a_revoked_certificate_ends_with_the_next_request_even_on_an_open_connection() {
    let open = open().await;
    let lan = open.clinic.lan.expect("a listener");
    let tls = identity(&open, "receipt").await;
    let mut connection = Raw::connect_tls(lan, tls.clone()).await.expect("a connection");
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {lan}\r\n\r\n");
    connection.send(&request).await.expect("sent");
    assert_eq!(connection.reply().await.expect("an answer").status, 200);
    let number = listed(&open).await[0].number;
    open.clinic.control(Command::MachineRevoke { number }).await.expect("revoked");
    connection.send(&request).await.expect("sent");
    let reply = connection.reply().await.expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (403, "client_certificate_required"));
    let again = open.clinic.visitor_on_lan(tls).get("/v1/results").await;
    assert_eq!((again.status, again.code().as_str()), (403, "client_certificate_required"));
}

#[tokio::test]
async fn a_certificate_ends_with_its_account_even_on_an_open_connection() {
    let open = open().await;
    let lan = open.clinic.lan.expect("a listener");
    let tls = identity(&open, "receipt").await;
    let mut connection = Raw::connect_tls(lan, tls.clone()).await.expect("a connection");
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {lan}\r\n\r\n");
    connection.send(&request).await.expect("sent");
    assert_eq!(connection.reply().await.expect("an answer").status, 200);
    let act = AccountAct::Remove;
    open.clinic.control(Command::Account { name: "receipt".to_owned(), act }).await.expect("removed");
    connection.send(&request).await.expect("sent");
    let reply = connection.reply().await.expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (403, "client_certificate_required"));
}

#[tokio::test]
async fn the_network_reaches_it_by_its_names_and_by_no_other() {
    let open = open().await;
    let lan = open.clinic.lan.expect("a listener");
    let tls = identity(&open, "receipt").await;
    let name = |name: &'static str| name.try_into().expect("a name");
    assert!(Raw::connect_tls_to(lan, name("uketsuke.local"), tls.clone()).await.is_ok());
    assert!(
        Raw::connect_tls_to(lan, name("localhost"), tls.clone()).await.is_err(),
        "not in its certificate"
    );
    let port = lan.port();
    for (host, allowed) in [
        (format!("uketsuke.local:{port}"), true),
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), false),
        (format!("UKETSUKE.local:{port}"), false),
        (format!("127.0.0.1:{}", open.clinic.api.port()), false),
        ("uketsuke.local".to_owned(), false),
        ("evil.example".to_owned(), false),
    ] {
        let mut connection = Raw::connect_tls(lan, tls.clone()).await.expect("a connection");
        connection.send(format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n")).await.expect("sent");
        let reply = connection.reply().await.expect("an answer");
        assert_eq!(reply.status, if allowed { 200 } else { 403 }, "{host}");
    }
}

#[tokio::test]
async fn administration_and_enrolment_are_not_there() {
    let open = open().await;
    let mut machine = open.clinic.visitor_on_lan(identity(&open, "receipt").await);
    machine.sign_in_with(&without_code(&open.credentials)).await;
    let lan = open.clinic.lan.expect("a listener");
    for target in ["/v1/accounts", "/v1/terminals"] {
        let tls = identity(&open, "receipt").await;
        let mut connection = Raw::connect_tls(lan, tls).await.expect("a connection");
        connection.send(format!("GET {target} HTTP/1.1\r\nhost: {lan}\r\n\r\n")).await.expect("sent");
        let reply = connection.reply().await.expect("an answer");
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{target}");
    }
}

#[tokio::test]
async fn only_an_active_receipt_computer_is_issued_a_certificate_and_only_for_a_good_request() {
    let open = open().await;
    let good = MachineKey::default().request();
    for (account, csr) in [("hanako", good.as_str()), ("nobody", &good), ("receipt", "x")] {
        assert!(issue(&open.clinic, account, csr.to_owned()).await.is_none(), "{account} {csr}");
    }
    let act = AccountAct::Disable;
    open.clinic.control(Command::Account { name: "other".to_owned(), act }).await.expect("disabled");
    assert!(issue(&open.clinic, "other", good.clone()).await.is_none());
    assert!(listed(&open).await.is_empty());
    assert!(issue(&open.clinic, "receipt", good).await.is_some());
    assert_eq!(listed(&open).await.len(), 1);
}

#[tokio::test]
async fn one_pc_cannot_take_all_the_connections() {
    let open = open().await;
    let tls = identity(&open, "receipt").await;
    let lan = open.clinic.lan.expect("a listener");
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(Raw::connect_tls(lan, tls.clone()).await.expect("a connection"));
    }
    let visitor: Visitor = open.clinic.visitor_on_lan(tls);
    let refused = visitor.get("/healthz").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "too_many_connections"));
    assert_eq!(refused.header("retry-after"), Some("5"));
    held.clear();
    // The server learns of the close in its own time: ask until it has.
    while visitor.get("/healthz").await.status != 200 {}
    assert_eq!(open.clinic.visitor().get("/healthz").await.status, 200, "loopback has places of its own");
}

#[tokio::test]
async fn one_pc_cannot_fill_the_audit_log_with_what_it_tries_without_a_session() {
    let open = open().await;
    let tls = identity(&open, "receipt").await;
    let visitor: Visitor = open.clinic.visitor_on_lan(tls);
    let mut body = open.credentials.body("000000");
    body["account"] = json!("nobody");
    let mut tried = 0;
    let refused = loop {
        let reply = visitor.post("/v1/sessions", &body).await;
        if reply.code() == "rate_limited" || tried == 1_000 {
            break reply;
        }
        tried += 1;
    };
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert!(refused.header("retry-after").is_some() && tried >= 50, "{tried} of a burst of 50");
    let mut own = open.clinic.visitor();
    own.sign_in(&open.credentials).await;
    assert_eq!(own.get("/v1/results/count").await.status, 200, "loopback has rates of its own");
}
