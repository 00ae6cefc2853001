//! Signing in and out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Reply, TAG_SESSIONS};
use crate::carriage::Carriage;
use crate::extract::{Accompanying, AnySession, Id, Json, Query, Session};
use crate::responses::{BeginErrors, PlainErrors, QueryErrors, SessionErrors, SignInErrors};
use crate::service::Service;
use crate::wire;

/// ログイン
///
/// 機関コード、アカウント、パスワードと認証アプリの6桁の数字を同時に送り、トークンを受け取ります。
/// 6桁の数字は一度しか使えないため、1アカウントのログインは30秒に1回です。
/// 登録された端末は Shikaku-Terminal ヘッダーを付けます。セッションはその端末に結び付き（その後の要求にも同じヘッダーが要ります）、
/// 失敗は端末ごとに数えます。
/// それまでのセッションのトークンを Authorization に付けると、ログインと同時に終わります。
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "sign_in", tag = TAG_SESSIONS, request_body = wire::SignIn,
    responses(
        (status = 201, description = "ログインしました。", body = wire::Session,
            headers(("Set-Cookie" = String, description = "受付ページの待ち受けだけ：token の代わりのセッションの Cookie。"))),
        SignInErrors
    )
)]
pub(super) async fn sign_in(
    State(service): State<Arc<dyn Service>>,
    carriage: Carriage,
    Accompanying(along): Accompanying,
    Json(request): Json<wire::SignIn>,
) -> Reply<Response> {
    Ok(carriage.hand_session(service.sign_in(request, along).await?))
}

/// 現在のセッション
#[utoipa::path(
    get, path = "/v1/sessions/current", operation_id = "get_session", tag = TAG_SESSIONS,
    security(("bearer" = [])),
    responses((status = 200, description = "現在のセッション。", body = wire::SessionInfo), PlainErrors)
)]
pub(super) async fn get_session(
    State(service): State<Arc<dyn Service>>,
    AnySession(caller): AnySession,
) -> Reply<Json<wire::SessionInfo>> {
    Ok(Json(service.session(&caller).await?))
}

/// ログアウト
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "sign_out", tag = TAG_SESSIONS,
    security(("bearer" = [])),
    responses(
        (status = 204, description = "ログアウトしました。",
            headers(("Set-Cookie" = String, description = "受付ページの待ち受けだけ：セッションの Cookie を消します。"))),
        PlainErrors
    )
)]
pub(super) async fn sign_out(
    State(service): State<Arc<dyn Service>>,
    carriage: Carriage,
    AnySession(caller): AnySession,
) -> Reply<Response> {
    service.sign_out(&caller).await?;
    Ok(carriage.take_session())
}

/// ログインの1段階目
///
/// 機関コード、アカウント、パスワードを預け、2段階目で送る ticket を受け取ります。正しいかどうかは2段階目で判定します。
#[utoipa::path(
    post, path = "/v1/sessions/begin", operation_id = "begin_sign_in", tag = TAG_SESSIONS,
    request_body = wire::SignInClaim,
    responses((status = 200, description = "続けて6桁の数字を送ってください。", body = wire::SignInBegun), BeginErrors)
)]
pub(super) async fn begin_sign_in(
    State(service): State<Arc<dyn Service>>,
    Json(claim): Json<wire::SignInClaim>,
) -> Reply<Json<wire::SignInBegun>> {
    Ok(Json(service.begin_sign_in(claim).await?))
}

/// セッションの一覧
#[utoipa::path(
    get, path = "/v1/sessions", operation_id = "list_sessions", tag = TAG_SESSIONS, security(("bearer" = [])),
    params(wire::SessionQuery),
    responses((status = 200, description = "セッションの一覧。", body = wire::Sessions), QueryErrors)
)]
pub(super) async fn list_sessions(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::SessionQuery>,
) -> Reply<Json<wire::Sessions>> {
    Ok(Json(service.sessions(&caller, query).await?))
}

/// ほかのセッションをすべて終わらせる
///
/// 自分のアカウントの、この要求を送ったもの以外のセッションを終わらせます。
#[utoipa::path(
    delete, path = "/v1/sessions", operation_id = "end_other_sessions", tag = TAG_SESSIONS,
    security(("bearer" = [])),
    responses((status = 204, description = "終わらせました。"), PlainErrors)
)]
pub(super) async fn end_other_sessions(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<StatusCode> {
    service.end_other_sessions(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// セッションを終わらせる
///
/// 自分のセッションを番号で終わらせます。管理者は全員のセッションを終わらせられます。
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", operation_id = "end_session", tag = TAG_SESSIONS,
    security(("bearer" = [])), params(("id" = String, Path, description = "セッションの番号。")),
    responses((status = 204, description = "終わらせました。"), SessionErrors)
)]
pub(super) async fn end_session(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
) -> Reply<StatusCode> {
    service.end_session(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
