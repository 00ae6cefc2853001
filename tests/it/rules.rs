//! The security guide answers every rule, and every proof it names is a test that exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const GUIDE: &str = "docs/ja/security.md";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Rules of the guideline, of data protection and of the cards' law.
fn all_rules() -> BTreeSet<String> {
    let of = |letter: char, last: u8| (1..=last).map(move |number| format!("{letter}{number}"));
    of('R', 20).chain(of('P', 4)).chain(of('J', 4)).collect()
}

/// A row's rule and its proofs: file and test.
fn row(line: &str) -> Option<(String, Vec<(String, String)>)> {
    let cells: Vec<_> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
    let rule = (*cells.first()?).to_owned();
    let quoted: Vec<_> = cells.get(4)?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let proofs = quoted.chunks(2).map(|pair| (pair[0].clone(), pair.get(1).cloned().unwrap_or_default()));
    all_rules().contains(&rule).then(|| (rule, proofs.collect()))
}

/// Whether a file has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    if Path::new(file).extension().is_some_and(|kind| kind == "mjs") {
        return text.contains(&format!("test(\"{name}\""));
    }
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    // What runs says so in the lines above it.
    before.lines().rev().take(4).any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
}

#[test]
fn every_rule_is_answered_once_and_every_proof_is_a_test() {
    let guide = fs::read_to_string(root().join(GUIDE)).expect("the guide");
    let rows: Vec<_> = guide.lines().filter_map(row).collect();
    let answered: BTreeSet<_> = rows.iter().map(|(rule, _)| rule.clone()).collect();
    assert_eq!(answered, all_rules());
    assert_eq!(rows.len(), answered.len(), "a rule has one row");
    let unlinked: Vec<_> = rows
        .iter()
        .filter(|(_, proofs)| proofs.is_empty() || proofs.iter().any(|(file, name)| !has_test(file, name)))
        .collect();
    assert!(unlinked.is_empty(), "{unlinked:#?}");
}

#[test]
fn a_proof_that_is_no_test_is_noticed() {
    assert!(has_test("tests/it/rules.rs", "a_proof_that_is_no_test_is_noticed"));
    assert!(!has_test("tests/it/rules.rs", "has_test"), "a function is no test");
    assert!(!has_test("tests/it/rules.rs", "nothing_has_this_name"));
    assert!(!has_test("tests/it/nowhere.rs", "a_proof_that_is_no_test_is_noticed"));
}
