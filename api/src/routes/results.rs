//! Results (資格確認結果).

use std::sync::Arc;

use axum::extract::State;

use super::{Reply, TAG_RESULTS};
use crate::extract::{Id, Json, Query, Session};
use crate::responses::{QueryErrors, ResultErrors};
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
