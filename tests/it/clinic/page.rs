//! The front-desk page's listener: a session that is a cookie and nothing else, requests that only the page itself can make, names and
//! addresses, and how a browser comes to trust the daemon.

use std::path::Path;
use std::sync::Arc;

use daemon::app::ports::Role;
use daemon::config::PageSection;
use daemon::control::{Command, Reply};
use harness::clinic::{Browser, OpenClinic, Plan, client_tls};
use harness::raw_http::Raw;
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const SESSION: &str = "__Host-shikaku-session";
const CSRF: &str = "__Host-shikaku-csrf";
const TERMINAL: &str = "__Host-shikaku-terminal";

fn on_loopback() -> PageSection {
    PageSection::new("127.0.0.1:0".parse().expect("an address"))
}

fn named(hosts: &[&str]) -> PageSection {
    let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
    PageSection { hosts, ..on_loopback() }
}

async fn open(page: PageSection) -> OpenClinic {
    let open = OpenClinic::with(|plan: &mut Plan| {
        plan.page = Some(page);
        plan.accounts.extend([("uketsuke", Role::Operator), ("kanri", Role::Administrator)]);
    })
    .await;
    open.clock.advance(SignedDuration::from_secs(60));
    open
}

async fn signed_in(open: &OpenClinic, account: &str) -> Browser {
    let mut browser = open.clinic.browser();
    let reply = browser.sign_in(&open.clinic.credentials(account)).await;
    assert_eq!(reply.status, 201, "{}", reply.code());
    browser
}

async fn tls(open: &OpenClinic) -> Arc<ClientConfig> {
    client_tls(&open.clinic.authority().await, None, open.clock.clone())
}

fn line(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn the_session_of_the_page_is_a_cookie_that_scripts_cannot_read_and_works_nowhere_else() {
    let open = open(on_loopback()).await;
    let mut browser = open.clinic.browser();
    let reply = browser.sign_in(&open.clinic.credentials("uketsuke")).await;
    assert_eq!((reply.status, reply.json()["token"].clone()), (201, Value::Null));
    assert_eq!(reply.json()["idle_timeout_s"], 15 * 60);
    let (session, csrf) =
        (browser.cookie(SESSION).expect("a session"), browser.cookie(CSRF).expect("a token"));
    assert!(session.len() >= 43 && !csrf.contains(session));
    let session = session.to_owned();
    assert_eq!(browser.call("GET", "/v1/sessions/current", None).await.json()["account"], "uketsuke");
    // Not as a bearer token, here or elsewhere, and no bearer token of elsewhere as a cookie.
    let mut thief = open.clinic.visitor();
    thief.set_token(Some(&session));
    assert_eq!(thief.get("/v1/sessions/current").await.code(), "session_required");
    let bearer = line("Authorization", &format!("Bearer {}", open.visitor.token().expect("a token")));
    let mut stranger = open.clinic.browser();
    let refused = stranger.ask("GET", "/v1/sessions/current", std::slice::from_ref(&bearer), None).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "session_required"));
    assert_eq!(
        browser.ask("GET", "/v1/sessions/current", &[bearer], None).await.status,
        401,
        "refused beside a cookie"
    );
    stranger.set_cookie(SESSION, open.visitor.token());
    assert_eq!(stranger.call("GET", "/v1/sessions/current", None).await.code(), "session_required");
    // Nor does a cookie open the API.
    let api = open.clinic.api;
    let request =
        format!("GET /v1/sessions/current HTTP/1.1\r\nhost: {api}\r\ncookie: {SESSION}={session}\r\n\r\n");
    let mut raw = Raw::connect(api).await.expect("a connection");
    raw.send(request).await.expect("sent");
    assert_eq!(raw.reply().await.expect("an answer").code(), "session_required");
    // Signing out ends it and takes the cookies away.
    assert_eq!(browser.call("DELETE", "/v1/sessions/current", None).await.status, 204);
    assert_eq!((browser.cookie(SESSION), browser.cookie(CSRF)), (None, None));
    browser.set_cookie(SESSION, Some(&session));
    assert_eq!(browser.call("GET", "/v1/sessions/current", None).await.code(), "session_required");
}

#[tokio::test]
async fn a_planted_session_is_not_taken_over_at_sign_in() {
    let open = open(on_loopback()).await;
    let attacker = signed_in(&open, "kanri").await;
    let planted = attacker.cookie(SESSION).expect("a session").to_owned();
    let mut browser = open.clinic.browser();
    browser.set_cookie(SESSION, Some(&planted));
    browser.set_cookie(CSRF, attacker.cookie(CSRF));
    assert_eq!(browser.sign_in(&open.clinic.credentials("uketsuke")).await.status, 201);
    assert_ne!(browser.cookie(SESSION), Some(planted.as_str()));
    let mut attacker = attacker;
    assert_eq!(
        attacker.call("GET", "/v1/sessions/current", None).await.code(),
        "session_required",
        "it ended"
    );
}

#[tokio::test]
async fn nothing_changes_without_the_token_of_the_session() {
    let open = open(on_loopback()).await;
    let mut browser = signed_in(&open, "kanri").await;
    let other = signed_in(&open, "uketsuke").await;
    let body = json!({ "name": "uketsuke-2" });
    let own = browser.own_headers("POST");
    let with = |token: Option<&str>| {
        let mut headers: Vec<_> = own.iter().filter(|(name, _)| name != "X-Shikaku-CSRF").cloned().collect();
        headers.extend(token.map(|token| line("X-Shikaku-CSRF", token)));
        headers
    };
    let session = browser.cookie(SESSION).expect("a session").to_owned();
    for token in [None, Some(""), Some("0"), Some(session.as_str()), other.cookie(CSRF)] {
        let reply = browser.ask("POST", "/v1/terminals/enrolment-codes", &with(token), Some(&body)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "csrf_token_invalid"), "{token:?}");
    }
    // A form of the same browser has no such header at all, not even for a sign-in.
    let credentials = open.clinic.credentials("uketsuke").body("000000");
    let reply = open.clinic.browser().ask("POST", "/v1/sessions", &with(None), Some(&credentials)).await;
    assert_eq!(reply.code(), "csrf_token_invalid");
    let reply = browser.call("POST", "/v1/terminals/enrolment-codes", Some(&body)).await;
    assert_eq!(reply.status, 201, "{}", reply.code());
}

#[tokio::test]
async fn a_browser_that_lost_one_of_its_cookies_can_sign_in_again() {
    let open = open(on_loopback()).await;
    let mut browser = signed_in(&open, "uketsuke").await;
    browser.set_cookie(CSRF, None);
    open.clock.advance(SignedDuration::from_secs(30));
    let credentials = open.clinic.credentials("uketsuke");
    assert_eq!(browser.sign_in(&credentials).await.code(), "csrf_token_invalid");
    assert_eq!(browser.sign_in(&credentials).await.status, 201);
}

/// What foreign pages can make a browser send, and what it says about them.
#[tokio::test]
async fn the_matrix_of_hosts_and_origins_lets_only_the_page_itself_through() {
    let open = open(on_loopback()).await;
    let browser = signed_in(&open, "kanri").await;
    let port = open.clinic.page.expect("the page").port();
    let ours = browser.origin.clone();
    let good = browser.own_headers("POST");
    let token = good.iter().find(|(name, _)| name == "X-Shikaku-CSRF").cloned().expect("a token");
    let body = json!({ "name": "uketsuke-2" });
    let foreign = [
        "null",
        "",
        "http://evil.example",
        "https://localhost",
        &format!("http://127.0.0.1:{port}"),
        &format!("https://localhost:{port}"),
        &format!("http://localhost:{}", open.clinic.api.port()),
    ];
    let mut cells = 0;
    for site in ["same-origin", "none", "same-site", "cross-site", "future", ""] {
        for origin in foreign.iter().copied().map(Some).chain([Some(ours.as_str()), None]) {
            for double in [false, true] {
                let mut headers = vec![line("Sec-Fetch-Site", site), token.clone()];
                headers.extend(origin.map(|origin| line("Origin", origin)));
                if double {
                    headers.push(line("Origin", "http://evil.example"));
                }
                for (method, target) in [
                    ("POST", "/v1/terminals/enrolment-codes"),
                    ("GET", "/v1/sessions/current"),
                    ("GET", "/"),
                    ("GET", "/trust"),
                ] {
                    let body = Some(&body).filter(|_| method == "POST");
                    let reply = browser.ask(method, target, &headers, body).await;
                    let allowed = ["same-origin", "none"].contains(&site)
                        && origin.is_none_or(|origin| origin == ours)
                        && !double;
                    let case = format!("{method} {target} {site} {origin:?} {double}");
                    assert_eq!(reply.status < 300, allowed, "{case}: {}", reply.status);
                    assert!(allowed || reply.code() == "origin_not_allowed", "{case}: {}", reply.code());
                    assert!(
                        !reply.headers.iter().any(|(name, _)| name.starts_with("access-control-")),
                        "{case}"
                    );
                    cells += 1;
                }
            }
        }
    }
    assert!(cells > 400, "{cells}");
    for host in harness::hostile::matrix::foreign_hosts(port) {
        for target in ["/", "/v1/sessions/current", "/healthz", "/trust", "/no/such/path"] {
            let mut raw = Raw::connect(open.clinic.page.expect("the page")).await.expect("a connection");
            let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            raw.send(request).await.expect("sent");
            let Ok(reply) = raw.reply().await else { continue };
            assert!([400, 403].contains(&reply.status), "{host} {target}: {}", reply.status);
        }
    }
}

#[tokio::test]
async fn a_link_from_anywhere_leads_to_the_page_and_to_nothing_that_tells_or_changes_something() {
    let open = open(on_loopback()).await;
    let browser = signed_in(&open, "kanri").await;
    for site in ["cross-site", "same-site"] {
        let follow = |mode: &str, dest: &str| {
            vec![line("Sec-Fetch-Site", site), line("Sec-Fetch-Mode", mode), line("Sec-Fetch-Dest", dest)]
        };
        for entrance in ["/", "/trust"] {
            let reply = browser.ask("GET", entrance, &follow("navigate", "document"), None).await;
            assert_eq!(reply.status, 200, "{entrance}");
            for (mode, dest) in
                [("navigate", "iframe"), ("no-cors", "script"), ("cors", "empty"), ("navigate", "object")]
            {
                let reply = browser.ask("GET", entrance, &follow(mode, dest), None).await;
                assert_eq!(reply.code(), "origin_not_allowed", "{entrance} {mode} {dest}");
            }
            let mut posted = follow("navigate", "document");
            posted.push(line("Origin", "http://evil.example"));
            assert_eq!(browser.ask("POST", entrance, &posted, None).await.code(), "origin_not_allowed");
        }
        for inside in
            ["/v1/sessions/current", "/v1/accounts", "/healthz", "/assets/x.js", "/trust/shikaku-ca.crt"]
        {
            let reply = browser.ask("GET", inside, &follow("navigate", "document"), None).await;
            assert_eq!(reply.code(), "origin_not_allowed", "{inside}");
        }
    }
}

#[tokio::test]
async fn a_page_that_nobody_touches_is_signed_out_after_a_quarter_of_an_hour() {
    let open = open(on_loopback()).await;
    let mut browser = signed_in(&open, "uketsuke").await;
    for _ in 0..5 {
        open.clock.advance(SignedDuration::from_mins(14));
        assert_eq!(browser.call("GET", "/v1/sessions/current", None).await.status, 200);
    }
    open.clock.advance(SignedDuration::from_mins(15));
    assert_eq!(browser.call("GET", "/v1/sessions/current", None).await.code(), "session_required");
    let mut brisk = self::open(PageSection { idle_minutes: 2, ..on_loopback() }).await;
    let mut browser = signed_in(&brisk, "uketsuke").await;
    assert_eq!(browser.call("GET", "/v1/sessions/current", None).await.json()["idle_timeout_s"], 120);
    brisk.clinic.restart().await.expect("it starts again");
    brisk.clock.advance(SignedDuration::from_mins(2));
    // The port is another one after the restart, the cookies are the same.
    let mut again = brisk.clinic.browser();
    again.set_cookie(SESSION, browser.cookie(SESSION));
    assert_eq!(again.call("GET", "/v1/sessions/current", None).await.code(), "session_required");
}

#[tokio::test]
async fn a_terminal_is_known_by_its_cookie_and_the_session_works_only_there() {
    let open = open(on_loopback()).await;
    let mut administrator = signed_in(&open, "kanri").await;
    let body = json!({ "name": "uketsuke-2" });
    let code = administrator.call("POST", "/v1/terminals/enrolment-codes", Some(&body)).await.json();
    let mut desk = open.clinic.browser();
    let enrolled = desk.call("POST", "/v1/terminals/enrol", Some(&json!({ "code": code["code"] }))).await;
    assert_eq!(
        (enrolled.status, enrolled.json()),
        (201, json!({ "name": "uketsuke-2" })),
        "no token for scripts"
    );
    assert!(desk.cookie(TERMINAL).is_some());
    assert_eq!(desk.sign_in(&open.clinic.credentials("uketsuke")).await.status, 201);
    let mut elsewhere = open.clinic.browser();
    elsewhere.set_cookie(SESSION, desk.cookie(SESSION));
    assert_eq!(elsewhere.call("GET", "/v1/sessions/current", None).await.code(), "session_required");
    assert_eq!(desk.call("GET", "/v1/sessions/current", None).await.status, 200);
    assert_eq!(administrator.call("DELETE", "/v1/terminals/uketsuke-2", None).await.status, 204);
    assert_eq!(desk.call("GET", "/v1/sessions/current", None).await.code(), "session_required");
}

#[tokio::test]
async fn the_page_comes_from_the_program_with_a_policy_that_lets_nothing_else_in() {
    let open = open(on_loopback()).await;
    let mut browser = open.clinic.browser();
    let page = browser.call("GET", "/", None).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").expect("a policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy.split("; ").any(|one| one == part), "{part}: {policy}");
    }
    let html = String::from_utf8(page.body).expect("text");
    let assets: Vec<&str> =
        html.split('"').filter(|part| part.starts_with("/assets/") || *part == "/favicon.ico").collect();
    assert!(assets.len() >= 3, "{html}");
    for asset in assets {
        let reply = browser.call("GET", asset, None).await;
        assert_eq!(reply.status, 200, "{asset}");
        let cache = if asset.starts_with("/assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "public, max-age=86400"
        };
        assert_eq!(reply.header("cache-control"), Some(cache), "{asset}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let packed = browser.ask("GET", asset, &[line("Accept-Encoding", "gzip")], None).await;
        assert!(packed.header("content-encoding") == Some("gzip") || reply.body.len() < 256, "{asset}");
    }
    for absent in [
        "/assets/",
        "/assets/../index.html",
        "/assets/%2e%2e/index.html",
        "/index.html",
        "/src/main.ts",
        "/assets/x.map",
    ] {
        assert_eq!(browser.call("GET", absent, None).await.code(), "not_found", "{absent}");
    }
    let mut visitor = open.clinic.visitor();
    visitor.set_token(None);
    let mut raw = Raw::connect(open.clinic.api).await.expect("a connection");
    raw.send(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", open.clinic.api)).await.expect("sent");
    assert_eq!(raw.reply().await.expect("an answer").status, 404, "the API's listener has no page");
}

#[tokio::test]
async fn who_comes_by_an_address_gets_an_explanation_and_nothing_else() {
    let open = open(named(&["uketsuke.local", "127.0.0.1"])).await;
    let browser = open.clinic.browser().trusting(tls(&open).await);
    let port = open.clinic.page.expect("the page").port();
    let mut by_address = browser.clone();
    by_address.origin = format!("https://127.0.0.1:{port}");
    let told = by_address.call("GET", "/", None).await;
    let text = String::from_utf8(told.body).expect("text");
    assert!(told.status == 200 && text.contains(&format!("https://uketsuke.local:{port}/")), "{text}");
    assert!(!text.contains("<script"));
    assert_eq!(by_address.call("GET", "/trust", None).await.status, 200);
    for target in ["/v1/sessions/current", "/healthz", "/assets/index.js"] {
        let reply = by_address.ask("GET", target, &[], None).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "host_not_allowed"), "{target}");
    }
    let body = open.clinic.credentials("uketsuke").body("000000");
    let reply = by_address.ask("POST", "/v1/sessions", &[line("X-Shikaku-CSRF", "")], Some(&body)).await;
    assert_eq!(reply.code(), "host_not_allowed");
}

#[tokio::test]
async fn the_page_shows_the_fingerprint_that_the_machine_shows_and_hands_the_certificate_out() {
    let open = open(named(&["uketsuke.local"])).await;
    let Ok(Reply::Authority { fingerprint, .. }) = open.clinic.control(Command::MachineAuthority).await
    else {
        panic!("an authority");
    };
    let mut browser = open.clinic.browser().trusting(tls(&open).await);
    let page = browser.call("GET", "/trust", None).await;
    assert!(String::from_utf8_lossy(&page.body).contains(&fingerprint));
    let file = browser.call("GET", "/trust/shikaku-ca.crt", None).await;
    assert_eq!(file.header("content-type"), Some("application/x-x509-ca-cert"));
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&file.body));
    assert_eq!(digest, fingerprint, "people can check the file they downloaded");
    let mut browser = signed_in_by(&open, browser).await;
    assert_eq!(browser.call("GET", "/v1/sessions/current", None).await.status, 200);
    // In clear there is nothing.
    let mut raw = Raw::connect(open.clinic.page.expect("the page")).await.expect("a connection");
    raw.send("GET / HTTP/1.1\r\nhost: uketsuke.local\r\n\r\n").await.expect("sent");
    assert!(!String::from_utf8_lossy(&raw.closed().await.expect("closed")).contains("HTTP"));
}

async fn signed_in_by(open: &OpenClinic, mut browser: Browser) -> Browser {
    assert_eq!(browser.sign_in(&open.clinic.credentials("uketsuke")).await.status, 201);
    browser
}

/// A certificate for these names that another authority made, as files.
fn certificate(directory: &Path, names: &[&str]) -> (PageSection, String) {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let made = CertificateParams::new(names).expect("names").self_signed(&key).expect("a certificate");
    let (certificate, key_file) = (directory.join("page.pem"), directory.join("page-key.pem"));
    std::fs::write(&certificate, made.pem()).expect("written");
    std::fs::write(&key_file, key.serialize_pem()).expect("written");
    let section = PageSection {
        certificate_file: Some(certificate),
        key_file: Some(key_file),
        ..named(&["uketsuke.clinic.example"])
    };
    (section, made.pem())
}

#[tokio::test]
async fn a_certificate_that_was_given_is_shown_and_must_be_for_the_name() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let (section, root) = certificate(directory.path(), &["uketsuke.clinic.example"]);
    let open = open(section).await;
    let trust = client_tls(&root, None, open.clock.clone());
    let mut browser = signed_in_by(&open, open.clinic.browser().trusting(trust)).await;
    let text = browser.call("GET", "/trust", None).await;
    assert!(String::from_utf8_lossy(&text.body).contains("登録は要りません"));
    let (other, _) = certificate(directory.path(), &["other.clinic.example"]);
    let mut clinic = open.clinic;
    clinic.config.page = Some(other);
    let refused = clinic.restart().await.expect_err("it does not start").to_string();
    assert!(refused.contains("uketsuke.clinic.example"), "{refused}");
}
