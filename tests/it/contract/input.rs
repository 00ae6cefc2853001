//! Bad input: refused with the field's name, never with its value, and never seen by the service.

use api::limits::Limits;
use harness::contract::Contract;
use harness::hostile::{bad_input, shapes};
use harness::raw_http::{Raw, Reply};

use super::coverage::{CLAIM, SIGN_IN};
use super::fake::{Server, TOKEN};

/// Stands for what must not be repeated.
const CANARY: &str = "CANARY4711";

fn assert_invalid(reply: &Reply, field: Option<&str>, case: &str) {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_request"), "{case}: {text}");
    assert_eq!(reply.json()["field"].as_str(), field, "{case}: {text}");
    assert!(!text.contains(CANARY) && !text.contains("4711"), "{case}: {text}");
}

#[tokio::test]
async fn a_broken_body_is_refused_with_the_name_of_its_field() {
    let (sessions, search) = ("/v1/sessions", "/v1/results/search");
    let begin = "/v1/sessions/begin";
    let checks = "/v1/checks";
    let pin = "/v1/checks/c1/pin";
    let consent = "/v1/checks/c1/card-use-registration";
    refused([
        ("POST", sessions, format!("{{\"password\":\"{CANARY}\""), None),
        ("POST", sessions, String::new(), None),
        ("POST", sessions, "[]".to_owned(), None),
        ("POST", sessions, format!("[\"1312345678\",\"receipt\",\"{CANARY}\",\"492039\"]"), None),
        ("POST", sessions, format!("\"{CANARY}\""), None),
        ("POST", sessions, format!("{SIGN_IN} {CANARY}"), None),
        ("POST", sessions, SIGN_IN.replace("\"secret-pass\"", "4711"), Some("password")),
        ("POST", sessions, SIGN_IN.replace("\"secret-pass\"", &format!("[\"{CANARY}\"]")), Some("password")),
        ("POST", sessions, SIGN_IN.replace("\"492039\"", "4711"), Some("code")),
        (
            "POST",
            sessions,
            SIGN_IN.replace("\"institution_code\":\"1312345678\",", ""),
            Some("institution_code"),
        ),
        ("POST", sessions, SIGN_IN.replace(",\"password\":\"secret-pass\"", ""), Some("password")),
        ("POST", sessions, SIGN_IN.replace('}', ",\"ticket\":\"t\"}"), Some("institution_code")),
        ("POST", sessions, SIGN_IN.replace('}', ",\"recovery_code\":\"r\"}"), Some("recovery_code")),
        ("POST", sessions, "{\"ticket\":\"\"}".to_owned(), Some("ticket")),
        ("POST", sessions, "{\"ticket\":\"t\",\"code\":\"\"}".to_owned(), Some("code")),
        ("POST", begin, SIGN_IN.to_owned(), Some("code")),
        ("POST", begin, CLAIM.replace("secret-pass", ""), Some("password")),
        (
            "PUT",
            "/v1/accounts/me/password",
            "{\"current_password\":\"4711\"}".to_owned(),
            Some("new_password"),
        ),
        ("POST", "/v1/accounts", "{\"account\":\"\",\"role\":\"operator\"}".to_owned(), Some("account")),
        ("POST", "/v1/accounts", format!("{{\"account\":\"a\",\"role\":\"{CANARY}\"}}"), Some("role")),
        ("POST", "/v1/accounts/1/reset", "{}".to_owned(), Some("password")),
        ("POST", "/v1/terminals/enrol", format!("{{\"code\":[\"{CANARY}\"]}}"), Some("code")),
        (
            "POST",
            "/v1/machines/enrol",
            format!("{{\"code\":\"c\",\"csr\":\"{}\"}}", CANARY.repeat(410)),
            Some("csr"),
        ),
        ("POST", "/v1/machines/enrol", format!("{{\"csr\":\"{CANARY}\"}}"), Some("code")),
        ("POST", "/v1/machines/renew", "{\"csr\":\"\"}".to_owned(), Some("csr")),
        ("POST", search, format!("{{\"name\":[\"{CANARY}\"]}}"), Some("name")),
        ("POST", search, format!("{{\"name\":\"{}\"}}", CANARY.repeat(11)), Some("name")),
        ("POST", search, "{\"kana\":\"\"}".to_owned(), Some("kana")),
        ("POST", search, format!("{{\"birthdate\":\"{CANARY}\"}}"), Some("birthdate")),
        ("POST", search, format!("{{\"insurer_number\":\"{CANARY}\"}}"), Some("insurer_number")),
        ("POST", search, format!("{{\"fields\":[\"{CANARY}\"]}}"), Some("fields")),
        ("POST", search, "{\"fields\":[]}".to_owned(), Some("fields")),
        ("POST", search, format!("{{\"address\":\"{CANARY}\"}}"), Some("address")),
        ("POST", search, "{\"limit\":4711}".to_owned(), Some("limit")),
        ("POST", sessions, SIGN_IN.replace("\"code\"", "\"password\""), Some("password")),
        ("POST", sessions, SIGN_IN.replace("\"receipt\"", "\"\""), Some("account")),
        ("POST", sessions, SIGN_IN.replace("receipt", &CANARY.repeat(7)), Some("account")),
        ("POST", sessions, SIGN_IN.replace('}', &format!(",\"extra\":\"{CANARY}\"}}")), Some("extra")),
        ("POST", sessions, SIGN_IN.replace('}', ",\"山田 太郎\":1}"), None),
        ("POST", sessions, "[".repeat(5000), None),
        ("POST", sessions, "{\"code\":".repeat(5000), Some("code")),
        ("POST", checks, "{}".to_owned(), Some("method")),
        ("POST", checks, format!("{{\"method\":\"{CANARY}\"}}"), Some("method")),
        ("POST", checks, "{\"method\":\"visual\",\"terminal\":4711}".to_owned(), Some("terminal")),
        ("POST", checks, "{\"method\":\"visual\",\"reader\":\"\"}".to_owned(), Some("reader")),
        ("PUT", pin, "{\"pin\":4711}".to_owned(), Some("pin")),
        ("PUT", pin, "{\"pin\":null}".to_owned(), Some("pin")),
        ("PUT", pin, format!("{{\"pin\":\"0123\",\"pim\":\"{CANARY}\"}}"), Some("pim")),
        ("POST", consent, "{}".to_owned(), Some("consent")),
        ("POST", consent, "{\"consent\":4711}".to_owned(), Some("consent")),
        ("POST", consent, "{\"consent\":null}".to_owned(), Some("consent")),
        (
            "POST",
            consent,
            format!("{{\"consent\":true,\"consented_by\":\"{CANARY}\"}}"),
            Some("consented_by"),
        ),
        ("POST", consent, format!("{{\"consent\":true,\"by\":\"{CANARY}\"}}"), Some("by")),
    ])
    .await;
}

#[tokio::test]
async fn a_broken_inquiry_number_is_refused_with_the_name_of_its_field() {
    let number = "/v1/results/42/inquiry-number";
    let numbers = "/v1/inquiry-numbers";
    let bulk = "/v1/inquiry-numbers/bulk";
    let insurance = r#"{"insurer_number":"1","insured_identification_number":"1"}"#;
    refused([
        ("PUT", number, "{\"inquiry_number\":4711}".to_owned(), Some("inquiry_number")),
        ("PUT", number, "{\"inquiry_number\":\"\u{0}\"}".to_owned(), None),
        ("PUT", numbers, "{\"inquiry_number\":\"K\"}".to_owned(), Some("insurance")),
        ("PUT", numbers, "{\"inquiry_number\":\"K\",\"insurance\":4711}".to_owned(), Some("insurance")),
        (
            "PUT",
            numbers,
            format!("{{\"inquiry_number\":\"K\",\"insurance\":{}}}", insurance.replace("\"1\"", "4711")),
            Some("insurance.insurer_number"),
        ),
        (
            "PUT",
            numbers,
            format!("{{\"inquiry_number\":\"K\",\"insurance\":{insurance},\"name\":\"{CANARY}\"}}"),
            Some("name"),
        ),
        ("POST", bulk, "{}".to_owned(), Some("items")),
        ("POST", bulk, "{\"items\":[]}".to_owned(), Some("items")),
        ("POST", bulk, "{\"items\":[{\"inquiry_number\":4711}]}".to_owned(), Some("items[0].inquiry_number")),
        (
            "POST",
            bulk,
            format!("{{\"items\":[{}]}}", vec!["{\"inquiry_number\":\"K\",\"result\":1}"; 10_001].join(",")),
            Some("items"),
        ),
    ])
    .await;
}

/// Sends each (method, target, body) and expects it to be refused for that field, before the service hears of it.
async fn refused<const N: usize>(cases: [(&str, &str, String, Option<&str>); N]) {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for (method, target, body, field) in cases {
        let reply = server.send(server.request(method, target, Some(TOKEN), Some(&body))).await;
        assert_invalid(&reply, field, &format!("{method} {target} {body:.60}"));
        contract.check(method, target, &reply).unwrap();
    }
    assert_eq!(server.service.calls(), 0);
}

#[tokio::test]
async fn a_broken_query_or_path_is_refused_with_the_name_of_its_field() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for (target, field) in [
        ("/v1/results?limit=0", Some("limit")),
        ("/v1/results?limit=201", Some("limit")),
        ("/v1/results?limit=-1", Some("limit")),
        ("/v1/results?limit=CANARY4711", Some("limit")),
        ("/v1/results?limit=1&limit=2", Some("limit")),
        ("/v1/results?from=CANARY4711", Some("from")),
        ("/v1/results?from=2026-7-1", Some("from")),
        ("/v1/results?to=20260701", Some("to")),
        ("/v1/results?validity=CANARY4711", Some("validity")),
        ("/v1/results?validity=not_found", Some("validity")),
        ("/v1/results?terminal=", Some("terminal")),
        ("/v1/results?name=CANARY4711", Some("name")),
        ("/v1/results?%E6%B0%8F%E5%90%8D=CANARY4711", None),
        ("/v1/results?fields=", Some("fields")),
        ("/v1/results?fields=id,CANARY4711", Some("fields")),
        ("/v1/results?fields=eligibilities.CANARY4711", Some("fields")),
        ("/v1/results/42?fields=validity.code", Some("fields")),
        ("/v1/results/changes?wait=61", Some("wait")),
        ("/v1/results/changes?wait=-1", Some("wait")),
        ("/v1/results/changes?cursor=CANARY4711&from_start=true", Some("from_start")),
        ("/v1/results/changes?cursor=", Some("cursor")),
        ("/v1/results/export?limit=1001", Some("limit")),
        ("/v1/results/export?after_id=0", Some("after_id")),
        ("/v1/results/export?after_id=1&cursor=CANARY4711", Some("after_id")),
        ("/v1/results/export?format=CANARY4711", Some("format")),
        ("/v1/results/export?name=CANARY4711", Some("name")),
        ("/v1/sessions?scope=CANARY4711", Some("scope")),
        ("/v1/sessions?who=CANARY4711", Some("who")),
        ("/v1/results/count?cursor=CANARY4711", Some("cursor")),
        ("/v1/results/CANARY4711", Some("id")),
        ("/v1/results/1.5", Some("id")),
        ("/v1/results/9223372036854775808", Some("id")),
        ("/v1/results/%FF", Some("id")),
        ("/v1/checks/%FF", Some("id")),
        ("/v1/inquiry-numbers?state=CANARY4711", Some("state")),
        ("/v1/inquiry-numbers?before=0", Some("before")),
        ("/v1/inquiry-numbers?limit=501", Some("limit")),
        ("/v1/audit?after=-1", Some("after")),
        ("/v1/audit?limit=0", Some("limit")),
        ("/v1/audit?from=CANARY4711", Some("from")),
        ("/v1/audit?to=2026-7-1", Some("to")),
        ("/v1/audit?actor=CANARY4711", Some("actor")),
        ("/v1/inquiry-numbers/CANARY4711", Some("id")),
        ("/v1/inquiry-numbers/bulk/CANARY4711", Some("id")),
        ("/v1/inquiry-numbers/bulk/3?limit=1001", Some("limit")),
        ("/v1/inquiry-numbers/bulk/3?position=10001", Some("position")),
        ("/v1/inquiry-numbers/bulk/3?cursor=CANARY4711", Some("cursor")),
        ("/v1/checks/c1?wait_seconds=26", Some("wait_seconds")),
        ("/v1/checks/c1?wait_seconds=-1", Some("wait_seconds")),
        ("/v1/checks/c1?after_revision=-1", Some("after_revision")),
        ("/v1/checks/c1?after_revision=x", Some("after_revision")),
    ] {
        let reply = server.send(server.request("GET", target, Some(TOKEN), None)).await;
        assert_invalid(&reply, field, target);
        contract.check("GET", target, &reply).unwrap();
    }
    assert_eq!(server.service.calls(), 0);
}

#[tokio::test]
async fn good_queries_reach_the_service() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    for target in [
        "/v1/results?from=2026-07-01&to=2026-07-31&terminal=uketsuke-1&validity=invalid_new_exists&limit=200",
        "/v1/results?cursor=abc&limit=1",
        "/v1/results/count?from=2026-07-01&validity=valid",
        "/v1/checks/c1?wait_seconds=25",
        "/v1/results/-1",
    ] {
        let reply = server.send(server.request("GET", target, Some(TOKEN), None)).await;
        assert_eq!(reply.status, 200, "{target}");
        contract.check("GET", target, &reply).unwrap();
    }
    assert_eq!(server.service.calls(), 5);
}

#[tokio::test]
async fn only_json_in_utf_8_is_a_body() {
    let server = Server::start(Limits::default());
    let request = server.request("POST", "/v1/sessions", None, Some(SIGN_IN));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=shift_jis",
        "application/problem+json",
        "",
    ] {
        let reply = server.send(request.replace("application/json", kind)).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "unsupported_media_type"), "{kind:?}");
    }
    let reply = server.send(request.replace("content-type: application/json\r\n", "")).await;
    assert_eq!(reply.status, 415);
    assert_eq!(server.service.calls(), 0);
    for kind in ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        assert_eq!(server.send(request.replace("application/json", kind)).await.status, 201, "{kind}");
    }
}

#[tokio::test]
async fn a_bulk_may_be_larger_than_any_other_body() {
    let contract = Contract::committed();
    let server = Server::start(Limits::default());
    let item = format!("{{\"inquiry_number\":\"{}\",\"result\":1}}", "あ".repeat(50));
    let body = format!("{{\"items\":[{}]}}", vec![item; 10_000].join(","));
    assert!(body.len() > 1024 * 1024);
    let bulk = "/v1/inquiry-numbers/bulk";
    let reply = server.send(server.request("POST", bulk, Some(TOKEN), Some(&body))).await;
    assert_eq!((reply.status, &reply.json()["items"]), (202, &serde_json::json!(10_000)));
    contract.check("POST", bulk, &reply).unwrap();
    let reply = server.send(server.request("PUT", "/v1/inquiry-numbers", Some(TOKEN), Some(&body))).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let server = Server::start(Limits { body_bytes: 1024, ..Limits::default() });
    let largest = format!("{SIGN_IN:<1024}");
    assert_eq!(server.send(server.request("POST", "/v1/sessions", None, Some(&largest))).await.status, 201);
    let reply = server.send(server.request("POST", "/v1/sessions", None, Some(&format!("{largest} ")))).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    let chunked = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         400\r\n{largest}\r\n1\r\n \r\n0\r\n\r\n",
        server.address
    );
    let reply = server.send(chunked).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    assert_eq!(server.service.calls(), 1);
}

#[tokio::test]
async fn whatever_the_document_rules_out_is_refused_with_the_name_of_its_field() {
    let contract = Contract::committed();
    let server = Server::start(Limits { requests_per_second: 1_000_000, ..Limits::default() });
    let cases = bad_input::cases(&contract);
    assert!(cases.len() > 500, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let method = &case.operation.method;
        let body = case.body.unwrap_or_default();
        let head = server.request(method, &case.target, Some(TOKEN), None);
        let content = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let head = head.strip_suffix("\r\n").unwrap().to_owned() + &content;
        let reply = server.send([head.as_bytes(), &body].concat()).await;
        contract.check(method, &case.target, &reply).unwrap();
        let problem = reply.json();
        let says = problem["detail"].as_str().is_some_and(|detail| detail.contains(['が', 'を', 'に', 'は']));
        let named = problem["field"].as_str() == case.field.as_deref();
        if !matches!(reply.status, 400 | 422) || !named || !says {
            let (id, what, field) = (&case.operation.id, &case.what, &case.field);
            wrong.push(format!("{id} {} ({what}, {field:?}): {} {problem}", case.target, reply.status));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(server.service.calls(), 0, "the service heard of none");
}

#[tokio::test]
async fn every_shape_that_smuggles_is_refused() {
    let server = Server::start(Limits::default());
    for shape in shapes::refused() {
        let mut raw = Raw::connect(server.address).await.unwrap();
        raw.send(shape.bytes.replace("{host}", &server.address.to_string())).await.unwrap();
        let answers = String::from_utf8_lossy(&raw.answered().await.unwrap()).into_owned();
        assert!(!answers.contains("HTTP/1.1 2"), "{}: {answers}", shape.name);
    }
    assert_eq!(server.service.calls(), 0, "the service heard of none");
}

#[tokio::test]
async fn nothing_that_follows_a_chunked_body_is_taken_for_a_request() {
    let server = Server::start(Limits::default());
    for shape in shapes::last_of_their_connection() {
        let mut raw = Raw::connect(server.address).await.unwrap();
        raw.send(shape.bytes.replace("{host}", &server.address.to_string())).await.unwrap();
        let answers = String::from_utf8_lossy(&raw.closed().await.unwrap()).into_owned();
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{}: {answers}", shape.name);
    }
}
