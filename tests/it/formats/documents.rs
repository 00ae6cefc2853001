//! Documents as they leave, held still.

use daemon::formats::{Charset, Format};
use insta::assert_snapshot;

use super::support::{alone, everyone, export, named};

/// Tabs and line ends as one sees them.
fn visible(text: &str) -> String {
    text.replace('\u{FEFF}', "<BOM>").replace('\t', "<TAB>").replace("\r\n", "<CRLF>\n")
}

fn pretty(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    serde_json::to_string_pretty(&value).expect("JSON")
}

#[test]
fn everyone_in_every_format() {
    let everyone = everyone();
    assert_snapshot!("everyone-xml", export(Format::XmlMsgXml, &everyone));
    assert_snapshot!("everyone-xmlmsg-json", export(Format::XmlMsgJson, &everyone));
    assert_snapshot!("everyone-csv", visible(&export(Format::Csv, &everyone)));
    assert_snapshot!("everyone-text", visible(&export(Format::CopiedText, &everyone)));
    assert_snapshot!("everyone-fhir", pretty(&export(Format::FhirJson, &everyone)));
}

#[test]
fn one_result_alone_and_marked_as_a_simulation() {
    for (name, format) in [
        ("xml", Format::XmlMsgXml),
        ("xmlmsg-json", Format::XmlMsgJson),
        ("csv", Format::Csv),
        ("text", Format::CopiedText),
    ] {
        let mut sample = named("elderly-recipient");
        assert_snapshot!(format!("alone-{name}"), visible(&alone(format, &sample)));
        sample.sandbox = true;
        assert_snapshot!(format!("sandbox-{name}"), visible(&alone(format, &sample)));
    }
    let mut sample = named("elderly-recipient");
    sample.sandbox = true;
    assert_snapshot!("sandbox-fhir", pretty(&alone(Format::FhirJson, &sample)));
}

#[test]
fn an_export_of_nothing_is_a_whole_document() {
    for (format, expected) in [
        (
            Format::XmlMsgXml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n<XmlMsgList>\n<Summary><Results>0</Results>\
             <ReducedCharacters>0</ReducedCharacters><LostCharacters>0</LostCharacters></Summary>\n</XmlMsgList>\n",
        ),
        (
            Format::XmlMsgJson,
            "{\"XmlMsgList\":[\n\n],\"Summary\":{\"Results\":\"0\",\"ReducedCharacters\":\"0\",\
             \"LostCharacters\":\"0\"}}\n",
        ),
        (Format::CopiedText, ""),
        (
            Format::FhirJson,
            "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"2026-07-31T18:00:00+09:00\"}\n",
        ),
    ] {
        assert_eq!(export(format, &[]), expected);
    }
    let csv = export(Format::Csv, &[]);
    assert!(csv.starts_with("\u{FEFF}\"結果番号\",\"版\",") && csv.ends_with("\"\r\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1);
}

#[test]
fn media_types_say_what_the_bytes_are() {
    let media: Vec<_> = Format::ALL
        .iter()
        .flat_map(|format| {
            [Charset::Utf8, Charset::Cp932, Charset::JisX0208].map(|charset| format.media_type(charset))
        })
        .collect();
    assert_eq!(
        media,
        [
            "application/xml; charset=utf-8",
            "application/xml; charset=Shift_JIS",
            "application/xml; charset=Shift_JIS",
            "application/x.xmlmsg+json",
            "application/x.xmlmsg+json",
            "application/x.xmlmsg+json",
            "text/csv; charset=utf-8; header=present",
            "text/csv; charset=Shift_JIS; header=present",
            "text/csv; charset=Shift_JIS; header=present",
            "text/plain; charset=utf-8",
            "text/plain; charset=Shift_JIS",
            "text/plain; charset=Shift_JIS",
            "application/fhir+json; fhirVersion=4.0",
            "application/fhir+json; fhirVersion=4.0",
            "application/fhir+json; fhirVersion=4.0",
        ]
    );
}
