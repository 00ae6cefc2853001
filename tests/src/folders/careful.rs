//! A careful receipt computer: writes whole files, reads twice and wants identical bytes, demands its identifiers exactly
//! once, moves what it has consumed to `trash/`, and never asks twice.

use std::fs;

use encoding_rs::SHIFT_JIS;

use super::{Kind, Place, message, shift_jis};

/// Longest file that it reads.
const LONGEST: usize = 4 << 20;

/// A careful receipt computer.
#[derive(Debug, Clone)]
pub struct Careful {
    place: Place,
    institution: String,
}

/// An answer that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    text: String,
}

impl Response {
    /// The texts of an element, in the order of the document.
    pub fn all(&self, tag: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(&self.text).expect("it was read before");
        let found = document.descendants().filter(|node| node.has_tag_name(tag));
        found.map(|node| node.text().unwrap_or_default().to_owned()).collect()
    }

    /// The text of an element that stands once.
    pub fn one(&self, tag: &str) -> Option<String> {
        match <[String; 1]>::try_from(self.all(tag)) {
            Ok([text]) => Some(text),
            Err(_) => None,
        }
    }
}

impl Careful {
    /// Looks at a place for an institution.
    pub fn new(place: &Place, institution: &str) -> Self {
        Self { place: place.clone(), institution: institution.to_owned() }
    }

    /// The identifier of the request with this number.
    pub fn identifier(kind: Kind, number: u32) -> String {
        format!("{}-{number}", kind.stem())
    }

    /// Puts a request into `req/` under a temporary name and renames it; `false` while the folder is away.
    pub fn ask(&self, kind: Kind, number: u32, body: &str) -> bool {
        let text = message(&self.institution, &Self::identifier(kind, number), body);
        self.put(&kind.request(number), &shift_jis(&text))
    }

    /// Puts bytes there under a name.
    pub fn put(&self, name: &str, bytes: &[u8]) -> bool {
        let folder = self.place.path("req");
        let temporary = folder.join(format!("{name}.tmp"));
        fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, folder.join(name))).is_ok()
    }

    /// Reads a file twice, and what both readings agree on.
    fn read(&self, folder: &str, name: &str) -> Option<Vec<u8>> {
        let path = self.place.path(folder).join(name);
        let (first, second) = (fs::read(&path).ok()?, fs::read(&path).ok()?);
        assert_eq!(first, second, "{name} changed while it was read");
        assert!(first.len() <= LONGEST, "{name} is longer than any consumer reads");
        Some(first)
    }

    /// What lies in `res/` under the name of an answer, if anything does.
    pub fn seen(&self, kind: Kind, number: u32) -> Option<Vec<u8>> {
        self.read("res", &kind.answer(number))
    }

    /// Takes an answer if it is there: reads it, holds it against the request, moves it away.
    ///
    /// # Panics
    /// It is there and not acceptable.
    pub fn take(&self, kind: Kind, number: u32) -> Option<Response> {
        let name = kind.answer(number);
        let bytes = self.read("res", &name)?;
        let response = Self::accept(&bytes);
        assert_eq!(response.one("MedicalInstitutionCode").as_ref(), Some(&self.institution), "{name}");
        assert_eq!(response.one("ArbitraryFileIdentifier"), Some(Self::identifier(kind, number)), "{name}");
        self.consume("res", &name);
        Some(response)
    }

    /// An answer, whoever it is for.
    pub fn accept(bytes: &[u8]) -> Response {
        let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes).expect("Shift_JIS");
        assert!(
            text.starts_with("<?xml version=\"1.0\" encoding=\"Shift_JIS\" standalone=\"no\"?>"),
            "{text}"
        );
        roxmltree::Document::parse(&text).expect("well-formed XML");
        Response { text: text.into_owned() }
    }

    /// Takes every result that is there: its name and its text.
    pub fn faces(&self) -> Vec<(String, Response)> {
        let names = self.place.names("face");
        let mut taken = Vec::with_capacity(names.len());
        for name in names {
            assert!(is_face(&name), "{name} is none that consumers match");
            let Some(bytes) = self.read("face", &name) else { continue };
            let response = Self::accept(&bytes);
            assert_eq!(response.one("MedicalInstitutionCode").as_ref(), Some(&self.institution), "{name}");
            self.consume("face", &name);
            taken.push((name, response));
        }
        taken
    }

    fn consume(&self, folder: &str, name: &str) {
        let moved = fs::rename(self.place.path(folder).join(name), self.place.path("trash").join(name));
        moved.expect("whoever consumed a file moves it away");
    }
}

/// `\AOQSsiquc01res_face_.+_(\d{14})\.xml\z`
fn is_face(name: &str) -> bool {
    let inner = name.strip_prefix("OQSsiquc01res_face_").and_then(|rest| rest.strip_suffix(".xml"));
    inner.and_then(|inner| inner.rsplit_once('_')).is_some_and(|(id, stamp)| {
        !id.is_empty() && stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit())
    })
}
