//! The listener: slow and too many clients, a taken port, and stopping with requests open.

use std::time::Duration;

use api::limits::{BULK_PATH, Limits};
use api::serve::{BindError, bind};
use harness::contract::Contract;
use harness::raw_http::Raw;
use tokio::time::timeout;

use super::coverage::SIGN_IN;
use super::fake::{Script, Server, TOKEN};

/// Far above what the tests configure, far below the product's own limits.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_head_that_does_not_end_in_time_closes_the_connection() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(limits);
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut slow = Raw::connect(server.address).await.unwrap();
        slow.send(begun).await.unwrap();
        let sent = timeout(SOON, slow.closed()).await.expect("closed in time").unwrap();
        assert!(!sent.starts_with(b"HTTP/1.1 200"), "{begun:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_is_answered_408() {
    let limits = Limits { body_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(limits);
    let whole = server.request("POST", "/v1/sessions", None, Some(SIGN_IN));
    let reply = timeout(SOON, server.send(&whole[..whole.len() - 5])).await.expect("answered in time");
    assert_eq!((reply.status, reply.code().as_str()), (408, "request_timeout"));
    assert_eq!(server.service.calls(), 0);
}

#[tokio::test]
async fn a_bulk_whose_body_is_on_its_way_is_not_cut_off_when_the_time_of_other_requests_is_over() {
    let server = Server::start(Limits { request_timeout: Duration::ZERO, ..Limits::default() });
    let bulk = r#"{"items":[{"inquiry_number":"K-1","result":42}]}"#;
    let request = server.request("POST", BULK_PATH, Some(TOKEN), Some(bulk));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut slow = Raw::connect(server.address).await.unwrap();
    slow.send(format!("{head}\r\nexpect: 100-continue\r\n\r\n")).await.unwrap();
    // Said when the body is first waited for.
    let come = slow.until("\r\n\r\n").await.unwrap();
    assert!(come.starts_with("HTTP/1.1 100 "), "{come}");
    let cut_off = timeout(Duration::from_millis(50), slow.reply()).await;
    assert!(cut_off.is_err(), "{cut_off:?}");
    slow.send(body).await.unwrap();
    let reply = timeout(SOON, slow.reply()).await.expect("answered in time").unwrap();
    assert_eq!((reply.status, reply.json()["items"].as_i64()), (202, Some(1)));
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused_by_the_parser() {
    let server = Server::start(Limits::default());
    let padding = "x".repeat(20 * 1024);
    let large = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nx-pad: {padding}\r\n\r\n", server.address);
    assert_eq!(server.send(large).await.status, 431);
    let many = "x-many: 1\r\n".repeat(100);
    let many = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n{many}\r\n", server.address);
    assert_eq!(server.send(many).await.status, 431);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_a_closed_one_makes_room() {
    let contract = Contract::committed();
    let server = Server::start(Limits { connections: 2, ..Limits::default() });
    let alive = server.request("GET", "/healthz", None, None);
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut connection = Raw::connect(server.address).await.unwrap();
        connection.send(&alive).await.unwrap();
        assert_eq!(connection.reply().await.unwrap().status, 200);
        open.push(connection);
    }
    let reply = server.send(&alive).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "too_many_connections"));
    contract.check("GET", "/healthz", &reply).unwrap();

    // The server learns of the close in its own time: ask until it has.
    open.pop();
    let let_in = async { while server.send(&alive).await.status != 200 {} };
    timeout(SOON, let_in).await.expect("a closed connection makes room");
}

#[tokio::test]
async fn a_taken_port_is_said_plainly() {
    let server = Server::start(Limits::default());
    let error = bind(server.address).unwrap_err();
    assert!(matches!(error, BindError::InUse(address) if address == server.address));
    assert_eq!(error.to_string(), format!("{} is already in use by another program", server.address));
}

#[tokio::test]
async fn stopping_answers_an_open_long_poll_at_once() {
    let mut server = Server::start(Limits { stop_within: Duration::from_mins(1), ..Limits::default() });
    let mut poll = Raw::connect(server.address).await.unwrap();
    let target = "/v1/checks/c1?after_revision=1&wait_seconds=25";
    poll.send(server.request("GET", target, Some(TOKEN), None)).await.unwrap();
    server.service.reached(1).await;

    server.stop.cancel();
    let reply = timeout(SOON, poll.reply()).await.expect("answered in time").unwrap();
    assert_eq!((reply.status, reply.json()["revision"].as_i64()), (200, Some(1)));
    timeout(SOON, server.stopped()).await.expect("stopped in time");
    assert!(Raw::connect(server.address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut server = Server::start(Limits { stop_within: Duration::from_millis(50), ..Limits::default() });
    server.service.script(Script::Hang);
    let mut stuck = Raw::connect(server.address).await.unwrap();
    stuck.send(server.request("GET", "/v1/health", Some(TOKEN), None)).await.unwrap();
    server.service.reached(1).await;

    server.stop.cancel();
    timeout(SOON, server.stopped()).await.expect("stopped in time");
    assert_eq!(stuck.closed().await.unwrap(), b"");
}
