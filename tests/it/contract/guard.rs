//! The guard: exact Host list on every request, no foreign web page, no CORS, whatever the route.

use api::limits::Limits;
use harness::contract::Contract;
use harness::hostile::matrix::foreign_hosts;
use harness::raw_http::Reply;

use super::fake::{Server, TOKEN};

/// (method, target): known, unknown, wrong method, public and secured.
const ROUTES: &[(&str, &str)] = &[
    ("GET", "/healthz"),
    ("GET", "/openapi.yaml"),
    ("GET", "/v1/results"),
    ("POST", "/v1/sessions"),
    ("DELETE", "/v1/sessions/current"),
    ("PUT", "/healthz"),
    ("GET", "/no/such/path"),
    ("OPTIONS", "/v1/results"),
    ("OPTIONS", "*"),
];

fn request(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\n{headers}authorization: Bearer {TOKEN}\r\n\r\n")
}

/// Refused by the guard, or by hyper as no HTTP at all; never a route's answer.
fn refused(reply: &Reply, code: &str, case: &str) {
    let by_guard = reply.status == 403 && reply.code() == code;
    let by_parser = reply.status == 400 && reply.body.is_empty();
    assert!(by_guard || by_parser, "{case}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
    assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{case}");
}

#[tokio::test]
async fn only_the_listed_hosts_pass_on_any_route() {
    let server = Server::start(Limits::default());
    let port = server.address.port();
    let hosts = foreign_hosts(port);
    assert!(hosts.len() >= 60);
    for (method, target) in ROUTES {
        for host in &hosts {
            let reply = server.send(request(method, target, &format!("host: {host}\r\n"))).await;
            refused(&reply, "host_not_allowed", &format!("{method} {target} with host {host:?}"));
        }
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let reply = server.send(request(method, target, &format!("host: {host}:{port}\r\n"))).await;
            assert_ne!(reply.status, 403, "{method} {target} with host {host}");
        }
    }
}

#[tokio::test]
async fn a_host_is_named_exactly_once_and_the_target_agrees() {
    let server = Server::start(Limits::default());
    let ours = server.address.to_string();
    let port = server.address.port();
    for (case, raw) in [
        ("none", "GET /healthz HTTP/1.1\r\n\r\n".to_owned()),
        ("none in HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n".to_owned()),
        ("two", format!("GET /healthz HTTP/1.1\r\nhost: {ours}\r\nhost: {ours}\r\n\r\n")),
        ("two, one foreign", format!("GET /healthz HTTP/1.1\r\nhost: {ours}\r\nhost: evil.example\r\n\r\n")),
        ("foreign first", format!("GET /healthz HTTP/1.1\r\nhost: evil.example\r\nhost: {ours}\r\n\r\n")),
        ("foreign target", format!("GET http://evil.example/healthz HTTP/1.1\r\nhost: {ours}\r\n\r\n")),
        ("other name", format!("GET http://localhost:{port}/healthz HTTP/1.1\r\nhost: {ours}\r\n\r\n")),
        ("foreign both", "GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_owned()),
        (
            "proxy names",
            format!("GET /healthz HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: {ours}\r\n\r\n"),
        ),
        ("tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n".to_owned()),
    ] {
        refused(&server.send(raw).await, "host_not_allowed", case);
    }
    let absolute = format!("GET http://{ours}/healthz HTTP/1.1\r\nhost: {ours}\r\n\r\n");
    assert_eq!(server.send(absolute).await.status, 200);
}

#[tokio::test]
async fn no_foreign_web_page_is_served_and_no_cors_header_is_ever_sent() {
    let server = Server::start(Limits::default());
    let ours = server.address.to_string();
    for (method, target) in ROUTES {
        for header in [
            "origin: http://evil.example".to_owned(),
            "origin: null".to_owned(),
            "origin:".to_owned(),
            format!("origin: http://{ours}"),
            format!("origin: http://{ours}\r\norigin: http://evil.example"),
            "sec-fetch-site: cross-site".to_owned(),
            "sec-fetch-site: same-site".to_owned(),
            "sec-fetch-site: future-value".to_owned(),
            "sec-fetch-site: none\r\nsec-fetch-site: cross-site".to_owned(),
            "origin: http://evil.example\r\naccess-control-request-method: PUT\r\n\
             access-control-request-private-network: true"
                .to_owned(),
        ] {
            let reply = server.send(request(method, target, &format!("host: {ours}\r\n{header}\r\n"))).await;
            refused(&reply, "origin_not_allowed", &format!("{method} {target} with {header}"));
        }
    }
    for site in ["none", "same-origin"] {
        let headers = format!("host: {ours}\r\nsec-fetch-site: {site}\r\n");
        assert_eq!(server.send(request("GET", "/healthz", &headers)).await.status, 200);
    }
    assert_eq!(server.service.calls(), 0, "nothing behind the guard was called");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_with_every_security_header() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    let ours = server.address.to_string();
    for (method, target, status, code) in [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/results/", 404, "not_found"),
        ("GET", "/v1//results", 404, "not_found"),
        ("GET", "/../etc/passwd", 404, "not_found"),
        ("GET", "/V1/RESULTS", 404, "not_found"),
        ("PUT", "/v1/results", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/results", 405, "method_not_allowed"),
        ("TRACE", "/healthz", 405, "method_not_allowed"),
        ("PUT", "/v1/sessions", 405, "method_not_allowed"),
    ] {
        let reply = server.send(request(method, target, &format!("host: {ours}\r\n"))).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{method} {target}");
        assert_eq!(reply.header("allow").is_some(), status == 405, "{method} {target}");
        contract.check(method, target, &reply).unwrap();
    }
}
