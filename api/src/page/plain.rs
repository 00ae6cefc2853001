//! Pages without scripts and without data: how a browser comes to trust this machine, and what to open instead of an address.

use std::borrow::Cow;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::assets::served;
use super::{CERTIFICATE_PATH, Page, headers};

/// A page that is the same for everybody.
#[derive(Clone)]
pub(super) struct Document(String);

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        served(Cow::Owned(self.0.into_bytes()), "text/html; charset=utf-8", "no-store")
    }
}

/// Fills a template. What is filled in has no letters that HTML reads: addresses of validated names, and hexadecimal digits.
fn filled(template: &str, page: &Page) -> Document {
    let fingerprint = page.authority.as_ref().map_or("", |authority| authority.fingerprint.as_str());
    Document(
        template
            .replace("{{address}}", &page.address)
            .replace("{{certificate}}", CERTIFICATE_PATH)
            .replace("{{fingerprint}}", fingerprint),
    )
}

/// How to trust this machine, step by step; that there is nothing to do where that is so.
pub(super) fn trust(page: &Page) -> Document {
    let template = match page.authority {
        Some(_) => include_str!("trust.html"),
        None => include_str!("trusted.html"),
    };
    filled(template, page)
}

/// What to open in place of an address.
pub(super) fn explanation(page: &Page) -> Document {
    filled(include_str!("by-address.html"), page)
}

pub(super) fn style() -> Response {
    served(include_bytes!("plain.css").into(), "text/css; charset=utf-8", "public, max-age=86400")
}

/// The certificate as operating systems open it.
pub(super) fn certificate(der: Vec<u8>) -> Response {
    let mut response = der.into_response();
    let named = HeaderValue::from_static("attachment; filename=\"shikaku-ca.crt\"");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-x509-ca-cert"));
    response.headers_mut().insert(CONTENT_DISPOSITION, named);
    response.extensions_mut().insert(headers("no-store"));
    response
}
