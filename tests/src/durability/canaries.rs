//! Canaries: secrets of which no file, log or process may hold a trace, and the forms in which they are looked for.

use std::collections::HashMap;
use std::fmt::Write as _;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// A secret to look for.
#[derive(Clone)]
pub struct Canary {
    /// What it is; findings say this, never the value.
    pub name: String,
    /// The secret.
    pub value: Vec<u8>,
}

/// What is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// People read it: short numbers count where they stand alone.
    Text,
    /// Bytes: short numbers would be found by chance.
    Binary,
}

/// Bytes from which on a find is no chance.
const TELLING: usize = 6;

struct Needle {
    canary: usize,
    form: &'static str,
    bytes: Vec<u8>,
    /// A number that stands in longer numbers by chance.
    alone: bool,
}

/// The forms of many canaries, found in one pass.
pub struct Scanner {
    names: Vec<String>,
    needles: HashMap<[u8; 2], Vec<Needle>>,
}

impl Scanner {
    /// Looks for these.
    pub fn new(canaries: &[Canary]) -> Self {
        let mut needles: HashMap<[u8; 2], Vec<Needle>> = HashMap::new();
        for (canary, Canary { value, .. }) in canaries.iter().enumerate() {
            for (form, bytes) in forms(value) {
                let Some(start) = bytes.first_chunk::<2>() else { continue };
                let alone = bytes.len() <= 8 && bytes.iter().all(u8::is_ascii_digit);
                needles.entry(*start).or_default().push(Needle { canary, form, bytes, alone });
            }
        }
        Self { names: canaries.iter().map(|canary| canary.name.clone()).collect(), needles }
    }

    /// Every find: which canary, and in which form.
    pub fn scan(&self, content: &[u8], kind: Kind) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..content.len().saturating_sub(1) {
            let Some(needles) = self.needles.get(&[content[at], content[at + 1]]) else { continue };
            for needle in needles {
                let end = at + needle.bytes.len();
                let is_there = content.get(at..end) == Some(needle.bytes.as_slice());
                if is_there && counts(content, at, end, needle, kind) {
                    found.push(format!("{} as {}", self.names[needle.canary], needle.form));
                }
            }
        }
        found
    }
}

fn counts(content: &[u8], at: usize, end: usize, needle: &Needle, kind: Kind) -> bool {
    if needle.bytes.len() < TELLING && kind == Kind::Binary {
        return false;
    }
    let beside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    // Behind a point stand the fractions of seconds.
    let before = at.checked_sub(1).and_then(|before| content.get(before));
    !needle.alone || !(beside(before) || before == Some(&b'.') || beside(content.get(end)))
}

/// The secret as it could be written.
fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut list = String::new();
    for byte in value {
        let _ = write!(list, "{byte}, ");
    }
    let mut forms = vec![
        ("it is", value.to_vec()),
        ("hex", HEXLOWER.encode(value).into_bytes()),
        ("upper hex", HEXUPPER.encode(value).into_bytes()),
        ("a list of bytes", list.trim_end_matches(", ").as_bytes().to_vec()),
    ];
    for shift in 0..3 {
        for (form, encoding) in [("base64", BASE64_NOPAD), ("base64url", BASE64URL_NOPAD)] {
            let encoded = encoding.encode(&[&vec![0; shift][..], value].concat()).into_bytes();
            // The characters at the ends also depend on the neighbours.
            let begin = [0, 2, 3][shift];
            let end = encoded.len() - usize::from(!(shift + value.len()).is_multiple_of(3));
            forms.push((form, encoded[begin..end].to_vec()));
        }
    }
    if let Ok(text) = std::str::from_utf8(value) {
        let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        forms.push(("UTF-16LE", wide(u16::to_le_bytes)));
        forms.push(("UTF-16BE", wide(u16::to_be_bytes)));
        let percent: String = value.iter().fold(String::new(), |mut all, byte| {
            let _ = write!(all, "%{byte:02X}");
            all
        });
        forms.push(("percent signs", percent.into_bytes()));
        let full: String = text.chars().map(full_width).collect();
        forms.push(("full-width", full.into_bytes()));
        let escaped: String = text.chars().flat_map(char::escape_unicode).collect();
        forms.push(("Unicode escapes", escaped.into_bytes()));
    }
    // The same bytes in two forms are one find. Of four characters anything may be made by chance.
    let mut known: Vec<Vec<u8>> = Vec::new();
    forms.retain(|(form, bytes)| {
        let new = !known.contains(bytes) && (*form == "it is" || bytes.len() >= TELLING);
        known.push(bytes.clone());
        new
    });
    forms
}

/// `A` to `Ａ`, `1` to `１`; anything else as it is.
fn full_width(letter: char) -> char {
    let shifted = u32::from(letter) + 0xFEE0;
    if letter.is_ascii_graphic() { char::from_u32(shifted).unwrap_or(letter) } else { letter }
}

/// Plants every canary in each form into a text and says which were not found again.
pub fn self_test(canaries: &[Canary]) -> Vec<String> {
    let scanner = Scanner::new(canaries);
    let mut missed = Vec::new();
    for Canary { name, value } in canaries {
        for (form, bytes) in forms(value) {
            let planted = [b"before the canary \"".as_slice(), &bytes, b"\" and after it"].concat();
            if !scanner.scan(&planted, Kind::Text).contains(&format!("{name} as {form}")) {
                missed.push(format!("{name} as {form}"));
            }
        }
        for shift in 0..3 {
            let around = [&vec![b'a'; shift][..], value, b"behind"].concat();
            let encoded = BASE64_NOPAD.encode(&around);
            if value.len() >= TELLING && scanner.scan(encoded.as_bytes(), Kind::Text).is_empty() {
                missed.push(format!("{name} in base64 behind {shift} bytes"));
            }
        }
    }
    missed
}
