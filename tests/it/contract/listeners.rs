//! The table route × listener: every operation is decided, and answers where it should and nowhere else.

use std::sync::Arc;

use api::limits::Limits;
use api::listeners::{Listener, listeners_of};
use harness::contract::Contract;

use super::coverage::{body, target};
use super::fake::{Server, TOKEN};

#[test]
fn every_operation_of_the_contract_is_decided_and_published() {
    for operation in Contract::committed().operations() {
        let decided: Vec<&str> = listeners_of(&operation.id).iter().map(|listener| listener.word()).collect();
        assert!(
            !decided.is_empty(),
            "{}: decide in api/src/listeners.rs on which listeners it answers",
            operation.id
        );
        assert_eq!(operation.listeners, decided, "{}", operation.id);
    }
}

/// What no program on the network may do, whatever certificate it has; people at the page may, and enrol machines beside the data.
#[test]
fn administration_and_enrolment_are_not_on_the_network() {
    for operation in Contract::committed().operations() {
        let administers = ["/v1/accounts", "/v1/terminals", "/v1/machines/enrol"]
            .iter()
            .any(|path| operation.path.starts_with(path) && operation.path != "/v1/accounts/me/password");
        let changes_settings = operation.path.starts_with("/v1/settings") && operation.method != "GET";
        if administers || changes_settings {
            assert!(!operation.listeners.iter().any(|word| word == "lan"), "{}", operation.id);
        }
        if operation.path.starts_with("/v1/machines") {
            assert!(!operation.listeners.iter().any(|word| word == "page"), "{}", operation.id);
        }
    }
}

/// A query stands in the browser's history and in the logs of whatever lies between.
#[test]
fn nothing_on_the_page_takes_what_names_a_person_in_its_url() {
    let contract = Contract::committed();
    for operation in contract.operations() {
        if operation.listeners.iter().any(|word| word == "page") {
            let item = &contract.document()["paths"][&operation.path][operation.method.to_lowercase()];
            let parameters = item["parameters"].as_array().cloned().unwrap_or_default();
            let personal = ["name", "kana", "birthdate", "inquiry_number", "insurer_number"];
            let names =
                |parameter: &serde_json::Value| parameter["name"].as_str().unwrap_or_default().to_owned();
            for parameter in parameters.iter().map(names) {
                assert!(!personal.contains(&parameter.as_str()), "{} {parameter}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn every_operation_answers_on_exactly_the_listeners_of_the_table() {
    let contract = Contract::committed();
    for &place in Listener::ALL {
        let server = Server::at(place, |guard| guard, Limits::default());
        for operation in contract.operations() {
            let calls = server.service.calls();
            let request = server.request_there(&operation.method, &target(&operation), body(&operation));
            let reply = server.send(request).await;
            if operation.listeners.iter().any(|word| word == place.word()) {
                assert!(reply.status < 300, "{} on {place:?}: {}", operation.id, reply.status);
                contract.check(&operation.method, &target(&operation), &reply).unwrap();
            } else {
                assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{}", operation.id);
                assert_eq!(server.service.calls(), calls, "{} on {place:?}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn what_a_listener_does_not_serve_is_not_there_in_any_form() {
    let server = Server::at(Listener::Lan, |guard| guard, Limits::lan());
    for (method, target) in [
        ("GET", "/v1/accounts"),
        ("HEAD", "/v1/accounts"),
        ("GET", "/v1/accounts?x=1"),
        ("PUT", "/v1/settings/security"),
    ] {
        for token in [None, Some("wrong"), Some(TOKEN)] {
            let request = server.request(method, target, token, Some("{"));
            let mut raw = harness::raw_http::Raw::connect(server.address).await.unwrap();
            raw.send(request).await.unwrap();
            let answer = raw.first_line().await.unwrap();
            assert_eq!(answer, "HTTP/1.1 404 Not Found", "{method} {target}");
        }
    }
    assert_eq!(server.service.calls(), 0);
}

#[tokio::test]
async fn without_an_enrolled_certificate_nothing_is_answered_on_the_network() {
    let server = Server::at(Listener::Lan, |guard| guard.only_machines(Arc::new(|_| true)), Limits::lan());
    for target in ["/healthz", "/openapi.yaml", "/v1/results", "/v1/accounts", "/no/such/path"] {
        let reply = server.send(server.request("GET", target, Some(TOKEN), None)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "client_certificate_required"), "{target}");
    }
    assert_eq!(server.service.calls(), 0);
}
