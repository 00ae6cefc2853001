//! Gates 2 to 4: every documented answer of every operation is provoked over a real socket and held against the document.
//!
//! One test provokes them all, so the coverage does not depend on which other tests ran, or in which order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::codes::Code;
use api::limits::Limits;
use api::listeners::Listener;
use api::service::ServiceError;
use harness::contract::{Contract, Operation};
use harness::raw_http::{Raw, Reply};

use super::fake::{NEW_TOKEN, Script, Server, TOKEN};

/// Documented answers that no test provokes, one `operation status` a line. May only shrink.
const UNSEEN: &str = include_str!("../unseen.txt");

/// Servers with the limits that different answers need.
struct Servers {
    ordinary: Server,
    impatient: Server,
    full: Server,
    /// On the clinic's network, where nobody has a certificate.
    network: Server,
    /// Where no account may make a request, and nobody without a session either.
    strict: Server,
    /// The front-desk page's.
    page: Server,
}

#[tokio::test]
async fn every_documented_answer_is_given_and_is_as_documented() {
    let contract = Contract::committed();
    let servers = Servers {
        ordinary: Server::start(Limits::default()),
        impatient: Server::start(Limits {
            request_timeout: Duration::from_millis(20),
            body_timeout: Duration::from_millis(20),
            bulk_body_bytes: 1024,
            changes_timeout: Duration::from_millis(20),
            ..Limits::default()
        }),
        full: Server::start(Limits { connections: 0, ..Limits::default() }),
        network: Server::at(Listener::Lan, |guard| guard.only_machines(Arc::new(|_| true)), Limits::lan()),
        strict: Server::start(Limits { request_burst: 0, stranger_burst: 0, ..Limits::default() }),
        page: Server::at(Listener::Page, |guard| guard, Limits::default()),
    };
    let mut documented = BTreeSet::new();
    for operation in contract.operations() {
        for (status, codes) in &operation.statuses {
            documented.insert((operation.id.clone(), *status));
            if codes.is_empty() {
                let reply = servers.succeed(&operation, *status).await;
                assert_eq!(reply.status, *status, "{operation:?}");
                contract.check(&operation.method, &target(&operation), &reply).unwrap();
            }
            for code in codes {
                let reply = servers.provoke(&operation, code).await;
                assert_eq!((reply.status, reply.code()), (*status, code.clone()), "{}", operation.id);
                contract.check(&operation.method, &target(&operation), &reply).unwrap();
            }
        }
    }
    let seen = contract.seen();
    let unseen: BTreeSet<(String, u16)> = documented.difference(&seen).cloned().collect();
    assert_eq!(
        unseen,
        allowed_unseen(),
        "left: documented but not seen; right: tests/it/unseen.txt, which may only shrink"
    );
}

fn allowed_unseen() -> BTreeSet<(String, u16)> {
    let lines = UNSEEN.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(id, status)| (id.to_owned(), status.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn every_operation_with_security_refuses_whoever_has_no_session() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    let secured: Vec<_> = contract.operations().into_iter().filter(|operation| operation.secured).collect();
    assert!(secured.len() >= 12, "the document lists the operations");
    let headers = [
        "",
        "authorization: Bearer wrong\r\n",
        "authorization: Bearer\r\n",
        "authorization: Bearer \r\n",
        "authorization: Basic good-token\r\n",
        "authorization: good-token\r\n",
        "authorization: Bearer good-token x\r\n",
        "authorization: Bearer good-token\r\nauthorization: Bearer good-token\r\n",
        "cookie: token=good-token\r\n",
    ];
    for operation in &secured {
        for header in headers {
            let request = server.request(&operation.method, &target(operation), None, body(operation));
            let reply = server.send(request.replacen("\r\n", &format!("\r\n{header}"), 1)).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (401, "session_required"),
                "{} {header}",
                operation.id
            );
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            contract.check(&operation.method, &target(operation), &reply).unwrap();
        }
    }
    assert_eq!(server.service.calls(), 0, "nothing behind a session was called");
}

/// The operations that a session may use before it has changed a password that somebody else chose.
const BEFORE_THE_CHANGE: &[&str] = &["get_session", "sign_out", "change_password"];

#[tokio::test]
async fn before_the_password_is_changed_nothing_else_reaches_the_service() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for operation in contract.operations().into_iter().filter(|operation| operation.secured) {
        let request =
            server.request(&operation.method, &target(&operation), Some(NEW_TOKEN), body(&operation));
        let calls = server.service.calls();
        let reply = server.send(request).await;
        contract.check(&operation.method, &target(&operation), &reply).unwrap();
        if BEFORE_THE_CHANGE.contains(&operation.id.as_str()) {
            assert!(reply.status < 300, "{}: {}", operation.id, reply.status);
        } else {
            let answer = (reply.status, reply.code());
            assert_eq!(answer, (403, "password_change_required".to_owned()), "{}", operation.id);
            assert_eq!(server.service.calls(), calls, "{}", operation.id);
        }
    }
}

#[tokio::test]
async fn a_delayed_sign_in_says_when_to_come_back() {
    let server = Server::start(Limits::default());
    server.service.script(Script::Fail(ServiceError::new(Code::SignInDelayed).retry_after(17)));
    let reply = server.send(server.request("POST", "/v1/sessions", None, Some(SIGN_IN))).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("17")));
    assert_eq!(reply.json()["retry_after"], 17);
}

/// An answer with the headers that every answer must have.
pub fn reply(status: u16, kind: &str, body: &str) -> Reply {
    let headers = [
        ("content-type", kind),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Reply { status, headers, body: body.as_bytes().to_vec() }
}

#[test]
fn the_validator_refuses_what_is_not_documented() {
    let contract = Contract::committed();
    let count = |status, kind, body| contract.check("GET", "/v1/results/count", &reply(status, kind, body));
    let json = "application/json";
    assert_eq!(count(200, json, r#"{"count":1}"#), Ok(()));
    for (status, kind, body) in [
        (409, json, r#"{"count":1}"#),
        (200, "text/plain", r#"{"count":1}"#),
        (200, json, r#"{"count":null}"#),
        (200, json, r#"{"count":1,"more":2}"#),
        (200, json, "{}"),
        (200, json, "{"),
        (404, "application/problem+json", "{}"),
    ] {
        assert!(count(status, kind, body).is_err(), "{status} {kind} {body}");
    }
    let mut with_cors = reply(200, json, r#"{"count":1}"#);
    with_cors.headers.push(("access-control-allow-origin".to_owned(), "*".to_owned()));
    assert!(contract.check("GET", "/v1/results/count", &with_cors).is_err());
    let mut cacheable = reply(200, json, r#"{"count":1}"#);
    cacheable.headers.retain(|(name, _)| name != "cache-control");
    assert!(contract.check("GET", "/v1/results/count", &cacheable).is_err());
}

pub const SIGN_IN: &str =
    r#"{"institution_code":"1312345678","account":"receipt","password":"secret-pass","code":"492039"}"#;

pub const CLAIM: &str = r#"{"institution_code":"1312345678","account":"receipt","password":"secret-pass"}"#;

const PASSKEY: &str = r#"{"ceremony":"ticket","credential_id":"AAAA","client_data":"e30","authenticator_data":"AAAA","signature":"AAAA","user_handle":"AAAA"}"#;

/// A body that the operation accepts.
pub fn body(operation: &Operation) -> Option<&'static str> {
    match operation.id.as_str() {
        "sign_in" => Some(SIGN_IN),
        "create_check" => Some(r#"{"method":"card_pin","terminal":"uketsuke-1","reader":"Reader 00 00"}"#),
        "enter_pin" => Some(r#"{"pin":"0123"}"#),
        "register_card_use" => Some(r#"{"consent":true,"consented_by":"legal_representative"}"#),
        "set_folder_access" => Some(r#"{"readers_need_no_mfa":true}"#),
        "set_security_settings" => Some(r#"{"visual_confirmation":false}"#),
        "begin_sign_in" => Some(CLAIM),
        "change_password" => Some(r#"{"current_password":"old-secret","new_password":"new-secret"}"#),
        "offer_totp" | "renew_recovery_codes" => Some(r#"{"password":"old-secret"}"#),
        "confirm_totp" | "enrol_terminal" => Some(r#"{"code":"492039"}"#),
        "enrol_machine" => Some(r#"{"code":"492039","csr":"-----BEGIN"}"#),
        "renew_machine" => Some(r#"{"csr":"-----BEGIN"}"#),
        "create_account" => Some(r#"{"account":"hanako","role":"operator"}"#),
        "set_account_status" => Some(r#"{"disabled":true}"#),
        "reset_account" => Some(r#"{"password":true,"totp":true}"#),
        "offer_terminal" => Some(r#"{"name":"uketsuke-1"}"#),
        "set_inquiry_number" => Some(r#"{"inquiry_number":"K-1"}"#),
        "set_inquiry_number_of_insurance" => Some(
            r#"{"inquiry_number":"K-1","insurance":{"insurer_number":"01139991","insured_identification_number":"1"}}"#,
        ),
        "begin_passkey" => Some(r#"{"password":"old-secret","code":"492039"}"#),
        "add_passkey" => {
            Some(r#"{"ceremony":"ticket","name":"tablet","client_data":"e30","attestation_object":"oA"}"#)
        }
        "sign_in_with_passkey" => Some(PASSKEY),
        "record_checklist" => Some(r#"{"done":["lock"],"terminal":"uketsuke-1"}"#),
        "record_incident" => Some(r#"{"kind":"another_person_shown","measures":["checked_again"]}"#),
        "count_search" | "search_results" => Some(r#"{"name":"資格","from":"2026-07-01"}"#),
        "set_inquiry_numbers_in_bulk" => Some(r#"{"items":[{"inquiry_number":"K-1","result":42}]}"#),
        _ => None,
    }
}

/// The operation's path with ids in it.
pub fn target(operation: &Operation) -> String {
    let numbered = ["/v1/results", "/v1/inquiry-numbers", "/v1/accounts"];
    let is_number = numbered.iter().any(|prefix| operation.path.starts_with(prefix));
    let id = if is_number { "42" } else { "c1" };
    operation.path.replace("{id}", id)
}

impl Servers {
    async fn succeed(&self, operation: &Operation, status: u16) -> Reply {
        let server = &self.ordinary;
        server.service.script(match status {
            202 => Script::Accept,
            304 => Script::Known,
            _ => Script::Answer,
        });
        let request = server.request(&operation.method, &target(operation), Some(TOKEN), body(operation));
        server.send(request).await
    }

    /// Makes an operation answer with a problem: by a request that causes it, or by letting the service report it.
    async fn provoke(&self, operation: &Operation, code: &str) -> Reply {
        let server = &self.ordinary;
        server.service.script(Script::Answer);
        let plain = server.request(&operation.method, &target(operation), Some(TOKEN), body(operation));
        match code {
            "host_not_allowed" => {
                server.send(plain.replace(&server.address.to_string(), "evil.example")).await
            }
            "origin_not_allowed" => {
                server.send(plain.replacen("\r\n", "\r\norigin: http://evil.example\r\n", 1)).await
            }
            "body_too_large" => {
                let request = server.request(&operation.method, &target(operation), Some(TOKEN), None);
                let most = Limits::default().body_bytes_of(&operation.path);
                let length = format!("\r\ncontent-length: {}\r\n", most + 1);
                server.send(request.replacen("\r\n", &length, 1)).await
            }
            "unsupported_media_type" => server.send(plain.replace("application/json", "text/plain")).await,
            "session_required" => {
                let request = server.request(&operation.method, &target(operation), None, body(operation));
                server.send(request).await
            }
            "invalid_request" => server.send(broken(server, operation)).await,
            "not_acceptable" => server.send(plain.replacen("\r\n", "\r\naccept: image/png\r\n", 1)).await,
            "client_certificate_required" => {
                let server = &self.network;
                let request = server.request(&operation.method, &target(operation), None, body(operation));
                server.send(request).await
            }
            "rate_limited" => {
                let server = &self.strict;
                let request =
                    server.request(&operation.method, &target(operation), Some(TOKEN), body(operation));
                let reply = server.send(request).await;
                assert_eq!(reply.header("retry-after"), Some("1"));
                reply
            }
            "csrf_token_invalid" => {
                let server = &self.page;
                let request = server.request_there(&operation.method, &target(operation), body(operation));
                server.send(request.replacen("x-shikaku-csrf: ", "x-shikaku-csrf: 0", 1)).await
            }
            "too_many_connections" => Raw::connect(self.full.address).await.unwrap().reply().await.unwrap(),
            "request_timeout" => {
                let server = &self.impatient;
                server.service.script(Script::Hang);
                let request =
                    server.request(&operation.method, &target(operation), Some(TOKEN), body(operation));
                server.send(request).await
            }
            "internal" => {
                server.service.script(Script::Panic);
                let reply = server.send(plain).await;
                assert!(!String::from_utf8_lossy(&reply.body).contains("CANARY"));
                reply
            }
            other => {
                server.service.script(Script::Fail(ServiceError::new(named(other)).field("some_field")));
                server.send(plain).await
            }
        }
    }
}

fn named(code: &str) -> Code {
    *Code::ALL.iter().find(|known| known.as_str() == code).unwrap()
}

/// A request that breaks the contract in body, query or path, whichever the operation has; without any of them in its head.
fn broken(server: &Server, operation: &Operation) -> String {
    if operation.id == "stream_events" {
        let request = server.request(&operation.method, &target(operation), Some(TOKEN), None);
        return request.replacen("\r\n", &format!("\r\nlast-event-id: {}\r\n", "x".repeat(65)), 1);
    }
    let (target, body) = if operation.has_body {
        (target(operation), Some("{"))
    } else if operation.has_query {
        (target(operation) + "?no_such_parameter=1", None)
    } else if operation.path.contains("{id}") {
        (operation.path.replace("{id}", "%FF"), None)
    } else {
        let request = server.request(&operation.method, &operation.path, Some(TOKEN), Some("{}"));
        let announced = "content-type: application/json\r\ncontent-length: 2\r\n";
        return request.replacen(announced, "transfer-encoding: chunked\r\n", 1);
    };
    server.request(&operation.method, &target, Some(TOKEN), body)
}
