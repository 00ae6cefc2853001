//! Tests that need the real PC/SC run inside a lane of their own, in a second process of this binary.

use std::path::Path;

use harness::lane::{self, Lane};

/// Runs `body` in a lane. `test` is the caller's own path (`module::function`): inside the lane only it is run.
#[track_caller]
pub fn run(test: &str, body: impl FnOnce(&mut Lane)) {
    run_in(test, Lane::start, body);
}

/// As [`run`], with readers of our own driver instead of vpcd's.
#[track_caller]
pub fn run_with_readers(test: &str, readers: &[&str], body: impl FnOnce(&mut Lane)) {
    run_in(test, || Lane::with_readers(readers), body);
}

/// Runs `body` in namespaces of its own with a small disk at the path it is given; no PC/SC.
#[track_caller]
pub fn run_on_small_disk(test: &str, mib: u32, body: impl FnOnce(&Path)) {
    run_in(test, || lane::small_disk(mib), |disk| body(disk));
}

#[track_caller]
fn run_in<L>(test: &str, start: impl FnOnce() -> L, body: impl FnOnce(&mut L)) {
    if lane::inside().as_deref() == Some(test) {
        return body(&mut start());
    }
    let program = std::env::current_exe().expect("this test binary");
    let output = lane::command(program, test)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .output()
        .expect("unshare starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "{test} inside its lane: {}\n{stdout}\n{stderr}", output.status);
}
