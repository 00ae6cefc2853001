//! Settings of the OQS folders.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// OQSフォルダーの設定。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FolderSettings {
    /// 設定ファイルにあるフォルダー。
    pub folders: Vec<ConfiguredFolder>,
    /// 承諾の記録。承諾していなければありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acceptance: Option<FolderAcceptance>,
}

/// 設定ファイルにあるフォルダー。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfiguredFolder {
    /// 名前。
    #[schema(example = "receipt")]
    pub name: String,
    /// 場所。
    #[schema(example = "/srv/oqs")]
    pub root: String,
    /// 承諾の対象か。true になるまで、フォルダーには何も書かず、何も読みません。
    pub accepted: bool,
}

/// 承諾の記録。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FolderAcceptance {
    /// 承諾した管理者のアカウント。パソコンのコマンドで承諾したときは machine です。
    #[schema(example = "kanrisha")]
    pub by: String,
    /// 承諾した日時（日本時間、RFC 3339）。
    #[schema(example = "2026-10-08T10:00:00+09:00")]
    pub at: String,
}

/// 承諾するか、取り消すか。
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderAccess {
    /// いま設定されているフォルダーを読み書きできる人に、多要素認証を求めないことを承諾するか。false は承諾の取り消しです。
    pub readers_need_no_mfa: bool,
}
