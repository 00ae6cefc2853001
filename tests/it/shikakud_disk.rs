//! The shipped binary on a disk that takes nothing for a while: whoever watches it is told, and it goes on by itself afterwards.

use std::fs;
use std::sync::Arc;

use daemon::system::SystemClock;
use harness::clinic::Visitor;
use harness::durability::shim;
use harness::process::Site;
use harness::prometheus::Scrape;
use serde_json::{Value, json};

/// Whoever watches.
struct Watcher(Visitor);

impl Watcher {
    async fn readiness(&self) -> (u16, Value) {
        let reply = self.0.get("/readyz").await;
        (reply.status, reply.json()["reasons"].clone())
    }

    async fn writes(&self) -> f64 {
        let text = String::from_utf8(self.0.get("/metrics").await.body).expect("UTF-8");
        Scrape::read(&text).value("shikaku_store_writes")
    }

    /// A sign-in of somebody unknown, which is counted and audited before it is refused.
    async fn knock(&self, name: &str) -> u16 {
        let claim =
            json!({ "institution_code": "1312345678", "account": name, "password": "b", "code": "000000" });
        self.0.post("/v1/sessions", &claim).await.status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_told_of_and_gone_on_with_when_it_does_again() {
    for part in ["data", "anchor"] {
        let Site { installation, directory, upstream: _upstream } = Site::open("info").await;
        installation.configure("[metrics]\nenabled = true\n[audit]\nanchor_file = \"anchor/audit.anchor\"");
        let gone = directory.path().join("gone");
        let mut running = installation.run_managed(&shim::failing_while(&directory.path().join(part), &gone));
        running.wait_ready();
        let watcher = Watcher(Visitor::at(installation.api, Arc::new(SystemClock)));
        assert_eq!(watcher.knock("before").await, 401);
        assert_eq!(watcher.readiness().await, (200, json!([])), "{part}");
        assert!(watcher.writes().await > 0.0, "{part}");

        fs::write(&gone, "").expect("a switch");
        assert_eq!(watcher.knock("meanwhile").await, 500, "{part}");
        let (status, reasons) = watcher.readiness().await;
        assert_eq!((status, &reasons[0]["code"]), (503, &json!("internal")), "{part}: {reasons}");
        assert!(reasons[0]["message"].as_str().is_some_and(|text| !text.is_empty()), "{reasons}");
        assert!(watcher.writes().await < 1.0, "{part}");
        assert_eq!(watcher.0.get("/healthz").await.status, 200, "a restart would mend nothing");

        fs::remove_file(&gone).expect("the switch");
        assert_eq!(watcher.knock("after").await, 401, "{part}: {}", running.log());
        assert_eq!(watcher.readiness().await, (200, json!([])), "{part}");
        assert!(watcher.writes().await > 0.0, "{part}");
        assert!(running.stop().success());
    }
}
