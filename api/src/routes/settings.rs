//! Settings: see and change.

use std::sync::Arc;

use axum::extract::State;

use super::{Reply, TAG_SETTINGS};
use crate::extract::{Json, Session};
use crate::responses::{BodyErrors, PlainErrors};
use crate::service::Service;
use crate::wire;

/// セキュリティ設定
#[utoipa::path(
    get, path = "/v1/settings/security", operation_id = "get_security_settings", tag = TAG_SETTINGS,
    security(("bearer" = [])),
    responses((status = 200, description = "セキュリティ設定。", body = wire::SecuritySettings), PlainErrors)
)]
pub(super) async fn get_security_settings(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::SecuritySettings>> {
    Ok(Json(service.security_settings(&caller).await?))
}

/// セキュリティ設定の変更
///
/// 管理者だけが変更でき、監査ログに記録されます。始まっている資格確認には影響しません。
#[utoipa::path(
    put, path = "/v1/settings/security", operation_id = "set_security_settings", tag = TAG_SETTINGS,
    security(("bearer" = [])), request_body = wire::SecuritySettings,
    responses((status = 200, description = "変更しました。", body = wire::SecuritySettings), BodyErrors)
)]
pub(super) async fn set_security_settings(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(settings): Json<wire::SecuritySettings>,
) -> Reply<Json<wire::SecuritySettings>> {
    Ok(Json(service.set_security_settings(&caller, settings).await?))
}
