//! Terminals that are enrolled once and known afterwards.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Reply, TAG_ACCOUNTS};
use crate::carriage::Carriage;
use crate::extract::{Accompanying, Id, Json, Session};
use crate::responses::{BodyErrors, EnrolErrors, PlainErrors, TerminalErrors};
use crate::service::Service;
use crate::wire;

/// 端末の登録コードの発行
///
/// 管理者だけが使えます。登録コードは1時間、1回だけ使えます。
#[utoipa::path(
    post, path = "/v1/terminals/enrolment-codes", operation_id = "offer_terminal", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::NewTerminal,
    responses((status = 201, description = "発行しました。", body = wire::EnrolmentCode), BodyErrors)
)]
pub(super) async fn offer_terminal(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(request): Json<wire::NewTerminal>,
) -> Reply<(StatusCode, Json<wire::EnrolmentCode>)> {
    Ok((StatusCode::CREATED, Json(service.offer_terminal(&caller, request).await?)))
}

/// 端末の登録
///
/// 登録コードで端末を登録し、Shikaku-Terminal ヘッダーに付けるトークンを受け取ります。トークンだけではログインできません。
#[utoipa::path(
    post, path = "/v1/terminals/enrol", operation_id = "enrol_terminal", tag = TAG_ACCOUNTS, request_body = wire::TerminalEnrolment,
    responses(
        (status = 201, description = "登録しました。", body = wire::TerminalToken,
            headers(("Set-Cookie" = String, description = "受付ページの待ち受けだけ：token の代わりの端末の Cookie。"))),
        EnrolErrors
    )
)]
pub(super) async fn enrol_terminal(
    State(service): State<Arc<dyn Service>>,
    carriage: Carriage,
    Accompanying(along): Accompanying,
    Json(request): Json<wire::TerminalEnrolment>,
) -> Reply<Response> {
    Ok(carriage.hand_terminal(service.enrol_terminal(request, along).await?))
}

/// 端末の一覧
///
/// 管理者だけが使えます。
#[utoipa::path(
    get, path = "/v1/terminals", operation_id = "list_terminals", tag = TAG_ACCOUNTS, security(("bearer" = [])),
    responses((status = 200, description = "登録されている端末。", body = wire::EnrolledTerminals), PlainErrors)
)]
pub(super) async fn list_terminals(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::EnrolledTerminals>> {
    Ok(Json(service.terminals(&caller).await?))
}

/// 端末の登録の取り消し
///
/// 管理者だけが使えます。その端末のセッションは終わります。
#[utoipa::path(
    delete, path = "/v1/terminals/{id}", operation_id = "remove_terminal", tag = TAG_ACCOUNTS, security(("bearer" = [])), params(("id" = String, Path, description = "端末の名前。")),
    responses((status = 204, description = "取り消しました。"), TerminalErrors)
)]
pub(super) async fn remove_terminal(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
) -> Reply<StatusCode> {
    service.remove_terminal(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
