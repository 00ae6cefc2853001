//! Checks (資格確認): start, follow, enter the PIN, register the card, cancel.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::{IdempotencyHeader, Reply, TAG_CHECKS};
use crate::entrance::Arrival;
use crate::extract::{Id, Json, Key, Query, Session};
use crate::responses::{CardUseRegistrationErrors, CheckErrors, CheckStepErrors, NewCheckErrors, PinErrors};
use crate::service::Service;
use crate::wire;

/// 資格確認の開始
///
/// 開始してすぐに応答します。進み方は GET /v1/checks/{id} で追ってください。1台のカードリーダーでは同時に1件だけです。
#[utoipa::path(
    post, path = "/v1/checks", operation_id = "create_check", tag = TAG_CHECKS, security(("bearer" = [])),
    params(IdempotencyHeader), request_body = wire::NewCheck,
    responses((status = 201, description = "開始しました。", body = wire::Check), NewCheckErrors)
)]
pub(super) async fn create_check(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Key(key): Key,
    Json(request): Json<wire::NewCheck>,
) -> Reply<(StatusCode, Json<wire::Check>)> {
    Ok((StatusCode::CREATED, Json(service.create_check(&caller, request, key).await?)))
}

/// 資格確認の状態
///
/// after_revision と wait_seconds を付けると、変化があるまで待ってから応答します（ロングポーリング）。
#[utoipa::path(
    get, path = "/v1/checks/{id}", operation_id = "get_check", tag = TAG_CHECKS, security(("bearer" = [])),
    params(("id" = String, Path, description = "資格確認の番号。"), wire::CheckWait),
    responses((status = 200, description = "資格確認の状態。", body = wire::Check), CheckErrors)
)]
pub(super) async fn get_check(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
    Query(wait): Query<wire::CheckWait>,
    arrival: Arrival,
) -> Reply<Json<wire::Check>> {
    let seconds = wait.wait_seconds.unwrap_or_default();
    let waiting = service.check(&caller, &id, wait.after_revision, seconds);
    tokio::select! {
        biased;
        check = waiting => Ok(Json(check?)),
        () = arrival.connection.stopping.cancelled() => Ok(Json(service.check(&caller, &id, None, 0).await?)),
    }
}

/// 資格確認の中止
///
/// オンライン資格確認等システムに問い合わせている間（asking_upstream、registering）は中止できません。
#[utoipa::path(
    delete, path = "/v1/checks/{id}", operation_id = "cancel_check", tag = TAG_CHECKS,
    security(("bearer" = [])),
    params(("id" = String, Path, description = "資格確認の番号。")),
    responses((status = 200, description = "中止しました。", body = wire::Check), CheckStepErrors)
)]
pub(super) async fn cancel_check(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
) -> Reply<Json<wire::Check>> {
    Ok(Json(service.cancel_check(&caller, &id).await?))
}

/// 暗証番号の入力
///
/// 段階が waiting_for_pin か、その前の fetching_challenge のときに1回だけ送ります。暗証番号は記録されません。入力のときに
/// カードリーダーにあるカード、なければ次にかざされたカードへの1回の照合だけに使われ、そのカードが離れると破棄されます。
#[utoipa::path(
    put, path = "/v1/checks/{id}/pin", operation_id = "enter_pin", tag = TAG_CHECKS,
    security(("bearer" = [])),
    params(("id" = String, Path, description = "資格確認の番号。")), request_body = wire::PinEntry,
    responses((status = 200, description = "受け取りました。", body = wire::Check), PinErrors)
)]
pub(super) async fn enter_pin(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
    Json(pin): Json<wire::PinEntry>,
) -> Reply<Json<wire::Check>> {
    Ok(Json(service.enter_pin(&caller, &id, pin).await?))
}

/// 最後の1回の確認
///
/// 暗証番号の残りが1回のとき、患者に確認したうえで送ります。間違えるとロックされます。
#[utoipa::path(
    post, path = "/v1/checks/{id}/confirm-last-try", operation_id = "confirm_last_try", tag = TAG_CHECKS,
    security(("bearer" = [])),
    params(("id" = String, Path, description = "資格確認の番号。")),
    responses((status = 200, description = "照合に進みます。", body = wire::Check), CheckStepErrors)
)]
pub(super) async fn confirm_last_try(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
) -> Reply<Json<wire::Check>> {
    Ok(Json(service.confirm_last_try(&caller, &id).await?))
}

/// 健康保険証利用登録の同意
///
/// 段階が offering_registration のときに、利用登録の申込みについて患者の意思を確認して送ります。同意は監査ログに記録されてから、
/// 登録に進みます（registering）。登録が終わると、そのまま資格確認の結果になります。登録を自動でやり直すことはありません。
#[utoipa::path(
    post, path = "/v1/checks/{id}/card-use-registration", operation_id = "register_card_use", tag = TAG_CHECKS,
    security(("bearer" = [])),
    params(("id" = String, Path, description = "資格確認の番号。")), request_body = wire::CardUseRegistration,
    responses(
        (status = 200, description = "受け取りました。", body = wire::Check), CardUseRegistrationErrors
    )
)]
pub(super) async fn register_card_use(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<String>,
    Json(request): Json<wire::CardUseRegistration>,
) -> Reply<Json<wire::Check>> {
    Ok(Json(service.register_card_use(&caller, &id, request).await?))
}
