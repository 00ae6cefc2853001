//! Readers of every form, as others write them: what names they find, and what stands between a document's beginning and its
//! end.

use std::collections::BTreeMap;

use encoding_rs::SHIFT_JIS;
use harness::raw_http::Reply;
use serde_json::Value;

/// A form: its word, its media type, whether its bytes follow the character set, and how a file of it ends.
pub(super) struct Form {
    pub(super) word: &'static str,
    media_type: &'static str,
    media_parameters: &'static str,
    pub(super) has_charset: bool,
    pub(super) extension: &'static str,
}

const fn form(
    word: &'static str,
    (media_type, media_parameters): (&'static str, &'static str),
    has_charset: bool,
    extension: &'static str,
) -> Form {
    Form { word, media_type, media_parameters, has_charset, extension }
}

pub(super) const FORMS: [Form; 7] = [
    form("json", ("application/json", ""), false, "json"),
    form("ndjson", ("application/x-ndjson", ""), false, "ndjson"),
    form("xmlmsg-xml", ("application/xml", ""), true, "xml"),
    form("xmlmsg-json", ("application/x.xmlmsg+json", ""), false, "xmlmsg.json"),
    form("csv", ("text/csv", "; header=present"), true, "csv"),
    form("text", ("text/plain", ""), true, "txt"),
    form("fhir", ("application/fhir+json", "; fhirVersion=4.0"), false, "fhir.json"),
];

pub(super) const CHARSETS: [&str; 3] = ["utf-8", "cp932", "jisx0208"];

impl Form {
    /// The media type without parameters.
    pub(super) fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// `Content-Type` with a character set.
    pub(super) fn content_type(&self, charset: &str) -> String {
        let name = match charset {
            _ if !self.has_charset => "",
            "utf-8" => "; charset=utf-8",
            _ => "; charset=Shift_JIS",
        };
        [self.media_type, name, self.media_parameters].concat()
    }

    /// The text of an answer; bytes that are none of the character set fail.
    pub(super) fn text(&self, charset: &str, reply: &Reply) -> String {
        assert_eq!(reply.status, 200, "{} {charset}: {}", self.word, reply.code());
        assert_eq!(reply.header("content-type"), Some(self.content_type(charset).as_str()));
        if self.has_charset && charset != "utf-8" {
            let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&reply.body);
            return text.expect("Shift_JIS").into_owned();
        }
        String::from_utf8(reply.body.clone()).expect("UTF-8")
    }

    /// The names of the persons, in the order of the document.
    pub(super) fn names(&self, text: &str) -> Vec<String> {
        match self.word {
            "json" => {
                let document = json(text);
                match document.get("results").and_then(Value::as_array) {
                    Some(results) => results.iter().flat_map(ours).collect(),
                    None => ours(&document),
                }
            }
            "ndjson" => text.lines().flat_map(|line| ours(&json(line))).collect(),
            "xmlmsg-xml" => {
                let document = roxmltree::Document::parse(text).expect("well-formed");
                let names = document.descendants().filter(|node| node.has_tag_name("Name"));
                names.map(|node| node.text().expect("a name").to_owned()).collect()
            }
            "xmlmsg-json" => {
                let document = json(text);
                let messages = document["XmlMsgList"].as_array().cloned().unwrap_or(vec![document]);
                messages.iter().flat_map(message).collect()
            }
            "csv" => {
                let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
                let mut reader = csv::Reader::from_reader(text.as_bytes());
                let lines = reader.deserialize::<BTreeMap<String, String>>();
                lines.map(|line| line.expect("as many cells as headings")["氏名"].clone()).collect()
            }
            "text" => copied(text),
            "fhir" => bundle(&json(text)),
            other => panic!("no reader of {other}"),
        }
    }

    /// What of a document is about results, and what stands between two of them.
    pub(super) fn inside<'a>(&self, text: &'a str) -> (&'a str, &'static str) {
        let between = |begin: &str, end: &str| {
            let from = text.find(begin).expect("a beginning") + begin.len();
            &text[from..text.rfind(end).expect("an end")]
        };
        match self.word {
            "json" => (between("{\"results\":[", "],\"summary\""), ","),
            "ndjson" => (text, ""),
            "xmlmsg-xml" => (between("<XmlMsgList>\n", "<Summary>"), ""),
            "xmlmsg-json" => (between("{\"XmlMsgList\":[\n", "\n],\"Summary\""), ",\n"),
            "csv" => (text.split_once("\r\n").expect("a line of headings").1, ""),
            "text" => (text, "\r\n"),
            "fhir" => (between("\"entry\":[\n", "\n]}"), ",\n"),
            other => panic!("no reader of {other}"),
        }
    }
}

pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn name(value: &Value) -> String {
    value.as_str().expect("a name").to_owned()
}

fn ours(result: &Value) -> Vec<String> {
    let people = result["eligibilities"].as_array().expect("eligibilities");
    people.iter().map(|person| name(&person["name"])).collect()
}

fn message(message: &Value) -> Vec<String> {
    let list = message["XmlMsg"]["MessageBody"]["ResultList"].as_array().expect("a list");
    list.iter().map(|item| name(&item["ResultOfQualificationConfirmation"]["Name"])).collect()
}

/// As software that watches the clipboard reads it: the label 氏名 of the section 資格情報.
fn copied(text: &str) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in text.split("\r\n") {
        match line.split_once('\t') {
            Some(("氏名", value)) if section == "資格情報" => names.push(value.to_owned()),
            Some(_) => {}
            None if line.is_empty() => {}
            None => section = line,
        }
    }
    names
}

fn bundle(bundle: &Value) -> Vec<String> {
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&"Bundle".into(), &"collection".into()));
    let entries = bundle["entry"].as_array().expect("entries").iter().map(|entry| &entry["resource"]);
    let patients = entries.filter(|resource| resource["resourceType"] == "Patient");
    let kanji = |patient: &Value| {
        let names = patient["name"].as_array().expect("names").iter();
        let written = names.clone().find(|name| name["extension"][0]["valueCode"] == "IDE");
        name(&written.expect("a name in kanji")["text"])
    };
    patients.map(kanji).collect()
}
