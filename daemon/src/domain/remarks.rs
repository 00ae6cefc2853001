//! Remarks: what staff should know about a result besides its fields (manual chapter 2, 資格確認結果の取扱い・留意事項).
//!
//! A remark never blocks anything and never changes a field.

use super::eligibility::{Classification, Eligibility, Field};

/// How much of a person's eligibility is disclosed (不開示: DV and abuse cases).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure {
    /// Everything that is normally there is there.
    Full,
    /// Fields that are never blank otherwise are missing.
    Part,
    /// Nothing was disclosed.
    Nothing,
}

/// Judges from the fields that no insurer leaves blank: name, birth date and insurer number.
pub fn disclosure(eligibility: &Eligibility) -> Disclosure {
    if eligibility.is_withheld() {
        return Disclosure::Nothing;
    }
    let always = [Field::Name, Field::Birthdate, Field::InsurerNumber];
    if always.into_iter().all(|field| eligibility.get(field).is_some()) {
        Disclosure::Full
    } else {
        Disclosure::Part
    }
}

/// Something to know about a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// A code this version does not know; the value is shown as received.
    UnknownCode(Field),
    /// A classification retired on 2024-12-02 (欠番).
    RetiredClassification,
    /// ● stands for a character outside the system's repertoire; usable in claims as it is.
    ReplacedCharacter,
    /// The birth date is unknown (1900-01-01, 医療扶助 only).
    BirthdateUnknown,
    /// Legal name or register sex on the back (裏面記載情報).
    BackOfCard,
    /// A reason of loss is set, possibly before the loss itself.
    LossAnnounced,
    /// 医療扶助: 施術券 is not shown.
    MedicalAssistance,
    /// Part of the information is withheld.
    PartlyWithheld,
}

impl Remark {
    /// The sentence for staff.
    pub fn message(self) -> String {
        match self {
            Self::UnknownCode(field) => {
                format!("{}に、この版の知らないコードがあります。受け取った値のまま表示しています。", field.tag())
            }
            Self::RetiredClassification => {
                "令和6年12月2日に欠番となった区分です。当時の意味とあわせて確認してください。".to_owned()
            }
            Self::ReplacedCharacter => {
                "扱えない文字が「●」で表示されています。このままレセプト請求に使えます。".to_owned()
            }
            Self::BirthdateUnknown => "生年月日が不明のため、1900年1月1日が設定されています。".to_owned(),
            Self::BackOfCard => "裏面記載情報（本名または戸籍上の性別）があります。要配慮情報として扱ってください。".to_owned(),
            Self::LossAnnounced => {
                "資格喪失事由が設定されています。75歳到達日など、喪失前に設定されることもあります。".to_owned()
            }
            Self::MedicalAssistance => {
                "医療扶助です。施術券情報は表示されないため、必要書類の確認や福祉事務所への照会を行ってください。".to_owned()
            }
            Self::PartlyWithheld => {
                "資格情報の一部が非表示です。患者が保険者に情報不開示の申請をしていることがあります。".to_owned()
            }
        }
    }
}

/// All remarks on one person's eligibility.
pub fn remarks(eligibility: &Eligibility) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = CODED
        .iter()
        .filter(|(field, known)| is_unknown(eligibility, *field, known))
        .map(|(field, _)| Remark::UnknownCode(*field))
        .collect();
    let classification = eligibility.classification();
    match classification {
        Some(Classification::Retired(_)) => remarks.push(Remark::RetiredClassification),
        Some(Classification::Unknown(_)) => {
            remarks.push(Remark::UnknownCode(Field::InsuredCardClassification));
        }
        Some(Classification::MedicalAssistance) => remarks.push(Remark::MedicalAssistance),
        Some(
            Classification::General
            | Classification::SpecialMedicalExpenses
            | Classification::SelfDefenceForces,
        )
        | None => {}
    }
    let has = |field| eligibility.get(field).is_some();
    let conditions = [
        (eligibility.iter().any(|(_, value)| value.expose().contains('●')), Remark::ReplacedCharacter),
        (
            eligibility.get(Field::Birthdate).is_some_and(|date| date.expose() == "19000101"),
            Remark::BirthdateUnknown,
        ),
        (has(Field::NameOfOther) || has(Field::NameOfOtherKana) || has(Field::Sex2), Remark::BackOfCard),
        (has(Field::ReasonOfLoss), Remark::LossAnnounced),
        (disclosure(eligibility) == Disclosure::Part, Remark::PartlyWithheld),
    ];
    remarks.extend(conditions.into_iter().filter_map(|(holds, remark)| holds.then_some(remark)));
    remarks
}

/// Fields with a closed list of codes (reference: message dictionary); the classification has its own type.
const CODED: [(Field, &[&str]); 5] = [
    (Field::PersonalFamilyClassification, &["1", "2"]),
    (Field::Sex1, &["1", "2", "3"]),
    (Field::Sex2, &["1", "2", "3"]),
    (Field::PreschoolClassification, &["1"]),
    (Field::ReasonOfLoss, &["01", "02", "03", "99"]),
];

fn is_unknown(eligibility: &Eligibility, field: Field, known: &[&str]) -> bool {
    eligibility.get(field).is_some_and(|value| !known.contains(&value.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::personal::Personal;

    fn person(fields: &[(Field, &str)]) -> Eligibility {
        let ordinary = [
            (Field::InsuredCardClassification, "01"),
            (Field::InsurerNumber, "12345678"),
            (Field::Name, "資格 太郎"),
            (Field::Birthdate, "19540502"),
            (Field::Sex1, "1"),
        ];
        let all = ordinary.iter().chain(fields).map(|(field, value)| (*field, Personal::new(*value)));
        Eligibility::from_fields(all)
    }

    #[test]
    fn an_ordinary_result_needs_no_remark() {
        assert_eq!(remarks(&person(&[])), []);
        assert_eq!(disclosure(&person(&[])), Disclosure::Full);
    }

    #[test]
    fn each_case_of_the_manual_gets_its_remark() {
        for (fields, expected) in [
            (&[(Field::Name, "資格 ●太郎")][..], Remark::ReplacedCharacter),
            (&[(Field::Birthdate, "19000101")], Remark::BirthdateUnknown),
            (&[(Field::Sex2, "2")], Remark::BackOfCard),
            (&[(Field::NameOfOther, "他資格 太郎")], Remark::BackOfCard),
            (&[(Field::ReasonOfLoss, "99")], Remark::LossAnnounced),
            (&[(Field::InsuredCardClassification, "A1")], Remark::MedicalAssistance),
            (&[(Field::InsuredCardClassification, "02")], Remark::RetiredClassification),
            (
                &[(Field::InsuredCardClassification, "Z9")],
                Remark::UnknownCode(Field::InsuredCardClassification),
            ),
            (&[(Field::Sex1, "9")], Remark::UnknownCode(Field::Sex1)),
        ] {
            assert_eq!(remarks(&person(fields)), [expected], "{expected:?}");
        }
    }

    #[test]
    fn missing_fields_that_are_never_blank_mean_withheld_information() {
        let partly = Eligibility::from_fields([(Field::InsurerNumber, Personal::new("12345678"))]);
        assert_eq!(disclosure(&partly), Disclosure::Part);
        assert_eq!(remarks(&partly), [Remark::PartlyWithheld]);
        assert_eq!(disclosure(&Eligibility::default()), Disclosure::Nothing);
    }
}
