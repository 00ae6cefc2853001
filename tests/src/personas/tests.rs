//! The persona file holds every case and only legal values.

use std::collections::BTreeSet;

use daemon::domain::eligibility::{Classification, Validity};

use super::*;

/// One persona per case that the product must be shown with.
const REQUIRED: &[&str] = &[
    "taro",
    "hanako",
    "late-elderly",
    "elderly-recipient",
    "self-defence",
    "special-medical",
    "assistance",
    "assistance-unknown-birth",
    "assistance-as-kokuho",
    "black-circle",
    "level3-name",
    "lost-kanji",
    "no-kana",
    "large-kana",
    "alias",
    "sex-on-back",
    "sex-unset",
    "withheld-part",
    "withheld-full",
    "invalid",
    "invalid-new",
    "not-found",
    "multiple",
    "unregistered",
    "in-grace",
    "past-grace",
    "pin-locked",
    "infant",
    "preschool",
    "face-card",
    "android",
    "iphone",
    "changed-insurer-before",
    "changed-insurer",
    "loss-announced",
    "expiry-set",
    "retired-code",
    "unknown-code",
];

fn persona(name: &str) -> &'static Persona {
    Personas::builtin().by_name(name).unwrap_or_else(|| panic!("no persona {name}"))
}

fn value(name: &str, tag: &str) -> Option<&'static str> {
    persona(name).answer.results[0].get(tag).map(String::as_str)
}

#[test]
fn every_required_case_has_its_persona_and_names_are_unique() {
    let names: Vec<_> = Personas::builtin().iter().map(|persona| persona.name.as_str()).collect();
    for required in REQUIRED {
        assert!(names.contains(required), "{required} is missing");
    }
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for name in names {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
    }
}

#[test]
fn cards_are_possible() {
    for persona in Personas::builtin() {
        let card = &persona.card;
        assert!(parse_date(&persona.born).is_some(), "{}", persona.name);
        assert!(card.pin.len() == 4 && card.pin.bytes().all(|b| b.is_ascii_digit()), "{}", persona.name);
        assert!(card.tries_left <= 3, "{}", persona.name);
        assert!(!card.face_authentication || card.tries_left == 0, "{}", persona.name);
    }
}

#[test]
fn answers_use_known_tags_and_legal_values() {
    for persona in Personas::builtin() {
        let name = &persona.name;
        let validity = Validity::from_code(&persona.answer.validity);
        assert!(!matches!(validity, Validity::Unknown(_)), "{name}");
        assert_eq!(persona.answer.results.is_empty(), validity == Validity::NotFound, "{name}");
        assert_eq!(persona.answer.results.len() > 1, validity == Validity::Multiple, "{name}");
        for (result, fields) in persona.answer.results.iter().zip(persona.answer.fields()) {
            assert_eq!(result.len(), fields.len(), "{name} has a tag that the message does not know");
            for (field, value) in fields {
                assert!(is_legal(field, value), "{name}: {} is {value:?}", field.tag());
            }
        }
    }
}

/// The rules of the field dictionary; the one unknown 区分 is the point of its persona.
fn is_legal(field: Field, value: &str) -> bool {
    let characters = value.chars().count();
    let one_of = |codes: &[&str]| codes.contains(&value);
    match field {
        Field::InsuredCardClassification => {
            value == "Z9" || !matches!(Classification::from_code(value), Classification::Unknown(_))
        }
        Field::InsurerNumber => {
            value.len() == 8 && value.trim_start_matches(' ').bytes().all(|b| b.is_ascii_digit())
        }
        Field::InsuredCardSymbol | Field::InsuredIdentificationNumber => (1..=20).contains(&characters),
        Field::InsuredBranchNumber => value.len() == 2 && value.bytes().all(|b| b.is_ascii_digit()),
        Field::PersonalFamilyClassification => one_of(&["1", "2"]),
        Field::Sex1 | Field::Sex2 => one_of(&["1", "2", "3"]),
        Field::InsuredPartialContributionRatio | Field::ElderlyRecipientContributionRatio => {
            one_of(&["010", "020", "030"])
        }
        Field::PreschoolClassification => value == "1",
        Field::ReasonOfLoss => one_of(&["01", "02", "03", "99"]),
        Field::ReferenceNumber => (1..=50).contains(&characters),
        field if field.tag().contains("Date") || field == Field::Birthdate => parse_date(value).is_some(),
        _ => characters > 0,
    }
}

#[test]
fn blanks_follow_the_kind_of_insurance() {
    for persona in Personas::builtin() {
        for result in &persona.answer.results {
            let has = |field: Field| result.contains_key(field.tag());
            let insurer = result.get("InsurerNumber").map_or("", String::as_str);
            let late_elderly = insurer.starts_with("39");
            assert_eq!(has(Field::InsuredPartialContributionRatio), late_elderly, "{}", persona.name);
            if late_elderly || insurer.starts_with("12") {
                assert!(!has(Field::InsuredBranchNumber), "{}", persona.name);
                assert!(!has(Field::PersonalFamilyClassification), "{}", persona.name);
            }
            let assistance = result.get("InsuredCardClassification").is_some_and(|code| code == "A1");
            assert_eq!(assistance, insurer.starts_with("12"), "{}", persona.name);
            assert!(!(assistance && has(Field::InsuredName)), "{}", persona.name);
            if let Some(birthdate) = result.get("Birthdate") {
                assert!(*birthdate == persona.born || birthdate == "19000101", "{}", persona.name);
            }
        }
    }
}

#[test]
fn the_special_cases_are_what_their_names_say() {
    assert_eq!(value("late-elderly", "InsuredPartialContributionRatio"), Some("020"));
    assert_eq!(value("self-defence", "InsuredCardClassification"), Some("07"));
    assert_eq!(value("special-medical", "InsuredCardClassification"), Some("05"));
    assert_eq!(value("assistance-unknown-birth", "Birthdate"), Some("19000101"));
    assert!(value("black-circle", "Name").unwrap().contains('●'));
    assert!(value("level3-name", "Name").unwrap().chars().any(|c| u32::from(c) > 0xFFFF));
    assert_eq!(value("no-kana", "NameKana"), None);
    assert!(value("alias", "NameOfOther").is_some());
    assert!(persona("withheld-full").answer.results[0].is_empty());
    assert!(value("loss-announced", "ReasonOfLoss").is_some());
    assert_eq!(value("loss-announced", "DisqualificationDate"), None);
    assert!(value("expiry-set", "InsuredCardExpirationDate").is_some());
    assert!(!persona("unregistered").registered);
    assert!(!persona("infant").card.photo);
    assert_eq!(persona("pin-locked").card.tries_left, 0);
}

#[test]
fn one_person_is_found_under_the_old_and_the_new_insurer() {
    let personas = Personas::builtin();
    let (before, after) = (persona("changed-insurer-before"), persona("changed-insurer"));
    assert_eq!(before.person(), after.person());
    assert_ne!(before.identifiers()[0], after.identifiers()[0]);
    for identifiers in after.identifiers() {
        assert_eq!(personas.person_by_identifiers(&identifiers), Some(after.person()));
    }
    assert_eq!(after.identifiers().get(1), before.identifiers().first());
}
