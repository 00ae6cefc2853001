//! Receipt computers with a client certificate as their second factor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::{Reply, TAG_ACCOUNTS};
use crate::extract::{Accompanying, Json, Session};
use crate::responses::{EnrolMachineErrors, RenewMachineErrors};
use crate::service::Service;
use crate::wire;

/// レセコンの証明書の登録
///
/// 登録コード（shikakud machine enrol-code で発行、1時間、1回だけ）と証明書署名要求を送り、クライアント証明書を受け取ります。
/// 設定の api.tls が true のとき、この証明書で接続したレセコンは、6桁の数字なしにパスワードでログインできます。
#[utoipa::path(
    post, path = "/v1/machines/enrol", operation_id = "enrol_machine", tag = TAG_ACCOUNTS, request_body = wire::MachineEnrolment,
    responses((status = 201, description = "発行しました。", body = wire::MachineCertificate), EnrolMachineErrors)
)]
pub(super) async fn enrol_machine(
    State(service): State<Arc<dyn Service>>,
    Accompanying(along): Accompanying,
    Json(request): Json<wire::MachineEnrolment>,
) -> Reply<(StatusCode, Json<wire::MachineCertificate>)> {
    Ok((StatusCode::CREATED, Json(service.enrol_machine(request, along).await?)))
}

/// レセコンの証明書の更新
///
/// クライアント証明書でログインしたレセコンが、期限の60日前から使えます。前の証明書も、その期限までは使えます。
/// セッションはログインに使った証明書に結び付いているため、新しい証明書では新しくログインしてください。
#[utoipa::path(
    post, path = "/v1/machines/renew", operation_id = "renew_machine", tag = TAG_ACCOUNTS, security(("bearer" = [])), request_body = wire::MachineRenewal,
    responses((status = 201, description = "発行しました。", body = wire::MachineCertificate), RenewMachineErrors)
)]
pub(super) async fn renew_machine(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Json(request): Json<wire::MachineRenewal>,
) -> Reply<(StatusCode, Json<wire::MachineCertificate>)> {
    Ok((StatusCode::CREATED, Json(service.renew_machine(&caller, request).await?)))
}
