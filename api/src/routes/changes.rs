//! Following results: the long poll for changes, and the stream of events.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use super::{Reply, TAG_EVENTS, TAG_RESULTS};
use crate::codes::Code;
use crate::entrance::Arrival;
use crate::etag::{Known, Tagged};
use crate::extract::{Query, Session};
use crate::fields;
use crate::problem::Problem;
use crate::ready::{self, ReadyJson};
use crate::responses::{ChangesErrors, EventErrors, NotModified};
use crate::service::Service;
use crate::wire;

/// 資格確認結果の変化
///
/// 前の cursor より後に保存された、または変わった結果を、変化の古い順に返します。wait を付けると、変化があるまで待ってから応答します
/// （ロングポーリング）。変化がないまま時間が過ぎたときは、空の results を返します。終了処理中と月が変わったときはすぐに応答します。
///
/// 受け取り方：最初に cursor なしで（すべて必要なら from_start=true で）呼び、以後は毎回、前の応答の cursor を渡します。
/// cursor が使えないとき（400）は、最初からやり直してください。同じ結果が2回届くことがあるため、id と version で上書きしてください。
#[utoipa::path(
    get, path = "/v1/results/changes", operation_id = "list_result_changes", tag = TAG_RESULTS,
    security(("bearer" = [])),
    params(wire::ChangesQuery, ("If-None-Match" = Option<String>, Header, description = "持っている応答の ETag。")),
    responses(
        (status = 200, description = "変わった結果。", body = wire::ChangeList,
            headers(("ETag" = String, description = "この応答の印。次に If-None-Match に渡してください。"))),
        NotModified, ChangesErrors
    )
)]
pub(super) async fn list_result_changes(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    Query(query): Query<wire::ChangesQuery>,
    known: Known,
    arrival: Arrival,
) -> Reply<Tagged<ReadyJson>> {
    let fields = fields::of_query(query.fields.as_deref());
    let waits = query.wait.is_some_and(|seconds| seconds > 0);
    let _place = if waits { Some(arrival.hall.places.streams.take(&caller.account)?) } else { None };
    let answer = service.changes(&caller, query, &known).await?;
    Ok(answer.map(|changes| ready::changes(changes, fields.as_ref())))
}

/// できごとの受け取り（SSE）
///
/// できごとを text/event-stream で送り続けます。個人情報は含みません。内容はそれぞれの操作で取得してください。
///
/// - `ready`: 始まりました。
/// - `result`（ResultEvent）: 結果が保存された、または変わりました。結果を参照できるアカウントだけに送ります。
/// - `check`（CheckEvent）: 自分のアカウントの資格確認が進みました。
/// - `readers`（ReadersEvent）: カードリーダーまたはカードの状態です。始まりにも送ります。
/// - `announcements`: 運営からのお知らせが変わりました。
/// - `expired`（ExpiredEvent）: 月が変わり、参照できなくなった結果があります。
/// - `resync`: 受け取りが遅く、送れなかったできごとがあります。一覧などを取得し直してください。
/// - `end`（EndEvent）: ストリームの終わりです。
///
/// `ready`、`result`、`expired`、`resync` の id は GET /v1/results/changes の cursor と同じものです。接続が切れたときは、最後の id を
/// Last-Event-ID に付けてつなぎ直すと、結果のできごとの続きを受け取れます。15秒ごとに空の行（コメント）を送ります。
/// 開いているだけではセッションの無操作の時間は延びません。
#[utoipa::path(
    get, path = "/v1/events", operation_id = "stream_events", tag = TAG_EVENTS, security(("bearer" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "最後に受け取った id。", min_length = 1, max_length = 64)),
    responses(
        (status = 200, description = "できごと。", body = String, content_type = "text/event-stream"), EventErrors
    )
)]
pub(super) async fn stream_events(
    State(service): State<Arc<dyn Service>>,
    Session(caller): Session,
    headers: HeaderMap,
    arrival: Arrival,
) -> Reply<Response> {
    let after = match headers.get("last-event-id").map(HeaderValue::to_str) {
        None => None,
        Some(Ok(id)) if (1..=64).contains(&id.len()) => Some(id.to_owned()),
        Some(_) => return Err(Problem::new(Code::InvalidRequest).field("Last-Event-ID").into()),
    };
    let place = arrival.hall.places.streams.take(&caller.account)?;
    let events = service.events(&caller, after).await?;
    let body = Body::from_stream(events.map(move |frame| {
        let _held = &place;
        Ok::<_, std::convert::Infallible>(frame)
    }));
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))], body).into_response())
}
