//! Questions about results: lists, counts, searches, changes, and their answers.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{EligibilityResult, SecretText, SelectedResult, ValidityFilter};

/// Declares a query about the results of a period, with conditions of its own. A macro, because serde flattens nothing into a
/// query that refuses unknown fields.
macro_rules! of_period {
    ($(#[doc = $about:literal])+ pub struct $name:ident { $($own:tt)* }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Default, Hash, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
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
            pub validity: Option<$crate::wire::ValidityFilter>,
            $($own)*
        }
    };
}

pub(super) use of_period;

of_period! {
    /// 検索の条件。cursor には条件も含まれるため、続きでは同じ条件を送ってください。
    pub struct ResultQuery {
        /// 返す項目の名前を「,」で区切って並べます（例：id,version,validity,eligibilities.name）。id は常に返します。
        /// eligibilities.名前 は資格情報の中の項目です。知らない名前は400です。
        #[param(
            nullable = false,
            example = "version,validity,eligibilities.name",
            min_length = 1,
            max_length = 1024
        )]
        pub fields: Option<String>,
        /// 前のページの next_cursor。
        #[param(nullable = false, example = "MTc4MzQ3OTYwMDAwMDAwMC00Mg", min_length = 1, max_length = 512)]
        pub cursor: Option<String>,
        /// 1ページの最大件数。省略すると100件です。
        #[param(nullable = false, minimum = 1, maximum = 200, default = 100, example = 100)]
        pub limit: Option<u32>,
    }
}

/// Declares a search for persons with conditions of its own. A macro for the same reason as [`of_period`].
macro_rules! of_persons {
    ($(#[doc = $about:literal])+ pub struct $name:ident { $($own:tt)* }) => {
        $(#[doc = $about])+
        #[derive(Default, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// 資格確認を行った日（日本時間）がこの日以後。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, format = Date, example = "2026-07-01")]
            pub from: Option<String>,
            /// 資格確認を行った日（日本時間）がこの日以前。この日も含みます。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, format = Date, example = "2026-07-31")]
            pub to: Option<String>,
            /// この端末で行った資格確認だけ（この端末で資格確認した結果のみ）。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, example = "uketsuke-1", min_length = 1, max_length = 128)]
            pub terminal: Option<String>,
            /// この資格有効性の結果だけ。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false)]
            pub validity: Option<ValidityFilter>,
            /// 照会番号（完全一致）。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, value_type = Option<String>, example = "K-000123", min_length = 1, max_length = 50)]
            pub inquiry_number: Option<SecretText>,
            /// 氏名（前方一致。空白の有無と全角・半角は区別しません）。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, value_type = Option<String>, example = "資格 太郎", min_length = 1, max_length = 100)]
            pub name: Option<SecretText>,
            /// フリガナ（前方一致。小さい文字と大きい文字、ひらがな、半角も区別しません）。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, value_type = Option<String>, example = "シカク", min_length = 1, max_length = 100)]
            pub kana: Option<SecretText>,
            /// 生年月日。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, value_type = Option<String>, format = Date, example = "1954-05-02")]
            pub birthdate: Option<SecretText>,
            /// 保険者番号（数字8桁以内。8桁に満たないときは左に空白を補って扱います）。
            #[serde(default, deserialize_with = "super::given")]
            #[schema(nullable = false, value_type = Option<String>, example = "12345678", min_length = 1, max_length = 8)]
            pub insurer_number: Option<SecretText>,
            $($own)*
        }
    };
}

of_persons! {
    /// 患者の条件も使う検索。氏名などの個人情報はURLに残らないよう、本文で送ります。すべての条件を満たす結果を返します。
    pub struct ResultSearch {
        /// 返す項目の名前。省略するとすべての項目を返します。
        #[serde(default, deserialize_with = "super::given")]
        #[schema(nullable = false, example = json!(["version", "eligibilities.name"]), min_items = 1, max_items = 64)]
        pub fields: Option<Vec<String>>,
        /// 前のページの next_cursor。
        #[serde(default, deserialize_with = "super::given")]
        #[schema(nullable = false, example = "MTc4MzQ3OTYwMDAwMDAwMC00Mg", min_length = 1, max_length = 512)]
        pub cursor: Option<String>,
        /// 1ページの最大件数。省略すると100件です。
        #[serde(default, deserialize_with = "super::given")]
        #[schema(nullable = false, minimum = 1, maximum = 200, default = 100, example = 100)]
        pub limit: Option<u32>,
    }
}

of_persons! {
    /// 患者の条件も使う件数の条件。すべての条件を満たす結果を数えます。
    pub struct ResultSearchCount {
    }
}

impl ResultSearchCount {
    /// The search that has these conditions.
    pub fn into_search(self) -> ResultSearch {
        let Self { from, to, terminal, validity, inquiry_number, name, kana, birthdate, insurer_number } =
            self;
        ResultSearch {
            from,
            to,
            terminal,
            validity,
            inquiry_number,
            name,
            kana,
            birthdate,
            insurer_number,
            ..ResultSearch::default()
        }
    }
}

of_period! {
    /// 件数の条件。
    pub struct CountQuery {
    }
}

/// どこからの変化を、どれだけ待つか。
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// 前の応答の cursor。省略すると、待たずに今の cursor だけを返します（from_start が true のときを除きます）。
    #[param(nullable = false, example = "AAAAAAAAACoAAxd_aBcDeg", min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
    /// true なら、保存されているすべての結果から始めます。cursor と一緒には使えません。
    #[param(nullable = false, default = false, example = true)]
    pub from_start: Option<bool>,
    /// 変化がないとき、あるまで待つ秒数。省略すると待ちません。
    #[param(nullable = false, minimum = 0, maximum = 60, default = 0, example = 1)]
    pub wait: Option<u32>,
    /// 返す項目の名前を「,」で区切って並べます。id は常に返します。知らない名前は400です。
    #[param(
        nullable = false,
        example = "version,validity,eligibilities.name",
        min_length = 1,
        max_length = 1024
    )]
    pub fields: Option<String>,
    /// 最大件数。省略すると100件です。
    #[param(nullable = false, minimum = 1, maximum = 200, default = 100, example = 100)]
    pub limit: Option<u32>,
}

/// 資格確認結果の1ページ（新しい順）。
#[derive(Serialize, ToSchema)]
pub struct ResultPage {
    /// 結果。
    pub results: Vec<EligibilityResult>,
    /// 続きを取得するための印。最後のページにはありません。患者の条件で検索したときは、結果が少なくても続きがあることがあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "MTc4MzQ3OTYwMDAwMDAwMC00Mg")]
    pub next_cursor: Option<String>,
}

/// fields で選んだ項目だけの、資格確認結果の1ページ（新しい順）。
#[derive(Serialize, ToSchema)]
pub struct SelectedPage {
    /// 結果の、選んだ項目。
    pub results: Vec<SelectedResult>,
    /// 続きを取得するための印。最後のページにはありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "MTc4MzQ3OTYwMDAwMDAwMC00Mg")]
    pub next_cursor: Option<String>,
}

/// 新しく保存された、または変わった結果（変化の古い順）。一覧と同じく、資格情報が表示された結果だけです。
#[derive(Serialize, ToSchema)]
pub struct ResultChanges {
    /// 結果。変わった結果は、今の内容で返します。
    pub results: Vec<EligibilityResult>,
    /// 次に cursor に渡す印。必ず保存してください。
    #[schema(example = "AAAAAAAAACoAAxd_aBcDeg")]
    pub cursor: String,
    /// 続きがすでにあるか。true なら、待たずに続きを取得してください。
    pub more: bool,
    /// この日時（日本時間、RFC 3339）より前に行った資格確認の結果は、もう参照できません。取得済みのものも消去してください。
    #[schema(format = DateTime, example = "2026-06-01T00:00:00+09:00")]
    pub expired_before: String,
}

/// fields で選んだ項目だけの、変わった結果（変化の古い順）。
#[derive(Serialize, ToSchema)]
pub struct SelectedChanges {
    /// 結果の、選んだ項目。
    pub results: Vec<SelectedResult>,
    /// 次に cursor に渡す印。必ず保存してください。
    #[schema(example = "AAAAAAAAACoAAxd_aBcDeg")]
    pub cursor: String,
    /// 続きがすでにあるか。true なら、待たずに続きを取得してください。
    pub more: bool,
    /// この日時（日本時間、RFC 3339）より前に行った資格確認の結果は、もう参照できません。取得済みのものも消去してください。
    #[schema(format = DateTime, example = "2026-06-01T00:00:00+09:00")]
    pub expired_before: String,
}

/// 件数。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResultCount {
    /// 資格情報が表示された結果の数。
    #[schema(example = 17, minimum = 0)]
    pub count: i64,
}
