//! Choosing a form of results: by name, or by what the client accepts (RFC 9110, 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::wire::{ResultForm, ResultFormat};

/// The form that was named, or else the one that is accepted most; `None` if none is.
pub(crate) fn choose(named: Option<ResultFormat>, headers: &HeaderMap) -> Option<ResultForm> {
    let format = match named {
        Some(format) => format,
        None => accepted(headers)?,
    };
    Some(ResultForm { format })
}

fn accepted(headers: &HeaderMap) -> Option<ResultFormat> {
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        ranges.extend(value.to_str().ok()?.split(',').filter_map(Range::read));
    }
    if ranges.is_empty() {
        return Some(ResultFormat::Json);
    }
    let mut best: Option<(u32, ResultFormat)> = None;
    for &(format, media_type) in ResultFormat::ALL {
        let fitting = ranges.iter().filter(|range| range.fits(media_type));
        // The range that says most about the type decides, also when it says no.
        let quality = fitting.max_by_key(|range| range.precision()).map_or(0, |range| range.quality);
        if quality > best.map_or(0, |(best, _)| best) {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format)
}

/// A media range with its quality in thousandths.
struct Range {
    kind: String,
    quality: u32,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| kind.contains('/'))?.to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |text| text.parse::<f32>().ok())?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let quality = (quality.clamp(0.0, 1.0) * 1000.0) as u32;
        Some(Self { kind, quality })
    }

    fn fits(&self, media_type: &str) -> bool {
        match self.kind.strip_suffix("/*") {
            Some("*") => true,
            Some(family) => media_type.split('/').next() == Some(family),
            None => media_type == self.kind,
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_form_is_the_one_accepted_most() {
        let chosen = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).expect("a header value"));
            choose(None, &headers).map(|form| form.format)
        };
        let (json, ndjson) = (Some(ResultFormat::Json), Some(ResultFormat::Ndjson));
        assert_eq!(choose(None, &HeaderMap::new()).map(|form| form.format), json);
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
            ("image/png", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
        assert_eq!(choose(Some(ResultFormat::Ndjson), &HeaderMap::new()).map(|form| form.format), ndjson);
    }
}
