//! The command line of the shipped binary: through the running daemon, or by itself while none runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use daemon::system::SystemClock;
use harness::clinic::Visitor;
use harness::process::Site;
use rustix::process::{Pid, Signal, kill_process};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_managed_while_the_daemon_runs_and_while_it_does_not() {
    let site = Site::open("info").await;
    let before = site.installation.add_account("first", "receipt-computer");
    let running = site.run();
    let meanwhile = site.installation.add_account("second", "receipt-computer");
    for credentials in [before, meanwhile] {
        let mut visitor = Visitor::at(site.installation.api, Arc::new(SystemClock));
        visitor.sign_in(&credentials).await;
    }
    let taken = site.output(&["account", "add", "--role", "operator", "first"]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("同じ名前"), "the daemon's words arrive");
    assert!(taken.stdout.is_empty());
    assert!(running.stop().success());
    assert!(!site.path("data/control.sock").exists(), "an orderly stop leaves no socket");
    let taken = site.output(&["account", "add", "--role", "operator", "second"]);
    assert!(String::from_utf8_lossy(&taken.stderr).contains("同じ名前"), "the same words without a daemon");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_its_owners_alone_and_a_dead_daemons_socket_is_no_obstacle() {
    let site = Site::open("info").await;
    let running = site.run();
    let socket = site.path("data/control.sock");
    assert!(fs::symlink_metadata(&socket).expect("the socket").file_type().is_socket());
    assert_eq!((mode(&socket), mode(&site.path("data"))), (0o600, 0o700));

    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::KILL).expect("the process runs");
    drop(running);
    assert!(socket.exists(), "nobody was left to remove it");
    site.installation.add_account("after", "receipt-computer");
    let mut again = site.installation.run();
    again.wait_ready();
    site.installation.add_account("again", "receipt-computer");
    assert!(again.stop().success());
}

/// Whoever may open the socket at all: what is no command changes nothing and does not stop the daemon.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_is_refused_and_a_silent_peer_does_not_delay_the_stop() {
    let site = Site::open("info").await;
    let running = site.run();
    let open = || UnixStream::connect(site.path("data/control.sock")).expect("the socket");
    for nonsense in
        ["\n", "{}\n", "{\"command\":\"format_disk\"}\n", "[[[[\n", "{\"command\":\"account_add\"}\n"]
    {
        let mut stream = open();
        stream.write_all(nonsense.as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer and its end");
        assert!(answer.starts_with("{\"failed\":") && answer.ends_with("}\n"), "{nonsense}: {answer}");
    }
    let mut too_long = open();
    // The daemon may close before it has read all of it.
    too_long.write_all(&vec![b'x'; 2 << 20]).ok();
    drop(too_long);
    site.installation.add_account("still-there", "receipt-computer");
    let _silent = open();
    assert!(running.stop().success(), "a peer that says nothing is cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_comes_from_a_file_and_stands_in_no_argument() {
    let site = Site::open("info").await;
    let file = site.path("password");
    fs::write(&file, "kasa-to-neko-42-hashiru\n").expect("a file");
    let path = file.display().to_string();
    let asked = ["account", "add", "--role", "operator", "--password-file", &path, "hanako"];
    let shown = site.shown(&asked);
    assert!(!shown.contains("パスワード:") && shown.contains("otpauth://"), "{shown}");
    fs::write(&file, "short1\n").expect("a file");
    let refused = site.output(&["account", "add", "--role", "operator", "--password-file", &path, "taro"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("short1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_account_and_terminal_command_works_through_the_daemon() {
    let site = Site::open("info").await;
    site.installation.add_account("boss", "administrator");
    let running = site.run();
    site.installation.add_account("hanako", "operator");
    let listed = site.shown(&["account", "list"]);
    assert!(listed.contains("boss\tadministrator\tパスワードの変更待ち\t回復コード0個"), "{listed}");
    site.shown(&["account", "disable", "hanako"]);
    assert!(site.shown(&["account", "list"]).contains("hanako\toperator\t無効"));
    site.shown(&["account", "enable", "hanako"]);
    site.shown(&["account", "unlock", "hanako"]);
    let codes = site.shown(&["account", "recovery-codes", "hanako"]);
    assert_eq!(codes.lines().filter(|line| line.len() == 19).count(), 10, "{codes}");
    assert!(site.shown(&["account", "list"]).contains("回復コード10個"));
    let password = site.shown(&["account", "reset-password", "hanako"]);
    assert!(password.contains("パスワード: ") && !password.contains("otpauth"), "{password}");
    let totp = site.shown(&["account", "reset-totp", "hanako"]);
    assert!(totp.contains("otpauth://") && !totp.contains("パスワード:"), "{totp}");
    assert!(!totp.contains('█'), "no drawing where nobody looks");
    let last = site.output(&["account", "disable", "boss"]);
    assert!(String::from_utf8_lossy(&last.stderr).contains("最後の管理者"));
    site.shown(&["account", "remove", "hanako"]);
    let gone = site.output(&["account", "unlock", "hanako"]);
    assert_eq!(gone.status.code(), Some(1));
    let code = site.shown(&["terminal", "enrol-code", "uketsuke-1"]);
    assert!(code.contains("登録コード: "), "{code}");
    assert!(site.shown(&["terminal", "list"]).is_empty());
    assert_eq!(site.output(&["terminal", "remove", "uketsuke-1"]).status.code(), Some(1));
    site.installation.add_account("receipt", "receipt-computer");
    let enrolment = site.shown(&["machine", "enrol-code", "receipt"]);
    assert!(enrolment.contains("登録コード: "), "{enrolment}");
    assert!(site.shown(&["machine", "list"]).is_empty());
    assert_eq!(site.output(&["machine", "revoke", "1"]).status.code(), Some(1));
    let refused = site.output(&["machine", "enrol-code", "boss"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("receipt-computer"));
    let authority = site.shown(&["machine", "ca"]);
    let (fingerprint, pem) = authority.split_once('\n').expect("two parts");
    assert!(fingerprint.len() == 72 && pem.starts_with("-----BEGIN CERTIFICATE-----"), "{authority}");
    assert_eq!(site.shown(&["machine", "ca"]), authority, "made once");
    for secret in codes.lines().chain(password.lines()).chain(totp.lines()).filter(|line| line.contains('-'))
    {
        let secret = secret.split(": ").last().expect("a line");
        assert!(!running.log().contains(secret), "nothing of it is logged");
    }
    assert!(running.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_pc_is_written_into_files_of_the_owner_alone() {
    let site = Site::open("info").await;
    site.installation.add_account("receipt", "receipt-computer");
    site.installation.add_account("hanako", "operator");
    let out = site.path("for-the-receipt-computer");
    fs::create_dir(&out).expect("a directory");
    let out = out.to_str().expect("a path");
    let issue = |arguments: &[&str]| site.output(&[&["machine", "issue", "--out", out], arguments].concat());
    assert_eq!(issue(&["hanako"]).status.code(), Some(1), "no receipt computer");
    assert_eq!(fs::read_dir(out).expect("a directory").count(), 0, "nothing stays");
    let done = issue(&["receipt"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let read = |name: &str| {
        let path = Path::new(out).join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
        fs::read_to_string(path).expect("a file")
    };
    assert!(read("machine-key.pem").starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(read("machine.pem").starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(read("shikaku-ca.pem").trim(), {
        let shown = site.shown(&["machine", "ca"]);
        let (_, pem) = shown.split_once('\n').expect("fingerprint and certificate");
        pem.trim().to_owned()
    });
    assert!(!String::from_utf8_lossy(&done.stdout).contains("PRIVATE"), "the key goes into its file alone");
    let again = issue(&["receipt"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("すでにあるファイルには書きません"));
    assert_eq!(site.shown(&["machine", "list"]).lines().count(), 1, "refused before anything was issued");
    let request = site.path("machine.csr");
    fs::write(&request, harness::clinic::MachineKey::default().request()).expect("a file");
    let elsewhere = site.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");
    let elsewhere = elsewhere.to_str().expect("a path");
    let request = request.to_str().expect("a path");
    site.shown(&["machine", "issue", "--csr", request, "--out", elsewhere, "receipt"]);
    assert_eq!(
        fs::read_dir(elsewhere).expect("a directory").count(),
        2,
        "no key: the receipt computer has it"
    );
}
