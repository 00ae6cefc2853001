//! Results (資格確認結果): count, list, search, one person, collection.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderName, VARY};
use axum::response::{IntoResponse, Response};

use super::{Reply, TAG_RESULTS};
use crate::codes::Code;
use crate::etag::{Known, Tagged};
use crate::extract::{Id, Json, Query, Session};
use crate::fields::{self, Fields};
use crate::forms;
use crate::problem::Problem;
use crate::ready::{self, ReadyJson};
use crate::responses::{CollectErrors, NotModified, QueryErrors, ResultErrors, SearchErrors};
use crate::service::{Document, Service};
use crate::wire;

/// 資格確認結果の一覧
///
/// 資格情報が表示された結果を新しい順に返します。続きは next_cursor を cursor に渡してください。
/// 氏名などの患者の条件で探すときは POST /v1/results/search を使ってください。
#[utoipa::path(
    get, path = "/v1/results", operation_id = "list_results", tag = TAG_RESULTS, security(("bearer" = [])),
    params(wire::ResultQuery, ("If-None-Match" = Option<String>, Header, description = "持っている応答の ETag。")),
    responses(
        (status = 200, description = "資格確認結果。", body = wire::ResultList,
            headers(("ETag" = String, description = "この応答の印。次に If-None-Match に渡してください。"))),
        NotModified, QueryErrors
    )
)]
pub(super) async fn list_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::ResultQuery>,
    known: Known,
) -> Reply<Tagged<ReadyJson>> {
    let fields = fields::of_query(query.fields.as_deref());
    let answer = service.results(&caller, query, &known).await?;
    Ok(answer.map(|page| ready::page(page, fields.as_ref())))
}

/// 資格確認結果の検索
///
/// 患者の条件（照会番号、氏名、フリガナ、生年月日、保険者番号）でも絞り込めます。個人情報がURLや記録に残らないよう、本文で送ります。
/// 保存されている結果を期間の新しいものから順に開いて探すため、期間を指定すると速くなります。
/// 1回に開く件数には上限があり、results が少ないか空でも、next_cursor があれば続きを取得してください。検索は監査ログに記録されます。
#[utoipa::path(
    post, path = "/v1/results/search", operation_id = "search_results", tag = TAG_RESULTS,
    security(("bearer" = [])), request_body = wire::ResultSearch,
    responses((status = 200, description = "資格確認結果。", body = wire::ResultList), SearchErrors)
)]
pub(super) async fn search_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(search): Json<wire::ResultSearch>,
) -> Reply<ReadyJson> {
    let fields = search.fields.as_ref().and_then(|names| Fields::read(names.iter().map(String::as_str)));
    let page = service.search_results(&caller, search).await?;
    Ok(ready::page(page, fields.as_ref()))
}

/// 資格確認結果の検索の件数
///
/// POST /v1/results/search と同じ条件の結果を数えます。患者の条件があるときは、期間の結果をすべて開いて数えるため、
/// 期間を指定すると速くなります。監査ログに記録されます。
#[utoipa::path(
    post, path = "/v1/results/search/count", operation_id = "count_search", tag = TAG_RESULTS,
    security(("bearer" = [])), request_body = wire::ResultSearchCount,
    responses((status = 200, description = "件数。", body = wire::ResultCount), SearchErrors)
)]
pub(super) async fn count_search(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(search): Json<wire::ResultSearchCount>,
) -> Reply<Json<wire::ResultCount>> {
    Ok(Json(service.count_search(&caller, search).await?))
}

/// 資格確認結果の件数
#[utoipa::path(
    get, path = "/v1/results/count", operation_id = "count_results", tag = TAG_RESULTS,
    security(("bearer" = [])),
    params(wire::CountQuery, ("If-None-Match" = Option<String>, Header, description = "持っている応答の ETag。")),
    responses(
        (status = 200, description = "件数。", body = wire::ResultCount,
            headers(("ETag" = String, description = "この応答の印。次に If-None-Match に渡してください。"))),
        NotModified, QueryErrors
    )
)]
pub(super) async fn count_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::CountQuery>,
    known: Known,
) -> Reply<Tagged<Json<wire::ResultCount>>> {
    Ok(service.count_results(&caller, query, &known).await?.map(Json))
}

/// 資格確認結果（個人）
///
/// 該当資格なしなど、一覧に出ない結果も番号で取得できます。形式は format か Accept で、文字コードは charset か Accept で選びます。
#[utoipa::path(
    get, path = "/v1/results/{id}", operation_id = "get_result", tag = TAG_RESULTS,
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "結果の番号。"), wire::OneQuery,
        ("Accept" = Option<String>, Header, description = "受け取れる形式。format を指定したときは見ません。"),
        ("If-None-Match" = Option<String>, Header, description = "持っている応答の ETag。")
    ),
    responses(
        (status = 200, description = "資格確認結果。",
            content(
                (wire::OneResult = "application/json"), (String = "application/x-ndjson"),
                (String = "application/xml"), (wire::XmlMsgDocument = "application/x.xmlmsg+json"),
                (String = "text/csv"), (String = "text/plain"), (wire::FhirBundle = "application/fhir+json")
            ),
            headers(
                ("ETag" = String, description = "この応答の印。次に If-None-Match に渡してください。"),
                ("Content-Disposition" = String, description = "保存するときのファイル名。"),
                ("Shikaku-Reduced-Characters" = i64, description = "別の字に置き換えた文字の数。"),
                ("Shikaku-Lost-Characters" = i64, description = "「●」に置き換えた文字の数。")
            )),
        NotModified, ResultErrors
    )
)]
pub(super) async fn get_result(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
    Query(query): Query<wire::OneQuery>,
    known: Known,
    headers: HeaderMap,
) -> Reply<Response> {
    let form = forms::choose(query.format, query.charset, &headers).ok_or(Code::NotAcceptable)?;
    let fields = fields::of_query(query.fields.as_deref());
    // Selected and reduced at once, the counts would speak of characters that are not there.
    let is_plain = form.format == wire::ResultFormat::Json && form.charset == wire::Charset::Utf8;
    if fields.is_some() && !is_plain {
        let only_json = Problem::new(Code::InvalidRequest).field("fields");
        return Err(only_json
            .detail("項目を選べるのは、形式が json で文字コードが utf-8 のときだけです")
            .into());
    }
    let answer = service.result(&caller, id, form, query.fields.as_deref(), &known).await?;
    let answer = answer.map(|document| one(document, id, form, fields.as_ref()));
    Ok(([(VARY, "accept")], answer).into_response())
}

fn one(document: Document, id: i64, form: wire::ResultForm, fields: Option<&Fields>) -> Response {
    let Document { body, media_type, characters } = document;
    let body = match fields {
        Some(fields) => fields.select(body),
        None => body,
    };
    let count = |name, count: u64| (HeaderName::from_static(name), count.to_string());
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, forms::file_name(&format!("result-{id}"), form)),
        count("shikaku-reduced-characters", characters.reduced),
        count("shikaku-lost-characters", characters.lost),
    ];
    (headers, body).into_response()
}

/// ほかの端末の結果の取込
///
/// 施設のほかの端末やスマートフォンで行った資格確認の結果を、オンライン資格確認等システムから今すぐ取り込みます。
/// 取込中に送ったときは、その終わりを待って答えます。同じ結果が2件になることはありません。
#[utoipa::path(
    post, path = "/v1/results/collect", operation_id = "collect_results", tag = TAG_RESULTS,
    security(("bearer" = [])),
    responses((status = 200, description = "取り込みました。または、続いています。", body = wire::Collected), CollectErrors)
)]
pub(super) async fn collect_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::Collected>> {
    Ok(Json(service.collect_results(&caller).await?))
}
