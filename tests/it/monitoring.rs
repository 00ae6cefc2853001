//! The dashboard and the alert rules ask for nothing that the daemon does not give, and whoever is woken by an alert, the
//! doctor or a refused readiness finds in the handbook what to do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use daemon::doctor::{Code, State};
use serde_json::Value;

const DASHBOARD: &str = "deploy/grafana/shikaku-bridge.json";
const RULES: &str = "deploy/prometheus/alerts.yml";
const HANDBOOK: &str = "docs/ja/operation.md";

/// What Prometheus itself adds to every target.
const PROMETHEUS_OWN: &str = "up";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)).expect(path)
}

/// Every value of a key, wherever it stands.
fn values<'a>(document: &'a Value, key: &str) -> Vec<&'a str> {
    match document {
        Value::Array(items) => items.iter().flat_map(|item| values(item, key)).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == key => vec![text],
                _ => values(value, key),
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The metrics that an expression asks for: all of ours begin alike.
fn metrics_of(expression: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = expression.split(|letter| !is_part(letter));
    words.filter(|word| word.starts_with("shikaku_") || word.starts_with("process_")).collect()
}

/// A metric's family: a histogram is asked for by the names of its parts.
fn family(metric: &str) -> &str {
    let histogram = metric.strip_suffix("_bucket").or_else(|| metric.strip_suffix("_count"));
    histogram.or_else(|| metric.strip_suffix("_sum")).unwrap_or(metric)
}

fn rules() -> Vec<Value> {
    let rules: Value = serde_norway::from_str(&read(RULES)).expect("YAML");
    let groups = rules["groups"].as_array().expect("groups");
    groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

/// Every expression of the dashboard, of its variables and of the rules.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
    let asked = [values(&dashboard, "expr"), values(&dashboard, "definition")].concat();
    let rules = rules();
    let ruled = rules.iter().map(|rule| rule["expr"].as_str().expect("an expression"));
    asked.into_iter().chain(ruled).map(str::to_owned).collect()
}

/// Headings of the handbook, as a link names them.
fn anchors() -> BTreeSet<String> {
    let text = read(HANDBOOK);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches(['#', ' ']).to_lowercase()).collect()
}

#[test]
fn dashboard_and_alerts_ask_only_for_metrics_that_are_given() {
    let given: BTreeSet<_> = METRICS.iter().copied().collect();
    let expressions = expressions();
    let asked: BTreeSet<_> = expressions.iter().flat_map(|text| metrics_of(text)).map(family).collect();
    let unknown: Vec<_> = asked.difference(&given).collect();
    assert!(unknown.is_empty(), "asked for and not given: {unknown:?}");
    let unseen: Vec<_> = given.difference(&asked).collect();
    assert!(unseen.is_empty(), "given and looked at by nobody: {unseen:?}");
    for expression in expressions.iter().filter(|text| metrics_of(text).is_empty()) {
        assert!(expression.starts_with(PROMETHEUS_OWN), "asks for nothing: {expression}");
    }
}

#[test]
fn every_alert_says_in_japanese_what_happened_and_leads_to_what_to_do() {
    let anchors = anchors();
    let is_japanese = |text: &str| text.chars().any(|letter| matches!(letter, 'ぁ'..='ヿ'));
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().expect("a name").to_owned();
        let about = |what: &str| rule["annotations"][what].as_str().unwrap_or_default();
        assert!(is_japanese(about("summary")) && is_japanese(about("description")), "{name}");
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("warning" | "critical")), "{name}");
        let anchor = name.to_lowercase();
        assert_eq!(about("runbook_url"), format!("{HANDBOOK}#{anchor}"));
        assert!(anchors.contains(&anchor), "the handbook has no heading {name}");
        assert!(names.insert(name.clone()), "{name} stands twice");
    }
}

#[test]
fn the_handbook_knows_whatever_the_doctor_finds_wrong() {
    let handbook = read(HANDBOOK);
    let wrong = Code::ALL.iter().filter(|code| {
        matches!(code.state(), State::Warning | State::Problem | State::Unusable)
    });
    let missing: Vec<_> =
        wrong.map(|code| code.word()).filter(|word| !handbook.contains(&format!("| `{word}` |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn an_expression_gives_up_its_metrics() {
    let expression = r#"rate(shikaku_check_step_seconds_bucket{step="shikakux"}[5m]) > on(le) process_open_fds"#;
    let found: Vec<_> = metrics_of(expression).into_iter().map(family).collect();
    assert_eq!(found, ["process_open_fds", "shikaku_check_step_seconds"]);
}
