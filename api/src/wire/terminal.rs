//! Enrolled terminals.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SecretText;

/// 登録する端末。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTerminal {
    /// 端末の名前（英数字と - _ の64文字以内）。同じ名前の端末があれば、登録し直しになります。
    #[schema(example = "uketsuke-1", min_length = 1, max_length = 64)]
    pub name: String,
}

/// 端末の登録コード。この応答でしか見られません。
#[derive(Clone, Serialize, ToSchema)]
pub struct EnrolmentCode {
    /// 登録コード。1回だけ使えます。
    #[schema(example = "k3pd-77qa-xm2e-5htz")]
    pub code: String,
    /// 使えなくなる日時（日本時間、RFC 3339）。
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// 端末の登録。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalEnrolment {
    /// 管理者から受け取った登録コード。
    #[schema(value_type = String, write_only, min_length = 1, max_length = 64)]
    pub code: SecretText,
}

/// 登録された端末のトークン。この応答でしか見られません。
#[derive(Clone, Serialize, ToSchema)]
pub struct TerminalToken {
    /// 以後の要求の Shikaku-Terminal ヘッダーに付けるトークン。受付ページの待ち受けでは Cookie で渡すため、ありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token: Option<String>,
    /// 端末の名前。
    pub name: String,
}

/// 登録されている端末。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrolledTerminal {
    /// 端末の名前。
    pub name: String,
    /// 登録した日時（日本時間、RFC 3339）。
    #[schema(format = DateTime)]
    pub enrolled_at: String,
}

/// 登録されている端末の一覧。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrolledTerminals {
    /// 名前の順。
    pub terminals: Vec<EnrolledTerminal>,
}
