//! Export of a period, streamed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, TRAILER, VARY};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use http_body::Frame;
use http_body_util::StreamBody;

use super::{Reply, TAG_RESULTS};
use crate::codes::Code;
use crate::compress::Compressible;
use crate::entrance::Arrival;
use crate::extract::{Query, Session};
use crate::forms;
use crate::places::Place;
use crate::responses::ExportErrors;
use crate::service::{Bytes, Export, ExportPart, Service};
use crate::wire;

const RESULTS: &str = "shikaku-results";
const REDUCED: &str = "shikaku-reduced-characters";
const LOST: &str = "shikaku-lost-characters";

/// 資格確認結果の書き出し
///
/// 期間の結果を新しい順に、まとめて書き出します。形式は format か Accept で、文字コードは charset か Accept で選びます。書き出しの
/// 始めに範囲を決め、その後に保存された結果は含みません。送るまでに参照期限を過ぎた結果も含みません。本文は少しずつ送り、送るたびに
/// 監査ログに記録します。Accept-Encoding: gzip、zstd に対応します。
///
/// 途中で切れたときは、最後に受け取れた結果の番号を after_id に渡すと、その続きから書き出します。limit を付けると、その件数ずつに分けられ、
/// 結果の数と、置き換えた文字の数（Shikaku-Results、Shikaku-Reduced-Characters、Shikaku-Lost-Characters）がヘッダーにあります。
/// limit がないときは、同じものが本文の終わり（json の summary、xmlmsg-xml と xmlmsg-json の Summary）と、TE: trailers を送ったときの
/// トレーラーにあります。最後まで届いたことも、これで分かります。
#[utoipa::path(
    get, path = "/v1/results/export", operation_id = "export_results", tag = TAG_RESULTS,
    security(("bearer" = [])),
    params(
        wire::ExportQuery,
        ("Accept" = Option<String>, Header, description = "受け取れる形式。format を指定したときは見ません。"),
        ("Accept-Encoding" = Option<String>, Header, description = "gzip、zstd に対応します。")
    ),
    responses(
        (status = 200, description = "資格確認結果。",
            content(
                (wire::ExportedResults = "application/json"), (String = "application/x-ndjson"),
                (String = "application/xml"), (wire::XmlMsgDocument = "application/x.xmlmsg+json"),
                (String = "text/csv"), (String = "text/plain"), (wire::FhirBundle = "application/fhir+json")
            ),
            headers(
                ("Content-Disposition" = String, description = "保存するときのファイル名。"),
                ("Shikaku-Total" = i64, description = "条件に合う結果の数（続きから書き出すときも全体の数）。"),
                ("Shikaku-Cut-Off" = String, description = "書き出しの範囲を決めた日時（日本時間、RFC 3339）。"),
                ("Shikaku-Next-Cursor" = String, description = "limit を付けたとき、続きがあればその印。"),
                ("Shikaku-Results" = i64, description = "limit を付けたとき、この応答の結果の数。"),
                ("Shikaku-Reduced-Characters" = i64, description = "limit を付けたとき、別の字に置き換えた文字の数。"),
                ("Shikaku-Lost-Characters" = i64, description = "limit を付けたとき、「●」に置き換えた文字の数。")
            )),
        ExportErrors
    )
)]
pub(super) async fn export_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::ExportQuery>,
    headers: HeaderMap,
    arrival: Arrival,
) -> Reply<Response> {
    let form = forms::choose(query.format, query.charset, &headers).ok_or(Code::NotAcceptable)?;
    let place = arrival.hall.places.exports.take(&caller.account)?;
    Ok(answer(service.export(&caller, query, form).await?, form, place))
}

fn answer(export: Export, form: wire::ResultForm, place: Place) -> Response {
    let frames = export.parts.map(move |part| {
        let _held = &place;
        part.map(frame)
    });
    let mut response = Body::new(StreamBody::new(frames)).into_response();
    response.extensions_mut().insert(Compressible);
    let name = forms::file_name("results", form);
    let total = export.total.to_string();
    for (header, text) in [
        (CONTENT_TYPE, Some(export.media_type)),
        (CONTENT_DISPOSITION, Some(name.as_str())),
        (VARY, Some("accept")),
        (
            TRAILER,
            export
                .summary
                .is_none()
                .then_some("shikaku-results, shikaku-reduced-characters, shikaku-lost-characters"),
        ),
        (HeaderName::from_static("shikaku-total"), Some(total.as_str())),
        (HeaderName::from_static("shikaku-cut-off"), Some(export.cut_off.as_str())),
        (HeaderName::from_static("shikaku-next-cursor"), export.next_cursor.as_deref()),
    ] {
        // Media types, numbers, times and cursors are visible ASCII.
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().insert(header, value);
        }
    }
    response.headers_mut().extend(export.summary.map(told).unwrap_or_default());
    response
}

fn frame(part: ExportPart) -> Frame<Bytes> {
    match part {
        ExportPart::Bytes(bytes) => Frame::data(bytes),
        ExportPart::End(summary) => Frame::trailers(told(summary)),
    }
}

/// What an export came to, as headers or trailers.
fn told(summary: wire::ExportSummary) -> HeaderMap {
    let wire::ExportSummary { results, reduced_characters, lost_characters } = summary;
    [(RESULTS, results), (REDUCED, reduced_characters), (LOST, lost_characters)]
        .into_iter()
        .map(|(name, count)| (HeaderName::from_static(name), HeaderValue::from(count)))
        .collect()
}
