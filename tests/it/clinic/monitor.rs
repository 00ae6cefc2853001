//! Watching the program: readiness with reasons, and figures about nobody.

use std::collections::BTreeSet;

use harness::clinic::{OpenClinic, READER};
use harness::prometheus::Scrape;
use serde_json::json;

use crate::monitoring::alarming_outcomes;

/// Every family that a whole installation shows; alert rules and dashboards are written against these names, families without the
/// suffixes of a histogram's parts.
pub(crate) const FAMILIES: &[&str] = &[
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_threads",
    "shikaku_build_info",
    "shikaku_certificate_days_left",
    "shikaku_check_step_seconds",
    "shikaku_checks_total",
    "shikaku_clock_plausible",
    "shikaku_collect_failures",
    "shikaku_collect_last_complete_timestamp_seconds",
    "shikaku_health_troubled",
    "shikaku_queue_depth",
    "shikaku_queue_oldest_seconds",
    "shikaku_reader_service_up",
    "shikaku_readers",
    "shikaku_readers_usable",
    "shikaku_results",
    "shikaku_retention_lag_seconds",
    "shikaku_sessions",
    "shikaku_sign_in_failures_total",
    "shikaku_start_time_seconds",
    "shikaku_store_bytes",
    "shikaku_store_free_bytes",
    "shikaku_store_writes",
    "shikaku_upstream_closed",
    "shikaku_upstream_last_answer_timestamp_seconds",
    "shikaku_upstream_up",
];

async fn scrape(open: &OpenClinic) -> (Scrape, String) {
    let reply = open.clinic.visitor().get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(reply.body).expect("UTF-8");
    (Scrape::read(&text), text)
}

fn is(scrape: &Scrape, series: &str, expected: f64) {
    let value = scrape.value(series);
    assert!((value - expected).abs() < f64::EPSILON, "{series}: {value}, not {expected}");
}

#[tokio::test]
async fn figures_follow_what_happens_and_name_nobody() {
    let open = OpenClinic::at_noon().await;
    let (before, _) = scrape(&open).await;
    assert_eq!(before.get("shikaku_upstream_up"), None, "nobody was asked yet");
    is(&before, "shikaku_results", 0.0);
    is(&before, "shikaku_readers", 1.0);
    is(&before, "shikaku_reader_service_up", 1.0);
    is(&before, "shikaku_check_step_seconds_count{step=\"card\"}", 0.0);

    open.clinic.tap("taro");
    let done = open.visitor.check_with_pin("1234").await;
    assert_eq!(done["phase"], "done");
    open.clinic.next_patient(&open.visitor, "taro").await;
    assert_eq!(open.visitor.check_with_pin("9999").await["failure"]["code"], "wrong_pin");
    let mut stranger = open.credentials.body("000000");
    stranger["password"] = json!("wrong-password");
    assert_eq!(open.clinic.visitor().post("/v1/sessions", &stranger).await.code(), "sign_in_failed");
    let number = json!({ "inquiry_number": "K-CANARY-7" });
    let put = open.visitor.put(&format!("/v1/results/{}/inquiry-number", done["result_id"]), &number).await;
    assert!(put.status < 300);
    assert!(open.visitor.post("/v1/results/collect", &json!({})).await.status < 300);

    let (after, text) = scrape(&open).await;
    is(&after, "shikaku_checks_total{method=\"card_pin\",outcome=\"ok\"}", 1.0);
    is(&after, "shikaku_checks_total{method=\"card_pin\",outcome=\"wrong_pin\"}", 1.0);
    for (step, times) in [("card", 2.0), ("upstream", 1.0), ("store", 1.0)] {
        is(&after, &format!("shikaku_check_step_seconds_count{{step=\"{step}\"}}"), times);
    }
    is(&after, "shikaku_sign_in_failures_total{kind=\"sign_in_failed\"}", 1.0);
    for (series, value) in [
        ("shikaku_upstream_up", 1.0),
        ("shikaku_results", 1.0),
        ("shikaku_sessions", 1.0),
        ("shikaku_readers_usable", 1.0),
        ("shikaku_retention_lag_seconds", 0.0),
        ("shikaku_clock_plausible", 0.0),
        ("shikaku_collect_failures", 0.0),
        ("shikaku_upstream_closed", 0.0),
        ("shikaku_store_writes", 1.0),
    ] {
        is(&after, series, value);
    }
    for series in [
        "shikaku_store_bytes{part=\"database\"}",
        "shikaku_store_free_bytes",
        "shikaku_certificate_days_left{certificate=\"client\"}",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_threads",
    ] {
        assert!(after.value(series) >= 1.0, "{series}");
    }
    assert_eq!(after.families().collect::<BTreeSet<_>>(), FAMILIES.iter().copied().collect::<BTreeSet<_>>());
    for named in ["資格", "太郎", "K-CANARY-7", "receipt", READER, "uketsuke", "1312345678"] {
        assert!(!text.contains(named), "{named}");
    }
}

/// An increase from nothing to 1 is none to Prometheus.
#[tokio::test]
async fn whatever_an_alert_counts_is_there_with_0_before_it_happens() {
    let open = OpenClinic::at_noon().await;
    let (first, _) = scrape(&open).await;
    let outcomes = alarming_outcomes();
    assert!(outcomes.len() > 5, "{outcomes:?}");
    for method in ["visual", "card_pin", "iphone", "android_pin"] {
        for outcome in &outcomes {
            let series = format!("shikaku_checks_total{{method=\"{method}\",outcome=\"{outcome}\"}}");
            is(&first, &series, 0.0);
        }
    }
    for kind in ["sign_in_failed", "sign_in_delayed", "account_locked", "code_used", "internal"] {
        is(&first, &format!("shikaku_sign_in_failures_total{{kind=\"{kind}\"}}"), 0.0);
    }
    for part in ["card", "upstream", "store", "retention", "queue", "folders", "collect"] {
        is(&first, &format!("shikaku_health_troubled{{part=\"{part}\"}}"), 0.0);
    }
}

#[tokio::test]
async fn nobody_is_told_figures_that_were_not_asked_for() {
    let mut open = OpenClinic::at_noon().await;
    open.clinic.config.metrics.enabled = false;
    open.clinic.restart().await.expect("the daemon starts");
    let refused = open.clinic.visitor().get("/metrics").await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn it_is_ready_without_a_reader_and_unready_without_room() {
    let mut open = OpenClinic::at_noon().await;
    open.clinic.readers.unplug(READER);
    let ready = open.clinic.visitor().get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true, "reasons": [] })));

    open.clinic.config.store.low_water_mib = u64::MAX;
    open.clinic.restart().await.expect("the daemon starts");
    let unready = open.clinic.visitor().get("/readyz").await;
    assert_eq!(unready.status, 503);
    let said = unready.json();
    assert_eq!((&said["ready"], &said["reasons"][0]["code"]), (&json!(false), &json!("store_full")));
    assert_eq!(said["reasons"].as_array().map(Vec::len), Some(1), "{said}");
    assert_eq!(open.clinic.visitor().get("/healthz").await.status, 200, "it is alive all the same");
}
