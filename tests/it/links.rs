//! Every link between our documents leads to a file that exists, and to a heading that it has.

use std::fs;
use std::path::{Path, PathBuf};

const PLACES: &[&str] =
    &[".", "daemon/src/upstream", "deploy", "docs", "docs/en", "docs/ja", "docs/screens", "tests"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn documents() -> Vec<PathBuf> {
    let files = PLACES.iter().flat_map(|place| fs::read_dir(root().join(place)).expect("a directory"));
    let paths = files.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect()
}

/// What stands between `](` and `)`, but for what leads out of the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(link, _)| link).filter(|link| !link.contains("://"))
}

/// A heading as a link names it: letters and digits, `-` and `_`, lower case, a hyphen for each space.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn leads_somewhere(document: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target =
        if file.is_empty() { document.to_owned() } else { document.parent().unwrap_or(root()).join(file) };
    if heading.is_empty() {
        return target.exists();
    }
    let text = fs::read_to_string(&target).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading)
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        dead.extend(
            links(&text)
                .filter(|link| !leads_somewhere(&document, link))
                .map(|link| format!("{}: {link}", document.display())),
        );
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let here = root().join("docs/ja/operation.md");
    assert!(leads_somewhere(&here, "operation.md#doctor-の表示") && leads_somewhere(&here, "#警報"));
    assert!(!leads_somewhere(&here, "nowhere.md") && !leads_somewhere(&here, "#nothing"));
}
