//! One person's eligibility (資格情報): every field of the central system's answer, as received.

use serde::Serialize;
use utoipa::ToSchema;

use crate::words::words;

/// 資格情報。値はオンライン資格確認等システムから受け取ったままで、受け取らなかった項目はありません（空欄は補いません）。
/// 日付は YYYYMMDD、【】の番号は運用マニュアル「資格確認結果の取扱い・留意事項」の項目番号です。
#[derive(Clone, Default, Serialize, ToSchema)]
pub struct Eligibility {
    /// 【7】区分。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub classification: Option<Classification>,
    /// 【13】保険者番号（8文字。短い番号は左を空白で埋めています）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "12345678")]
    pub insurer_number: Option<String>,
    /// 【8】記号（20文字まで。全角のことがあります）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1234")]
    pub insured_card_symbol: Option<String>,
    /// 【8】番号（20文字まで。先頭の0に意味があります）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "12345678")]
    pub insured_identification_number: Option<String>,
    /// 【8】枝番（2桁。後期高齢者医療制度では空欄です）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "02")]
    pub insured_branch_number: Option<String>,
    /// 【9】本人・家族の別（1 本人、2 家族。後期高齢者医療制度では空欄です）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1")]
    pub personal_family_classification: Option<String>,
    /// 【10】被保険者氏名（国保の場合は世帯主。医療扶助では空欄です）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "資格 太郎")]
    pub insured_name: Option<String>,
    /// 【1】氏名。扱えない文字は「●」で、そのままレセプト請求に使えます。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "資格 太郎")]
    pub name: Option<String>,
    /// 【3】氏名（その他）。裏面記載情報：表面に通称などがある場合の本名です。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "他資格 太郎")]
    pub name_of_other: Option<String>,
    /// 【2】フリガナ。小さい文字が大きい文字のことがあります（キョウがキヨウ）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "シカク タロウ")]
    pub name_kana: Option<String>,
    /// 【3】氏名カナ（その他）。裏面記載情報です。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "タシカク タロウ")]
    pub name_of_other_kana: Option<String>,
    /// 【4】性別1（表面記載：1 男、2 女、3 未設定）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1")]
    pub sex1: Option<String>,
    /// 【5】性別2（裏面記載の戸籍上の性別：1 男、2 女、3 未設定）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1")]
    pub sex2: Option<String>,
    /// 【6】生年月日。19000101 は不明を表します（医療扶助のみ）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "19540502")]
    pub birthdate: Option<String>,
    /// 住所。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "東京都港区芝公園0-0-0")]
    pub address: Option<String>,
    /// 郵便番号。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1050000")]
    pub post_number: Option<String>,
    /// 資格取得年月日（医療扶助では生活保護が開始又は再開した日）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20250401")]
    pub qualification_date: Option<String>,
    /// 資格喪失年月日。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20260331")]
    pub disqualification_date: Option<String>,
    /// 交付年月日。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20250401")]
    pub insured_certificate_issuance_date: Option<String>,
    /// 【11】有効開始日。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20250401")]
    pub insured_card_valid_date: Option<String>,
    /// 【12】有効終了日（原則として空欄。更新日や75歳到達日前日のことがあります）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20260331")]
    pub insured_card_expiration_date: Option<String>,
    /// 【15】負担割合（010 は1割。後期高齢者医療制度のみ）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "010")]
    pub insured_partial_contribution_ratio: Option<String>,
    /// 未就学区分（1 未就学該当）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1")]
    pub preschool_classification: Option<String>,
    /// 資格喪失事由（01 死亡、02 生活保護受給開始、03 医療保険等の資格取得、99 その他）。喪失前に設定されることがあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "99")]
    pub reason_of_loss: Option<String>,
    /// 【14】保険者名（医療扶助では自治体・福祉事務所）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "限定資格保険組合")]
    pub insurer_name: Option<String>,
    /// 高齢受給者証。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub elderly_recipient_certificate: Option<ElderlyRecipientCertificate>,
    /// 照会番号。応答に付いていた値です。登録後の値は結果の inquiry_number を見てください。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "K-000123")]
    pub reference_number: Option<String>,
    /// 注意。知らないコードや「●」など、画面や請求で気を付けることです。
    pub warnings: Vec<Warning>,
}

/// 区分。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Classification {
    /// 受け取ったコード（01、05、07、A1。古いデータでは欠番の 02、03、04、06）。
    #[schema(example = "01")]
    pub code: String,
    /// 表示名。
    #[schema(example = "一般")]
    pub label: String,
}

/// 高齢受給者証。受け取らなかった項目はありません。
#[derive(Clone, Default, Serialize, ToSchema)]
pub struct ElderlyRecipientCertificate {
    /// 交付年月日。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20250801")]
    pub date: Option<String>,
    /// 有効開始日。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20250801")]
    pub valid_start_date: Option<String>,
    /// 有効終了日。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "20260731")]
    pub valid_end_date: Option<String>,
    /// 負担割合（020 は2割）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "020")]
    pub contribution_ratio: Option<String>,
}

words! {
    /// 注意の種類。将来増えることがあります。
    WarningCode {
        /// 知らないコードを受け取りました。値はそのままです。
        UnknownCode = "unknown_code",
        /// 欠番になった区分を受け取りました。
        RetiredClassification = "retired_classification",
        /// 氏名などに「●」が含まれます。
        ReplacedCharacter = "replaced_character",
        /// 生年月日が不明です。
        BirthdateUnknown = "birthdate_unknown",
        /// 裏面記載情報があります。
        BackOfCard = "back_of_card",
        /// 資格喪失事由が設定されています。
        LossAnnounced = "loss_announced",
        /// 医療扶助です。施術券情報は表示されないため、福祉事務所に照会してください。
        MedicalAssistance = "medical_assistance",
        /// 資格情報の一部が不開示です。
        PartlyWithheld = "partly_withheld",
    }
}

/// 注意。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// 種類。
    pub code: WarningCode,
    /// 担当者に示す文。個人情報は含みません。
    #[schema(example = "氏名に「●」が含まれます。そのままレセプト請求できます。")]
    pub message: String,
}
