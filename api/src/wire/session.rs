//! Sign-in and sessions.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;

use super::{AnnouncementList, SecretText};

/// ログインの要求。すべてを1回で送るか、POST /v1/sessions/begin で受け取った ticket に続けて送ります。どれが誤っていても、応答は同じです。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// 2段階でログインするときの ticket。機関コード、アカウント、パスワードの代わりに送ります。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Option<String>, nullable = false, write_only, min_length = 1, max_length = 64)]
    pub ticket: Option<SecretText>,
    /// 機関コード（数字10桁：都道府県2桁、点数表1桁、医療機関等7桁）。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "1312345678", min_length = 1, max_length = 64)]
    pub institution_code: Option<String>,
    /// アカウント名。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "receipt", min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// パスワード。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, example = "correct-horse-battery", min_length = 1, max_length = 1024)]
    pub password: Option<SecretText>,
    /// 認証アプリに表示される6桁の数字。一度受け付けた数字は再び使えません。設定により資格確認担当者は、登録したクライアント証明書で接続したレセコンはいつでも、省略できます。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Option<String>, nullable = false, write_only, example = "492039", min_length = 1, max_length = 64)]
    pub code: Option<SecretText>,
    /// 6桁の数字の代わりに使う回復コード。1つにつき1回だけ使えます。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Option<String>, nullable = false, write_only, min_length = 1, max_length = 64)]
    pub recovery_code: Option<SecretText>,
}

/// ログインの1段階目。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInClaim {
    /// 機関コード。
    #[schema(example = "1312345678", min_length = 1, max_length = 64)]
    pub institution_code: String,
    /// アカウント名。
    #[schema(example = "receipt", min_length = 1, max_length = 64)]
    pub account: String,
    /// パスワード。
    #[schema(value_type = String, format = Password, write_only, example = "correct-horse-battery", min_length = 1, max_length = 1024)]
    pub password: SecretText,
}

/// 1段階目の応答。正しいかどうかは2段階目まで判定しないため、いつも同じ形です。
#[derive(Clone, Serialize, ToSchema)]
pub struct SignInBegun {
    /// 2段階目で送る ticket。1回だけ使えます。
    pub ticket: String,
    /// 続けて6桁の数字を入力します。
    pub code_required: bool,
    /// ticket を使える秒数。
    #[schema(example = 120, minimum = 0)]
    pub expires_in_s: i64,
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
    /// 以後の要求の Authorization: Bearer に付けるトークン。ログやURLに残さないでください。受付ページの待ち受けでは Cookie で渡すため、ありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "q0V1b2dR9s7mYtq3kZ5c8w1xN4pLhT6uA2eJ0fGiBvE")]
    pub token: Option<String>,
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
    /// true のとき、先に PUT /v1/accounts/me/password でパスワードを変更してください。
    pub password_change_required: bool,
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
            .field("password_change_required", &self.password_change_required)
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
    /// true のとき、先に PUT /v1/accounts/me/password でパスワードを変更してください。
    pub password_change_required: bool,
    /// このセッションで資格確認を始めると、その端末になる名前。登録された端末か、ただ1つ設定された端末です。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "uketsuke-1")]
    pub terminal: Option<String>,
}

words! {
    /// 一覧の範囲。
    SessionScope {
        /// 自分のセッション。
        Own = "own",
        /// 全員のセッション（管理者だけ）。
        All = "all",
    }
}

/// セッション一覧の条件。
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// 一覧の範囲。省略すると自分のセッション。
    pub scope: Option<SessionScope>,
}

/// 一覧の中のセッション。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionEntry {
    /// セッションの番号。トークンとは関係のない値です。
    #[schema(example = "5f1c0a9be2d47388")]
    pub id: String,
    /// アカウント名。
    pub account: String,
    /// 役割。
    pub role: Role,
    /// この要求を送ったセッションか。
    pub current: bool,
    /// 開始した日時（日本時間、RFC 3339）。
    #[schema(format = DateTime)]
    pub began_at: String,
    /// 最後に使われた日時（分の単位、日本時間、RFC 3339）。
    #[schema(format = DateTime)]
    pub last_used_at: String,
    /// 使い続けても終わる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// 登録された端末に結び付いているか。
    pub bound_to_terminal: bool,
    /// クライアント証明書に結び付いているか。
    pub bound_to_certificate: bool,
}

/// セッションの一覧。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sessions {
    /// 新しい順。
    pub sessions: Vec<SessionEntry>,
}
