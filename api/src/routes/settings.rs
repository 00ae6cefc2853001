//! Settings: see and change.

use std::sync::Arc;

use axum::extract::State;

use super::{Reply, TAG_SETTINGS};
use crate::extract::{Json, Session};
use crate::responses::{BodyErrors, FolderErrors, PlainErrors};
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

/// OQSフォルダーの設定
///
/// 管理者だけが参照できます。フォルダーの場所は設定ファイル（`[[folders]]`）で決まります。
#[utoipa::path(
    get, path = "/v1/settings/folders", operation_id = "get_folder_settings", tag = TAG_SETTINGS,
    security(("bearer" = [])),
    responses((status = 200, description = "OQSフォルダーの設定。", body = wire::FolderSettings), PlainErrors)
)]
pub(super) async fn get_folder_settings(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::FolderSettings>> {
    Ok(Json(service.folder_settings(&caller).await?))
}

/// OQSフォルダーの承諾と取り消し
///
/// OQSフォルダーには資格確認の結果が平文のファイルで置かれ、フォルダーを読める人はだれでも、ログインも多要素認証もなしに読めます。
/// 管理者がそれを承諾して監査ログに残すまで、フォルダーには何も書かず、何も読みません。承諾は、そのとき設定されているフォルダー
/// だけに及びます。
#[utoipa::path(
    put, path = "/v1/settings/folders", operation_id = "set_folder_access", tag = TAG_SETTINGS,
    security(("bearer" = [])), request_body = wire::FolderAccess,
    responses((status = 200, description = "記録しました。", body = wire::FolderSettings), FolderErrors)
)]
pub(super) async fn set_folder_access(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(access): Json<wire::FolderAccess>,
) -> Reply<Json<wire::FolderSettings>> {
    Ok(Json(service.set_folder_access(&caller, access).await?))
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
