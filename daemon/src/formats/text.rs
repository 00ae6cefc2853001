//! What every format does to a value before it puts anything around it, and the words that several formats share.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;

use super::charset::{Charset, Counts, Encoder, LOST};
use crate::domain::eligibility::{Validity, format_date};
use crate::domain::retention::jst_datetime;

/// Says that a result is not real; every format has a place for it.
pub(super) const SANDBOX: &str = "サンドボックス（模擬）の結果です。実際の業務に使わないでください。";

/// Brings values into the repertoire of a document and counts what that costs.
pub(super) struct Values {
    encoder: Encoder,
    counts: Counts,
}

impl Values {
    pub(super) fn new(charset: Charset) -> Self {
        Self { encoder: Encoder::new(charset), counts: Counts::default() }
    }

    /// What was changed since the beginning.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// A value without control characters, in the repertoire: line breaks and tabs become a space, other control
    /// characters and what XML forbids become ●.
    pub(super) fn plain<'a>(&mut self, value: &'a str) -> Cow<'a, str> {
        if value.chars().all(|c| !is_forbidden(c)) {
            return self.reduce(value);
        }
        let plain: String = value.chars().map(|c| self.allowed(c)).collect();
        Cow::Owned(self.reduce(&plain).into_owned())
    }

    fn reduce<'a>(&mut self, value: &'a str) -> Cow<'a, str> {
        let (reduced, counts) = self.encoder.reduce(value);
        self.counts += counts;
        reduced
    }

    fn allowed(&mut self, c: char) -> char {
        if !is_forbidden(c) {
            return c;
        }
        if c.is_whitespace() {
            return ' ';
        }
        self.counts.lost += 1;
        LOST
    }
}

/// Control characters, line separators, and the two code points that XML forbids beside them.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}')
}

/// `YYYYMMDDhhmmss` in Japan time.
pub(super) fn date_time(at: Timestamp) -> String {
    let at = jst_datetime(at);
    format!("{}{:02}{:02}{:02}", format_date(at.date()), at.hour(), at.minute(), at.second())
}

/// RFC 3339 to the second, in Japan time.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{}+09:00", jst_datetime(at).strftime("%Y-%m-%dT%H:%M:%S"))
}

/// `YYYY-MM-DD`.
pub(super) fn iso_day(day: Date) -> String {
    day.strftime("%Y-%m-%d").to_string()
}

/// The word for a validity.
pub(super) fn validity(validity: &Validity) -> &'static str {
    match validity {
        Validity::Valid => "有効",
        Validity::Invalid => "無効",
        Validity::InvalidNewExists => "無効（新しい資格あり）",
        Validity::NotFound => "該当資格なし",
        Validity::Multiple => "複数該当",
        Validity::Unknown(_) => "不明な資格有効性",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_carries_a_control_character() {
        let mut values = Values::new(Charset::Utf8);
        assert_eq!(values.plain("資格 太郎"), "資格 太郎");
        assert_eq!(values.counts(), Counts::default());
        assert_eq!(values.plain("a\tb\r\nc\u{85}d\u{2028}e"), "a b  c d e");
        assert_eq!(values.counts(), Counts::default());
        assert_eq!(values.plain("a\0b\u{7F}c\u{FFFF}d\u{1B}"), "a●b●c●d●");
        assert_eq!(values.counts(), Counts { reduced: 0, lost: 4 });
    }
}
