//! Accounts: one's own, and everybody's for administrators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::{Reply, TAG_ACCOUNTS};
use crate::extract::{AnySession, Id, Json, Session};
use crate::responses::{AccountBodyErrors, AccountErrors, NewAccountErrors, OwnAccountErrors, PlainErrors};
use crate::service::Service;
use crate::wire;

/// 自分のパスワードの変更
///
/// ほかのセッションは終わります。変更が必要なセッション（password_change_required）では、これと、
/// 現在のセッションの参照とログアウトだけができます。
#[utoipa::path(
    put, path = "/v1/accounts/me/password", operation_id = "change_password", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::PasswordChange,
    responses((status = 204, description = "変更しました。"), OwnAccountErrors)
)]
pub(super) async fn change_password(
    State(service): State<Arc<dyn Service>>,
    AnySession(caller): AnySession,
    Json(request): Json<wire::PasswordChange>,
) -> Reply<StatusCode> {
    service.change_password(&caller, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 認証アプリの登録し直し
///
/// 新しい登録を始めます。POST /v1/accounts/me/totp/confirm で確認するまで、これまでの登録を使います。
#[utoipa::path(
    post, path = "/v1/accounts/me/totp", operation_id = "offer_totp", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::PasswordProof,
    responses((status = 200, description = "認証アプリに読み取らせてください。", body = wire::TotpOffer), OwnAccountErrors)
)]
pub(super) async fn offer_totp(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(request): Json<wire::PasswordProof>,
) -> Reply<Json<wire::TotpOffer>> {
    Ok(Json(service.offer_totp(&caller, request).await?))
}

/// 新しい認証アプリの確認
///
/// 表示された6桁の数字で新しい登録に切り替えます。ほかのセッションは終わります。
#[utoipa::path(
    post, path = "/v1/accounts/me/totp/confirm", operation_id = "confirm_totp", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::TotpConfirmation,
    responses((status = 204, description = "切り替えました。"), OwnAccountErrors)
)]
pub(super) async fn confirm_totp(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(request): Json<wire::TotpConfirmation>,
) -> Reply<StatusCode> {
    service.confirm_totp(&caller, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 回復コードの発行
///
/// 10個の回復コードを発行します。以前のものは使えなくなります。
#[utoipa::path(
    post, path = "/v1/accounts/me/recovery-codes", operation_id = "renew_recovery_codes", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::PasswordProof,
    responses((status = 200, description = "回復コード。", body = wire::RecoveryCodes), OwnAccountErrors)
)]
pub(super) async fn renew_recovery_codes(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(request): Json<wire::PasswordProof>,
) -> Reply<Json<wire::RecoveryCodes>> {
    Ok(Json(service.renew_recovery_codes(&caller, request).await?))
}

/// アカウントの一覧
///
/// 管理者だけが使えます。
#[utoipa::path(
    get, path = "/v1/accounts", operation_id = "list_accounts", tag = TAG_ACCOUNTS, security(("bearer" = [])),
    responses((status = 200, description = "アカウントの一覧。", body = wire::Accounts), PlainErrors)
)]
pub(super) async fn list_accounts(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::Accounts>> {
    Ok(Json(service.accounts(&caller).await?))
}

/// アカウントの作成
///
/// 管理者だけが使えます。パスワードと認証アプリの登録は、この応答でしか見られません。
#[utoipa::path(
    post, path = "/v1/accounts", operation_id = "create_account", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::NewAccount,
    responses((status = 201, description = "作成しました。", body = wire::Enrolment), NewAccountErrors)
)]
pub(super) async fn create_account(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(request): Json<wire::NewAccount>,
) -> Reply<(StatusCode, Json<wire::Enrolment>)> {
    Ok((StatusCode::CREATED, Json(service.create_account(&caller, request).await?)))
}

/// アカウントの削除
///
/// 管理者だけが使えます。
#[utoipa::path(
    delete, path = "/v1/accounts/{id}", operation_id = "remove_account", tag = TAG_ACCOUNTS, security(("bearer" = [])), params(("id" = i64, Path, description = "アカウントの番号。")),
    responses((status = 204, description = "削除しました。"), AccountErrors)
)]
pub(super) async fn remove_account(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
) -> Reply<StatusCode> {
    service.remove_account(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// アカウントの有効・無効
///
/// 管理者だけが使えます。
#[utoipa::path(
    put, path = "/v1/accounts/{id}/status", operation_id = "set_account_status", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::AccountStatus, params(("id" = i64, Path, description = "アカウントの番号。")),
    responses((status = 204, description = "変更しました。"), AccountBodyErrors)
)]
pub(super) async fn set_account_status(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
    Json(request): Json<wire::AccountStatus>,
) -> Reply<StatusCode> {
    service.set_account_status(&caller, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// ロックの解除
///
/// 管理者だけが使えます。失敗の回数とロックを消します。
#[utoipa::path(
    post, path = "/v1/accounts/{id}/unlock", operation_id = "unlock_account", tag = TAG_ACCOUNTS, security(("bearer" = [])), params(("id" = i64, Path, description = "アカウントの番号。")),
    responses((status = 204, description = "解除しました。"), AccountErrors)
)]
pub(super) async fn unlock_account(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
) -> Reply<StatusCode> {
    service.unlock_account(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 認証情報の再発行
///
/// 管理者だけが使えます。新しい情報は、この応答でしか見られません。
#[utoipa::path(
    post, path = "/v1/accounts/{id}/reset", operation_id = "reset_account", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::AccountReset, params(("id" = i64, Path, description = "アカウントの番号。")),
    responses((status = 200, description = "再発行しました。", body = wire::Enrolment), AccountBodyErrors)
)]
pub(super) async fn reset_account(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
    Json(request): Json<wire::AccountReset>,
) -> Reply<Json<wire::Enrolment>> {
    Ok(Json(service.reset_account(&caller, id, request).await?))
}
