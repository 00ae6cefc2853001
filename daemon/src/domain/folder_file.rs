//! Names of files in OQS folders, and how long each may lie there.
//!
//! The names are those that receipt computers read today. Whatever has another name is none of ours: it is neither read nor
//! moved nor removed.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::check::ResultId;
use super::retention::{expiry, from_jst, jst_datetime};

const FACE: &str = "OQSsiquc01res_face_";
const END: &str = ".xml";
/// `YYYYMMDDNNNN`.
const SUFFIX: usize = 12;
/// `YYYYMMDDhhmmss`.
const STAMP: usize = 14;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// Register one inquiry number.
    Single,
    /// Register inquiry numbers in bulk.
    Bulk,
    /// What became of a bulk.
    BulkOutcome,
}

impl RequestKind {
    const ALL: [Self; 3] = [Self::Single, Self::Bulk, Self::BulkOutcome];

    fn stem(self) -> &'static str {
        match self {
            Self::Single => "OQSsiimm01",
            Self::Bulk => "OQSmuimm01",
            Self::BulkOutcome => "OQSmuimm02",
        }
    }
}

/// A request's name: `OQSsiimm01req_<YYYYMMDDNNNN>.xml` and its like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestName(String);

impl RequestName {
    /// Accepts exactly the names of requests.
    pub fn parse(name: &str) -> Option<Self> {
        kind_of(name, "req_").map(|_| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it asks for.
    pub fn kind(&self) -> RequestKind {
        // Only `parse` makes one.
        kind_of(&self.0, "req_").unwrap_or(RequestKind::Single)
    }

    /// The name of its answer.
    pub fn answer(&self) -> String {
        self.0.replacen("req_", "res_", 1)
    }
}

fn kind_of(name: &str, direction: &str) -> Option<RequestKind> {
    let (kind, rest) =
        RequestKind::ALL.into_iter().find_map(|kind| Some((kind, name.strip_prefix(kind.stem())?)))?;
    let digits = rest.strip_prefix(direction)?.strip_suffix(END)?;
    (digits.len() == SUFFIX && all_digits(digits)).then_some(kind)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a result's file: its number, and when the check was carried out, in Japan time.
pub fn face_name(result: ResultId, checked_at: Timestamp) -> String {
    let at = jst_datetime(checked_at);
    format!("{FACE}{}_{}{END}", result.0, at.strftime("%Y%m%d%H%M%S"))
}

/// When the check of a result's file was carried out; `None` for another name, also of a file that others put there.
fn face_time(name: &str) -> Option<Timestamp> {
    let (id, stamp) = name.strip_prefix(FACE)?.strip_suffix(END)?.rsplit_once('_')?;
    if id.is_empty() || id.contains('.') || stamp.len() != STAMP || !all_digits(stamp) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| stamp.get(range)?.parse::<i8>().ok();
    let year = stamp.get(..4)?.parse().ok()?;
    let date = Date::new(year, number(4..6)?, number(6..8)?).ok()?;
    let time = jiff::civil::Time::new(number(8..10)?, number(10..12)?, number(12..14)?, 0).ok()?;
    from_jst(DateTime::from_parts(date, time))
}

/// The name under which a file is written before it gets its own: consumers leave dot-files and `.tmp` alone.
pub fn temporary_name(name: &str) -> String {
    format!(".{name}.tmp")
}

/// Whether this is the temporary name of a file of ours.
pub fn is_temporary(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp"));
    inner.is_some_and(|inner| face_time(inner).is_some() || kind_of(inner, "res_").is_some())
}

/// The first instant at which a file of the protocol must be gone; `None` for a name that is none of it. A result's file goes
/// with its result; requests and answers name no time of their own that could be relied on, so theirs is when they were
/// last written.
pub fn gone_at(name: &str, written_at: Timestamp) -> Option<Timestamp> {
    if let Some(checked_at) = face_time(name) {
        return Some(expiry(checked_at));
    }
    ["req_", "res_"].into_iter().find_map(|direction| kind_of(name, direction)).map(|_| expiry(written_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_answer_is_called_like_its_request() {
        for (request, kind, answer) in [
            ("OQSsiimm01req_202607080001.xml", RequestKind::Single, "OQSsiimm01res_202607080001.xml"),
            ("OQSmuimm01req_202607080002.xml", RequestKind::Bulk, "OQSmuimm01res_202607080002.xml"),
            ("OQSmuimm02req_202607080003.xml", RequestKind::BulkOutcome, "OQSmuimm02res_202607080003.xml"),
        ] {
            let name = RequestName::parse(request).unwrap();
            assert_eq!((name.kind(), name.answer()), (kind, answer.to_owned()));
        }
    }

    #[test]
    fn no_other_name_is_a_request() {
        for name in [
            "",
            ".OQSsiimm01req_202607080001.xml",
            "OQSsiimm01req_202607080001.xml.tmp",
            "OQSsiimm01req_202607080001.XML",
            "OQSsiimm01req_20260708001.xml",
            "OQSsiimm01req_2026070800011.xml",
            "OQSsiimm01req_２０２６07080001.xml",
            "OQSsiimm01req_../../etc/pass.xml",
            "OQSsiimm01req_20260708000a.xml",
            "OQSsiimm01res_202607080001.xml",
            "OQSsiimm02req_202607080001.xml",
            "oqssiimm01req_202607080001.xml",
            "OQSsiimm01req_202607080001.xml\n",
            "OQSsiimm01req_202607080001.xml ",
        ] {
            assert_eq!(RequestName::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_result_is_called_by_its_number_and_time_in_japan() {
        let name = face_name(ResultId(42), at("2026-07-08T15:30:05Z"));
        assert_eq!(name, "OQSsiquc01res_face_42_20260709003005.xml");
        assert_eq!(gone_at(&name, Timestamp::MIN), Some(at("2026-08-31T15:00:00Z")));
    }

    #[test]
    fn files_of_the_protocol_go_with_their_retention_and_others_never() {
        let written = at("2026-07-08T03:00:00Z");
        let gone = Some(at("2026-08-31T15:00:00Z"));
        for name in [
            "OQSsiimm01req_209901010001.xml",
            "OQSsiimm01res_202001010001.xml",
            "OQSmuimm02res_202001010001.xml",
        ] {
            assert_eq!(gone_at(name, written), gone, "{name}");
        }
        let others_face = "OQSsiquc01res_face_some-other-id_20260601000000.xml";
        assert_eq!(gone_at(others_face, written), Some(at("2026-07-31T15:00:00Z")));
        for name in [
            "OQSsiquc01res_face_20260601000000.xml",
            "OQSsiquc01res_face_1_20261301000000.xml",
            "OQSsiquc01res_face_1.2_20260601000000.xml",
            "OQSsiquc01res_face_1_2026060100000.xml",
            "notes.txt",
            ".OQSsiimm01res_202607080001.xml.tmp",
        ] {
            assert_eq!(gone_at(name, written), None, "{name}");
        }
    }

    #[test]
    fn a_temporary_name_is_known_again_and_is_of_no_request() {
        for name in ["OQSsiimm01res_202607080001.xml", "OQSsiquc01res_face_42_20260709003005.xml"] {
            assert!(is_temporary(&temporary_name(name)) && !is_temporary(name), "{name}");
            assert_eq!(RequestName::parse(&temporary_name(name)), None);
        }
        assert!(!is_temporary(".OQSsiimm01req_202607080001.xml.tmp") && !is_temporary(".x.tmp"));
    }
}
