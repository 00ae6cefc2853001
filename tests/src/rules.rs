//! The security guide (docs/ja/security.md) answers every rule, and every proof it names is a test that exists.

use std::collections::BTreeSet;
use std::fs;
use std::io;
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

/// Whether a file of the project has a test of this name.
pub fn has_test(file: &str, name: &str) -> bool {
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    if Path::new(file).extension().is_some_and(|kind| kind == "mjs") {
        return text.contains(&format!("test(\"{name}\""));
    }
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    // What runs says so in the lines above it.
    before.lines().rev().take(4).any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
}

/// What the guide owes: rules without a row, rules with two, and rules whose proof is missing or no test.
pub fn unlinked() -> io::Result<Vec<String>> {
    let guide = fs::read_to_string(root().join(GUIDE))?;
    let mut open = all_rules();
    let mut owed = Vec::new();
    for (rule, proofs) in guide.lines().filter_map(row) {
        let proven = !proofs.is_empty() && proofs.iter().all(|(file, name)| has_test(file, name));
        if !open.remove(&rule) || !proven {
            owed.push(rule);
        }
    }
    owed.extend(open);
    Ok(owed)
}
