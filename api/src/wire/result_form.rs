//! Forms of results: of one, and of a period's export.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;

use super::EligibilityResult;
use super::result_query::of_period;

words! {
    /// 結果の形式。
    ResultFormat {
        /// JSON（この定義書の項目）。
        Json = "json",
        /// 1行に1件のJSON。
        Ndjson = "ndjson",
        /// オンライン資格確認等システムの XmlMsg。書き出しでは XmlMsgList の中に繰り返します。
        XmlmsgXml = "xmlmsg-xml",
        /// XmlMsg のJSON。
        XmlmsgJson = "xmlmsg-json",
        /// CSV（1行が1件の資格情報）。
        Csv = "csv",
        /// マイナ資格確認アプリの「コピー」ボタンの文。
        Text = "text",
        /// FHIR R4 の Bundle。
        Fhir = "fhir",
    }
}

words! {
    /// 文字コード。xmlmsg-xml、csv、text ではバイトも変わります。JSON の形式はつねに UTF-8 で、使う文字だけが変わります。
    Charset {
        /// UTF-8。すべての文字。
        Utf8 = "utf-8",
        /// Shift_JIS。NEC・IBM拡張文字（髙、﨑、①など）を含む Windows のコードページ932。
        Cp932 = "cp932",
        /// Shift_JIS。JIS第1・第2水準の漢字だけ。
        JisX0208 = "jisx0208",
    }
}

impl ResultFormat {
    /// Every form with its media type, the default first.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Json, "application/json"),
        (Self::Ndjson, "application/x-ndjson"),
        (Self::XmlmsgXml, "application/xml"),
        (Self::XmlmsgJson, "application/x.xmlmsg+json"),
        (Self::Csv, "text/csv"),
        (Self::Text, "text/plain"),
        (Self::Fhir, "application/fhir+json"),
    ];

    /// The media type without parameters.
    pub fn media_type(self) -> &'static str {
        Self::ALL.iter().find(|(form, _)| *form == self).map_or("application/json", |(_, kind)| kind)
    }

    /// How a file of this form ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::XmlmsgXml => "xml",
            Self::XmlmsgJson => "xmlmsg.json",
            Self::Csv => "csv",
            Self::Text => "txt",
            Self::Fhir => "fhir.json",
        }
    }

    /// Whether its bytes are UTF-8 whatever its characters (RFC 8259).
    pub fn is_json(self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::XmlmsgJson | Self::Fhir => true,
            Self::XmlmsgXml | Self::Csv | Self::Text => false,
        }
    }
}

/// A form that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultForm {
    /// The form.
    pub format: ResultFormat,
    /// The characters it may use, and their bytes where it is not JSON.
    pub charset: Charset,
}

/// 1件の形式と項目。
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OneQuery {
    /// 形式。省略すると Accept で選びます。
    #[param(nullable = false, inline)]
    pub format: Option<ResultFormat>,
    /// 文字コード。省略すると Accept の charset、それもなければ utf-8 です。
    #[param(nullable = false, inline)]
    pub charset: Option<Charset>,
    /// 返す項目の名前を「,」で区切って並べます（形式が json、文字コードが utf-8 のときだけ）。id は常に返します。知らない名前は400です。
    #[param(
        nullable = false,
        example = "version,validity,eligibilities.name",
        min_length = 1,
        max_length = 1024
    )]
    pub fields: Option<String>,
}

of_period! {
    /// 書き出しの条件と形式。
    pub struct ExportQuery {
        /// 形式。省略すると Accept で選びます。
        #[param(nullable = false, inline)]
        pub format: Option<ResultFormat>,
        /// 文字コード。省略すると Accept の charset、それもなければ utf-8 です。
        #[param(nullable = false, inline)]
        pub charset: Option<Charset>,
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
}

/// オンライン資格確認等システムの XmlMsg のJSON。1件では XmlMsg、書き出しでは XmlMsgList と Summary があります。項目は
/// 「資格確認結果の形式と文字コード」の文書にあります。
#[derive(ToSchema)]
pub struct XmlMsgDocument(pub BTreeMap<String, serde_json::Value>);

/// FHIR R4 の Bundle（collection）。中身は FHIR R4 と JP Core の定義のとおりです。
#[derive(ToSchema)]
pub struct FhirBundle(pub BTreeMap<String, serde_json::Value>);

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
