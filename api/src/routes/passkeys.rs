//! Passkeys: signing in with one, one's own, and an administrator's removal.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Reply, TAG_ACCOUNTS, TAG_SESSIONS};
use crate::carriage::Carriage;
use crate::extract::{Accompanying, Id, Json, Session};
use crate::responses::{
    AccountPasskeysErrors, AddPasskeyErrors, AskErrors, BeginPasskeyErrors, PasskeyErrors, PlainErrors,
    SignInErrors,
};
use crate::service::Service;
use crate::wire;

/// パスキーによるログインの始まり
///
/// パスキー（生体認証など）でログインするための問いを受け取ります。アカウント名は要りません。
/// パスキーはホスト名に結び付くため、アドレスで開いたページでは使えません。
#[utoipa::path(
    post, path = "/v1/sessions/passkey/begin", operation_id = "ask_for_passkey", tag = TAG_SESSIONS,
    responses((status = 200, description = "options をブラウザに渡してください。", body = wire::PasskeyAsked), AskErrors)
)]
pub(super) async fn ask_for_passkey(
    State(service): State<Arc<dyn Service>>,
) -> Reply<Json<wire::PasskeyAsked>> {
    Ok(Json(service.ask_for_passkey().await?))
}

/// パスキーによるログイン
///
/// パスキーの答えだけでログインします（認証器が本人を確かめるため、パスワードと6桁の数字の両方の代わりになります）。
/// 問いは1回、2分間だけ使えます。何が誤っていても応答は同じで、失敗はパスワードの失敗と同じように数えます。
#[utoipa::path(
    post, path = "/v1/sessions/passkey", operation_id = "sign_in_with_passkey", tag = TAG_SESSIONS,
    request_body = wire::PasskeySignIn,
    responses(
        (status = 201, description = "ログインしました。", body = wire::Session,
            headers(("Set-Cookie" = String, description = "受付ページの待ち受けだけ：token の代わりのセッションの Cookie。"))),
        SignInErrors
    )
)]
pub(super) async fn sign_in_with_passkey(
    State(service): State<Arc<dyn Service>>,
    carriage: Carriage,
    Accompanying(along): Accompanying,
    Json(request): Json<wire::PasskeySignIn>,
) -> Reply<Response> {
    Ok(carriage.hand_session(service.sign_in_with_passkey(request, along).await?))
}

/// パスキーの登録の始まり
///
/// パスワードと6桁の数字をもう一度確認し、新しいパスキーの条件を返します。
#[utoipa::path(
    post, path = "/v1/accounts/me/passkeys/begin", operation_id = "begin_passkey", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::PasskeyProof,
    responses((status = 200, description = "options をブラウザに渡してください。", body = wire::PasskeyEnrolment), BeginPasskeyErrors)
)]
pub(super) async fn begin_passkey(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(proof): Json<wire::PasskeyProof>,
) -> Reply<Json<wire::PasskeyEnrolment>> {
    Ok(Json(service.begin_passkey(&caller, proof).await?))
}

/// パスキーの登録
///
/// 登録を始めたのと同じセッションで、2分以内に送ってください。1つのアカウントに10個まで登録できます。
#[utoipa::path(
    post, path = "/v1/accounts/me/passkeys", operation_id = "add_passkey", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::NewPasskey,
    responses((status = 201, description = "登録しました。", body = wire::Passkey), AddPasskeyErrors)
)]
pub(super) async fn add_passkey(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(new): Json<wire::NewPasskey>,
) -> Reply<(StatusCode, Json<wire::Passkey>)> {
    Ok((StatusCode::CREATED, Json(service.add_passkey(&caller, new).await?)))
}

/// 自分のパスキーの一覧
#[utoipa::path(
    get, path = "/v1/accounts/me/passkeys", operation_id = "list_passkeys", tag = TAG_ACCOUNTS, security(("bearer" = [])),
    responses((status = 200, description = "パスキーの一覧。", body = wire::Passkeys), PlainErrors)
)]
pub(super) async fn list_passkeys(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
) -> Reply<Json<wire::Passkeys>> {
    Ok(Json(service.passkeys(&caller).await?))
}

/// 自分のパスキーの削除
///
/// ほかのセッションは終わります。
#[utoipa::path(
    delete, path = "/v1/accounts/me/passkeys/{id}", operation_id = "remove_passkey", tag = TAG_ACCOUNTS, security(("bearer" = [])), params(("id" = i64, Path, description = "パスキーの番号。")),
    responses((status = 204, description = "削除しました。"), PasskeyErrors)
)]
pub(super) async fn remove_passkey(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
) -> Reply<StatusCode> {
    service.remove_passkey(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// アカウントのパスキーをすべて削除
///
/// 管理者だけが使えます。端末をなくしたときなどに、そのアカウントのパスキーをすべて削除し、セッションを終わらせます。
#[utoipa::path(
    delete, path = "/v1/accounts/{id}/passkeys", operation_id = "remove_passkeys_of_account", tag = TAG_ACCOUNTS, security(("bearer" = [])), params(("id" = i64, Path, description = "アカウントの番号。")),
    responses((status = 204, description = "削除しました。"), AccountPasskeysErrors)
)]
pub(super) async fn remove_passkeys_of_account(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
) -> Reply<StatusCode> {
    service.remove_passkeys_of(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
