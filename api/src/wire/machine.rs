//! Receipt computers with a client certificate.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SecretText;

/// レセコンの証明書の登録。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineEnrolment {
    /// 管理者から受け取った登録コード。
    #[schema(value_type = String, write_only, min_length = 1, max_length = 64)]
    pub code: SecretText,
    /// レセコンで作った鍵の証明書署名要求（PKCS#10、PEM、P-256、ECDSA-SHA256）。使うのは公開鍵だけです。
    #[schema(min_length = 1, max_length = 4096)]
    pub csr: String,
}

/// レセコンの証明書の更新。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineRenewal {
    /// 新しい鍵の証明書署名要求（PKCS#10、PEM、P-256、ECDSA-SHA256）。使うのは公開鍵だけです。
    #[schema(min_length = 1, max_length = 4096)]
    pub csr: String,
}

/// 発行した証明書。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineCertificate {
    /// レセコンの証明書（PEM）。
    pub certificate: String,
    /// 資格ブリッジの認証局の証明書（PEM）。レセコンは、APIへの接続でこれだけを信頼してください。
    pub authority: String,
    /// レセコンの証明書のSHA-256（16進数）。
    pub fingerprint: String,
    /// 証明書の期限（日本時間、RFC 3339）。
    #[schema(format = DateTime)]
    pub expires_at: String,
}
