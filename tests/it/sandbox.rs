//! The sandbox as a vendor's program meets it: the binary, its API and its control listener.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use daemon::system::SystemClock;
use harness::clinic::Visitor;
use harness::process::free_address;
use harness::raw_http::{Reply, exchange};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A sandbox on free ports, stopped with the test.
pub struct Sandbox {
    child: Child,
    pub environment: PathBuf,
    _directory: TempDir,
}

impl Sandbox {
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let environment = directory.path().join("shikaku.env");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args([
                "--control",
                "127.0.0.1:0",
                "--page",
                "127.0.0.1:0",
                "--listen",
                &free_address().to_string(),
                "--env",
            ])
            .arg(&environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        // The last line of the introduction: from then on it serves.
        let ready = lines.any(|line| line.is_ok_and(|line| line.contains("tap")));
        assert!(ready, "the sandbox introduces itself");
        Self { child, environment, _directory: directory }
    }

    fn address(&self, name: &str) -> SocketAddr {
        let text = std::fs::read_to_string(&self.environment).expect("what it wrote");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=http://"));
        value.expect("an address").parse().expect("an address")
    }

    /// Asks the control listener.
    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.control_with(method, path, body, "").await
    }

    async fn control_with(&self, method: &str, path: &str, body: Option<Value>, header: &str) -> Reply {
        let address = self.address("SHIKAKU_SANDBOX");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        exchange(address, request).await.expect("the control listener answers")
    }

    /// Plays; it must be done.
    async fn play(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.control(method, path, Some(body)).await;
        assert!(
            reply.status < 300,
            "{method} {path}: {} {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// A new receipt computer, signed in by the sandbox's clock.
    async fn visitor(&self) -> Visitor {
        let account = self.play("POST", "/v1/accounts", json!({ "role": "receipt_computer" })).await;
        let name = account["account"].as_str().expect("a name");
        let code = self.control("GET", &format!("/v1/accounts/{name}/code"), None).await.json();
        let mut visitor = Visitor::at(self.address("SHIKAKU_API"), Arc::new(SystemClock));
        let body = json!({
            "institution_code": account["institution_code"], "account": name,
            "password": account["password"], "code": code["code"],
        });
        visitor.sign_in_with(&body).await;
        visitor
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn collect(visitor: &Visitor) -> (u16, String) {
    let reply = visitor.post("/v1/results/collect", &json!({})).await;
    (reply.status, if reply.status < 300 { String::new() } else { reply.code() })
}

async fn count(visitor: &Visitor) -> Value {
    visitor.get("/v1/results/count").await.json()["count"].clone()
}

#[tokio::test]
async fn a_program_plays_the_patient() {
    let sandbox = Sandbox::start();
    let visitor = sandbox.visitor().await;
    let state = sandbox.control("GET", "/v1/state", None).await.json();
    assert_eq!((&state["card"]["persona"], &state["reader"]), (&json!("taro"), &json!("ready")));

    let card = sandbox.play("PUT", "/v1/card", json!({ "persona": "hanako" })).await;
    let check = visitor.check_with_pin(card["pin"].as_str().expect("a PIN")).await;
    let result = visitor.get(&format!("/v1/results/{}", check["result_id"])).await.json();
    assert_eq!(result["eligibilities"][0]["name"], "資格 花子");

    let number = json!({ "inquiry_number": "K-1" });
    assert!(
        visitor.put(&format!("/v1/results/{}/inquiry-number", check["result_id"]), &number).await.status
            < 300
    );
    let registered = sandbox.control("GET", "/v1/upstream/inquiry-numbers/hanako", None).await.json();
    assert_eq!(registered, number);

    sandbox.control("DELETE", "/v1/card", None).await;
    sandbox.play("PUT", "/v1/reader", json!({ "state": "unavailable" })).await;
    // The daemon looks at its readers in its own time.
    let seen = async {
        while visitor.get("/v1/health").await.json()["card"]["code"] == Value::Null {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.expect("health follows the reader");
    let refused = visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await;
    assert_eq!(refused.code(), "reader_unavailable");
    sandbox.play("PUT", "/v1/reader", json!({ "state": "ready" })).await;

    let people = sandbox.control("GET", "/v1/personas", None).await.json();
    assert!(people.as_array().expect("a list").iter().any(|person| person["persona"] == "kokuho"));
}

#[tokio::test]
async fn a_program_plays_the_central_system() {
    let sandbox = Sandbox::start();
    let visitor = sandbox.visitor().await;
    let other = json!({ "persona": "kokuho", "terminal": "sp-1" });
    sandbox.play("POST", "/v1/upstream/results", other).await;
    assert_eq!(collect(&visitor).await, (200, String::new()));
    assert_eq!(count(&visitor).await, 1);

    sandbox.play("PUT", "/v1/upstream", json!({ "state": "down" })).await;
    assert_eq!(collect(&visitor).await, (502, "upstream_unreachable".to_owned()));
    sandbox.play("PUT", "/v1/upstream", json!({ "state": "up" })).await;
    // The daemon does not ask for a while after failures in a row.
    sandbox.play("POST", "/v1/clock/advance", json!({ "seconds": 120 })).await;
    assert_eq!(collect(&visitor).await, (200, String::new()));

    let fault = json!({ "endpoint": "results", "fault": "garbage", "times": 1 });
    sandbox.play("POST", "/v1/upstream/faults", fault).await;
    assert_eq!(collect(&visitor).await, (502, "upstream_malformed".to_owned()));
    assert_eq!(collect(&visitor).await, (200, String::new()));
    sandbox.play("POST", "/v1/upstream/faults", json!({ "endpoint": "all", "fault": "maintenance" })).await;
    assert_eq!(collect(&visitor).await, (503, "upstream_maintenance".to_owned()));
    sandbox.control("DELETE", "/v1/upstream/faults", None).await;

    let notice = json!({ "title": "架空のお知らせ", "body": "本文" });
    sandbox.play("PUT", "/v1/upstream/announcements/A1", notice).await;
    sandbox.play("POST", "/v1/clock/advance", json!({ "seconds": 86_400 })).await;
    let visitor = sandbox.visitor().await;
    assert_eq!(collect(&visitor).await, (200, String::new()));
    let announced = visitor.get("/v1/announcements").await.json();
    assert_eq!(announced["announcements"][0]["title"], "架空のお知らせ");
}

#[tokio::test]
async fn a_program_moves_the_clock_and_begins_anew() {
    let sandbox = Sandbox::start();
    let visitor = sandbox.visitor().await;
    visitor.check_with_pin("1234").await;
    assert_eq!(count(&visitor).await, 1);

    let held = sandbox.play("PUT", "/v1/clock", json!({ "running": false })).await;
    assert_eq!(sandbox.control("GET", "/v1/clock", None).await.json(), held);
    // Longer than any result is kept.
    sandbox.play("POST", "/v1/clock/advance", json!({ "seconds": 63 * 86_400 })).await;
    assert_eq!(visitor.get("/v1/results/count").await.code(), "session_required");
    assert_eq!(count(&sandbox.visitor().await).await, 0);
    let state = sandbox
        .play("PUT", "/v1/clock", json!({ "now": "2027-03-01T09:00:00+09:00", "running": true }))
        .await;
    assert_eq!(state["running"], true);

    let visitor = sandbox.visitor().await;
    let account = sandbox.play("POST", "/v1/reset", json!({})).await;
    assert_eq!(visitor.get("/v1/results/count").await.code(), "session_required");
    let written = std::fs::read_to_string(&sandbox.environment).expect("what it wrote anew");
    assert!(written.contains(account["password"].as_str().expect("a password")));
    assert_eq!(count(&sandbox.visitor().await).await, 0);

    // What was hidden once stays hidden when the clock goes back: an earlier day needs a sandbox that begins there.
    sandbox.play("POST", "/v1/reset", json!({ "now": "2026-07-08T12:00:00+09:00" })).await;
    let visitor = sandbox.visitor().await;
    let check = visitor.check_with_pin("1234").await;
    let result = visitor.get(&format!("/v1/results/{}", check["result_id"])).await.json();
    assert_eq!(result["confirmed_for"], "2026-07-08");
}

#[tokio::test]
async fn the_control_listener_refuses_nonsense_and_web_pages() {
    let sandbox = Sandbox::start();
    for (method, path, body, status) in [
        ("PUT", "/v1/card", json!({ "persona": "nobody" }), 404),
        ("PUT", "/v1/card", json!({ "person": "taro" }), 400),
        ("PUT", "/v1/reader", json!({ "state": "broken" }), 400),
        ("POST", "/v1/upstream/faults", json!({ "endpoint": "moon", "fault": "hang" }), 400),
        ("POST", "/v1/upstream/faults", json!({ "endpoint": "all", "fault": "status" }), 400),
        ("POST", "/v1/upstream/results", json!({ "persona": "nobody", "terminal": "t" }), 404),
        ("POST", "/v1/clock/advance", json!({ "seconds": i64::MAX }), 400),
        ("PUT", "/v1/clock", json!({ "now": "1999-01-01T00:00:00Z" }), 400),
        ("GET", "/v1/accounts/nobody/code", Value::Null, 404),
    ] {
        let reply = sandbox.control(method, path, Some(body)).await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(reply.json()["error"].is_string());
    }
    let page = sandbox.control_with("DELETE", "/v1/card", None, "Origin: http://evil.example\r\n").await;
    assert_eq!(page.status, 403);
}

#[test]
fn the_manual_names_every_operation_of_the_control_listener() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for page in ["ja/sandbox.md", "en/sandbox.md"] {
        let text = std::fs::read_to_string(docs.join(page)).expect("the manual");
        for operation in harness::sandbox::control::operations() {
            assert!(text.contains(&format!("`{operation}`")), "docs/{page} lacks `{operation}`");
        }
    }
}
