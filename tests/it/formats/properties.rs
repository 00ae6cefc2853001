//! Whatever a field holds: XML stays well-formed, CSV keeps its cells and none of them is a formula, JSON is JSON, the
//! copied text keeps its lines, and what was stored comes back.

use std::collections::BTreeMap;

use daemon::domain::eligibility::Field;
use daemon::domain::personal::Personal;
use daemon::formats::Format;
use proptest::prelude::*;

use super::consumers::{read_csv, read_person, unguarded};
use super::support::{Sample, alone, export};

/// Text that tries: any characters, markup, quotes, formulas, controls.
fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,24}",
        "[=+\\-@＝＋－＠'\" \u{3000}\t\r\n,;<>&\\]\\[\\\\/!?a1漢\u{338}\u{0}\u{85}\u{2028}\u{FFFE}\u{10FFFF}]{0,12}",
    ]
}

fn fields() -> impl Strategy<Value = BTreeMap<usize, String>> {
    prop::collection::btree_map(0..Field::ALL.len(), nasty(), 1..12)
}

fn sample(fields: &BTreeMap<usize, String>) -> Sample {
    Sample::with(fields.iter().map(|(index, value)| (Field::ALL[*index], Personal::new(value.clone()))))
}

/// What the documentation says that becomes of a value.
fn plain(value: &str) -> String {
    let one = |c: char| match c {
        c if c.is_control() && c.is_whitespace() => ' ',
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => '●',
        '\u{FFFE}' | '\u{FFFF}' => '●',
        c => c,
    };
    value.chars().map(one).collect()
}

fn stored(fields: &BTreeMap<usize, String>) -> BTreeMap<String, String> {
    let value = |field: Field, value: &str| match field {
        Field::InsurerNumber => format!("{:>8}", plain(value)),
        _ => plain(value),
    };
    let kept = fields.iter().filter(|(_, value)| !value.is_empty());
    kept.map(|(index, text)| (Field::ALL[*index].tag().to_owned(), value(Field::ALL[*index], text))).collect()
}

proptest! {
    #[test]
    fn xml_gives_back_what_it_was_given(fields in fields()) {
        let text = alone(Format::XmlMsgXml, &sample(&fields));
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        let person = document
            .descendants()
            .find(|node| node.has_tag_name("ResultOfQualificationConfirmation"))
            .expect("a person");
        prop_assert_eq!(read_person(person), stored(&fields));
    }

    #[test]
    fn json_gives_back_what_it_was_given(fields in fields()) {
        let text = alone(Format::XmlMsgJson, &sample(&fields));
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let person = &json["XmlMsg"]["MessageBody"]["ResultList"][0]["ResultOfQualificationConfirmation"];
        let mut found = BTreeMap::new();
        for (tag, value) in person.as_object().expect("an object") {
            match value {
                serde_json::Value::String(text) => { found.insert(tag.clone(), text.clone()); }
                nested => for (tag, value) in nested.as_object().expect("an object") {
                    found.insert(tag.clone(), value.as_str().expect("a string").to_owned());
                },
            }
        }
        prop_assert_eq!(found, stored(&fields));
    }

    #[test]
    fn csv_gives_back_what_it_was_given_and_no_cell_is_a_formula(fields in fields()) {
        let lines = read_csv(&export(Format::Csv, &[sample(&fields)]));
        prop_assert_eq!(lines.len(), 1);
        for cell in lines[0].values() {
            let first = cell.trim_start().chars().next();
            prop_assert!(!first.is_some_and(|c| "=+-@＝＋－＠\t\r".contains(c)), "{:?}", cell);
        }
        let name = fields.iter().find(|(index, _)| Field::ALL[**index] == Field::Name);
        let name = name.map_or(String::new(), |(_, value)| plain(value));
        prop_assert_eq!(unguarded(&lines[0]["氏名"]), name);
    }

    #[test]
    fn the_copied_text_keeps_its_lines(fields in fields()) {
        let text = alone(Format::CopiedText, &sample(&fields));
        prop_assert!(text.starts_with("資格情報\r\n確認日 : \t2026年07月08日\r\n"));
        for line in text.strip_suffix("\r\n").expect("an end").split("\r\n") {
            prop_assert!(line.matches('\t').count() <= 1);
            prop_assert!(!line.contains(['\r', '\n']));
        }
    }

    #[test]
    fn fhir_is_json_without_anything_empty(fields in fields()) {
        let text = alone(Format::FhirJson, &sample(&fields));
        let bundle: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let entries = bundle["entry"].as_array().expect("entries");
        prop_assert!((2..=3).contains(&entries.len()));
        prop_assert!(!text.contains("null") && !text.contains("[]") && !text.contains("{}"));
        prop_assert!(!text.contains(":\"\""));
    }
}
