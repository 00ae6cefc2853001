//! `shikakud` itself refuses to start where data or keys are not safe, and says in Japanese what to do; and it tells and
//! runs retention from the command line.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use daemon::system::{OsRandom, SystemClock};
use harness::process::Installation;
use harness::upstream::{Options, SimUpstream};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

struct Site {
    directory: TempDir,
    installation: Installation,
    _upstream: SimUpstream,
}

impl Site {
    /// An installation that has run once.
    async fn used() -> Self {
        let directory = TempDir::new().expect("a directory");
        let options = Options::new(Arc::new(SystemClock), Arc::new(OsRandom));
        let upstream = SimUpstream::start(options).await.expect("the central system starts");
        let installation = Installation::write(directory.path(), &upstream, None, "info");
        installation.add_account("receipt", "receipt-computer");
        Self { directory, installation, _upstream: upstream }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Output {
        self.installation.command(arguments).output().expect("shikakud starts")
    }

    /// It does not start, and says all of this.
    #[track_caller]
    fn refuses(&self, what: &str, words: &[&str]) {
        self.ends_with(1, what, words);
    }

    /// It does not start, nor would it if it were tried again.
    #[track_caller]
    fn refuses_for_good(&self, what: &str, words: &[&str]) {
        self.ends_with(4, what, words);
    }

    #[track_caller]
    fn ends_with(&self, code: i32, what: &str, words: &[&str]) {
        let output = self.command(&["run"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        for word in words.iter().chain(&["shikakud: 保存領域を開けません"]) {
            assert!(said.contains(word), "{what}: {word} is not in: {said}");
        }
    }

    /// It starts.
    #[track_caller]
    fn starts(&self) {
        let mut running = self.installation.run();
        running.wait_ready();
        assert!(running.stop().success());
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    async fn sql(&self, statement: &'static str) {
        let mut db = SqliteConnectOptions::new()
            .filename(self.path("data/shikaku.db"))
            .connect()
            .await
            .expect("it opens");
        sqlx::raw_sql(statement).execute(&mut db).await.expect("it runs");
        db.close().await.expect("closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_can_reach_or_own_is_refused() {
    let site = Site::used().await;
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
    let site = Site::used().await;
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
    let site = Site::used().await;
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

    site.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .await;
    site.refuses_for_good("schema", &["より新しい版", "9999", "もう一度入れてください"]);
    site.sql("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    site.starts();
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_is_told_and_run_with_and_without_a_daemon() {
    let site = Site::used().await;
    let status = site.json(&["retention", "status", "--json"]);
    for (key, expected) in [("due", false), ("ballast", true), ("room", true), ("unfinished", false)] {
        assert_eq!(status[key], expected, "{status}");
    }
    let mut running = site.installation.run();
    running.wait_ready();
    let shown = site.command(&["retention", "status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for words in
        ["現在の日時: ", "日時の確認: ", "保存中の結果: ありません", "消去: 今すべきものはありません"]
    {
        assert!(shown.contains(words), "{shown}");
    }
    let ran = site.json(&["retention", "run", "--clock-is-right", "--json"]);
    assert_eq!(ran["destroyed"]["results"], 0);
    assert!(running.stop().success());
    assert!(site.json(&["retention", "status", "--json"])["last_purge_at"].is_string());
    assert!(site.command(&["retention", "run", "--clock-is-right"]).status.success());

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
