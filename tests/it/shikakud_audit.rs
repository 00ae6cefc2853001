//! Audit log, backup and restore as an administrator has them: the shipped binary's commands, with and without a daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use daemon::system::SystemClock;
use harness::clinic::Visitor;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use harness::process::Site;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_verified_and_written_out_while_the_daemon_runs_and_while_it_does_not() {
    let site = Site::open("info").await;
    let credentials = site.installation.add_account("receipt", "receipt-computer");
    let running = site.run();
    let mut visitor = Visitor::at(site.installation.api, Arc::new(SystemClock));
    visitor.sign_in(&credentials).await;
    visitor.get("/v1/results").await;
    assert!(site.shown(&["audit", "verify"]).contains("正しい"));
    let exported = site.shown(&["audit", "export"]);
    let rows: Vec<serde_json::Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let listed = rows.iter().find(|row| row["action"] == "result.list").expect("the answer's row");
    assert_eq!((&listed["actor"], &listed["outcome"]), (&"receipt".into(), &"ok".into()));
    assert!(listed["source"].as_str().is_some_and(|source| source.starts_with("loopback/")), "{listed}");
    assert!(listed["run"].as_i64() > Some(0) && listed["wall"].is_string());

    let list = site.path("affected.csv").display().to_string();
    let asked = ["audit", "affected", "--since", "2026-01-01", "--out", &list];
    site.shown(&asked);
    let written = fs::read_to_string(&list).expect("the list");
    assert!(written.starts_with("結果番号,") && written.ends_with("\r\n"), "{written}");
    assert_eq!(fs::metadata(&list).expect("the list").permissions().mode() & 0o777, 0o600);
    let again = site.output(&asked);
    assert_eq!(again.status.code(), Some(1), "an existing file is not written to");
    assert!(running.stop().success());
    let csv = site.shown(&["audit", "export", "--format", "csv", "--since", "2026-01-01"]);
    assert!(csv.starts_with("seq,at,") && csv.contains("audit.affected"), "the list is in the log: {csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_is_told_with_exit_code_1_until_somebody_accepts_it() {
    let site = Site::open("info").await;
    site.installation.add_account("one", "operator");
    site.installation.add_account("two", "operator");
    let options = SqliteConnectOptions::new().filename(site.path("data/shikaku.db"));
    let mut db = options.connect().await.expect("the database");
    db.execute("DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE seq = 2").await.expect("cut");
    db.close().await.expect("closed");
    for _ in 0..2 {
        let verified = site.output(&["audit", "verify"]);
        assert_eq!(verified.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&verified.stdout).contains("rows_missing"));
    }
    site.output(&["audit", "verify", "--accept"]);
    site.shown(&["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_lost_comes_back_from_its_backup() {
    let site = Site::open("info").await;
    let credentials = site.installation.add_account("receipt", "receipt-computer");
    let running = site.run();
    let key = site.path("recovery.key");
    let new_key =
        std::process::Command::new(harness::process::shikakud()).arg("recovery-key").arg(&key).output();
    assert!(new_key.expect("shikakud starts").status.success());
    assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
    let (key, target) = (key.display().to_string(), site.path("backups"));
    fs::create_dir_all(&target).expect("a directory");
    let backup = ["backup", "--recovery-key", &key, target.to_str().expect("a path")];
    assert!(site.shown(&backup).contains("読み返して確かめました"));
    let archive = fs::read_dir(&target).expect("backups").next().expect("one").expect("an entry").path();
    let archive = archive.display().to_string();
    let restore = ["restore", "--recovery-key", &key, &archive];
    let refused = site.output(&restore);
    assert_eq!(refused.status.code(), Some(1), "not while there is data");

    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::KILL).expect("the process runs");
    drop(running);
    fs::write(site.path("data/shikaku.db"), vec![0x55; 20_000]).expect("damaged");
    let started = site.output(&["run"]);
    assert_eq!(started.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&started.stderr).contains("shikakud restore"), "it says the way back");
    assert!(site.shown(&restore).contains("復元しました"));

    let running = site.run();
    let mut visitor = Visitor::at(site.installation.api, Arc::new(SystemClock));
    let code = credentials
        .code(u64::try_from(daemon::app::ports::Clock::now(&SystemClock).as_second()).expect("a time"));
    let early = visitor.post("/v1/sessions", &credentials.body(&code)).await;
    assert_ne!(early.status, 201, "a code of before the restore is not accepted");
    visitor.set_token(None);
    site.shown(&["audit", "verify"]);
    assert!(site.shown(&["audit", "export"]).contains("store.restored"));
    assert!(running.stop().success());

    let empty = site.output(&["restore", "--recovery-key", &key, "--set-aside", &archive]);
    assert!(empty.status.success(), "{}", String::from_utf8_lossy(&empty.stderr));
}
