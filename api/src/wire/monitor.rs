//! Whether the program can do its work.

use serde::Serialize;
use utoipa::ToSchema;

use crate::codes::Code;

/// 要求に応えられるか。カードリーダーがないこと、オンライン資格確認等システムに接続できないことは理由になりません（GET /v1/health で分かります）。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Readiness {
    /// 応えられるか。
    pub ready: bool,
    /// 応えられない理由。
    pub reasons: Vec<UnreadyReason>,
}

/// 要求に応えられない理由。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UnreadyReason {
    /// 変わらないコード。
    #[schema(example = "store_full")]
    pub code: Code,
    /// 何が起きたか。
    #[schema(example = "ディスクの空きが足りません。")]
    pub message: String,
}

impl UnreadyReason {
    /// A reason in the words of the table of codes.
    pub fn of(code: Code) -> Self {
        Self { code, message: code.title().to_owned() }
    }
}
