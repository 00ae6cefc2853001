//! Builds our own PC/SC driver of virtual readers (`tests/ifd/ifd.c`) beside the program that needs it.

#![expect(clippy::expect_used, reason = "a driver that cannot be built ends its test with the reason")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ifd/ifd.c");

/// What building needs, and the Debian package it comes from.
const NEEDED: [(&str, &str); 2] =
    [("/usr/bin/gcc", "gcc"), ("/usr/include/PCSC/ifdhandler.h", "libpcsclite-dev")];

/// The driver, built anew if its source has changed.
///
/// # Panics
/// A Debian package is missing; the message names it. Or the source is broken.
pub fn path() -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    let driver = program.with_file_name("libifd-lane.so");
    if !is_newer(&driver, Path::new(SOURCE)) {
        build(&driver);
    }
    driver
}

fn is_newer(built: &Path, source: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let source = changed(source).expect("the driver's source");
    changed(built).is_ok_and(|built| built > source)
}

fn build(driver: &Path) {
    for (path, package) in NEEDED {
        assert!(Path::new(path).exists(), "{path} is missing: install the Debian package {package}");
    }
    // Several tests may build at once: each into a file of its own (the start of a process namespace repeats process
    // numbers, so that those alone do not tell them apart), put in place in one step.
    let directory = tempfile::tempdir_in(driver.parent().expect("a folder")).expect("a folder to build in");
    let built = directory.path().join("ifd.so");
    let output = Command::new("/usr/bin/gcc")
        .args([
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-shared",
            "-fPIC",
            "-I/usr/include/PCSC",
            "-o",
        ])
        .arg(&built)
        .args([SOURCE, "-lpthread"])
        .output()
        .expect("gcc starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(built, driver).expect("the same folder");
}
