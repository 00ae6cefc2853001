//! Invariants of the source tree, as tests: who may know whom, how large a file may be, what may not be written down.

use std::fs;
use std::path::{Path, PathBuf};

/// The adapters, what is put around them, and the libraries that are theirs: no layer names any of it but its own.
const OUTSIDE: &[&str] = &[
    "crate::card",
    "crate::config",
    "crate::folders",
    "crate::passkeys",
    "crate::pki",
    "crate::service",
    "crate::start",
    "crate::store",
    "crate::upstream",
    "api::",
    "axum",
    "notify::",
    "pcsc::",
    "rcgen",
    "reqwest",
    "roxmltree",
    "sqlx",
];

/// A folder or file and what may stand in its code.
struct Layer {
    place: &'static str,
    /// Of [`OUTSIDE`], what is its own.
    own: &'static [&'static str],
    /// Words that may not stand there either.
    also: &'static [&'static str],
    why: &'static str,
}

const ADAPTER: &str = "adapters never call each other";

const LAYERS: &[Layer] = &[
    Layer {
        place: "daemon/src/domain",
        own: &[],
        also: &[
            "crate::app",
            "async fn",
            ".await",
            "tokio",
            "serde",
            "tracing",
            "std::fs",
            "std::net",
            "Timestamp::now",
        ],
        why: "the domain is pure: no IO, clock, async, serialisation or logging",
    },
    Layer {
        place: "daemon/src/app",
        own: &[],
        also: &["rustls", "serde", "std::fs", "std::net"],
        why: "use cases know ports, never adapters",
    },
    Layer { place: "daemon/src/card", own: &["crate::card", "pcsc::"], also: &[], why: ADAPTER },
    Layer {
        place: "daemon/src/card/protocol",
        own: &["crate::card"],
        also: &["tokio", "crate::app::checks", "Instant", "std::thread"],
        why: "card protocols are bytes in, bytes out",
    },
    Layer { place: "daemon/src/upstream", own: &["crate::upstream", "reqwest"], also: &[], why: ADAPTER },
    Layer { place: "daemon/src/store", own: &["crate::store", "sqlx"], also: &[], why: ADAPTER },
    Layer {
        place: "daemon/src/passkeys.rs",
        own: &["crate::passkeys"],
        also: &["tokio", ".await", "Timestamp"],
        why: ADAPTER,
    },
    Layer {
        place: "daemon/src/folders",
        own: &["crate::folders", "notify::", "roxmltree"],
        also: &["serde"],
        why: ADAPTER,
    },
    Layer {
        place: "daemon/src/folders/intake.rs",
        own: &["roxmltree"],
        also: &["tokio", ".await", "std::fs", "rustix", "crate::app"],
        why: "what strangers wrote is read by a pure function",
    },
    Layer { place: "daemon/src/pki", own: &["crate::pki", "rcgen"], also: &["tokio"], why: ADAPTER },
    Layer {
        place: "daemon/src/formats",
        own: &[],
        also: &[
            "crate::app",
            "async fn",
            ".await",
            "tokio",
            "tracing",
            "std::fs",
            "std::net",
            "Timestamp::now",
        ],
        why: "formats know the domain: values in, bytes out",
    },
    Layer {
        place: "daemon/src/doctor/checks",
        own: &["crate::card", "crate::folders", "crate::store", "crate::upstream"],
        also: &["std::fs", "std::net", "tokio", ".await"],
        why: "the doctor's rules judge what was seen, they do not look",
    },
    Layer {
        place: "daemon/src/service",
        own: &["crate::service", "api::"],
        also: &[],
        why: "the service translates between the contract and the use cases, nothing else",
    },
    Layer {
        place: "api/src",
        own: &["api::", "axum", "crate::service"],
        also: &["daemon::", "jiff", "totp_rs", "argon2"],
        why: "the contract knows nothing behind it",
    },
];

/// Words that no source file may hold, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("#[ignore", "a test that does not run proves nothing"),
    ("danger_accept_invalid", "certificates are always checked"),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
];

/// How a test would sleep (in two halves, so that this file does not hold it).
const SLEEP: &str = concat!("::sl", "eep(");

/// Longer files are two things.
const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file: without comments, and without its unit tests at the end.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a readable source file");
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or("").to_owned()))
        .collect()
}

#[test]
fn layers_know_only_what_they_may() {
    let mut broken = Vec::new();
    for Layer { place, own, also, why } in LAYERS {
        let files = sources(&root().join(place));
        assert!(!files.is_empty(), "{place} holds no source: the rule would prove nothing");
        let words: Vec<_> = OUTSIDE.iter().filter(|word| !own.contains(word)).chain(*also).collect();
        for file in files {
            for (number, line) in code(&file) {
                for word in words.iter().filter(|word| line.contains(***word)) {
                    broken.push(format!("{}:{number}: `{word}` ({why})", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "layer rules are broken:\n{}", broken.join("\n"));
}

/// Beside the composition root and the adapters themselves, who may name what of an adapter: settings and findings, not
/// parts. The doctor is put together in a file of its own, because it looks at each adapter without starting the daemon.
const NAMED_ELSEWHERE: &[(&str, &str)] = &[
    ("daemon/src/config.rs", "crate::upstream::UpstreamConfig"),
    ("daemon/src/cli.rs", "crate::upstream::review"),
    ("daemon/src/doctor/wiring.rs", "crate::card::survey::"),
    ("daemon/src/doctor/wiring.rs", "crate::upstream::"),
    ("daemon/src/doctor/wiring.rs", "crate::store::"),
    ("daemon/src/doctor/wiring.rs", "crate::folders::{Surveyed, survey}"),
    ("daemon/src/doctor/checks/folders.rs", "crate::folders::Surveyed"),
    ("daemon/src/doctor/page.rs", "crate::pki::"),
    ("daemon/src/doctor/checks/desk.rs", "crate::card::survey::"),
    ("daemon/src/doctor/checks/desk.rs", "crate::card::readers::{Presence, ReadersError}"),
    ("daemon/src/doctor/checks/link.rs", "crate::upstream::Probed"),
    ("daemon/src/doctor/checks/store.rs", "crate::store::{FileError, Inspection, OpenError}"),
];

#[test]
fn only_the_composition_root_names_adapters() {
    let adapters = [
        "crate::passkeys::",
        "crate::folders::",
        "crate::store::",
        "crate::card::",
        "crate::upstream::",
        "crate::pki::",
    ];
    let mut broken = Vec::new();
    for file in sources(&root().join("daemon/src")) {
        let name = file.strip_prefix(root()).expect("inside").to_string_lossy().into_owned();
        let inside = [
            "daemon/src/card/",
            "daemon/src/folders/",
            "daemon/src/passkeys.rs",
            "daemon/src/pki/",
            "daemon/src/store/",
            "daemon/src/upstream/",
            "daemon/src/start",
        ];
        if inside.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        for (number, line) in code(&file) {
            let excused = NAMED_ELSEWHERE.iter().any(|(place, word)| name == *place && line.contains(word));
            if !excused && adapters.iter().any(|adapter| line.contains(adapter)) {
                broken.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_grows_beyond_one_thing_and_none_holds_a_forbidden_word() {
    let mut broken = Vec::new();
    for folder in ["api/src", "daemon/src", "tests/src", "tests/it"] {
        for file in sources(&root().join(folder)) {
            let lines = fs::read_to_string(&file).expect("a readable source file").lines().count();
            if lines > LONGEST_FILE {
                broken.push(format!("{}: {lines} lines", file.display()));
            }
            if folder == "tests/it" && fs::read_to_string(&file).expect("a source file").contains(SLEEP) {
                broken.push(format!("{}: a test sleeps; wait for a state, not for a time", file.display()));
            }
            if file.ends_with("it/tidy.rs") {
                continue;
            }
            for (number, line) in code(&file) {
                broken.extend(
                    FORBIDDEN
                        .iter()
                        .filter(|(word, _)| line.contains(word))
                        .map(|(word, why)| format!("{}:{number}: `{word}` ({why})", file.display())),
                );
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn main_only_wires() {
    let main = fs::read_to_string(root().join("daemon/src/main.rs")).expect("main.rs");
    assert!(main.lines().count() < 60, "main.rs is to stay under 60 lines");
}

#[test]
fn every_dependency_has_its_reason_beside_it() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]").nth(1).expect("the dependencies");
    let section = section.split("\n[").next().expect("its end");
    let bare: Vec<_> = section
        .lines()
        .filter(|line| line.contains(" = ") && !line.trim_start().starts_with('#'))
        .filter(|line| !line.contains(" # ") && !line.contains("path = "))
        .collect();
    assert!(bare.is_empty(), "without a reason:\n{}", bare.join("\n"));
}
