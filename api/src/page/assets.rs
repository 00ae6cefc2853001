//! The page as Vite has built it (`make page`), inside the program.

use std::borrow::Cow;

use axum::extract::Path;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use rust_embed::Embed;

use super::headers;
use crate::codes::Code;
use crate::compress::Compressible;
use crate::problem::Problem;

#[derive(Embed)]
#[folder = "page/dist"]
struct Built;

/// Names of assets change with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

pub(super) fn index() -> Response {
    match Built::get("index.html") {
        Some(file) => served(file.data, "text/html; charset=utf-8", "no-store"),
        None => missing(),
    }
}

pub(super) async fn asset(Path(path): Path<String>) -> Response {
    let Some(kind) = kind(&path) else { return missing() };
    match Built::get(&format!("assets/{path}")) {
        Some(file) => served(file.data, kind, FOR_EVER),
        None => missing(),
    }
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
}
