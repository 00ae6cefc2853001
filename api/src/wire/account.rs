//! Accounts: one's own, and everybody's for an administrator.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Role, SecretText};

/// アカウント。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Account {
    /// 番号。
    #[schema(example = 3)]
    pub id: i64,
    /// アカウント名。
    #[schema(example = "hanako")]
    pub account: String,
    /// 役割。
    pub role: Role,
    /// 無効にされているか。
    pub disabled: bool,
    /// 失敗が続いてロックされているか。
    pub locked: bool,
    /// 次のログインでパスワードの変更が必要か。
    pub password_change_required: bool,
    /// 残っている回復コードの数。
    #[schema(minimum = 0)]
    pub recovery_codes_left: u32,
    /// 登録されているパスキーの数。
    #[schema(minimum = 0)]
    pub passkeys: u32,
}

/// アカウントの一覧。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Accounts {
    /// 名前の順。
    pub accounts: Vec<Account>,
}

/// 新しいアカウント。パスワードは自動で作ります。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// アカウント名（1文字以上64文字以内、空白、制御文字、コロン（:）は不可）。
    #[schema(example = "hanako", min_length = 1, max_length = 64)]
    pub account: String,
    /// 役割。
    pub role: Role,
}

/// 発行された認証情報。この応答でしか見られません。
#[derive(Clone, Serialize, ToSchema)]
pub struct Enrolment {
    /// アカウント名。
    pub account: String,
    /// 自動で作ったパスワード。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub password: Option<String>,
    /// 認証アプリへの登録。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub totp: Option<TotpOffer>,
}

/// 認証アプリへの登録。この応答でしか見られません。
#[derive(Clone, Serialize, ToSchema)]
pub struct TotpOffer {
    /// 認証アプリに登録するURI（otpauth://）。
    pub otpauth: String,
    /// 同じURIのQRコード（SVG）。
    pub qr_svg: String,
}

/// アカウントの有効・無効。
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountStatus {
    /// true で無効にし、そのアカウントのセッションを終わらせます。
    pub disabled: bool,
}

/// 再発行するもの。少なくとも1つを true にしてください。そのアカウントのセッションは終わります。
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountReset {
    /// パスワードを新しく作ります。
    #[serde(default)]
    pub password: bool,
    /// 認証アプリの登録を新しくします。回復コードとパスキーは使えなくなります。
    #[serde(default)]
    pub totp: bool,
}

/// 自分のパスワードの変更。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// 現在のパスワード。
    #[schema(value_type = String, format = Password, write_only, min_length = 1, max_length = 1024)]
    pub current_password: SecretText,
    /// 新しいパスワード。
    #[schema(value_type = String, format = Password, write_only, min_length = 1, max_length = 1024)]
    pub new_password: SecretText,
}

/// 本人の確認のため、もう一度送る現在のパスワード。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordProof {
    /// 現在のパスワード。
    #[schema(value_type = String, format = Password, write_only, min_length = 1, max_length = 1024)]
    pub password: SecretText,
}

/// 新しい認証アプリに表示された最初の数字。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpConfirmation {
    /// 6桁の数字。
    #[schema(value_type = String, write_only, example = "492039", min_length = 1, max_length = 64)]
    pub code: SecretText,
}

/// 回復コード。この応答でしか見られません。以前の回復コードは使えなくなります。
#[derive(Clone, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// 10個のコード。1つにつき1回、6桁の数字の代わりに使えます。
    pub recovery_codes: Vec<String>,
}
