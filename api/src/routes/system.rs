//! Readers, health, liveness, and the document itself.

use std::sync::{Arc, LazyLock};

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::{Reply, TAG_SYSTEM};
use crate::compress::Compressible;
use crate::extract::{Json, Session};
use crate::responses::{FixedErrors, MetricsErrors, PlainErrors, ReadinessErrors};
use crate::service::Service;
use crate::wire;

/// カードリーダーの一覧
#[utoipa::path(
    get, path = "/v1/readers", operation_id = "list_readers", tag = TAG_SYSTEM, security(("bearer" = [])),
    responses((status = 200, description = "カードリーダーの一覧。", body = wire::Readers), PlainErrors)
)]
pub(super) async fn list_readers(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::Readers>> {
    Ok(Json(service.readers(&caller).await?))
}

/// 稼働の状態
///
/// 一部が使えないときも 200 で、state に表れます。
#[utoipa::path(
    get, path = "/v1/health", operation_id = "get_health", tag = TAG_SYSTEM, security(("bearer" = [])),
    responses((status = 200, description = "稼働の状態。", body = wire::Health), PlainErrors)
)]
pub(super) async fn get_health(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::Health>> {
    Ok(Json(service.health(&caller).await?))
}

/// 運営からのお知らせ
///
/// オンライン資格確認等システムの運営からのお知らせを新しい順に返します。接続できない間も、最後に届いたものを返します。
#[utoipa::path(
    get, path = "/v1/announcements", operation_id = "list_announcements", tag = TAG_SYSTEM,
    security(("bearer" = [])),
    responses((status = 200, description = "お知らせの一覧。", body = wire::AnnouncementList), PlainErrors)
)]
pub(super) async fn list_announcements(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::AnnouncementList>> {
    Ok(Json(service.announcements(&caller).await?))
}

/// プロセスの生存確認
///
/// ログインなしで使えます。プロセスが要求に応えることだけを表します。
#[utoipa::path(
    get, path = "/healthz", operation_id = "get_liveness", tag = TAG_SYSTEM,
    responses((status = 200, description = "動いています。", body = wire::Liveness), FixedErrors)
)]
pub(super) async fn get_liveness() -> Json<wire::Liveness> {
    Json(wire::Liveness { alive: true })
}

/// 要求に応えられるか
///
/// 監視のためのもので、ログインなしで使えます。個人情報は含みません。応えられるときは200、応えられないときは503で、理由が reasons にあります。
/// カードリーダーがないこと、オンライン資格確認等システムに接続できないことは理由になりません。
#[utoipa::path(
    get, path = "/readyz", operation_id = "get_readiness", tag = TAG_SYSTEM,
    responses((status = 200, description = "応えられます。", body = wire::Readiness), ReadinessErrors)
)]
pub(super) async fn get_readiness(State(service): State<Arc<dyn Service>>) -> Reply<impl IntoResponse> {
    let readiness = service.readiness().await?;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(readiness)))
}

/// 監視のための数値（Prometheus）
///
/// ログインなしで使えます。個人情報は含みません。Prometheus の text format 0.0.4 です。設定 metrics.enabled が true でないときは
/// 404（not_found）です。
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = TAG_SYSTEM,
    responses((status = 200, description = "数値。", body = String, content_type = "text/plain", example = json!(
        "# HELP shikaku_sessions Live sessions.\n# TYPE shikaku_sessions gauge\nshikaku_sessions 2\n"
    )), MetricsErrors)
)]
pub(super) async fn get_metrics(State(service): State<Arc<dyn Service>>) -> Reply<impl IntoResponse> {
    let text = service.metrics().await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

/// この定義書
///
/// ログインなしで使えます。Accept-Encoding: gzip、zstd に対応します。
#[utoipa::path(
    get, path = "/openapi.yaml", operation_id = "get_openapi", tag = TAG_SYSTEM,
    responses(
        (status = 200, description = "OpenAPI 3.1 の定義書。", body = String, content_type = "application/yaml"),
        FixedErrors
    )
)]
pub(super) async fn get_openapi() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(crate::openapi_yaml);
    (Extension(Compressible), [(CONTENT_TYPE, "application/yaml")], DOCUMENT.as_str())
}
