//! Results (資格確認結果).

use serde::Serialize;
use utoipa::ToSchema;

use crate::words::words;

use super::{Eligibility, Method, PendingInquiryNumber};

/// 資格確認結果。資格確認を行った日の翌月末まで参照できます。
#[derive(Clone, Serialize, ToSchema)]
pub struct EligibilityResult {
    /// 結果の番号。
    #[schema(example = 42)]
    pub id: i64,
    /// どこで行った資格確認か。
    pub source: ResultSource,
    /// 資格確認の番号。この資格ブリッジで行った資格確認にだけあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "01J2ZK3M9Q4R8T6V7W5X1Y0ABC")]
    pub check_id: Option<String>,
    /// 資格確認を行った日時（処理実行日時。日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub checked_at: String,
    /// 資格確認日。どの日の資格かを表し、資格確認を行った日と異なることがあります。
    #[schema(format = Date, example = "2026-07-08")]
    pub confirmed_for: String,
    /// 本人確認の方法。ほかの端末やスマートフォンで行った資格確認では分かりません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub method: Option<Method>,
    /// 資格確認を行った端末。central: で始まるものは、オンライン資格確認等システムでの端末の名前です。
    #[schema(example = "uketsuke-1")]
    pub terminal: String,
    /// 資格有効性。
    pub validity: Validity,
    /// 資格確認結果検索の対象か。資格情報が表示された結果だけが対象です。
    pub searchable: bool,
    /// サンドボックス（模擬）の結果か。true の結果を実際の業務に使わないでください。
    pub sandbox: bool,
    /// 参照できなくなる日時（日本時間、RFC 3339）。この瞬間にはもう参照できません。
    #[schema(format = DateTime, example = "2026-09-01T00:00:00+09:00")]
    pub expires_at: String,
    /// 保存した結果が変わるたびに増える番号。
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
    /// 患者の照会番号。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "K-000123")]
    pub inquiry_number: Option<String>,
    /// 最後に受け付けた照会番号の登録。登録されるとなくなります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub inquiry_number_pending: Option<PendingInquiryNumber>,
    /// 正常な応答に付いていた知らせ。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<Note>,
    /// 不開示の有無。
    pub withheld: Withheld,
    /// 資格情報。通常は1件、複数該当では2件以上、該当資格なしでは0件です。
    pub eligibilities: Vec<Eligibility>,
}

words! {
    /// どこで行った資格確認か。
    ResultSource {
        /// この資格ブリッジ。
        Own = "own",
        /// 施設のほかの端末またはスマートフォン。
        Elsewhere = "elsewhere",
    }
}

/// 資格有効性。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Validity {
    /// 種類。
    pub code: ValidityCode,
    /// 受け取ったコード。
    #[schema(example = "1")]
    pub raw: String,
    /// 表示名。
    #[schema(example = "有効")]
    pub label: String,
}

words! {
    /// 資格有効性の種類。
    ValidityCode {
        /// 1 有効。
        Valid = "valid",
        /// 2 無効。
        Invalid = "invalid",
        /// 3 無効（新しい資格あり）。
        InvalidNewExists = "invalid_new_exists",
        /// 4 該当資格なし。
        NotFound = "not_found",
        /// 5 複数該当。
        Multiple = "multiple",
        /// この版の知らないコード。raw を見てください。
        Unknown = "unknown",
    }
}

words! {
    /// 絞り込みに使える資格有効性。
    ValidityFilter {
        /// 有効。
        Valid = "valid",
        /// 無効。
        Invalid = "invalid",
        /// 無効（新しい資格あり）。
        InvalidNewExists = "invalid_new_exists",
        /// 複数該当。
        Multiple = "multiple",
    }
}

words! {
    /// 不開示（DVや虐待等の被害を受けた方の申請による）の有無。不開示は正常な結果です。
    Withheld {
        /// 不開示なし。
        None = "none",
        /// 一部の項目がありません。
        Part = "part",
        /// すべての項目がありません。
        All = "all",
    }
}

/// 正常な応答に付いていた知らせ（例：電子証明書の有効期限が近い）。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Note {
    /// 処理結果コード。
    #[schema(example = "OQS00001I")]
    pub code: String,
    /// 処理結果メッセージ。
    #[schema(example = "電子証明書の有効期限まで3か月を切っています。")]
    pub message: String,
}
