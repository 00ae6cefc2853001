//! The dashboard and the alert rules ask for nothing that the daemon does not give, whoever is woken by an alert or by the
//! doctor finds in the handbook what to do, and every field of the log stands in its document.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use api::codes::Code as Problem;
use daemon::doctor::{Code, State};
use serde_json::Value;

use crate::clinic::monitor::FAMILIES;

const DASHBOARD: &str = "deploy/grafana/shikaku-bridge.json";
const RULES: &str = "deploy/prometheus/alerts.yml";
const HANDBOOK: &str = "docs/ja/operation.md";
const LOGGING: &str = "docs/LOGGING.md";

/// What Prometheus itself adds to every target.
const PROMETHEUS_OWN: &str = "up{job=\"shikaku-bridge\"}";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
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

/// Outcomes of checks that an alert counts, named there or by how they begin (`upstream_.*`). Of the problems that are no outcome of
/// a check two begin so.
pub(crate) fn alarming_outcomes() -> BTreeSet<&'static str> {
    let rules = rules();
    let expressions = rules.iter().filter_map(|rule| rule["expr"].as_str());
    let named = expressions.filter_map(|text| text.split_once("outcome=~\"")?.1.split_once('"'));
    let patterns: Vec<_> = named.flat_map(|(names, _)| names.split('|')).collect();
    let matches = |code: &str, pattern: &str| {
        pattern.strip_suffix(".*").map_or(code == pattern, |start| code.starts_with(start))
    };
    let codes = Problem::ALL.iter().map(|problem| problem.as_str());
    codes
        .filter(|code| !["upstream_paused", "upstream_files_refused"].contains(code))
        .filter(|code| patterns.iter().any(|pattern| matches(code, pattern)))
        .collect()
}

/// Every expression of the dashboard, of its variables and of the rules.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
    let asked = [values(&dashboard, "expr"), values(&dashboard, "definition")].concat();
    let rules = rules();
    let alarming = rules.iter().map(|rule| rule["expr"].as_str().expect("an expression"));
    asked.into_iter().chain(alarming).map(str::to_owned).collect()
}

/// Headings of the handbook, as a link names them.
fn anchors() -> BTreeSet<String> {
    let text = read(HANDBOOK);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches(['#', ' ']).to_lowercase()).collect()
}

#[test]
fn dashboard_and_alerts_ask_only_for_metrics_that_are_given() {
    let given: BTreeSet<_> = FAMILIES.iter().copied().collect();
    let expressions = expressions();
    let asked: BTreeSet<_> = expressions.iter().flat_map(|text| metrics_of(text)).map(family).collect();
    let unknown: Vec<_> = asked.difference(&given).collect();
    assert!(unknown.is_empty(), "asked for and not given: {unknown:?}");
    let unseen: Vec<_> = given.difference(&asked).collect();
    assert!(unseen.is_empty(), "given and looked at by nobody: {unseen:?}");
    for expression in expressions.iter().filter(|text| metrics_of(text).is_empty()) {
        assert!(expression.contains(PROMETHEUS_OWN), "asks for nothing: {expression}");
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
    let wrong = Code::ALL
        .iter()
        .filter(|code| matches!(code.state(), State::Warning | State::Problem | State::Unusable));
    let missing: Vec<_> =
        wrong.map(|code| code.word()).filter(|word| !handbook.contains(&format!("| `{word}` |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Names of the fields of every log line in a source: they stand before the message, which is the first text in quotes.
fn fields_of(source: &str) -> BTreeSet<String> {
    let calls = ["trace", "debug", "info", "warn", "error"].map(|level| format!("tracing::{level}!("));
    let begins = calls.iter().flat_map(|call| source.match_indices(call.as_str()));
    let fields = begins.map(|(at, call)| source[at + call.len()..].split('"').next().unwrap_or_default());
    let names = fields.flat_map(|fields| fields.split(',')).map(|field| {
        let name = field.split('=').next().unwrap_or_default().trim().trim_start_matches(['%', '?']);
        name.rsplit('.').next().unwrap_or_default().to_owned()
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// Every source below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let deeper = directories.iter().flat_map(|path| sources(path));
    files.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")).chain(deeper).collect()
}

#[test]
fn every_field_of_the_log_stands_in_its_document() {
    let logged: BTreeSet<_> = ["daemon/src", "api/src"]
        .iter()
        .flat_map(|directory| sources(&root().join(directory)))
        .flat_map(|file| fields_of(&fs::read_to_string(file).expect("a source")))
        .collect();
    let document = read(LOGGING);
    let rows = document.lines().skip_while(|line| *line != "## Fields").skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## ")).filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split(" |").next().unwrap_or_default());
    let documented: BTreeSet<_> =
        cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect();
    let missing: Vec<_> = logged.difference(&documented).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_log_line_gives_up_its_fields() {
    let found = fields_of(
        "tracing::warn!(%error, at = word, request = %a.b, \"gone: {x}\"); tracing::info!(\"done\");",
    );
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["at", "error", "request"]);
}

#[test]
fn an_expression_gives_up_its_metrics() {
    let expression =
        r#"rate(shikaku_check_step_seconds_bucket{step="shikakux"}[5m]) > on(le) process_open_fds"#;
    let found: Vec<_> = metrics_of(expression).into_iter().map(family).collect();
    assert_eq!(found, ["process_open_fds", "shikaku_check_step_seconds"]);
}
