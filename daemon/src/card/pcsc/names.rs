//! Names of readers as the PC/SC service writes them: UTF-8 with pcsc-lite; with WinSCard the character set of the system, which is
//! Shift_JIS where readers have Japanese names.

use std::ffi::{CStr, CString};

/// The name for people and for the configuration.
#[cfg(not(windows))]
pub(super) fn read(name: &CStr) -> String {
    name.to_string_lossy().into_owned()
}

/// The name for the service; `None` for one that no reader has.
#[cfg(not(windows))]
pub(super) fn written(name: &str) -> Option<CString> {
    CString::new(name).ok()
}

#[cfg(windows)]
pub(super) use shift_jis::{read, written};

#[cfg(any(windows, test))]
mod shift_jis {
    use encoding_rs::SHIFT_JIS;

    use super::{CStr, CString};

    /// The name for people and for the configuration. One that would not come back as it was is shown, but cannot be used.
    pub(in super::super) fn read(name: &CStr) -> String {
        let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(name.to_bytes());
        let comes_back = text.filter(|text| written(text).is_some_and(|back| *back == *name));
        comes_back.map_or_else(|| name.to_string_lossy().into_owned(), String::from)
    }

    /// The name for the service; `None` for one that no reader has.
    pub(in super::super) fn written(name: &str) -> Option<CString> {
        let (bytes, _, is_lossy) = SHIFT_JIS.encode(name);
        CString::new(bytes).ok().filter(|_| !is_lossy)
    }
}

#[cfg(test)]
mod tests {
    use super::shift_jis::{read, written};

    #[test]
    fn a_japanese_name_is_read_and_leads_back_to_its_reader() {
        let name = c"\x83\x4a\x81\x5b\x83\x68 Reader 0";
        assert_eq!(read(name), "カード Reader 0");
        assert_eq!(written("カード Reader 0").as_deref(), Some(name));
    }

    #[test]
    fn an_ascii_name_is_itself() {
        let name = c"SONY FeliCa RC-S300/P 0";
        assert_eq!(read(name), "SONY FeliCa RC-S300/P 0");
        assert_eq!(written("SONY FeliCa RC-S300/P 0").as_deref(), Some(name));
    }

    #[test]
    fn what_does_not_come_back_as_it_was_is_shown_and_names_no_other_reader() {
        // A half of a letter, and a letter that has two codes.
        for name in [c"Reader \x83", c"Reader \xed\x40"] {
            let shown = read(name);
            assert!(shown.starts_with("Reader \u{fffd}"), "{shown}");
            assert_eq!(written(&shown), None);
        }
        assert_eq!(written("Reader 😀"), None);
        assert_eq!(written("Reader\0"), None);
    }
}
