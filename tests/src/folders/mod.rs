//! OQS folders seen from the receipt computer: a careful one and a careless one, a storm of kills and lost folders, hostile
//! files, and how soon results are there.

#![expect(clippy::expect_used, reason = "a folder that cannot be played with ends the run with the reason")]

mod careful;
mod careless;
mod escapes;
mod speed;
mod storm;

use std::fs;
use std::path::{Path, PathBuf};

pub use careful::{Careful, Response};
pub use careless::Careless;
pub use escapes::{Escapes, escapes};
pub use speed::{Lag, face_lag, idle_cpu_percent};
pub use storm::{Storm, storm};

use crate::personas::Personas;

/// What a request asks for, by the beginning of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `OQSsiimm01`.
    Single,
    /// `OQSmuimm01`.
    Bulk,
    /// `OQSmuimm02`.
    Outcome,
}

impl Kind {
    fn stem(self) -> &'static str {
        match self {
            Self::Single => "OQSsiimm01",
            Self::Bulk => "OQSmuimm01",
            Self::Outcome => "OQSmuimm02",
        }
    }

    /// The name of the request with this number.
    pub fn request(self, number: u32) -> String {
        format!("{}req_{}.xml", self.stem(), suffix(number))
    }

    /// The name of its answer.
    pub fn answer(self, number: u32) -> String {
        format!("{}res_{}.xml", self.stem(), suffix(number))
    }
}

/// `YYYYMMDDNNNN`; ten thousand a day.
fn suffix(number: u32) -> String {
    format!("202607{:02}{:04}", 1 + number / 10_000, number % 10_000)
}

/// A root with its subdirectories.
#[derive(Debug, Clone)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// Makes one below a directory.
    pub fn make(directory: &Path) -> Self {
        let place = Self { root: directory.join("oqs") };
        for name in ["face", "req", "res", "trash"] {
            fs::create_dir_all(place.path(name)).expect("a folder");
        }
        place
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A subdirectory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The names in a subdirectory that a consumer sees, sorted; none while the folder is away.
    pub fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> =
            names.filter(|name| !name.starts_with('.') && !has_end(name, "tmp")).collect();
        names.sort();
        names
    }

    /// The share is not there any more.
    pub fn lose(&self) {
        fs::rename(&self.root, self.away()).expect("the folder is there");
    }

    /// The share is back.
    pub fn find(&self) {
        fs::rename(self.away(), &self.root).expect("the folder was lost");
    }

    fn away(&self) -> PathBuf {
        self.root.with_extension("away")
    }
}

fn has_end(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// The insurance of a persona and a number, as an item of a request.
pub fn info(persona: &str, number: &str) -> String {
    let persona = Personas::builtin().by_name(persona).expect("a persona");
    let known = persona.identifiers().into_iter().next().expect("identifiers");
    let optional = |tag: &str, value: Option<String>| {
        value.map_or(String::new(), |value| format!("<{tag}>{value}</{tag}>"))
    };
    format!(
        "<ReferenceNumberRegistrationInfo><ReferenceNumber>{number}</ReferenceNumber>\
         <InsurerNumber>{:>8}</InsurerNumber>{}\
         <InsuredIdentificationNumber>{}</InsuredIdentificationNumber>{}</ReferenceNumberRegistrationInfo>",
        known.insurer_number.trim_start(),
        optional("InsuredCardSymbol", known.symbol),
        known.number,
        optional("InsuredBranchNumber", known.branch),
    )
}

/// A whole request.
pub fn message(institution: &str, identifier: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"Shift_JIS\" standalone=\"no\"?>\n<XmlMsg><MessageHeader>\
         <MedicalInstitutionCode>{institution}</MedicalInstitutionCode>\
         <ArbitraryFileIdentifier>{identifier}</ArbitraryFileIdentifier></MessageHeader>\
         <MessageBody>{body}</MessageBody></XmlMsg>\n"
    )
}

/// In the bytes of a receipt computer that knows only Shift_JIS.
pub fn shift_jis(text: &str) -> Vec<u8> {
    encoding_rs::SHIFT_JIS.encode(text).0.into_owned()
}
