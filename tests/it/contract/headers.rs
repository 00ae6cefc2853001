//! Headers: none is sent that the document does not name, and whatever a client must send has its parameter.

use api::limits::Limits;
use harness::contract::Contract;
use serde_json::json;

use super::coverage::{body, reply, target};
use super::fake::{Server, TOKEN};

#[test]
fn the_validator_refuses_headers_that_are_not_documented() {
    let contract = Contract::committed();
    let problem = |status: u16, code: &str| {
        let kind = format!("urn:shikaku-bridge:problem:{code}");
        let body = json!({
            "type": kind, "title": "t", "status": status, "code": code, "guidance": "g", "who": "vendor",
        });
        reply(status, "application/problem+json", &body.to_string())
    };
    let count = || reply(200, "application/json", r#"{"count":1}"#);
    let (limited, nowhere) = (problem(429, "rate_limited"), problem(404, "not_found"));
    let counted = "/v1/results/count";
    for (target, answer, header, value, fault) in [
        (counted, count(), "etag", "\"x\"", None),
        (counted, count(), "vary", "accept", None),
        (counted, count(), "retry-after", "5", Some("undocumented header retry-after")),
        (counted, count(), "shikaku-news", "1", Some("undocumented header shikaku-news")),
        (counted, count(), "access-control-max-age", "1", Some("a CORS header was sent")),
        (counted, limited.clone(), "retry-after", "5", None),
        (counted, limited.clone(), "retry-after", "-5", Some("header retry-after: body breaks its schema")),
        (counted, limited, "retry-after", "soon", Some("header retry-after: body breaks its schema")),
        ("/v1/nowhere", nowhere.clone(), "allow", "GET", None),
        ("/v1/nowhere", nowhere, "shikaku-news", "1", Some("header shikaku-news is on no answer of ours")),
    ] {
        let mut answer = answer;
        answer.headers.push((header.to_owned(), value.to_owned()));
        let found = contract.check("GET", target, &answer);
        let as_it_should = match (&found, fault) {
            (Ok(()), None) => true,
            (Err(found), Some(fault)) => found.contains(fault),
            _ => false,
        };
        assert!(as_it_should, "{target} {header}: {value}: {found:?}");
    }
}

#[tokio::test]
async fn a_terminals_token_can_be_sent_with_exactly_the_operations_that_read_it() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for operation in contract.operations() {
        let parameters = contract.parameters(&operation);
        let is_documented = parameters
            .iter()
            .any(|parameter| parameter["name"] == "Shikaku-Terminal" && parameter["in"] == "header");
        let request = server.request(&operation.method, &target(&operation), Some(TOKEN), body(&operation));
        let reply = server.send(request.replacen("\r\n", "\r\nshikaku-terminal: of-the-desk\r\n", 1)).await;
        assert!(reply.status < 300, "{}: {}", operation.id, reply.status);
        let read = server.service.terminal_shown();
        assert_eq!(read.as_deref(), is_documented.then_some("of-the-desk"), "{}", operation.id);
    }
}
