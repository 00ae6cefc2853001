//! Sign-in and sessions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words::words;

use super::{AnnouncementList, SecretText};

/// ログインの要求。パスワードと6桁の数字を同時に送ります。どれが誤っていても、応答は同じです。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// 機関コード（数字10桁：都道府県2桁、点数表1桁、医療機関等7桁）。
    #[schema(example = "1312345678", min_length = 1, max_length = 64)]
    pub institution_code: String,
    /// アカウント名。
    #[schema(example = "receipt", min_length = 1, max_length = 64)]
    pub account: String,
    /// パスワード。
    #[schema(value_type = String, format = Password, write_only, example = "correct-horse-battery", min_length = 1, max_length = 1024)]
    pub password: SecretText,
    /// 認証アプリに表示される6桁の数字。一度受け付けた数字は再び使えません。
    #[schema(value_type = String, write_only, example = "492039", min_length = 1, max_length = 64)]
    pub code: SecretText,
}

words! {
    /// アカウントの役割。
    Role {
        /// 資格確認担当者。
        Operator = "operator",
        /// レセコン（レセプトコンピュータ）。
        ReceiptComputer = "receipt_computer",
        /// 施設の管理者。
        Administrator = "administrator",
    }
}

/// 開始したセッション。token は一度だけ返します。
#[derive(Clone, Serialize, ToSchema)]
pub struct Session {
    /// 以後の要求の Authorization: Bearer に付けるトークン。ログやURLに残さないでください。
    #[schema(example = "q0V1b2dR9s7mYtq3kZ5c8w1xN4pLhT6uA2eJ0fGiBvE")]
    pub token: String,
    /// アカウント名。
    #[schema(example = "receipt")]
    pub account: String,
    /// 役割。
    pub role: Role,
    /// 使い続けてもセッションが終わる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-09T00:00:00+09:00")]
    pub expires_at: String,
    /// 操作がないときにセッションが終わるまでの秒数。
    #[schema(example = 1800, minimum = 0)]
    pub idle_timeout_s: i64,
    /// 運営からのお知らせ。前回のログインの後に届いたものには new が付きます。
    pub announcements: AnnouncementList,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("token", &"***")
            .field("account", &self.account)
            .field("role", &self.role)
            .field("expires_at", &self.expires_at)
            .field("idle_timeout_s", &self.idle_timeout_s)
            .field("announcements", &self.announcements.announcements.len())
            .finish()
    }
}

/// 現在のセッション。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionInfo {
    /// アカウント名。
    #[schema(example = "receipt")]
    pub account: String,
    /// 役割。
    pub role: Role,
    /// 使い続けてもセッションが終わる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-09T00:00:00+09:00")]
    pub expires_at: String,
    /// 操作がないときにセッションが終わるまでの秒数。
    #[schema(example = 1800, minimum = 0)]
    pub idle_timeout_s: i64,
}
