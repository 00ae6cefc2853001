//! Passkeys (WebAuthn). What a browser is asked has WebAuthn's own JSON form, so that a page hands it on as it is; what it
//! answers comes in our form. Bytes are base64url without padding.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SecretText;

/// パスキーの登録を始める本人の確認。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyProof {
    /// 現在のパスワード。
    #[schema(value_type = String, format = Password, write_only, example = "correct-horse-battery", min_length = 1, max_length = 1024)]
    pub password: SecretText,
    /// 認証アプリに表示される6桁の数字。ログインに数字が要らないアカウントは省略できます。ログインに使った数字は使えません。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Option<String>, nullable = false, write_only, example = "492039", min_length = 1, max_length = 64)]
    pub code: Option<SecretText>,
}

/// パスキーの登録の始まり。
#[derive(Clone, Serialize, ToSchema)]
pub struct PasskeyEnrolment {
    /// POST /v1/accounts/me/passkeys で送る印。1回だけ使えます。
    pub ceremony: String,
    /// 印を使える秒数。
    #[schema(example = 120, minimum = 0)]
    pub expires_in_s: i64,
    /// ブラウザの PublicKeyCredential.parseCreationOptionsFromJSON に渡すもの。
    pub options: PasskeyCreationOptions,
}

/// 新しいパスキーの条件（WebAuthn の PublicKeyCredentialCreationOptionsJSON）。
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyCreationOptions {
    /// パスキーを使うサイト。
    pub rp: PasskeySite,
    /// パスキーを使う人。
    pub user: PasskeyUser,
    /// 認証器が答えるもの。
    pub challenge: String,
    /// 使える鍵の種類。
    pub pub_key_cred_params: Vec<PasskeyAlgorithm>,
    /// 待つ時間（ミリ秒）。
    #[schema(example = 120_000, minimum = 0)]
    pub timeout: i64,
    /// すでに登録されているパスキー。
    pub exclude_credentials: Vec<PasskeyDescriptor>,
    /// 認証器の条件。
    pub authenticator_selection: PasskeySelection,
    /// 認証器の証明を求めるか。いつも none です。
    #[schema(example = "none")]
    pub attestation: &'static str,
}

/// パスキーを使うサイト。
#[derive(Clone, Serialize, ToSchema)]
pub struct PasskeySite {
    /// ホスト名。
    #[schema(example = "localhost")]
    pub id: String,
    /// 表示する名前。
    pub name: String,
}

/// パスキーを使う人。
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyUser {
    /// アカウントの、認証器の中での名前。
    pub id: String,
    /// アカウント名。
    #[schema(example = "hanako")]
    pub name: String,
    /// 表示する名前。
    #[schema(example = "hanako")]
    pub display_name: String,
}

/// 鍵の種類。
#[derive(Clone, Serialize, ToSchema)]
pub struct PasskeyAlgorithm {
    /// いつも public-key です。
    #[schema(example = "public-key")]
    pub r#type: &'static str,
    /// COSE の番号（-7：ES256、-257：RS256）。
    #[schema(example = -7)]
    pub alg: i64,
}

/// パスキーの名前。
#[derive(Clone, Serialize, ToSchema)]
pub struct PasskeyDescriptor {
    /// いつも public-key です。
    #[schema(example = "public-key")]
    pub r#type: &'static str,
    /// 認証器の中での名前。
    pub id: String,
}

/// 認証器の条件。
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeySelection {
    /// 名前を入力しなくても使えるパスキー。いつも required です。
    #[schema(example = "required")]
    pub resident_key: &'static str,
    /// residentKey と同じことを表し、いつも true です。古いブラウザのためのものです。
    pub require_resident_key: bool,
    /// 生体認証か端末の暗証番号による本人の確認。いつも required です。
    #[schema(example = "required")]
    pub user_verification: &'static str,
}

/// 新しいパスキー。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// 登録の始まりで受け取った印。
    #[schema(value_type = String, write_only, example = "bm90LWEtcmVhbC10aWNrZXQ", min_length = 1, max_length = 64)]
    pub ceremony: SecretText,
    /// 見分けるための名前（制御文字は不可）。
    #[schema(example = "受付のパソコン", min_length = 1, max_length = 64)]
    pub name: String,
    /// clientDataJSON（base64url）。
    #[schema(example = "e30", min_length = 1, max_length = 8192)]
    pub client_data: String,
    /// attestationObject（base64url）。
    #[schema(example = "oA", min_length = 1, max_length = 16384)]
    pub attestation_object: String,
}

/// 登録されたパスキー。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Passkey {
    /// 番号。
    #[schema(example = 3)]
    pub id: i64,
    /// 名前。
    #[schema(example = "受付のパソコン")]
    pub name: String,
    /// 登録した日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub created_at: String,
    /// 最後にログインに使った日時（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub last_used_at: Option<String>,
}

/// パスキーの一覧。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Passkeys {
    /// 登録の古い順。
    pub passkeys: Vec<Passkey>,
}

/// パスキーによるログインの始まり。
#[derive(Clone, Serialize, ToSchema)]
pub struct PasskeyAsked {
    /// POST /v1/sessions/passkey で送る印。1回だけ使えます。
    pub ceremony: String,
    /// 印を使える秒数。
    #[schema(example = 120, minimum = 0)]
    pub expires_in_s: i64,
    /// ブラウザの PublicKeyCredential.parseRequestOptionsFromJSON に渡すもの。
    pub options: PasskeyRequestOptions,
}

/// ログインに使うパスキーの条件（WebAuthn の PublicKeyCredentialRequestOptionsJSON）。
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyRequestOptions {
    /// 認証器が答えるもの。
    pub challenge: String,
    /// パスキーを使うサイトのホスト名。
    #[schema(example = "localhost")]
    pub rp_id: String,
    /// 待つ時間（ミリ秒）。
    #[schema(example = 120_000, minimum = 0)]
    pub timeout: i64,
    /// 生体認証か端末の暗証番号による本人の確認。いつも required です。
    #[schema(example = "required")]
    pub user_verification: &'static str,
}

/// パスキーによるログイン。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeySignIn {
    /// ログインの始まりで受け取った印。
    #[schema(value_type = String, write_only, example = "bm90LWEtcmVhbC10aWNrZXQ", min_length = 1, max_length = 64)]
    pub ceremony: SecretText,
    /// パスキーの名前（rawId、base64url）。
    #[schema(example = "cGFzc2tleQ", min_length = 1, max_length = 1364)]
    pub credential_id: String,
    /// clientDataJSON（base64url）。
    #[schema(example = "e30", min_length = 1, max_length = 8192)]
    pub client_data: String,
    /// authenticatorData（base64url）。
    #[schema(example = "AAAA", min_length = 1, max_length = 8192)]
    pub authenticator_data: String,
    /// signature（base64url）。
    #[schema(example = "AAAA", min_length = 1, max_length = 2048)]
    pub signature: String,
    /// userHandle（base64url）。
    #[schema(example = "AAAA", min_length = 1, max_length = 128)]
    pub user_handle: String,
}
