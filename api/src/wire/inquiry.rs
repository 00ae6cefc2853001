//! Inquiry numbers (照会番号): one, by result or by insurance identifiers, and in bulk.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::codes::Code;
use crate::words::words;

/// 登録する照会番号。
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InquiryNumber {
    /// 照会番号（1文字以上50文字以内。前後の空白と制御文字は使えません）。
    #[schema(example = "K-000123", min_length = 1, max_length = 50)]
    pub inquiry_number: String,
}

/// 保険者番号・記号・番号・枝番。患者を特定します。
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Insurance {
    /// 保険者番号（数字8桁以内。8桁に満たないときは左に空白を補って扱います）。
    #[schema(example = "01139991", min_length = 1, max_length = 8)]
    pub insurer_number: String,
    /// 記号（20文字以内）。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "21700037", max_length = 20)]
    pub insured_card_symbol: Option<String>,
    /// 番号（20文字以内。先頭の0も区別します）。
    #[schema(example = "0001731", min_length = 1, max_length = 20)]
    pub insured_identification_number: String,
    /// 枝番（数字2桁）。後期高齢者医療では省略します。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "00", max_length = 2)]
    pub insured_branch_number: Option<String>,
}

/// 登録する照会番号と患者。
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InquiryNumberOfInsurance {
    /// 照会番号（1文字以上50文字以内。前後の空白と制御文字は使えません）。
    #[schema(example = "K-000123", min_length = 1, max_length = 50)]
    pub inquiry_number: String,
    /// 患者の資格。
    pub insurance: Insurance,
}

/// 登録された照会番号。同じ患者と分かる、保存中のすべての結果に付きます。
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InquiryNumberSet {
    /// 受け付けの番号。
    #[schema(example = 7)]
    pub job: i64,
    /// 状態。常に registered です。
    pub state: InquiryState,
    /// 照会番号。
    #[schema(example = "K-000123")]
    pub inquiry_number: String,
    /// 照会番号が付いた結果の番号。
    #[schema(example = json!([41, 42]))]
    pub results: Vec<i64>,
}

words! {
    /// 照会番号の登録の状態。
    InquiryState {
        /// 送信を待っています。オンライン資格確認等システムに接続できしだい、受け付けた順に送ります。
        Queued = "queued",
        /// オンライン資格確認等システムに送っています。
        Sending = "sending",
        /// 登録されました。
        Registered = "registered",
        /// 登録できませんでした。送り直されません。
        Failed = "failed",
    }
    /// 一括登録の状態。
    BulkState {
        /// 処理中です。
        Processing = "processing",
        /// すべて終わりました。
        Done = "done",
    }
}

words! {
    /// 終わっていないか、失敗した照会番号の登録の状態。
    PendingState {
        /// 送信を待っているか、送っています。詳しくは GET /v1/inquiry-numbers/{job} で確認できます。
        Queued = "queued",
        /// 登録できませんでした。送り直されません。
        Failed = "failed",
    }
}

/// 患者の照会番号として受け付けたものの、まだ登録されていないもの。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PendingInquiryNumber {
    /// 受け付けの番号。
    #[schema(example = 7)]
    pub job: i64,
    /// 状態。
    pub state: PendingState,
    /// 登録できなかった理由。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<InquiryFailure>,
}

/// 照会番号の登録の受け付け。患者の情報は含みません。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InquiryJob {
    /// 受け付けの番号。
    #[schema(example = 7)]
    pub job: i64,
    /// 状態。
    pub state: InquiryState,
    /// 受け付けた日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub taken_at: String,
    /// 一括登録で受け付けたときの受付番号。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub receipt: Option<i64>,
    /// 照会番号が付いた結果の番号。
    #[schema(example = json!([41, 42]))]
    pub results: Vec<i64>,
    /// 登録できなかった理由。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<InquiryFailure>,
}

words! {
    /// どの状態の受け付けを取得するか。
    InquiryJobFilter {
        /// 送信を待っているか、送っているもの。
        Queued = "queued",
        /// 登録されたもの。
        Registered = "registered",
        /// 登録できなかったもの。
        Failed = "failed",
    }
}

/// どの受け付けを取得するか。
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InquiryJobQuery {
    /// 状態。省略するとすべてです。
    #[param(nullable = false, inline, example = "failed")]
    pub state: Option<InquiryJobFilter>,
    /// この番号より前に受け付けたもの。前のページの next_before を渡してください。
    #[param(nullable = false, minimum = 1, example = 42)]
    pub before: Option<i64>,
    /// 1ページの最大件数。省略すると100件です。
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100, example = 100)]
    pub limit: Option<u32>,
}

/// 照会番号の登録の受け付けの1ページ（新しい順）。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InquiryJobPage {
    /// 受け付け。
    pub jobs: Vec<InquiryJob>,
    /// 続きを取得するときの before。最後のページにはありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 42)]
    pub next_before: Option<i64>,
}

/// 照会番号を登録できなかった理由。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InquiryFailure {
    /// 問題のコード。
    pub code: Code,
    /// 何が起きたか。
    #[schema(example = "この照会番号は、別の患者に使われています。")]
    pub title: String,
    /// 今できること。
    #[schema(example = "照会番号が正しいか確認してください。")]
    pub guidance: String,
    /// オンライン資格確認等システムのエラーコード。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ASRV00001E")]
    pub upstream_code: Option<String>,
}

impl InquiryFailure {
    /// A failure in the words of the table of codes.
    pub fn new(code: Code, upstream_code: Option<String>) -> Self {
        Self { code, title: code.title().to_owned(), guidance: code.guidance().to_owned(), upstream_code }
    }
}

/// 照会番号の一括登録。
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkInquiry {
    /// 登録する照会番号（1件以上10,000件以内）。
    #[schema(min_items = 1, max_items = 10000)]
    pub items: Vec<BulkInquiryItem>,
}

/// 一括登録の1件。患者は result と insurance のどちらか一方で指定します。
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkInquiryItem {
    /// 照会番号（1文字以上50文字以内。前後の空白と制御文字は使えません）。
    #[schema(example = "K-000123", min_length = 1, max_length = 50)]
    pub inquiry_number: String,
    /// 患者の結果の番号。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = 42)]
    pub result: Option<i64>,
    /// 患者の資格。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false)]
    pub insurance: Option<Insurance>,
}

/// 一括登録の受け付け。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BulkReceipt {
    /// 受付番号。
    #[schema(example = 3)]
    pub receipt: i64,
    /// 状態。
    pub state: BulkState,
    /// 受け付けた日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub taken_at: String,
    /// 件数。
    #[schema(example = 250, minimum = 1)]
    pub items: u32,
}

/// どの範囲を取得するか。
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BulkQuery {
    /// この位置（0から始まる）から。前のページの next_position を渡してください。
    #[param(nullable = false, minimum = 0, maximum = 10000, default = 0, example = 0)]
    pub position: Option<u32>,
    /// 1ページの最大件数。省略すると500件です。
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 500, example = 500)]
    pub limit: Option<u32>,
}

/// 一括登録の進み具合と、1件ごとの結果。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BulkStand {
    /// 受付番号。
    #[schema(example = 3)]
    pub receipt: i64,
    /// 状態。
    pub state: BulkState,
    /// 受け付けた日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub taken_at: String,
    /// 件数。
    #[schema(example = 250, minimum = 1)]
    pub items: u32,
    /// 登録された件数。
    #[schema(example = 248, minimum = 0)]
    pub registered: u32,
    /// 登録できなかった件数。
    #[schema(example = 2, minimum = 0)]
    pub failed: u32,
    /// 1件ごとの結果（送られた順）。
    pub outcomes: Vec<BulkOutcome>,
    /// 続きの位置。最後のページにはありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 500)]
    pub next_position: Option<u32>,
}

/// 一括登録の1件の結果。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BulkOutcome {
    /// 送られた items での位置（0から始まる）。
    #[schema(example = 0, minimum = 0)]
    pub position: u32,
    /// 状態。
    pub state: InquiryState,
    /// 照会番号が付いた結果の番号。
    #[schema(example = json!([41, 42]))]
    pub results: Vec<i64>,
    /// 登録できなかった理由。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<InquiryFailure>,
}
