//! Builds our own C libraries beside the program that needs them.

#![expect(clippy::expect_used, reason = "a library that cannot be built ends its test with the reason")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library built from one C file, anew if the file has changed.
///
/// # Panics
/// One of the files in `needed` is missing; the message names its Debian package. Or the source is broken.
pub fn path(name: &str, source: &Path, options: &[&str], needed: &[(&str, &str)]) -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    let library = program.with_file_name(name);
    if !is_newer(&library, source) {
        build(&library, source, options, needed);
    }
    library
}

fn is_newer(built: &Path, source: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let source = changed(source).expect("the library's source");
    changed(built).is_ok_and(|built| built > source)
}

fn build(library: &Path, source: &Path, options: &[&str], needed: &[(&str, &str)]) {
    for (path, package) in needed {
        assert!(Path::new(path).exists(), "{path} is missing: install the Debian package {package}");
    }
    // Several tests may build at once: each into a file of its own (the start of a process namespace repeats process
    // numbers, so that those alone do not tell them apart), put in place in one step.
    let directory = tempfile::tempdir_in(library.parent().expect("a folder")).expect("a folder to build in");
    let built = directory.path().join("built.so");
    let output = Command::new("/usr/bin/gcc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"])
        .args(options)
        .arg("-o")
        .arg(&built)
        .arg(source)
        .args(["-lpthread", "-ldl"])
        .output()
        .expect("gcc starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(built, library).expect("the same folder");
}
