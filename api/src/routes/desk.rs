//! What the front desk writes down: 端末の安全管理チェックリスト, and incidents.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::{Reply, TAG_RECORDS};
use crate::extract::{Json, Query, Session};
use crate::responses::{ChecklistErrors, IncidentErrors, PlainErrors, QueryErrors};
use crate::service::Service;
use crate::wire;

/// 端末の安全管理チェックリスト
///
/// 運用マニュアルの「モバイル端末等の安全管理に関するチェックリスト」の項目と、これまでの記録を返します。
#[utoipa::path(
    get, path = "/v1/checklist", operation_id = "get_checklist", tag = TAG_RECORDS, security(("bearer" = [])),
    responses((status = 200, description = "項目と記録。", body = wire::Checklist), PlainErrors)
)]
pub(super) async fn get_checklist(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::Checklist>> {
    Ok(Json(service.checklist(&caller).await?))
}

/// 端末の安全管理チェックリストの記録
///
/// 行っている項目を、日時、担当者、端末とともに記録します。前の記録は残ります。監査ログと同じ期間、保存します。
#[utoipa::path(
    put, path = "/v1/checklist", operation_id = "record_checklist", tag = TAG_RECORDS, security(("bearer" = [])), request_body = wire::NewChecklistRecord,
    responses((status = 200, description = "項目と、新しいものを含む記録。", body = wire::Checklist), ChecklistErrors)
)]
pub(super) async fn record_checklist(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(record): Json<wire::NewChecklistRecord>,
) -> Reply<Json<wire::Checklist>> {
    Ok(Json(service.record_checklist(&caller, record).await?))
}

/// 窓口で起きたことの記録
///
/// 別の方の情報が表示された、本人であることに疑いがある、という出来事と行ったことを、日時、担当者、端末とともに記録します。
/// 患者の情報は記録に含まれません。監査ログと同じ期間、保存します。
#[utoipa::path(
    post, path = "/v1/incidents", operation_id = "record_incident", tag = TAG_RECORDS, security(("bearer" = [])), request_body = wire::NewIncident,
    responses((status = 201, description = "記録しました。", body = wire::Incident), IncidentErrors)
)]
pub(super) async fn record_incident(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(incident): Json<wire::NewIncident>,
) -> Reply<(StatusCode, Json<wire::Incident>)> {
    Ok((StatusCode::CREATED, Json(service.record_incident(&caller, incident).await?)))
}

/// 窓口で起きたことの記録の一覧
///
/// 管理者だけが使えます。新しい順です。
#[utoipa::path(
    get, path = "/v1/incidents", operation_id = "list_incidents", tag = TAG_RECORDS, security(("bearer" = [])),
    params(wire::IncidentQuery),
    responses((status = 200, description = "記録。", body = wire::IncidentPage), QueryErrors)
)]
pub(super) async fn list_incidents(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::IncidentQuery>,
) -> Reply<Json<wire::IncidentPage>> {
    Ok(Json(service.incidents(&caller, query).await?))
}
