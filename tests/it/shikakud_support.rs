//! The log file and the support bundle of the shipped binary: structured, for its owner alone, and about nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use daemon::app::ports::Clock as _;
use daemon::system::SystemClock;
use harness::clinic::Visitor;
use harness::process::{Site, shikakud};
use serde_json::{Value, json};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_log_nor_the_bundle_tells_of_a_patient_an_account_or_a_secret() {
    let Site { installation, upstream, directory } = Site::open("debug").await;
    assert!(upstream.add_result("taro", "PHONE-1", SystemClock.now()));
    let configuration = directory.path().join("shikakud.toml");
    let text = fs::read_to_string(&configuration).expect("the configuration");
    let text = text.replace("[log]\n", "# CANARY-COMMENT\n[log]\nfile = \"log/shikakud.log\"\n");
    fs::write(&configuration, text).expect("written");
    let credentials = installation.add_account("hanako-canary", "receipt-computer");
    let mut running = installation.run();
    running.wait_ready();
    let mut visitor = Visitor::at(installation.api, Arc::new(SystemClock));
    visitor.sign_in(&credentials).await;
    assert_eq!(visitor.post("/v1/results/collect", &json!({})).await.status / 100, 2);
    let page = visitor.get("/v1/results").await.json();
    let person = page["results"][0]["eligibilities"][0].clone();
    assert_eq!(person["name"], "資格 太郎");

    let bundle = directory.path().join("bundle.tar.gz");
    let made = installation.command(&["support-bundle", bundle.to_str().expect("a path")]).output();
    let made = made.expect("shikakud starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(fs::metadata(&bundle).expect("it").permissions().mode() & 0o777, 0o600);
    assert!(running.stop().success());

    let log = fs::read_to_string(directory.path().join("log/shikakud.log")).expect("the log");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("a JSON line");
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["target"].is_string(),
            "{line}"
        );
    }
    assert!(log.contains("\"message\":\"ready\""), "{log}");

    let unpacked = Command::new("tar").arg("-xzf").arg(&bundle).arg("-C").arg(directory.path()).status();
    assert!(unpacked.expect("tar").success());
    let mut whole = log;
    for name in ["versions.txt", "doctor.json", "config.toml", "retention.json", "files.txt", "log.jsonl"] {
        let part = fs::read_to_string(directory.path().join("support").join(name)).expect("the part");
        assert!(!part.is_empty(), "{name}");
        whole += &part;
    }
    assert!(whole.contains("shikaku.db") && whole.contains("\"months\""), "{whole}");
    let token = visitor.token().expect("a session").to_owned();
    let mut secrets =
        vec!["CANARY-COMMENT", "hanako-canary", &credentials.password, &credentials.totp_secret, &token];
    for field in ["name", "name_kana", "birthdate", "insured_identification_number", "insurer_number"] {
        secrets.extend(person[field].as_str());
    }
    for secret in secrets {
        assert!(!whole.contains(secret), "{secret}");
    }
    let again = installation.command(&["support-bundle", bundle.to_str().expect("a path")]).output();
    assert_eq!(again.expect("shikakud starts").status.code(), Some(1), "nothing is written over");
}

/// Every file of a directory, with its content.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
}

/// The files that are not as they were before. Whoever only reads a database leaves SQLite's own two files beside it, which say nothing.
fn changed(directory: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    let after = contents(directory);
    let all: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let says_nothing = |path: &PathBuf| match path.extension().and_then(|extension| extension.to_str()) {
        Some("db-shm") => true,
        Some("db-wal") => after.get(path).is_some_and(Vec::is_empty),
        Some(_) | None => false,
    };
    all.into_iter().filter(|path| before.get(path) != after.get(path) && !says_nothing(path)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_of_a_stopped_daemon_leaves_everything_as_it_lies_there_also_a_damaged_database() {
    let Site { installation, directory, upstream: _upstream } = Site::open("info").await;
    let mut running = installation.run();
    running.wait_ready();
    assert!(running.stop().success());
    let data = directory.path().join("data");
    let bundle = |name: &str| {
        let target = directory.path().join(name);
        let made = installation.command(&["support-bundle", target.to_str().expect("a path")]).output();
        let made = made.expect("shikakud starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = Command::new("tar").arg("-xzOf").arg(&target).arg("support/retention.json").output();
        String::from_utf8(said.expect("tar").stdout).expect("UTF-8")
    };
    let before = contents(&data);
    assert!(bundle("whole.tar.gz").contains("デーモンが動いていない"));
    assert_eq!(changed(&data, &before), Vec::<PathBuf>::new());

    let database = data.join("shikaku.db");
    let mut bytes = fs::read(&database).expect("the database");
    // Beyond the header, so that it is still a database and only a page is not.
    bytes[4096..8192].fill(0xA5);
    fs::write(&database, bytes).expect("a damaged one");
    let before = contents(&data);
    bundle("damaged.tar.gz");
    assert_eq!(changed(&data, &before), Vec::<PathBuf>::new(), "nothing is set aside");
}

#[test]
fn a_configuration_that_does_not_load_still_gives_the_log() {
    let directory = TempDir::new().expect("a directory");
    let configuration = directory.path().join("shikakud.toml");
    fs::write(&configuration, "mode = 7\n[log]\nfile = \"x.log\"\n").expect("a configuration");
    fs::write(directory.path().join("x.log"), "{\"message\":\"last words\"}\n").expect("a log");
    let bundle = directory.path().join("bundle.tar.gz");
    let mut made = Command::new(shikakud());
    made.arg("support-bundle").arg("--config").arg(&configuration).arg(&bundle);
    assert!(made.output().expect("shikakud starts").status.success());
    let log = Command::new("tar").arg("-xzOf").arg(&bundle).arg("support/log.jsonl").output();
    assert_eq!(String::from_utf8_lossy(&log.expect("tar").stdout), "{\"message\":\"last words\"}\n");
}
