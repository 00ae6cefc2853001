//! Signing in and out.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;

use super::{Reply, TAG_SESSIONS};
use crate::extract::{Json, Session};
use crate::responses::{PlainErrors, SignInErrors};
use crate::service::Service;
use crate::wire;

/// ログイン
///
/// 機関コード、アカウント、パスワードと認証アプリの6桁の数字を同時に送り、トークンを受け取ります。
/// 6桁の数字は一度しか使えないため、1アカウントのログインは30秒に1回です。
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "sign_in", tag = TAG_SESSIONS, request_body = wire::SignIn,
    responses((status = 201, description = "ログインしました。", body = wire::Session), SignInErrors)
)]
pub(super) async fn sign_in(
    State(service): State<Arc<dyn Service>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    Json(request): Json<wire::SignIn>,
) -> Reply<(StatusCode, Json<wire::Session>)> {
    let peer = peer.map(|Extension(ConnectInfo(address))| address);
    let session = service.sign_in(request, peer).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// 現在のセッション
#[utoipa::path(
    get, path = "/v1/sessions/current", operation_id = "get_session", tag = TAG_SESSIONS,
    security(("bearer" = [])),
    responses((status = 200, description = "現在のセッション。", body = wire::SessionInfo), PlainErrors)
)]
pub(super) async fn get_session(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::SessionInfo>> {
    Ok(Json(service.session(&caller).await?))
}

/// ログアウト
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "sign_out", tag = TAG_SESSIONS,
    security(("bearer" = [])),
    responses((status = 204, description = "ログアウトしました。"), PlainErrors)
)]
pub(super) async fn sign_out(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<StatusCode> {
    service.sign_out(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
