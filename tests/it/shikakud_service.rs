//! What the packaged service meets: root's commands beside the service's own user, a key that only the service is handed, trouble that
//! no restart ends, and an address that the machine does not have yet.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use harness::process::Site;
use serde_json::Value;

/// What the doctor finds of daemon and store.
fn doctor(site: &Site) -> Vec<String> {
    let output = site.output(&["doctor", "--json", "--no-card"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let findings = report["findings"].as_array().expect("findings").iter();
    let codes = findings.map(|finding| finding["code"].as_str().expect("a code").to_owned());
    codes.filter(|code| code.starts_with("daemon_") || code.starts_with("store_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn to_root_an_installation_of_the_services_user_is_not_broken() {
    let site = Site::open("info").await;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut running = site.installation.run_unprivileged();
    running.wait_ready();
    assert_eq!(doctor(&site), ["daemon_running", "store_of_another"]);
    assert!(running.stop().success());
    assert_eq!(doctor(&site), ["daemon_stopped", "store_of_another"]);
    let told = String::from_utf8(site.output(&["doctor", "--no-card"]).stdout).expect("text");
    assert!(told.contains("sudo -u shikaku-bridge"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_the_service_is_handed_is_not_called_lost() {
    let site = Site::open("info").await;
    let config = site.path("shikakud.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, text.replace("key/master.key", "credential:master-key")).expect("a writable file");
    let credentials = site.path("credentials");
    let key = credentials.join("master-key");
    fs::create_dir(&credentials).expect("a directory");
    fs::write(&key, [7; 32]).expect("a writable directory");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("our own file");
    let mut in_service = site.installation.command(&["account", "list"]);
    let made = in_service.env("CREDENTIALS_DIRECTORY", &credentials).output().expect("shikakud starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    assert_eq!(doctor(&site), ["daemon_stopped", "store_key_unseen"]);
    let refused = site.output(&["account", "list"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("LoadCredentialEncrypted="), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_person_can_end_has_an_exit_code_that_systemd_does_not_answer_with_a_restart() {
    let site = Site::open("info").await;
    assert!(site.output(&["account", "list"]).status.success());
    let keyring = site.path("data/keyring");
    let kept = fs::read(&keyring).expect("the keyring");
    fs::write(&keyring, b"something else").expect("our own file");
    let ended = site.output(&["run"]);
    assert_eq!(ended.status.code(), Some(4), "{}", String::from_utf8_lossy(&ended.stderr));
    fs::write(&keyring, kept).expect("our own file");
    // A medium with the key may be plugged in any time: that is worth another try.
    fs::remove_file(site.path("key/master.key")).expect("our own file");
    assert_eq!(site.output(&["run"]).status.code(), Some(1));

    let unit = include_str!("../../deploy/debian/shikaku-bridge.service");
    assert!(unit.lines().any(|line| line == "RestartPreventExitStatus=4"), "{unit}");
}

/// A cable that is out, a switch or a router that comes up later than this machine.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_machine_does_not_have_yet_stops_nothing_else() {
    const NOT_HERE: &str = "10.254.253.252";
    let nothing = TcpListener::bind((NOT_HERE, 0)).expect_err("nobody has this address");
    assert_eq!(nothing.kind(), ErrorKind::AddrNotAvailable);
    let site = Site::open("info").await;
    site.installation.configure(&format!("[lan]\nlisten = \"{NOT_HERE}:8444\"\nhosts = [\"{NOT_HERE}\"]"));
    site.installation
        .configure(&format!("[page]\nlisten = \"{NOT_HERE}:8443\"\nhosts = [\"uketsuke.local\"]"));
    let mut running = site.installation.run();
    running.wait_ready();
    let log = running.log();
    assert_eq!(log.matches("does not have the address of a listener yet").count(), 2, "{log}");
    assert!(running.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_program_has_is_told_with_section_and_address() {
    let site = Site::open("info").await;
    let another = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = another.local_addr().expect("its address");
    site.installation.configure(&format!("[page]\nlisten = \"{taken}\""));
    let ended = site.output(&["run"]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains(&format!("[page] の {taken}")) && said.contains("ほかのプログラム"), "{said}");
    assert_eq!(ended.status.code(), Some(1), "the other program may end");
}
