//! What the front desk writes down: 端末の安全管理チェックリスト, and incidents. No patient is in either.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;

words! {
    /// モバイル端末等の安全管理に関するチェックリストの項目。文言は運用マニュアルのとおりで、text にあります。
    ChecklistItemName {
        /// OSやソフトウェアの更新。
        Updates = "updates",
        /// ウイルス対策ソフトウェア。
        Antivirus = "antivirus",
        /// パスワードやロック。
        Lock = "lock",
        /// 台帳での管理。
        Ledger = "ledger",
        /// 周知と教育訓練。
        Training = "training",
    }

    /// チェックリストの項目の種類。
    ChecklistGroup {
        /// 端末上の対策。
        OnTheDevice = "on_the_device",
        /// 管理上の対策。
        InTheFacility = "in_the_facility",
    }

    /// 窓口で起きたこと。
    IncidentKind {
        /// 別の方の情報が表示された。
        AnotherPersonShown = "another_person_shown",
        /// 本人であることに疑いがある。
        IdentityInDoubt = "identity_in_doubt",
    }

    /// 行ったこと。
    IncidentMeasure {
        /// オンライン資格確認等コールセンターに連絡した。
        CallCentreContacted = "call_centre_contacted",
        /// 本人確認書類の提示を求めた。
        DocumentsAskedFor = "documents_asked_for",
        /// もう一度資格確認を行った。
        CheckedAgain = "checked_again",
        /// 資格確認書など、ほかの方法で確認した。
        ConfirmedOtherwise = "confirmed_otherwise",
        /// 保険者や福祉事務所に確認した。
        InsurerAsked = "insurer_asked",
    }
}

/// チェックリストの項目。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChecklistItem {
    /// 項目。
    pub item: ChecklistItemName,
    /// 種類。
    pub group: ChecklistGroup,
    /// 対策内容（運用マニュアルの文言）。
    #[schema(
        example = "端末に対して、推定されにくいパスワードやロック等を設定した上で、定期的に変更等するなどの対策を行いましょう。"
    )]
    pub text: String,
}

/// 記録されたチェックリスト。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChecklistRecord {
    /// 記録した日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub recorded_at: String,
    /// 担当者（アカウント名）。
    #[schema(example = "hanako")]
    pub recorded_by: String,
    /// 端末。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "uketsuke-1")]
    pub terminal: Option<String>,
    /// 行っている項目。
    pub done: Vec<ChecklistItemName>,
}

/// モバイル端末等の安全管理に関するチェックリスト。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Checklist {
    /// 項目（運用マニュアルの順）。
    pub items: Vec<ChecklistItem>,
    /// これまでの記録（新しい順に100件まで）。
    pub records: Vec<ChecklistRecord>,
}

/// チェックリストの記録。日時と担当者は自動で記録します。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChecklistRecord {
    /// 行っている項目。
    #[schema(max_items = 5)]
    pub done: Vec<ChecklistItemName>,
    /// 端末（設定か登録された端末の名前）。省略すると、セッションが結び付いている端末です。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "uketsuke-1", min_length = 1, max_length = 64)]
    pub terminal: Option<String>,
}

/// 窓口で起きたことの記録。患者の情報は含めません。日時と担当者は自動で記録します。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIncident {
    /// 起きたこと。
    pub kind: IncidentKind,
    /// その資格確認結果の番号。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = 42, minimum = 1)]
    pub result: Option<i64>,
    /// これまでに行ったこと。
    #[serde(default)]
    #[schema(max_items = 5)]
    pub measures: Vec<IncidentMeasure>,
    /// 端末（設定か登録された端末の名前）。省略すると、セッションが結び付いている端末です。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "uketsuke-1", min_length = 1, max_length = 64)]
    pub terminal: Option<String>,
}

/// 記録された、窓口で起きたこと。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Incident {
    /// 番号。
    #[schema(example = 3)]
    pub id: i64,
    /// 記録した日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub recorded_at: String,
    /// 担当者（アカウント名）。
    #[schema(example = "hanako")]
    pub recorded_by: String,
    /// 端末。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "uketsuke-1")]
    pub terminal: Option<String>,
    /// 起きたこと。
    pub kind: IncidentKind,
    /// 資格確認結果の番号。結果を参照できる期間が過ぎると、誰のものかは分かりません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 42)]
    pub result: Option<i64>,
    /// 行ったこと。
    pub measures: Vec<IncidentMeasure>,
}

/// どの記録を取得するか。
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentQuery {
    /// この番号より前の記録。前のページの next_before を渡してください。
    #[param(nullable = false, minimum = 1, example = 100)]
    pub before: Option<i64>,
    /// 1ページの最大件数。省略すると100件です。
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100, example = 100)]
    pub limit: Option<u32>,
}

/// 窓口で起きたことの記録の1ページ（新しい順）。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IncidentPage {
    /// 記録。
    pub incidents: Vec<Incident>,
    /// 続きがあれば、次に before に渡す番号。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub next_before: Option<i64>,
}
