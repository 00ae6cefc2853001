//! The page as Vite has built it (`make page`), inside the program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;

use super::headers;
use crate::codes::Code;
use crate::compress::Compressible;
use crate::problem::Problem;

#[derive(Embed)]
#[folder = "page/dist"]
struct Built;

/// The files of the page, packed once for everybody: packing them anew would make each browser wait.
static PACKED: LazyLock<BTreeMap<String, Packed>> = LazyLock::new(|| {
    let file = |path: Cow<'static, str>| Some((path.to_string(), Packed::new(Built::get(&path)?.data)));
    Built::iter().filter_map(file).collect()
});

/// Names of assets change with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

struct Packed {
    plain: Bytes,
    gzip: Option<Bytes>,
}

impl Packed {
    fn new(file: Cow<'static, [u8]>) -> Self {
        let plain = match file {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        // A file that cannot be packed is served as it is.
        let packed = gzip.write_all(&plain).and_then(|()| gzip.finish());
        Self { gzip: packed.ok().filter(|packed| packed.len() < plain.len()).map(Bytes::from), plain }
    }

    fn served(&self, asked: &HeaderMap, kind: &'static str, cache: &'static str) -> Response {
        let (bytes, packed) = match &self.gzip {
            Some(gzip) if takes_gzip(asked) => (gzip.clone(), true),
            _ => (self.plain.clone(), false),
        };
        let mut response = bytes.into_response();
        let lines = response.headers_mut();
        lines.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        lines.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if packed {
            lines.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response.extensions_mut().insert(headers(cache));
        response
    }
}

/// Whether a browser takes gzip: all do; programs may not, or say so with `q=0`.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lines = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        named && weight.is_ok_and(|weight| weight > 0.0)
    })
}

pub(super) async fn index(asked: HeaderMap) -> Response {
    found("index.html", &asked, "text/html; charset=utf-8", "no-store")
}

pub(super) async fn asset(Path(path): Path<String>, asked: HeaderMap) -> Response {
    match kind(&path) {
        Some(kind) => found(&format!("assets/{path}"), &asked, kind, FOR_EVER),
        None => missing(),
    }
}

fn found(path: &str, asked: &HeaderMap, kind: &'static str, cache: &'static str) -> Response {
    PACKED.get(path).map_or_else(missing, |file| file.served(asked, kind, cache))
}

pub(super) fn icon() -> Response {
    served(include_bytes!("favicon.ico").into(), "image/x-icon", "public, max-age=86400")
}

fn missing() -> Response {
    Problem::new(Code::NotFound).into_response()
}

pub(super) fn served(bytes: Cow<'static, [u8]>, kind: &'static str, cache: &'static str) -> Response {
    let mut response = bytes.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.extensions_mut().insert(headers(cache));
    // The same for everybody: its size betrays nothing.
    response.extensions_mut().insert(Compressible);
    response
}

/// The media type of what Vite puts into `assets/`.
fn kind(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_built_and_every_file_of_it_can_be_served() {
        let files: Vec<_> = Built::iter().collect();
        assert!(files.iter().any(|path| path == "index.html"), "make page");
        for path in files.iter().filter_map(|path| path.strip_prefix("assets/")) {
            assert!(kind(path).is_some(), "{path}: say in kind() what it is");
        }
    }

    #[test]
    fn a_browser_gets_what_it_takes() {
        let takes = |line: &'static str| {
            takes_gzip(&[(ACCEPT_ENCODING, HeaderValue::from_static(line))].into_iter().collect())
        };
        for line in ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.8", "gzip ; q=0.1"] {
            assert!(takes(line), "{line}");
        }
        for line in ["", "br", "identity", "gzip;q=0", "gzip; q=0.0", "gzip;q=x", "x-gzip"] {
            assert!(!takes(line), "{line}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
