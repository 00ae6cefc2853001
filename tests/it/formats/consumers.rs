//! Readers as they are written elsewhere: careful ones that take a document apart and compare it with what was stored.

use std::collections::BTreeMap;

use daemon::domain::eligibility::{Eligibility, Field, parse_date};
use daemon::formats::Format;
use roxmltree::Node;
use serde_json::Value;

use super::support::{Sample, alone, everyone, export, named};

/// What a reader finds of one person: tag → value.
type Found = BTreeMap<String, String>;

fn expected(sample: &Sample) -> Vec<Found> {
    let fields = |person: &Eligibility| {
        let mut found: Found =
            person.iter().map(|(field, value)| (field.tag().to_owned(), value.expose().to_owned())).collect();
        if let Some(number) = &sample.inquiry_number {
            found.insert(Field::ReferenceNumber.tag().to_owned(), number.expose().to_owned());
        }
        found
    };
    sample.confirmation.eligibilities.iter().map(fields).collect()
}

//------------ XML ----------------------------------------------------------------------------------------------------

fn only<'a>(parent: Node<'a, 'a>, tag: &str) -> Option<Node<'a, 'a>> {
    let mut found = parent.children().filter(|child| child.has_tag_name(tag));
    let first = found.next();
    assert!(found.next().is_none(), "{tag} comes twice");
    first
}

fn leaf(parent: Node<'_, '_>, tag: &str) -> Option<String> {
    let mut found = parent.children().filter(|child| child.has_tag_name(tag));
    let value = found.next().map(|node| {
        assert!(node.children().all(|child| child.is_text()), "{tag} is a value");
        node.text().unwrap_or_default().to_owned()
    });
    assert!(found.next().is_none(), "{tag} comes twice");
    value
}

pub(super) fn read_person(person: Node<'_, '_>) -> Found {
    let mut found = Found::new();
    for node in person.descendants().filter(Node::is_element).skip(1) {
        if node.has_tag_name("ElderlyRecipientCertificateInfo") {
            continue;
        }
        let field = Field::from_tag(node.tag_name().name()).expect("a known tag");
        let nested = node.parent().is_some_and(|up| up.has_tag_name("ElderlyRecipientCertificateInfo"));
        assert_eq!(nested, field.in_elderly_recipient_certificate(), "{}", field.tag());
        let value = node.text().unwrap_or_default().to_owned();
        assert!(!value.is_empty(), "an empty element");
        assert!(found.insert(field.tag().to_owned(), value).is_none(), "{} comes twice", field.tag());
    }
    found
}

fn read_message(message: Node<'_, '_>, sample: &Sample) {
    let header = only(message, "MessageHeader").expect("a header");
    assert_eq!(leaf(header, "MedicalInstitutionCode").as_deref(), Some("1312345678"));
    assert_eq!(leaf(header, "SegmentOfResult").as_deref(), Some("1"));
    assert_eq!(leaf(header, "QualificationConfirmationDate").as_deref(), Some("20260708"));
    assert_eq!(leaf(header, "ProcessExecutionTime").expect("a time").len(), 14);
    let body = only(message, "MessageBody").expect("a body");
    let confirmation = &sample.confirmation;
    assert_eq!(leaf(body, "QualificationValidity").as_deref(), Some(confirmation.validity.code()));
    assert_eq!(
        leaf(body, "ProcessingResultMessage"),
        confirmation.note.as_ref().map(|note| note.message.clone())
    );
    let people: Vec<Found> = match only(body, "ResultList") {
        Some(list) => list.children().filter(Node::is_element).map(read_person).collect(),
        None => Vec::new(),
    };
    assert_eq!(people, expected(sample));
    assert_eq!(only(body, "ResultList").is_none(), people.is_empty());
}

#[test]
fn a_careful_reader_of_xml_finds_what_was_stored() {
    let samples = everyone();
    for sample in &samples {
        let text = alone(Format::XmlMsgXml, sample);
        let document = roxmltree::Document::parse(&text).expect("well-formed");
        assert!(document.root_element().has_tag_name("XmlMsg"));
        read_message(document.root_element(), sample);
    }
    let text = export(Format::XmlMsgXml, &samples);
    let document = roxmltree::Document::parse(&text).expect("well-formed");
    let root = document.root_element();
    let messages: Vec<_> = root.children().filter(|node| node.has_tag_name("XmlMsg")).collect();
    assert_eq!(messages.len(), samples.len());
    for (message, sample) in messages.into_iter().zip(&samples) {
        read_message(message, sample);
    }
    let summary = only(root, "Summary").expect("a summary");
    assert_eq!(leaf(summary, "Results"), Some(samples.len().to_string()));
}

#[test]
fn a_document_that_was_cut_off_is_not_well_formed() {
    let text = export(Format::XmlMsgXml, &everyone()[..2]);
    let end = text.rfind("</XmlMsgList>").expect("an end");
    assert!(roxmltree::Document::parse(&text[..end]).is_err());
    let text = export(Format::XmlMsgJson, &everyone()[..2]);
    assert!(serde_json::from_str::<Value>(&text[..text.len() - 2]).is_err());
}

//------------ JSON ---------------------------------------------------------------------------------------------------

/// The elements of an XML node as the JSON form has them.
fn as_json(node: Node<'_, '_>) -> Value {
    if node.has_tag_name("ResultList") {
        let item = |child: Node<'_, '_>| serde_json::json!({ child.tag_name().name(): as_json(child) });
        return node.children().filter(Node::is_element).map(item).collect();
    }
    let holds_elements = node.children().any(|child| child.is_element());
    if holds_elements || node.has_tag_name("ResultOfQualificationConfirmation") {
        let members = node.children().filter(Node::is_element);
        return Value::Object(
            members.map(|child| (child.tag_name().name().to_owned(), as_json(child))).collect(),
        );
    }
    Value::String(node.text().unwrap_or_default().to_owned())
}

#[test]
fn both_notations_say_the_same() {
    for sample in &everyone() {
        let xml = alone(Format::XmlMsgXml, sample);
        let document = roxmltree::Document::parse(&xml).expect("well-formed");
        let json: Value = serde_json::from_str(&alone(Format::XmlMsgJson, sample)).expect("JSON");
        assert_eq!(json, serde_json::json!({ "XmlMsg": as_json(document.root_element()) }));
    }
}

//------------ CSV ----------------------------------------------------------------------------------------------------

/// A reader's way back from a cell to the value: one leading apostrophe is not the value's.
pub(super) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

pub(super) fn read_csv(text: &str) -> Vec<BTreeMap<String, String>> {
    let text = text.strip_prefix('\u{FEFF}').expect("a byte order mark");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let lines = reader.deserialize::<BTreeMap<String, String>>();
    lines.map(|line| line.expect("a line of as many cells")).collect()
}

#[test]
fn a_reader_of_csv_finds_what_was_stored() {
    let headings: BTreeMap<&str, Field> = [
        ("保険者番号", Field::InsurerNumber),
        ("記号", Field::InsuredCardSymbol),
        ("番号", Field::InsuredIdentificationNumber),
        ("枝番", Field::InsuredBranchNumber),
        ("氏名", Field::Name),
        ("フリガナ", Field::NameKana),
        ("生年月日", Field::Birthdate),
        ("高齢受給者証負担割合", Field::ElderlyRecipientContributionRatio),
    ]
    .into();
    let samples = everyone();
    let mut lines = read_csv(&export(Format::Csv, &samples)).into_iter();
    for sample in &samples {
        let people = &sample.confirmation.eligibilities;
        for index in 0..people.len().max(1) {
            let line = lines.next().expect("a line");
            assert_eq!(line["結果番号"], sample.id.to_string());
            assert_eq!(line["資格情報の件数"], people.len().to_string());
            assert_eq!(line["資格有効性コード"], sample.confirmation.validity.code());
            let Some(person) = people.get(index) else { continue };
            assert_eq!(line["資格情報の順番"], (index + 1).to_string());
            for (heading, field) in &headings {
                let stored = person.get(*field).map_or("", |value| value.expose());
                assert_eq!(unguarded(&line[*heading]), stored, "{heading}");
            }
        }
    }
    assert!(lines.next().is_none());
}

//------------ Copied text --------------------------------------------------------------------------------------------

/// As software that watches the clipboard reads it: section → label → value; `None` where it refuses the text.
fn read_copied(text: &str) -> Option<BTreeMap<(String, String), String>> {
    if !text.starts_with("資格情報\r\n") || !text.contains("確認日 : \t") {
        return None;
    }
    let mut section = String::new();
    let mut found = BTreeMap::new();
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        match line.split_once('\t') {
            None => line.clone_into(&mut section),
            Some((label, value)) => {
                found.insert((section.clone(), label.to_owned()), value.to_owned());
            }
        }
    }
    Some(found)
}

/// 昭和29年5月2日 → 19540502.
fn from_era(text: &str) -> Option<String> {
    let (era, rest) = text.split_at_checked("昭和".len())?;
    let before = match era {
        "令和" => 2018,
        "平成" => 1988,
        "昭和" => 1925,
        "大正" => 1911,
        "明治" => 1867,
        _ => return None,
    };
    let (year, rest) = rest.split_once('年')?;
    let (month, rest) = rest.split_once('月')?;
    let year = if year == "元" { 1 } else { year.parse::<i32>().ok()? };
    let day = rest.strip_suffix('日')?;
    Some(format!("{}{month:0>2}{day:0>2}", before + year))
}

#[test]
fn software_that_reads_the_copied_text_finds_what_was_stored() {
    let mut read = 0;
    for sample in &everyone() {
        let text = alone(Format::CopiedText, sample);
        let found = read_copied(&text).expect("a text that is not refused");
        let main = |label: &str| found.get(&("資格情報".to_owned(), label.to_owned())).map(String::as_str);
        assert_eq!(main("確認日 : "), Some("2026年07月08日"));
        let [person] = sample.confirmation.eligibilities.as_slice() else {
            assert_eq!(main("氏名"), None, "no values of one of several, and none of none");
            continue;
        };
        let stored = |field: Field| person.get(field).map_or("", |value| value.expose());
        if person.is_withheld() {
            assert_eq!(main("氏名"), None);
            continue;
        }
        read += 1;
        assert_eq!(main("氏名"), Some(stored(Field::Name)));
        assert_eq!(main("フリガナ"), Some(stored(Field::NameKana)));
        match (main("生年月日"), stored(Field::Birthdate)) {
            (Some("1900-01-01"), "19000101") => {}
            (Some(era), birthdate) => assert_eq!(from_era(era).as_deref(), Some(birthdate)),
            other => panic!("{other:?}"),
        }
        if stored(Field::InsuredCardClassification) == "A1" {
            assert_eq!(main("福祉事務所名"), Some(stored(Field::InsurerName)));
            assert_eq!(main("保険者番号"), None);
            continue;
        }
        assert_eq!(main("番号"), Some(stored(Field::InsuredIdentificationNumber)));
        assert_eq!(main("保険者番号"), Some(stored(Field::InsurerNumber).trim_start()));
        let start = parse_date(stored(Field::InsuredCardValidDate)).expect("a date");
        assert_eq!(main("有効開始日"), Some(start.strftime("%Y年%m月%d日").to_string().as_str()));
        let back = found.get(&("裏面記載情報".to_owned(), "氏名".to_owned()));
        assert_eq!(back.map_or("", String::as_str), stored(Field::NameOfOther));
    }
    assert!(read > 30, "{read}");
}

#[test]
fn an_ordinary_text_has_no_line_that_the_app_does_not_have() {
    let text = alone(Format::CopiedText, &named("elderly-recipient"));
    let labels: Vec<_> = text.split("\r\n").map(|line| line.split('\t').next().unwrap_or(line)).collect();
    assert_eq!(
        labels,
        [
            "資格情報",
            "確認日 : ",
            "保険者番号",
            "保険者名",
            "記号",
            "番号",
            "枝番",
            "フリガナ",
            "氏名",
            "生年月日",
            "性別",
            "証区分",
            "有効開始日",
            "有効終了日",
            "資格取得年月日",
            "負担割合",
            "本人・家族の別",
            "被保険者氏名",
            "高齢受給者証",
            "有効開始日",
            "有効終了日",
            "負担割合",
            ""
        ]
    );
}
