//! Problems: every error answer, as RFC 9457 problem details with our stable code and Japanese guidance.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::codes::{Code, Who};
use crate::service::ServiceError;

/// The media type of every error answer.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// エラーの応答（RFC 9457）。code で判断し、title と guidance を担当者に表示してください。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// 問題の種類を表すURI。
    #[serde(rename = "type")]
    #[schema(example = "urn:shikaku-bridge:problem:reader_busy")]
    pub kind: String,
    /// 何が起きたか。
    #[schema(example = "このカードリーダーは別の資格確認で使用中です。")]
    pub title: String,
    /// HTTPステータス。
    #[schema(example = 409, minimum = 400, maximum = 599)]
    pub status: u16,
    /// 問題のコード。
    pub code: Code,
    /// 担当者と患者が今できること。
    #[schema(example = "先に始めた資格確認が終わるのを待つか、それを中止してから、もう一度始めてください。")]
    pub guidance: String,
    /// 対応できる人。
    pub who: Who,
    /// この場合に限った説明。個人情報や送られた値は含みません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "照会番号は1文字以上50文字以内です")]
    pub detail: Option<String>,
    /// 誤りのある項目。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "inquiry_number")]
    pub field: Option<String>,
    /// もう一度試せるまでの秒数。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 30, minimum = 0)]
    pub retry_after: Option<u32>,
    /// オンライン資格確認等システムのエラーコード。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ASRV00001E")]
    pub upstream_code: Option<String>,
}

impl Problem {
    /// A problem that says no more than its code.
    pub fn new(code: Code) -> Self {
        Self {
            kind: format!("urn:shikaku-bridge:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            code,
            guidance: code.guidance().to_owned(),
            who: code.who(),
            detail: None,
            field: None,
            retry_after: None,
            upstream_code: None,
        }
    }

    /// Names the field of the request that is to blame; an empty name means the whole request.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into()).filter(|field| !field.is_empty());
        self
    }

    /// Adds what only this case knows, in Japanese; never a value from the request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The body, as it goes over the wire.
    pub fn body(&self) -> Vec<u8> {
        // Strings and numbers cannot fail to serialise; an empty body would still carry the status.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        Self {
            detail: error.detail,
            field: error.field,
            retry_after: error.retry_after,
            upstream_code: error.upstream_code,
            ..Self::new(error.code)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut extra: Vec<(HeaderName, HeaderValue)> = Vec::new();
        if self.code.status() == StatusCode::UNAUTHORIZED {
            extra.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(seconds) = self.retry_after {
            extra.push((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        let mut response =
            (self.code.status(), [(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))], self.body())
                .into_response();
        response.headers_mut().extend(extra);
        response
    }
}

/// A problem on its way out of an extractor or a handler; boxed, because it is large and rare.
pub(crate) struct Refusal(Box<Problem>);

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
