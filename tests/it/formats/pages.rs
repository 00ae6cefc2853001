//! The pages for vendors say what the program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use daemon::formats::Format;
use daemon::formats::csv::COLUMNS;

fn page(language: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    fs::read_to_string(root.join("docs").join(language).join("formats.md")).expect("a page")
}

/// The cells of the table of columns.
fn table(page: &str) -> Vec<Vec<String>> {
    let table = page.split("<!-- columns -->").nth(1).and_then(|rest| rest.split("<!-- end").next());
    let rows = table.expect("a table").lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_tables_of_columns_are_those_of_the_program() {
    for (language, tells_meaning) in [("ja", true), ("en", false)] {
        let rows = table(&page(language));
        assert_eq!(rows.len(), COLUMNS.len(), "{language}");
        for ((number, column), row) in (1..).zip(COLUMNS).zip(&rows) {
            let expected = [number.to_string(), column.heading.to_owned(), format!("`{}`", column.name)];
            assert_eq!(row[..3], expected, "{language}");
            if tells_meaning {
                assert_eq!(row[3], column.meaning);
            }
        }
    }
}

#[test]
fn no_two_columns_have_one_heading_or_name() {
    let headings: BTreeSet<_> = COLUMNS.iter().map(|column| column.heading).collect();
    let names: BTreeSet<_> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!((headings.len(), names.len()), (COLUMNS.len(), COLUMNS.len()));
}

#[test]
fn every_media_type_is_named() {
    for language in ["ja", "en"] {
        let page = page(language);
        for format in Format::ALL {
            let whole = format.media_type(daemon::formats::Charset::Utf8);
            let name = whole.split(';').next().expect("a type");
            assert!(page.contains(&format!("`{name}`")), "{language}: {name}");
        }
    }
}
