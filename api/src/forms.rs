//! Choosing a form of results and its character set: by name, or by what the client accepts (RFC 9110, 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::wire::{Charset, ResultForm, ResultFormat};

/// The form and character set that were named, or else those that are accepted most; `None` if none is.
pub(crate) fn choose(
    format: Option<ResultFormat>,
    charset: Option<Charset>,
    headers: &HeaderMap,
) -> Option<ResultForm> {
    let chosen = match format {
        Some(format) => ResultForm { format, charset: Charset::Utf8 },
        None => accepted(headers)?,
    };
    Some(ResultForm { charset: charset.unwrap_or(chosen.charset), ..chosen })
}

/// `Content-Disposition` of a document, for those who keep it as a file.
pub(crate) fn file_name(stem: &str, form: ResultForm) -> String {
    format!("attachment; filename=\"{stem}.{}\"", form.format.extension())
}

fn accepted(headers: &HeaderMap) -> Option<ResultForm> {
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        ranges.extend(value.to_str().ok()?.split(',').filter_map(Range::read));
    }
    if ranges.is_empty() {
        return Some(ResultForm { format: ResultFormat::Json, charset: Charset::Utf8 });
    }
    let mut best: Option<(u32, ResultForm)> = None;
    for &(format, media_type) in ResultFormat::ALL {
        let fitting = ranges.iter().filter_map(|range| Some((range, range.fits(format, media_type)?)));
        // The range that says most about the type decides, also when it says no.
        let most = fitting.max_by_key(|(range, _)| (range.precision(), range.quality));
        let Some((range, charset)) = most else { continue };
        if range.quality > best.map_or(0, |(quality, _)| quality) {
            best = Some((range.quality, ResultForm { format, charset }));
        }
    }
    best.map(|(_, form)| form)
}

/// A media range with its quality in thousandths.
struct Range {
    kind: String,
    quality: u32,
    charset: Wish,
}

/// What a range says of the character set.
#[derive(Clone, Copy)]
enum Wish {
    Nothing,
    Known(Charset),
    /// One that there is not.
    Unknown,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| kind.contains('/'))?.to_ascii_lowercase();
        let (mut quality, mut charset) = (1.0, Wish::Nothing);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.eq_ignore_ascii_case("q") {
                quality = value.parse::<f32>().ok()?;
            } else if name.eq_ignore_ascii_case("charset") {
                charset = registered(value.trim_matches('"')).map_or(Wish::Unknown, Wish::Known);
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let quality = (quality.clamp(0.0, 1.0) * 1000.0) as u32;
        Some(Self { kind, quality, charset })
    }

    /// The character set in which the range takes the form; `None` if it does not take it. JSON has no such parameter
    /// (RFC 8259), so one that comes along means nothing there.
    fn fits(&self, format: ResultFormat, media_type: &str) -> Option<Charset> {
        let is_of_kind = match self.kind.strip_suffix("/*") {
            Some("*") => true,
            Some(family) => media_type.split('/').next() == Some(family),
            None => media_type == self.kind,
        };
        match self.charset {
            _ if !is_of_kind => None,
            Wish::Known(charset) if !format.is_json() => Some(charset),
            Wish::Unknown if !format.is_json() => None,
            _ => Some(Charset::Utf8),
        }
    }

    fn precision(&self) -> u8 {
        match self.kind.strip_suffix("/*") {
            Some("*") => 0,
            Some(_) => 1,
            None => 2,
        }
    }
}

/// A character set by its registered names. `Shift_JIS` is what Windows means by it; the smaller set has no name of its
/// own, so only the parameter can ask for it.
fn registered(charset: &str) -> Option<Charset> {
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Some(Charset::Utf8),
        "shift_jis" | "windows-31j" | "cp932" => Some(Charset::Cp932),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_form_is_the_one_accepted_most() {
        let chosen = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).expect("a header value"));
            choose(None, None, &headers).map(|form| form.format)
        };
        let (json, ndjson) = (Some(ResultFormat::Json), Some(ResultFormat::Ndjson));
        assert_eq!(choose(None, None, &HeaderMap::new()).map(|form| form.format), json);
        for (accept, expected) in [
            ("", json),
            ("*/*", json),
            ("application/*", json),
            ("application/json", json),
            ("Application/JSON; charset=utf-8", json),
            ("application/x-ndjson", ndjson),
            ("application/json;q=0.5, application/x-ndjson", ndjson),
            ("application/json;q=0, */*;q=0.1", ndjson),
            ("image/png, */*;q=0.1", json),
            ("text/csv", Some(ResultFormat::Csv)),
            ("text/*", Some(ResultFormat::Csv)),
            ("text/plain, text/csv;q=0.9", Some(ResultFormat::Text)),
            ("application/xml", Some(ResultFormat::XmlmsgXml)),
            ("application/fhir+json", Some(ResultFormat::Fhir)),
            ("application/x.xmlmsg+json", Some(ResultFormat::XmlmsgJson)),
            ("text/csv;charset=euc-jp", None),
            ("text/csv;charset=euc-jp, */*;q=0.1", json),
            ("application/json;charset=us-ascii", json),
            ("image/png", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
        assert_eq!(
            choose(Some(ResultFormat::Ndjson), None, &HeaderMap::new()).map(|form| form.format),
            ndjson
        );
    }

    #[test]
    fn the_character_set_is_the_one_named_or_accepted() {
        let chosen = |named: Option<Charset>, accept: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            choose(None, named, &headers).map(|form| (form.format, form.charset))
        };
        for (named, accept, expected) in [
            (None, "text/csv", (ResultFormat::Csv, Charset::Utf8)),
            (None, "text/csv; charset=Shift_JIS", (ResultFormat::Csv, Charset::Cp932)),
            (None, "text/csv; charset=\"utf-8\"; q=0.5", (ResultFormat::Csv, Charset::Utf8)),
            (
                None,
                "text/csv;charset=Shift_JIS, text/csv;charset=utf-8;q=0.5",
                (ResultFormat::Csv, Charset::Cp932),
            ),
            (None, "text/csv;charset=euc-jp, text/csv;q=0.5", (ResultFormat::Csv, Charset::Utf8)),
            (None, "application/json; charset=Shift_JIS", (ResultFormat::Json, Charset::Utf8)),
            (
                None,
                "application/xml;charset=windows-31j, */*;q=0.1",
                (ResultFormat::XmlmsgXml, Charset::Cp932),
            ),
            (Some(Charset::JisX0208), "text/csv; charset=Shift_JIS", (ResultFormat::Csv, Charset::JisX0208)),
            (Some(Charset::JisX0208), "*/*", (ResultFormat::Json, Charset::JisX0208)),
        ] {
            assert_eq!(chosen(named, accept), Some(expected), "{accept}");
        }
    }
}
