//! Announcements (運営からのお知らせ) and announced closures.

use serde::Serialize;
use utoipa::ToSchema;

use crate::words::words;

/// 運営からのお知らせの一覧（新しい順）。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnnouncementList {
    /// new が true のお知らせの数。
    #[schema(example = 1, minimum = 0)]
    pub new_count: i64,
    /// お知らせ。
    pub announcements: Vec<Announcement>,
}

/// 運営からのお知らせ。文は運営のもので、制御文字を除き、長すぎるものは切ってあります。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Announcement {
    /// お知らせの番号。
    #[schema(example = "N20260708-1")]
    pub id: String,
    /// 掲載日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T09:00:00+09:00")]
    pub published_at: String,
    /// 種類。
    pub kind: AnnouncementKind,
    /// 件名（1行）。
    #[schema(example = "システムメンテナンスのお知らせ", max_length = 200)]
    pub title: String,
    /// 本文。改行を含むことがあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000)]
    pub body: Option<String>,
    /// 詳しい内容のページ。必ず https です。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://iryohokenjyoho.service-now.com/omf", max_length = 500)]
    pub url: Option<String>,
    /// 停止の予定。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub closure: Option<Closure>,
    /// このアカウントが前回ログインした後に届いたか。
    pub new: bool,
}

words! {
    /// お知らせの種類。
    AnnouncementKind {
        /// お知らせ。
        Notice = "notice",
        /// 障害。
        Outage = "outage",
        /// メンテナンス。
        Maintenance = "maintenance",
    }
}

/// 停止の予定。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Closure {
    /// 停止が始まる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-09T01:00:00+09:00")]
    pub from: String,
    /// 再び使えるようになる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-09T05:00:00+09:00")]
    pub until: String,
    /// 止まるもの。
    pub scope: ClosureScope,
}

words! {
    /// 停止の予定で止まるもの。
    ClosureScope {
        /// すべて。
        Everything = "everything",
        /// 健康保険証利用登録だけ。
        CardUseRegistration = "card_use_registration",
    }
}
