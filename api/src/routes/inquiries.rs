//! Inquiry numbers (照会番号), single and in bulk.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{IdempotencyHeader, Reply, TAG_INQUIRIES};
use crate::extract::{Id, Json, Key, Query, Session};
use crate::responses::{
    BulkErrors, BulkStandErrors, InquiryByInsuranceErrors, InquiryJobErrors, InquiryNumberErrors, QueryErrors,
};
use crate::service::{InquiryOutcome, Service};
use crate::wire;

impl IntoResponse for InquiryOutcome {
    fn into_response(self) -> Response {
        match self {
            Self::Registered(set) => Json(set).into_response(),
            Self::Queued(job) => (StatusCode::ACCEPTED, Json(job)).into_response(),
        }
    }
}

/// 照会番号の登録（結果の患者）
///
/// 結果の患者の照会番号を、オンライン資格確認等システムと、保存中の同じ患者の結果に登録します。同じ値は何度送っても同じです。
/// 接続できないあいだは202で受け付けて保存し、接続できしだい、患者ごとに受け付けた順で送ります。
#[utoipa::path(
    put, path = "/v1/results/{id}/inquiry-number", operation_id = "set_inquiry_number", tag = TAG_INQUIRIES,
    security(("bearer" = [])), params(("id" = i64, Path, description = "結果の番号。"), IdempotencyHeader),
    request_body = wire::InquiryNumber,
    responses(
        (status = 200, description = "登録しました。", body = wire::InquiryNumberSet),
        (status = 202, description = "受け付けました。あとで送ります。", body = wire::InquiryJob),
        InquiryNumberErrors
    )
)]
pub(super) async fn set_inquiry_number(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
    Key(key): Key,
    Json(request): Json<wire::InquiryNumber>,
) -> Reply<InquiryOutcome> {
    Ok(service.set_inquiry_number(&caller, id, request, key).await?)
}

/// 照会番号の登録（保険者番号・記号・番号・枝番の患者）
///
/// 結果が保存されていない患者にも登録できます。応答は結果の患者への登録と同じです。
#[utoipa::path(
    put, path = "/v1/inquiry-numbers", operation_id = "set_inquiry_number_of_insurance", tag = TAG_INQUIRIES,
    security(("bearer" = [])), params(IdempotencyHeader), request_body = wire::InquiryNumberOfInsurance,
    responses(
        (status = 200, description = "登録しました。", body = wire::InquiryNumberSet),
        (status = 202, description = "受け付けました。あとで送ります。", body = wire::InquiryJob),
        InquiryByInsuranceErrors
    )
)]
pub(super) async fn set_inquiry_number_of_insurance(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Key(key): Key,
    Json(request): Json<wire::InquiryNumberOfInsurance>,
) -> Reply<InquiryOutcome> {
    Ok(service.set_inquiry_number_of_insurance(&caller, request, key).await?)
}

/// 照会番号の登録の一覧
///
/// 受け付けた日の翌月末まで参照できます。患者の情報は含みません。
#[utoipa::path(
    get, path = "/v1/inquiry-numbers", operation_id = "list_inquiry_jobs", tag = TAG_INQUIRIES,
    security(("bearer" = [])), params(wire::InquiryJobQuery),
    responses((status = 200, description = "受け付け（新しい順）。", body = wire::InquiryJobPage), QueryErrors)
)]
pub(super) async fn list_inquiry_jobs(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::InquiryJobQuery>,
) -> Reply<Json<wire::InquiryJobPage>> {
    Ok(Json(service.inquiry_jobs(&caller, query).await?))
}

/// 照会番号の登録の状態
///
/// 受け付けた日の翌月末まで参照できます。
#[utoipa::path(
    get, path = "/v1/inquiry-numbers/{id}", operation_id = "get_inquiry_job", tag = TAG_INQUIRIES,
    security(("bearer" = [])), params(("id" = i64, Path, description = "受け付けの番号。")),
    responses((status = 200, description = "状態。", body = wire::InquiryJob), InquiryJobErrors)
)]
pub(super) async fn get_inquiry_job(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
) -> Reply<Json<wire::InquiryJob>> {
    Ok(Json(service.inquiry_job(&caller, id).await?))
}

/// 照会番号の一括登録
///
/// 全件をまとめて受け付け、受付番号を返します。本文は4MiB以内です。形式に誤りがあれば1件も受け付けません。
/// 患者を特定できないなど、送れない件は、その件だけが失敗します。
#[utoipa::path(
    post, path = "/v1/inquiry-numbers/bulk", operation_id = "set_inquiry_numbers_in_bulk", tag = TAG_INQUIRIES,
    security(("bearer" = [])), params(IdempotencyHeader), request_body = wire::BulkInquiry,
    responses((status = 202, description = "受け付けました。", body = wire::BulkReceipt), BulkErrors)
)]
pub(super) async fn set_inquiry_numbers_in_bulk(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Key(key): Key,
    Json(request): Json<wire::BulkInquiry>,
) -> Reply<(StatusCode, Json<wire::BulkReceipt>)> {
    Ok((StatusCode::ACCEPTED, Json(service.set_inquiry_numbers_in_bulk(&caller, request, key).await?)))
}

/// 照会番号の一括登録の結果
///
/// 1件ごとの結果を、送られた順に返します。続きは next_position を position に渡してください。
#[utoipa::path(
    get, path = "/v1/inquiry-numbers/bulk/{id}", operation_id = "get_inquiry_bulk", tag = TAG_INQUIRIES,
    security(("bearer" = [])), params(("id" = i64, Path, description = "受付番号。"), wire::BulkQuery),
    responses((status = 200, description = "進み具合。", body = wire::BulkStand), BulkStandErrors)
)]
pub(super) async fn get_inquiry_bulk(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Id(id): Id<i64>,
    Query(query): Query<wire::BulkQuery>,
) -> Reply<Json<wire::BulkStand>> {
    Ok(Json(service.inquiry_bulk(&caller, id, query).await?))
}
