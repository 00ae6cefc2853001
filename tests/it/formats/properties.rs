//! Whatever a field holds: XML stays well-formed, CSV keeps its cells and none of them is a formula, JSON is JSON, the
//! copied text keeps its lines, and what was stored comes back.

use std::collections::BTreeMap;

use daemon::domain::eligibility::Field;
use daemon::domain::personal::Personal;
use daemon::formats::charset::Encoder;
use daemon::formats::{Charset, Format, one};
use encoding_rs::SHIFT_JIS;
use proptest::prelude::*;

use super::consumers::{read_csv, read_person, unguarded};
use super::support::{Sample, alone, document, export};

/// Text that tries: any characters, markup, quotes, formulas, controls.
fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,24}",
        "[=+\\-@＝＋－＠'\" \u{3000}\t\r\n,;<>&\\]\\[\\\\/!?a1漢髙𠮷彅㈱神ｶﾞ\u{FE0F}\u{338}\u{0}\u{85}\u{2028}\u{FFFE}\u{10FFFF}]{0,12}",
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
    stored_in(Charset::Utf8, fields)
}

/// What a reader is to find in this set.
fn stored_in(charset: Charset, fields: &BTreeMap<usize, String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (index, value) in fields {
        let field = Field::ALL[*index];
        let value = plain(value);
        let (value, _) = Encoder::new(charset).reduce(&value);
        if !value.is_empty() {
            let value =
                if field == Field::InsurerNumber { format!("{value:>8}") } else { value.into_owned() };
            found.insert(field.tag().to_owned(), value);
        }
    }
    found
}

fn read_xml(text: &str) -> BTreeMap<String, String> {
    let document = roxmltree::Document::parse(text).expect("well-formed");
    let is_person = |node: &roxmltree::Node<'_, '_>| node.has_tag_name("ResultOfQualificationConfirmation");
    read_person(document.descendants().find(is_person).expect("a person"))
}

/// FHIR knows neither null nor anything empty.
fn is_filled(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => false,
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Array(items) => !items.is_empty() && items.iter().all(is_filled),
        serde_json::Value::Object(members) => !members.is_empty() && members.values().all(is_filled),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => true,
    }
}

proptest! {
    #[test]
    fn xml_gives_back_what_it_was_given(fields in fields()) {
        prop_assert_eq!(read_xml(&alone(Format::XmlMsgXml, &sample(&fields))), stored(&fields));
    }

    #[test]
    fn shift_jis_is_read_as_windows_reads_it_and_holds_what_the_set_has(fields in fields(), small in any::<bool>()) {
        let charset = if small { Charset::JisX0208 } else { Charset::Cp932 };
        for format in [Format::XmlMsgXml, Format::Csv, Format::CopiedText] {
            let (bytes, _) = one(format, &document(charset), &sample(&fields).row());
            let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&bytes).expect("Shift_JIS");
            match format {
                Format::XmlMsgXml => prop_assert_eq!(read_xml(&text), stored_in(charset, &fields)),
                Format::Csv => {
                    let lines = read_csv(&format!("\u{FEFF}{text}"));
                    let name = stored_in(charset, &fields).remove("Name").unwrap_or_default();
                    prop_assert_eq!(unguarded(&lines[0]["氏名"]), name);
                }
                _ => prop_assert!(text.starts_with("資格情報\r\n確認日 : \t2026年07月08日\r\n")),
            }
        }
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
        prop_assert!(is_filled(&bundle));
    }
}
