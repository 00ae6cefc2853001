//! Answers put together from rendered results, byte by byte: nothing is parsed unless fields were selected.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::fields::Fields;
use crate::service::{ReadyChanges, ReadyPage};

/// A JSON document that is ready to be sent.
pub(crate) struct ReadyJson(pub Vec<u8>);

impl IntoResponse for ReadyJson {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}

/// `{"results":[…]`, with only the chosen fields of each result.
fn results(rendered: Vec<Vec<u8>>, fields: Option<&Fields>) -> Vec<u8> {
    let size: usize = rendered.iter().map(|body| body.len() + 1).sum();
    let mut json = Vec::with_capacity(size + 256);
    json.extend_from_slice(b"{\"results\":[");
    for (index, body) in rendered.into_iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        match fields {
            Some(fields) => json.extend_from_slice(&fields.select(body)),
            None => json.extend_from_slice(&body),
        }
    }
    json.push(b']');
    json
}

fn member(json: &mut Vec<u8>, name: &str, value: impl Serialize) {
    json.extend_from_slice(format!(",\"{name}\":").as_bytes());
    // Strings and booleans cannot fail to serialise.
    json.extend_from_slice(&serde_json::to_vec(&value).unwrap_or_default());
}

/// A page of results.
pub(crate) fn page(page: ReadyPage, fields: Option<&Fields>) -> ReadyJson {
    let mut json = results(page.results, fields);
    if let Some(cursor) = page.next_cursor {
        member(&mut json, "next_cursor", cursor);
    }
    json.push(b'}');
    ReadyJson(json)
}

/// Changed results.
pub(crate) fn changes(changes: ReadyChanges, fields: Option<&Fields>) -> ReadyJson {
    let mut json = results(changes.results, fields);
    member(&mut json, "cursor", changes.cursor);
    member(&mut json, "more", changes.more);
    member(&mut json, "expired_before", changes.expired_before);
    json.push(b'}');
    ReadyJson(json)
}
