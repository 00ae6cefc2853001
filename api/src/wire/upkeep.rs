//! What administrators see of the installation: the audit log and what is kept. No patient is in either.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ClockState;

/// どの行を取得するか。
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// この日から（日本時間）。
    #[param(nullable = false, format = Date, example = "2026-07-01")]
    pub from: Option<String>,
    /// この日まで（日本時間。この日を含みます）。
    #[param(nullable = false, format = Date, example = "2026-07-31")]
    pub to: Option<String>,
    /// この番号より後の行。前のページの next_after を渡してください。
    #[param(nullable = false, minimum = 0, default = 0, example = 0)]
    pub after: Option<i64>,
    /// 1ページの最大件数。省略すると100件です。
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100, example = 100)]
    pub limit: Option<u32>,
}

/// 監査ログの行。患者の情報は含みません。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditRow {
    /// 行の番号。1から始まり、抜けません。
    #[schema(example = 1042, minimum = 1)]
    pub seq: i64,
    /// 日時（日本時間、RFC 3339）。パソコンの日時を戻しても、前の行より前にはなりません。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub at: String,
    /// 行った人。アカウントの名前のほか、machine（パソコンでのコマンド）、daemon（資格ブリッジ自身）、unknown があります。
    #[schema(example = "receipt")]
    pub actor: String,
    /// 行ったこと。
    #[schema(example = "result.list")]
    pub action: String,
    /// どこから行ったか。loopback はこのパソコン、network はほかの機器で、/ の後はセッションの短い番号です。
    #[schema(example = "loopback/1a2b3c4d")]
    pub source: String,
    /// 端末。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "uketsuke-1")]
    pub terminal: Option<String>,
    /// 対象の結果の番号。
    #[schema(example = json!([41, 42]))]
    pub results: Vec<i64>,
    /// 結末。ok か、安定したコードです。: の後に対象の名前が付くことがあります。
    #[schema(example = "ok")]
    pub outcome: String,
}

/// 監査ログの1ページ（古い順）。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditPage {
    /// 行。
    pub rows: Vec<AuditRow>,
    /// 続きを取得するときの after。最後のページにはありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1042)]
    pub next_after: Option<i64>,
}

/// 保存と消去の状態。
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own on the wire")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetentionStatus {
    /// パソコンの日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub now: String,
    /// 日時が正しいと確認できているか。確認できるまで消去は行いません。
    pub clock: ClockState,
    /// 月ごとの保存の状態（古い順）。
    pub months: Vec<RetainedMonth>,
    /// 消去を待っているデータがあるか。
    pub due: bool,
    /// 保存期間が過ぎてから消去を待っている秒数。待っているものがなければ0。
    #[schema(example = 0, minimum = 0)]
    pub lag_seconds: i64,
    /// 途中で止まった消去があるか。自動で続けます。
    pub unfinished: bool,
    /// 最後の消去。まだなければありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_purge: Option<LastPurge>,
    /// 新しい資格確認を保存する空きがあるか。
    pub room: bool,
    /// 満杯のディスクでも消去するための予備の空きを確保できているか。
    pub ballast: bool,
}

/// ある月に行った資格確認の結果の保存の状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetainedMonth {
    /// 資格確認を行った月（日本時間、YYYY-MM）。
    #[schema(example = "2026-07")]
    pub month: String,
    /// 保存している件数。
    #[schema(example = 1200, minimum = 0)]
    pub results: u64,
    /// 参照できなくなる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-09-01T00:00:00+09:00")]
    pub expires_at: String,
    /// 保存期間が過ぎて表示されなくなり、消去を待っているか。
    pub hidden: bool,
}

/// 終わった消去。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastPurge {
    /// 終わった日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-01T00:00:12+09:00")]
    pub at: String,
    /// 消去した結果の件数。
    #[schema(example = 1100, minimum = 0)]
    pub results: u64,
    /// 鍵を消去した月の数。
    #[schema(example = 1, minimum = 0)]
    pub months: u64,
}
