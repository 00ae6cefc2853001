//! Results (資格確認結果).

use std::sync::Arc;

use axum::extract::State;

use super::{Reply, TAG_RESULTS};
use crate::extract::{Id, Json, Query, Session};
use crate::responses::{CollectErrors, QueryErrors, ResultErrors};
use crate::service::Service;
use crate::wire;

/// 資格確認結果の一覧
///
/// 資格情報が表示された結果を新しい順に返します。続きは next_cursor を cursor に渡してください。
#[utoipa::path(
    get, path = "/v1/results", operation_id = "list_results", tag = TAG_RESULTS, security(("bearer" = [])),
    params(wire::ResultQuery),
    responses((status = 200, description = "資格確認結果。", body = wire::ResultPage), QueryErrors)
)]
pub(super) async fn list_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::ResultQuery>,
) -> Reply<Json<wire::ResultPage>> {
    Ok(Json(service.results(&caller, query).await?))
}

/// 資格確認結果の件数
#[utoipa::path(
    get, path = "/v1/results/count", operation_id = "count_results", tag = TAG_RESULTS,
    security(("bearer" = [])), params(wire::CountQuery),
    responses((status = 200, description = "件数。", body = wire::ResultCount), QueryErrors)
)]
pub(super) async fn count_results(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::CountQuery>,
) -> Reply<Json<wire::ResultCount>> {
    Ok(Json(service.count_results(&caller, query.into()).await?))
}

/// 資格確認結果（個人）
///
/// 該当資格なしなど、一覧に出ない結果も番号で取得できます。
#[utoipa::path(
    get, path = "/v1/results/{id}", operation_id = "get_result", tag = TAG_RESULTS,
    security(("bearer" = [])), params(("id" = i64, Path, description = "結果の番号。")),
    responses((status = 200, description = "資格確認結果。", body = wire::EligibilityResult), ResultErrors)
)]
pub(super) async fn get_result(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
) -> Reply<Json<wire::EligibilityResult>> {
    Ok(Json(service.result(&caller, id).await?))
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
