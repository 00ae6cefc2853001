//! Eligibility (資格情報): what the central system answers about one person.
//!
//! Values are kept exactly as received: a blank field is what the upstream sent, an unknown code stays raw
//! (manual chapter 2, 資格確認結果の取扱い). Typed views are computed on demand and never replace the original.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::identifiers::UpstreamResultId;
use super::personal::Personal;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// The fields of a result, in the order and with the names of the message `ResultOfQualificationConfirmation`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($(#[$doc])* $name,)+ }

        impl Field {
            /// Every field, in the order of the message.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The tag of the field in the message.
            pub fn tag(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The field with a tag.
            pub fn from_tag(tag: &str) -> Option<Self> {
                match tag { $(stringify!($name) => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

fields! {
    /// 区分: see [`Classification`].
    InsuredCardClassification,
    /// 保険者番号: 8 characters, left-padded with spaces.
    InsurerNumber,
    /// 記号.
    InsuredCardSymbol,
    /// 番号.
    InsuredIdentificationNumber,
    /// 枝番.
    InsuredBranchNumber,
    /// 本人・家族の別: 1 本人, 2 家族.
    PersonalFamilyClassification,
    /// 被保険者氏名 (世帯主氏名).
    InsuredName,
    /// 氏名; may contain ●.
    Name,
    /// 氏名（その他）: the legal name where an alias is on the front.
    NameOfOther,
    /// フリガナ.
    NameKana,
    /// 氏名カナ（その他）.
    NameOfOtherKana,
    /// 性別1: 1 男, 2 女, 3 未設定.
    Sex1,
    /// 性別2: register sex.
    Sex2,
    /// 生年月日, `YYYYMMDD`; `19000101` means unknown (医療扶助 only).
    Birthdate,
    /// 住所.
    Address,
    /// 郵便番号.
    PostNumber,
    /// 資格取得年月日.
    QualificationDate,
    /// 資格喪失年月日.
    DisqualificationDate,
    /// 交付年月日.
    InsuredCertificateIssuanceDate,
    /// 有効開始日.
    InsuredCardValidDate,
    /// 有効終了日.
    InsuredCardExpirationDate,
    /// 負担割合: `010` = 1割; only for 後期高齢者医療.
    InsuredPartialContributionRatio,
    /// 未就学区分: 1 未就学該当.
    PreschoolClassification,
    /// 資格喪失事由.
    ReasonOfLoss,
    /// 保険者名; for 医療扶助 the municipality or 福祉事務所.
    InsurerName,
    /// 高齢受給者証 交付年月日 (inside `ElderlyRecipientCertificateInfo`).
    ElderlyRecipientCertificateDate,
    /// 高齢受給者証 有効開始日 (inside `ElderlyRecipientCertificateInfo`).
    ElderlyRecipientValidStartDate,
    /// 高齢受給者証 有効終了日 (inside `ElderlyRecipientCertificateInfo`).
    ElderlyRecipientValidEndDate,
    /// 高齢受給者証 負担割合 (inside `ElderlyRecipientCertificateInfo`).
    ElderlyRecipientContributionRatio,
    /// 照会番号.
    ReferenceNumber,
}

impl Field {
    /// Whether the message nests the field in `ElderlyRecipientCertificateInfo` (高齢受給者証).
    pub fn in_elderly_recipient_certificate(self) -> bool {
        matches!(
            self,
            Self::ElderlyRecipientCertificateDate
                | Self::ElderlyRecipientValidStartDate
                | Self::ElderlyRecipientValidEndDate
                | Self::ElderlyRecipientContributionRatio
        )
    }
}

/// One person's eligibility as received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Eligibility {
    fields: BTreeMap<Field, Personal>,
}

impl Eligibility {
    /// Collects received fields; a later value of the same field replaces an earlier one.
    pub fn from_fields(fields: impl IntoIterator<Item = (Field, Personal)>) -> Self {
        Self { fields: fields.into_iter().collect() }
    }

    /// A field as received; `None` where the message left it out.
    pub fn get(&self, field: Field) -> Option<&Personal> {
        self.fields.get(&field)
    }

    /// All received fields, in the order of the message.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Personal)> {
        self.fields.iter().map(|(field, value)| (*field, value))
    }

    /// Whether nothing was disclosed (不開示 in full: DV and abuse cases). A normal outcome, not an error.
    pub fn is_withheld(&self) -> bool {
        self.fields.keys().all(|field| *field == Field::ReferenceNumber)
    }

    /// The classification, if sent.
    pub fn classification(&self) -> Option<Classification> {
        self.get(Field::InsuredCardClassification).map(|code| Classification::from_code(code.expose()))
    }

    /// The birth date; `None` if absent, unreadable, or the value that means unknown.
    pub fn birthdate(&self) -> Option<Date> {
        let date = parse_date(self.get(Field::Birthdate)?.expose())?;
        (date != UNKNOWN_BIRTHDATE).then_some(date)
    }
}

/// `1900-01-01` stands for an unknown birth date (manual, item 6).
const UNKNOWN_BIRTHDATE: Date = Date::constant(1900, 1, 1);

/// Reads `YYYYMMDD`.
pub fn parse_date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Date::new(text.get(0..4)?.parse().ok()?, text.get(4..6)?.parse().ok()?, text.get(6..8)?.parse().ok()?)
        .ok()
}

/// Writes `YYYYMMDD`.
pub fn format_date(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

/// Classification (区分, manual item 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Classification {
    /// 01 一般.
    General,
    /// 05 特別療養費支給対象者.
    SpecialMedicalExpenses,
    /// 07 自衛官.
    SelfDefenceForces,
    /// A1 医療扶助.
    MedicalAssistance,
    /// A code retired on 2024-12-02 (欠番), with its old meaning.
    Retired(&'static str),
    /// A code this version does not know; shown raw.
    Unknown(String),
}

impl Classification {
    /// Reads the two-character code.
    pub fn from_code(code: &str) -> Self {
        match code {
            "01" => Self::General,
            "05" => Self::SpecialMedicalExpenses,
            "07" => Self::SelfDefenceForces,
            "A1" => Self::MedicalAssistance,
            "02" => Self::Retired("被保険者証（退職）"),
            "03" => Self::Retired("短期被保険者証（一般）"),
            "04" => Self::Retired("短期被保険者証（退職）"),
            "06" => Self::Retired("特例退職被保険者証"),
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The Japanese word shown to staff.
    pub fn label(&self) -> String {
        match self {
            Self::General => "一般".to_owned(),
            Self::SpecialMedicalExpenses => "特別療養費支給対象者".to_owned(),
            Self::SelfDefenceForces => "自衛官".to_owned(),
            Self::MedicalAssistance => "医療扶助".to_owned(),
            Self::Retired(old) => format!("欠番（旧：{old}）"),
            Self::Unknown(code) => format!("不明な区分（{code}）"),
        }
    }
}

/// Validity (資格有効性).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// 1 有効.
    Valid,
    /// 2 無効.
    Invalid,
    /// 3 無効（新しい資格あり）.
    InvalidNewExists,
    /// 4 該当資格なし.
    NotFound,
    /// 5 複数該当.
    Multiple,
    /// A code this version does not know; kept raw.
    Unknown(String),
}

impl Validity {
    /// Reads the one-character code.
    pub fn from_code(code: &str) -> Self {
        match code {
            "1" => Self::Valid,
            "2" => Self::Invalid,
            "3" => Self::InvalidNewExists,
            "4" => Self::NotFound,
            "5" => Self::Multiple,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The code as received.
    pub fn code(&self) -> &str {
        match self {
            Self::Valid => "1",
            Self::Invalid => "2",
            Self::InvalidNewExists => "3",
            Self::NotFound => "4",
            Self::Multiple => "5",
            Self::Unknown(code) => code,
        }
    }
}

/// A processing result (処理結果コード, メッセージ) that came with a success, for example: the certificate expires soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessingNote {
    /// 処理結果コード.
    pub code: String,
    /// 処理結果メッセージ.
    pub message: String,
}

/// One answer of the central system: when it was processed, for which day, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The central system's own id of this result, if it sent one.
    pub upstream_id: Option<UpstreamResultId>,
    /// 処理実行日時: retention counts from its day in Japan time.
    pub processed_at: Timestamp,
    /// 資格確認日: the day the eligibility was confirmed for; can differ from the day of processing.
    pub confirmed_for: Date,
    /// 資格有効性.
    pub validity: Validity,
    /// A note that came with the success.
    pub note: Option<ProcessingNote>,
    /// 資格確認結果リスト: normally one; several for 複数該当; none for 該当資格なし.
    pub eligibilities: Vec<Eligibility>,
}

impl Confirmation {
    /// Whether eligibility information was shown: only such results are searchable afterwards
    /// (manual chapter 2, 再度資格確認結果を確認する場合).
    pub fn is_searchable(&self) -> bool {
        self.validity != Validity::NotFound && !self.eligibilities.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_eight_digits_and_real_days() {
        assert_eq!(parse_date("20240229"), Some(Date::constant(2024, 2, 29)));
        for text in ["", "2024229", "20230229", "2024-02-29", "２０２４０２２９", "20241301", "+2024010"]
        {
            assert_eq!(parse_date(text), None, "{text:?}");
        }
        assert_eq!(format_date(Date::constant(1954, 5, 2)), "19540502");
    }

    #[test]
    fn birthdate_1900_01_01_means_unknown() {
        let born =
            |text: &str| Eligibility::from_fields([(Field::Birthdate, Personal::new(text))]).birthdate();
        assert_eq!(born("19000101"), None);
        assert_eq!(born("19000102"), Some(Date::constant(1900, 1, 2)));
    }

    #[test]
    fn unknown_and_retired_codes_are_kept_and_named() {
        assert_eq!(Classification::from_code("03").label(), "欠番（旧：短期被保険者証（一般））");
        assert_eq!(Classification::from_code("Z9").label(), "不明な区分（Z9）");
        assert_eq!(Validity::from_code("8").code(), "8");
    }

    #[test]
    fn fields_keep_the_order_of_the_message_and_read_back_from_their_tags() {
        for field in Field::ALL {
            assert_eq!(Field::from_tag(field.tag()), Some(*field));
        }
        let eligibility = Eligibility::from_fields([
            (Field::ReferenceNumber, Personal::new("9")),
            (Field::Name, Personal::new("資格 太郎")),
            (Field::InsurerNumber, Personal::new("12345678")),
        ]);
        let order: Vec<_> = eligibility.iter().map(|(field, _)| field.tag()).collect();
        assert_eq!(order, ["InsurerNumber", "Name", "ReferenceNumber"]);
    }

    #[test]
    fn a_result_without_disclosed_fields_is_withheld() {
        assert!(Eligibility::default().is_withheld());
        assert!(Eligibility::from_fields([(Field::ReferenceNumber, Personal::new("9"))]).is_withheld());
        assert!(!Eligibility::from_fields([(Field::Name, Personal::new("資格 花子"))]).is_withheld());
    }
}
