//! Collecting what other terminals and phones of the facility confirmed.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Closure, HealthPart};

/// ほかの端末やスマートフォンで行った資格確認の結果の取込。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Collected {
    /// 終わったか。false のときは続いています。もう一度送ると、その終わりを待ちます。件数は終わったときだけ返します。
    pub complete: bool,
    /// 取り込んだ期間の最初の日（資格確認を行った日。日本時間）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Date, example = "2026-07-06")]
    pub from: Option<String>,
    /// 取り込んだ期間の最後の日。この日も含みます。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Date, example = "2026-07-08")]
    pub to: Option<String>,
    /// 新しく保存した件数。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3, minimum = 0)]
    pub added: Option<i64>,
    /// 照会番号が変わった件数。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0, minimum = 0)]
    pub updated: Option<i64>,
    /// すでに保存していた件数。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 14, minimum = 0)]
    pub known: Option<i64>,
}

/// 結果の取込の状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CollectHealth {
    /// 取込の状態。
    pub part: HealthPart,
    /// 自動で取り込む設定か。
    pub scheduled: bool,
    /// 最後に終わりまで取り込んだ日時（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub last_complete_at: Option<String>,
    /// そのとき新しく保存した件数。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3, minimum = 0)]
    pub added: Option<i64>,
    /// メンテナンスのため自動の取込を休んでいるとき、その終わり（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-07-09T05:00:00+09:00")]
    pub paused_until: Option<String>,
}

/// お知らせで予告された停止。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MaintenanceHealth {
    /// 今の停止。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub now: Option<Closure>,
    /// 次の停止。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<Closure>,
}
