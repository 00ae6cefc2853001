//! From nothing to an installation: `shikakud setup` by a file of answers, repeated, and what shells, manuals and services need.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use daemon::system::{OsRandom, SystemClock};
use harness::process::shikakud;
use harness::upstream::{Options, SimUpstream};
use tempfile::TempDir;

fn run(arguments: &[&str]) -> Output {
    Command::new(shikakud()).args(arguments).output().expect("shikakud starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file").permissions().mode() & 0o777
}

/// The central system's files under the names that setup gives them.
async fn secrets(directory: &Path) -> String {
    let upstream = SimUpstream::start(Options::new(Arc::new(SystemClock), Arc::new(OsRandom))).await;
    let upstream = upstream.expect("the central system starts");
    let made = directory.join("made");
    fs::create_dir(&made).expect("a directory");
    let files = upstream.write_files(&made).expect("its files");
    let config = files.config().expect("its configuration");
    let secrets = directory.join("secrets");
    fs::create_dir(&secrets).expect("a directory");
    for (from, to) in [
        (&config.totp_secret_file, "upstream-totp"),
        (&config.roots_file, "upstream-roots.pem"),
        (&config.client_certificate_file, "client.pem"),
        (&config.client_key_file, "client-key.pem"),
        (config.password_file.as_ref().expect("one was issued"), "upstream-password"),
    ] {
        fs::copy(made.join(from), secrets.join(to)).expect("copied");
    }
    config.base_url
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_make_an_installation_and_making_it_again_changes_nothing() {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let base_url = secrets(directory.path()).await;
    let answers = format!(
        "institution_code = \"1312345678\"\nmode = \"sandbox\"\ndirectory = \"{}\"\nmaster_key_file = \"{}\"\n\
         credentials_file = \"{}\"\n[page]\nlisten = \"127.0.0.1:0\"\n[upstream]\nbase_url = \"{base_url}\"\n\
         account = \"link-account\"\nhas_password = true\ndirectory = \"{}\"\n",
        path("data"),
        path("key/master.key"),
        path("first-password"),
        path("secrets"),
    );
    fs::write(directory.path().join("answers.toml"), &answers).expect("written");
    let (config, from) = (path("etc/config.toml"), path("answers.toml"));
    let setup = ["setup", "--config", &config, "--from", &from];

    let planned = run(&[&setup[..], &["--check"]].concat());
    assert!(planned.status.success() && said(&planned).contains("link-account"), "{}", said(&planned));
    assert!(
        !Path::new(&config).exists() && !directory.path().join("data").exists(),
        "--check changes nothing"
    );

    let password = directory.path().join("secrets/upstream-password");
    fs::rename(&password, directory.path().join("later")).expect("our own file");
    let waiting = run(&setup);
    assert_eq!(waiting.status.code(), Some(3), "{}", said(&waiting));
    assert!(said(&waiting).contains("secrets/upstream-password"), "{}", said(&waiting));
    assert!(Path::new(&config).exists() && !directory.path().join("data").exists(), "nothing began");
    fs::rename(directory.path().join("later"), &password).expect("our own file");

    let made = run(&setup);
    assert!(made.status.success(), "{}", said(&made));
    assert!(!said(&made).contains("パスワード:"), "the password goes into its file");
    let (text, first) = (fs::read(&config).expect("it"), fs::read(path("first-password")).expect("it"));
    assert!(String::from_utf8_lossy(&first).contains("パスワード:"));
    assert_eq!((mode(Path::new(&config)), mode(&directory.path().join("first-password"))), (0o600, 0o600));
    assert!(String::from_utf8_lossy(&text).contains("upstream-password"));
    let checked = run(&["config", "check", "--config", &config]);
    assert!(checked.status.success(), "{}", said(&checked));

    let again = run(&setup);
    assert!(again.status.success() && said(&again).contains("すでにあります"), "{}", said(&again));
    assert_eq!(
        (fs::read(&config).expect("it"), fs::read(path("first-password")).expect("it")),
        (text, first)
    );
    let accounts = run(&["account", "list", "--config", &config]);
    assert_eq!(said(&accounts).matches("kanrisha").count(), 1);

    // An account that cannot be made leaves no file in the way of the next try.
    let nobody =
        answers.replace("[page]", "administrator = \"\"\n[page]").replace("first-password", "second");
    fs::write(directory.path().join("answers.toml"), nobody).expect("written");
    let refused = run(&setup);
    assert!(!refused.status.success() && !directory.path().join("second").exists(), "{}", said(&refused));
    fs::write(directory.path().join("answers.toml"), &answers).expect("written");

    // A first password that was never written down is not taken for handed over.
    fs::write(path("first-password"), "").expect("written");
    let lost = run(&setup);
    assert_eq!(lost.status.code(), Some(1), "{}", said(&lost));
    assert!(said(&lost).contains("reset-password") && said(&lost).contains("reset-totp"), "{}", said(&lost));

    fs::write(directory.path().join("answers.toml"), answers.replace("mode =", "mod =")).expect("written");
    let refused = run(&["setup", "--config", &path("other.toml"), "--from", &from]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(!directory.path().join("other.toml").exists());
}

#[test]
fn without_a_terminal_and_without_answers_nothing_is_asked() {
    let directory = TempDir::new().expect("a directory");
    let config = directory.path().join("config.toml");
    let refused = Command::new(shikakud())
        .arg("setup")
        .arg("--config")
        .arg(&config)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("shikakud starts");
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("--from") && !config.exists());
}

#[test]
fn shells_and_manuals_get_what_they_need_and_exit_codes_are_told() {
    for shell in ["bash", "zsh", "fish"] {
        let written = run(&["completions", shell]);
        assert!(written.status.success() && said(&written).contains("support-bundle"), "{shell}");
    }
    let directory = TempDir::new().expect("a directory");
    let written = run(&["man", directory.path().to_str().expect("a path")]);
    assert!(written.status.success(), "{}", said(&written));
    let page = fs::read_to_string(directory.path().join("shikakud.1")).expect("the page");
    assert!(page.contains("終了コード"));
    for command in ["run", "setup", "doctor", "support-bundle", "account-add"] {
        assert!(directory.path().join(format!("shikakud-{command}.1")).exists(), "{command}");
    }
    assert!(said(&run(&["--help"])).contains("設定ファイルが使えない"));
}

#[test]
fn where_no_service_is_installed_that_is_said() {
    let refused = run(&["service", "install"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("systemd") || said(&refused).contains("shikaku-bridge.service"));
}
