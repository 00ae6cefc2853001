//! Forms of results: of one, and of a period's export.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;

use super::{EligibilityResult, ValidityFilter};

words! {
    /// 結果の形式。
    ResultFormat {
        /// JSON（この定義書の項目）。
        Json = "json",
        /// 1行に1件のJSON。
        Ndjson = "ndjson",
    }
}

impl ResultFormat {
    /// Every form with its media type, the default first.
    pub const ALL: &'static [(Self, &'static str)] =
        &[(Self::Json, "application/json"), (Self::Ndjson, "application/x-ndjson")];

    /// The media type without parameters.
    pub fn media_type(self) -> &'static str {
        Self::ALL.iter().find(|(form, _)| *form == self).map_or("application/json", |(_, kind)| kind)
    }

    /// How a file of this form ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }
}

/// A form that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultForm {
    /// The form.
    pub format: ResultFormat,
}

/// 1件の形式と項目。
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OneQuery {
    /// 形式。省略すると Accept で選びます。
    #[param(nullable = false, inline)]
    pub format: Option<ResultFormat>,
    /// 返す項目の名前を「,」で区切って並べます（形式が json のときだけ）。id は常に返します。知らない名前は400です。
    #[param(
        nullable = false,
        example = "version,validity,eligibilities.name",
        min_length = 1,
        max_length = 1024
    )]
    pub fields: Option<String>,
}

/// 書き出しの条件と形式。
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// 資格確認を行った日（日本時間）がこの日以後。
    #[param(nullable = false, value_type = Option<String>, format = Date, example = "2026-07-01")]
    pub from: Option<String>,
    /// 資格確認を行った日（日本時間）がこの日以前。この日も含みます。
    #[param(nullable = false, value_type = Option<String>, format = Date, example = "2026-07-31")]
    pub to: Option<String>,
    /// この端末で行った資格確認だけ（この端末で資格確認した結果のみ）。
    #[param(nullable = false, example = "uketsuke-1", min_length = 1, max_length = 128)]
    pub terminal: Option<String>,
    /// この資格有効性の結果だけ。
    #[param(nullable = false, inline)]
    pub validity: Option<ValidityFilter>,
    /// 形式。省略すると Accept で選びます。
    #[param(nullable = false, inline)]
    pub format: Option<ResultFormat>,
    /// 前の部分の Shikaku-Next-Cursor。同じ条件を送ってください。after_id と一緒には使えません。
    #[param(nullable = false, example = "MTc4MzQ3OTYwMDAwMDAwMC00Mg", min_length = 1, max_length = 512)]
    pub cursor: Option<String>,
    /// 途中で切れた書き出しの続き。最後に受け取れた結果の番号です。
    #[param(nullable = false, example = 42, minimum = 1)]
    pub after_id: Option<i64>,
    /// 最大件数。指定すると、続きがあるときに Shikaku-Next-Cursor を返します。省略すると、最後まで書き出します。
    #[param(nullable = false, minimum = 1, maximum = 1000, example = 100)]
    pub limit: Option<u32>,
}

/// 書き出した資格確認結果（新しい順）。summary があれば、最後まで届いています。
#[derive(Serialize, ToSchema)]
pub struct ExportedResults {
    /// 結果。
    pub results: Vec<EligibilityResult>,
    /// まとめ。
    pub summary: ExportSummary,
}

/// 書き出しのまとめ。
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExportSummary {
    /// この応答の結果の数。
    #[schema(example = 120, minimum = 0)]
    pub results: u64,
    /// 別の字に置き換えた文字の数。
    #[schema(example = 0, minimum = 0)]
    pub reduced_characters: u64,
    /// 「●」に置き換えた文字の数。
    #[schema(example = 0, minimum = 0)]
    pub lost_characters: u64,
}
