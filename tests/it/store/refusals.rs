//! `shikakud` itself refuses to start where data or keys are not safe, and says in Japanese what to do; and it tells and
//! runs retention from the command line.

use harness::process::Site;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// An installation that has an account.
async fn used() -> Site {
    let site = Site::open("info").await;
    site.installation.add_account("receipt", "receipt-computer");
    site
}

/// How it starts, or does not.
trait Starts {
    /// It does not start, and says all of this.
    fn refuses(&self, what: &str, words: &[&str]);

    /// It does not start, nor would it if it were tried again.
    fn refuses_for_good(&self, what: &str, words: &[&str]);

    fn ends_with(&self, code: i32, what: &str, words: &[&str]);

    /// It starts.
    fn starts(&self);
}

impl Starts for Site {
    #[track_caller]
    fn refuses(&self, what: &str, words: &[&str]) {
        self.ends_with(1, what, words);
    }

    #[track_caller]
    fn refuses_for_good(&self, what: &str, words: &[&str]) {
        self.ends_with(4, what, words);
    }

    #[track_caller]
    fn ends_with(&self, code: i32, what: &str, words: &[&str]) {
        let output = self.output(&["run"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        for word in words.iter().chain(&["shikakud: 保存領域を開けません"]) {
            assert!(said.contains(word), "{what}: {word} is not in: {said}");
        }
    }

    #[track_caller]
    fn starts(&self) {
        assert!(self.run().stop().success());
    }
}

fn json(site: &Site, arguments: &[&str]) -> Value {
    serde_json::from_str(&site.shown(arguments)).expect("JSON")
}

async fn sql(site: &Site, statement: &'static str) {
    let mut db =
        SqliteConnectOptions::new().filename(site.path("data/shikaku.db")).connect().await.expect("it opens");
    sqlx::raw_sql(statement).execute(&mut db).await.expect("it runs");
    db.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_can_reach_or_own_is_refused() {
    let site = used().await;
    for (name, wrong, right, words) in [
        ("data", 0o755, 0o700, "chmod 700"),
        ("data/shikaku.db", 0o644, 0o600, "chmod 600"),
        ("data/keyring", 0o640, 0o600, "chmod 600"),
        ("key", 0o750, 0o700, "chmod 700"),
        ("key/master.key", 0o604, 0o600, "chmod 600"),
    ] {
        fs::set_permissions(site.path(name), Permissions::from_mode(wrong)).unwrap();
        site.refuses(name, &[words, name]);
        fs::set_permissions(site.path(name), Permissions::from_mode(right)).unwrap();
    }
    if rustix::process::geteuid().is_root() {
        const NOBODY: u32 = 65_534;
        for name in ["data", "data/shikaku.db", "data/keyring", "key", "key/master.key"] {
            chown(site.path(name), Some(NOBODY), None).unwrap();
            site.refuses(name, &["chown", name]);
            chown(site.path(name), Some(0), None).unwrap();
        }
    }
    site.starts();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbolic_link_anywhere_in_the_path_is_refused() {
    let site = used().await;
    for name in ["data", "data/shikaku.db", "data/keyring", "key", "key/master.key"] {
        fs::rename(site.path(name), site.path("elsewhere")).unwrap();
        symlink(site.path("elsewhere"), site.path(name)).unwrap();
        site.refuses(name, &["シンボリックリンク", "実際の場所"]);
        fs::remove_file(site.path(name)).unwrap();
        fs::rename(site.path("elsewhere"), site.path(name)).unwrap();
    }
    // Above the data directory.
    let config = site.path("shikakud.toml");
    let text = fs::read_to_string(&config).unwrap();
    symlink(site.directory.path(), site.path("way")).unwrap();
    fs::write(&config, text.replace("directory = \"data\"", "directory = \"way/data\"")).unwrap();
    site.refuses("way", &["シンボリックリンク", "way"]);
    fs::write(&config, text).unwrap();
    site.starts();
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_or_misplaced_keys_and_a_newer_schema_are_refused() {
    let site = used().await;
    let aside = |name: &str, refused: &dyn Fn()| {
        fs::rename(site.path(name), site.path("aside")).unwrap();
        refused();
        fs::rename(site.path("aside"), site.path(name)).unwrap();
    };
    // The medium that it lies on may come yet.
    aside("key/master.key", &|| {
        site.refuses("master", &["マスターキー", "ありません", "コピーをその場所に戻してください"]);
    });
    aside("data/keyring", &|| site.refuses_for_good("keyring", &["鍵束", "ありません", "戻してください"]));

    let config = site.path("shikakud.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("key/master.key", "data/master.key")).unwrap();
    site.refuses_for_good("beside", &["同じディレクトリ", "別のディレクトリ"]);
    fs::write(&config, text.replace("key/master.key", "credential:master")).unwrap();
    site.refuses("credential", &["credential:master", "LoadCredentialEncrypted"]);
    fs::write(&config, &text).unwrap();

    sql(
        &site,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .await;
    site.refuses_for_good("schema", &["より新しい版", "9999", "もう一度入れてください"]);
    sql(&site, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    site.starts();
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_is_told_and_run_with_and_without_a_daemon() {
    let site = used().await;
    let status = json(&site, &["retention", "status", "--json"]);
    for (key, expected) in [("due", false), ("ballast", true), ("room", true), ("unfinished", false)] {
        assert_eq!(status[key], expected, "{status}");
    }
    let mut running = site.installation.run();
    running.wait_ready();
    let shown = site.output(&["retention", "status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for words in
        ["現在の日時: ", "日時の確認: ", "保存中の結果: ありません", "消去: 今すべきものはありません"]
    {
        assert!(shown.contains(words), "{shown}");
    }
    let ran = json(&site, &["retention", "run", "--clock-is-right", "--json"]);
    assert_eq!(ran["destroyed"]["results"], 0);
    assert!(running.stop().success());
    assert!(json(&site, &["retention", "status", "--json"])["last_purge_at"].is_string());
    assert!(site.output(&["retention", "run", "--clock-is-right"]).status.success());

    let mut db =
        SqliteConnectOptions::new().filename(site.path("data/shikaku.db")).connect().await.expect("it opens");
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT actor, action FROM audit WHERE action LIKE 'retention.%'")
            .fetch_all(&mut db)
            .await
            .expect("readable");
    let expected = ("machine".to_owned(), "retention.run.clock_is_right".to_owned());
    assert_eq!(rows, vec![expected; 2]);
    db.close().await.expect("closed");
}
