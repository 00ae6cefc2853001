//! The audit log and retention, for administrators.

use std::sync::Arc;

use axum::extract::State;

use super::{Reply, TAG_SYSTEM};
use crate::extract::{Json, Query, Session};
use crate::responses::{PlainErrors, QueryErrors};
use crate::service::Service;
use crate::wire;

/// 監査ログ
///
/// 管理者だけが参照でき、参照したことも1ページごとに記録されます。患者の情報は含みません。漏えい時の対象者の氏名付きの一覧は、
/// パソコンで shikakud audit affected を実行して作ります。
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "list_audit", tag = TAG_SYSTEM, security(("bearer" = [])),
    params(wire::AuditQuery),
    responses((status = 200, description = "行（古い順）。", body = wire::AuditPage), QueryErrors)
)]
pub(super) async fn list_audit(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::AuditQuery>,
) -> Reply<Json<wire::AuditPage>> {
    Ok(Json(service.audit(&caller, query).await?))
}

/// 保存と消去の状態
///
/// 管理者だけが参照できます。結果は資格確認を行った日の翌月末まで保存され、過ぎるとすぐに表示されなくなり、日時を確認できしだい
/// 消去されます。
#[utoipa::path(
    get, path = "/v1/retention", operation_id = "get_retention", tag = TAG_SYSTEM, security(("bearer" = [])),
    responses((status = 200, description = "保存と消去の状態。", body = wire::RetentionStatus), PlainErrors)
)]
pub(super) async fn get_retention(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::RetentionStatus>> {
    Ok(Json(service.retention(&caller).await?))
}
