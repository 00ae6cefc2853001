//! Settings.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// セキュリティ設定。
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecuritySettings {
    /// 「目視確認で本人認証」。true では目視が既定の方法になり、false では実物のカードに暗証番号が必要です。
    pub visual_confirmation: bool,
    /// 資格確認担当者のログインに6桁の数字を求めるか。省略すると true。レセコンと管理者にはいつも求めます。
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub operators_need_code: bool,
}

/// What is left out must not weaken anything.
fn yes() -> bool {
    true
}
