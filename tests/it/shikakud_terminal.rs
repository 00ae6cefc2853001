//! How far a long command is, colours, and readers that go away: the shipped binary at a terminal and at a pipe.

use std::fs;
use std::process::{Command, Stdio};

use harness::process::shikakud;
use harness::terminal::{Terminal, run_at_terminal};

use harness::process::Site;

/// A site with a recovery key and a directory for backups; both as arguments of `shikakud backup`.
async fn site() -> (Site, [String; 4]) {
    let site = Site::open("info").await;
    site.installation.add_account("one", "operator");
    let (key, target) = (site.path("recovery.key"), site.path("backups"));
    fs::create_dir(&target).expect("a directory");
    let made = Command::new(shikakud()).arg("recovery-key").arg(&key).output().expect("shikakud starts");
    assert!(made.status.success());
    let text = |path: &std::path::Path| path.display().to_string();
    let backup = ["backup".to_owned(), "--recovery-key".to_owned(), text(&key), text(&target)];
    (site, backup)
}

/// Every long command, in an order in which each has what it needs. Off the runtime's thread: the central system must go on
/// answering.
fn long_commands(site: &Site, backup: &[String; 4], mut at_each: impl FnMut(Command)) {
    let rows = site.path("rows.jsonl").display().to_string();
    let bundle = site.path("bundle.tar.gz").display().to_string();
    let backup = backup.each_ref().map(String::as_str);
    for arguments in [
        &backup[..],
        &["audit", "verify"],
        &["audit", "export", "--out", &rows],
        &["retention", "run", "--clock-is-right"],
        &["doctor", "--no-card"],
        &["support-bundle", &bundle],
    ] {
        tokio::task::block_in_place(|| at_each(site.installation.command(arguments)));
    }
    let archive = fs::read_dir(backup[3]).expect("backups").next().expect("one").expect("an entry").path();
    let archive = archive.display().to_string();
    let restore = ["restore", "--set-aside", "--recovery-key", backup[2], &archive];
    tokio::task::block_in_place(|| at_each(site.installation.command(&restore)));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_pipe_every_long_command_says_in_plain_lines_on_standard_error_that_it_begins_and_ends() {
    let (site, backup) = site().await;
    long_commands(&site, &backup, |mut command| {
        let output = command.output().expect("shikakud starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.first().is_some_and(|line| line.ends_with("います")), "{command:?}: {said}");
        assert!(lines.iter().any(|line| line.starts_with("終わりました（")), "{command:?}: {said}");
        assert!(!said.contains('\r') && !said.contains('\x1b'), "{command:?}: {said}");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(!shown.contains("終わりました（") && !shown.contains('\x1b'), "{command:?}: {shown}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_every_long_command_writes_one_line_over_and_takes_it_away() {
    let (site, backup) = site().await;
    long_commands(&site, &backup, |mut command| {
        let (_, seen, shown) = run_at_terminal(&mut command);
        assert!(seen.starts_with("\r\x1b[?7l"), "{command:?}: {seen:?}");
        let (line, rest) = seen.rsplit_once("\r\x1b[K").expect("the line is taken away");
        assert!(line.ends_with("\x1b[?7h") && !line.contains('\n'), "{command:?}: {seen:?}");
        assert!(!rest.contains("います（"), "{command:?}: {seen:?}");
        assert!(!shown.contains('\x1b') && !shown.contains('\r'), "{command:?}: {shown:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_reads_comes_without_a_word_beside_it() {
    let (site, _) = site().await;
    for arguments in [
        &["retention", "run", "--clock-is-right", "--json"][..],
        &["retention", "status", "--json"],
        &["doctor", "--no-card", "--json"],
    ] {
        let output = site.output(arguments);
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&output.stdout);
        assert!(json.is_ok(), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_coloured_at_a_terminal_only_and_not_where_somebody_wants_no_colour() {
    let site = Site::open("info").await;
    for (environment, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let terminal = Terminal::open();
        let mut running = site.installation.run_at_terminal(terminal.for_program(), environment);
        running.wait_ready();
        assert!(running.stop().success());
        let seen = terminal.seen();
        assert!(seen.contains("ready"), "{seen:?}");
        assert_eq!(seen.contains('\x1b'), coloured, "{seen:?}");
    }
    let running = site.run();
    assert!(running.stop().success());
    let log = site.installation.log();
    assert!(log.contains("ready") && !log.contains('\x1b'), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_failure_to_complain_of() {
    let (site, _) = site().await;
    let unread = |command: &mut Command| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command.stdout(writer).stderr(Stdio::piped()).output().expect("shikakud starts")
    };
    for arguments in [&["completions", "zsh"][..], &["man"]] {
        let output = unread(Command::new(shikakud()).args(arguments));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {} {said}", output.status);
    }
    // What was not delivered is not called delivered.
    let output = unread(&mut site.installation.command(&["account", "list"]));
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]));
    let page = Command::new(shikakud()).arg("man").output().expect("shikakud starts");
    assert!(String::from_utf8_lossy(&page.stdout).contains("終了コード"));
}
