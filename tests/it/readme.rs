//! The README's curl lines work as printed: they are taken from the file and run against the sandbox.

use std::path::Path;
use std::process::Command;

use crate::sandbox::Sandbox;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The shell block between the marks of the README.
fn curl_lines() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let block = readme.split("<!-- curl: begin -->").nth(1).expect("the beginning mark");
    let block = block.split("<!-- curl: end -->").next().expect("the end mark");
    block.trim().trim_start_matches("```sh").trim_end_matches("```").to_owned()
}

#[test]
fn the_curl_lines_of_the_readme_work_as_printed() {
    let sandbox = Sandbox::start();
    let script = curl_lines();
    assert!(script.contains(". /tmp/shikaku.env"), "the lines read what the sandbox wrote");
    let script = script.replace("/tmp/shikaku.env", &sandbox.environment.display().to_string());
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().expect("bash");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.contains(&r#"{"phase":"done","result_id":1}"#), "{out}");
    assert!(lines.contains(&r#"{"count":1}"#), "{out}");
    assert!(lines.contains(&r#"{"id":1,"validity":"有効"}"#), "{out}");
    assert!(out.contains(r#""name": "資格 太郎""#), "{out}");
    assert_eq!(
        lines.last(),
        Some(&r#"{"job":1,"state":"registered","inquiry_number":"K-000123","results":[1]}"#),
        "{out}"
    );
}

#[test]
fn both_readmes_print_the_same_commands() {
    let japanese = std::fs::read_to_string(root().join("README.ja.md")).expect("README.ja.md");
    for line in curl_lines().lines().filter(|line| !line.trim_start().starts_with('#')) {
        assert!(japanese.contains(line), "README.ja.md lacks: {line}");
    }
}

#[test]
fn once_makes_a_check_downloads_it_and_exits() {
    let output = Command::new(env!("CARGO_BIN_EXE_sandbox")).arg("--once").output().expect("the sandbox");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains(r#""sandbox": true"#) && shown.contains("資格 太郎"), "{shown}");
}
