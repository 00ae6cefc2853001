//! `[[folders]]`: OQS folders of receipt computers that know only files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::formats::Charset;

/// One folder with its subdirectories `face`, `req`, `res` and `trash`. Without the section there is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSection {
    /// Its name, 1 to 32 small letters, digits and `-`; part of what is remembered of its requests.
    pub name: String,
    /// Where it lies; its last part may be no link.
    pub root: PathBuf,
    /// The character set of what is written there.
    #[serde(default)]
    pub encoding: FolderEncoding,
    /// Whether results are put into `face/`.
    #[serde(default = "yes")]
    pub face: bool,
    /// Whether requests in `req/` are answered in `res/`.
    #[serde(default = "yes")]
    pub inquiry_numbers: bool,
    /// How often it is looked at besides notifications, in seconds, 1 to 300.
    #[serde(default = "five")]
    pub poll_seconds: u16,
}

fn yes() -> bool {
    true
}

fn five() -> u16 {
    5
}

/// A character set of the field's software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderEncoding {
    /// Shift_JIS as Windows writes it, with the extensions of NEC and IBM.
    #[default]
    ShiftJis,
    /// Shift_JIS with the characters of JIS X 0208 alone.
    JisX0208,
    /// UTF-8.
    Utf8,
}

impl From<FolderEncoding> for Charset {
    fn from(encoding: FolderEncoding) -> Self {
        match encoding {
            FolderEncoding::ShiftJis => Self::Cp932,
            FolderEncoding::JisX0208 => Self::JisX0208,
            FolderEncoding::Utf8 => Self::Utf8,
        }
    }
}

impl FolderSection {
    /// A folder with everything by default.
    pub fn new(name: &str, root: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            root,
            encoding: FolderEncoding::default(),
            face: true,
            inquiry_numbers: true,
            poll_seconds: five(),
        }
    }

    /// How often it is looked at.
    pub fn every(&self) -> Duration {
        Duration::from_secs(u64::from(self.poll_seconds))
    }

    /// Its path as it is put on record.
    pub fn root_text(&self) -> String {
        self.root.display().to_string()
    }

    pub(super) fn resolve_paths(&mut self, base: &Path) {
        self.root = base.join(&self.root);
    }
}

/// Checks all sections together.
pub(super) fn validate(sections: &[FolderSection]) -> Result<(), ConfigError> {
    let refuse = |key, rule| Err(ConfigError::Value { key, rule });
    for (index, section) in sections.iter().enumerate() {
        let named = (1..=32).contains(&section.name.len())
            && section
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let others = || sections.iter().take(index);
        if !named || others().any(|other| other.name == section.name) {
            return refuse(
                "folders.name",
                "フォルダーのnameは英小文字と数字と - の32文字以内で、重複できません",
            );
        }
        let overlaps = |other: &FolderSection| {
            other.root.starts_with(&section.root) || section.root.starts_with(&other.root)
        };
        if section.root.as_os_str().is_empty() || others().any(overlaps) {
            return refuse(
                "folders.root",
                "フォルダーのrootはそれぞれ別の場所で、ほかのrootの中にしないでください",
            );
        }
        if !(1..=300).contains(&section.poll_seconds) {
            return refuse("folders.poll_seconds", "フォルダーを見る間隔は1秒から300秒までです");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_names_and_places_of_their_own() {
        let section = |name: &str, root: &str| FolderSection::new(name, root.into());
        assert!(validate(&[section("a", "/srv/a"), section("b", "/srv/b")]).is_ok());
        for (sections, key) in [
            (vec![section("", "/srv/a")], "folders.name"),
            (vec![section("A", "/srv/a")], "folders.name"),
            (vec![section("a", "/srv/a"), section("a", "/srv/b")], "folders.name"),
            (vec![section("a", "/srv/a"), section("b", "/srv/a")], "folders.root"),
            (vec![section("a", "/srv/a"), section("b", "/srv/a/face")], "folders.root"),
            (vec![section("a", "")], "folders.root"),
            (vec![FolderSection { poll_seconds: 0, ..section("a", "/srv/a") }], "folders.poll_seconds"),
            (vec![FolderSection { poll_seconds: 301, ..section("a", "/srv/a") }], "folders.poll_seconds"),
        ] {
            let error = validate(&sections).unwrap_err();
            assert!(matches!(error, ConfigError::Value { key: named, .. } if named == key), "{error}");
        }
    }
}
