//! Merging (突合): when a result fetched from the central system is one that is stored already, and what of it may change.
//!
//! The facility's terminals and phones all leave their results at the central system, and so do our own checks. A result
//! is stored once: the central system's own id decides where both sides have it; a check of ours whose confirmation
//! carried none is recognised by its second, its validity and its content. Nothing here ever lets a result change the
//! row of somebody else.

use std::collections::BTreeSet;

use super::eligibility::{Confirmation, Eligibility, Field};
use super::identifiers::{InquiryNumber, InsuranceIdentifiers};
use super::personal::Personal;

/// Whether two confirmations are one result. Two different ids are two results, however equal the rest is.
pub fn is_same(one: &Confirmation, other: &Confirmation) -> bool {
    match (&one.upstream_id, &other.upstream_id) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => has_same_content(one, other),
    }
}

/// The same second, validity and content. Where nobody can be recognised, the inquiry number must be the same as well:
/// it is all that could tell two people apart.
fn has_same_content(one: &Confirmation, other: &Confirmation) -> bool {
    is_equal_but_for_the_number(one, other)
        && (!persons(one).is_empty() || received_inquiry_number(one) == received_inquiry_number(other))
}

fn is_equal_but_for_the_number(one: &Confirmation, other: &Confirmation) -> bool {
    one.processed_at.as_second() == other.processed_at.as_second()
        && one.confirmed_for == other.confirmed_for
        && one.validity == other.validity
        && content(one) == content(other)
}

/// What was found, in no particular order, without the inquiry number: that follows the person and may change.
fn content(confirmation: &Confirmation) -> Vec<Vec<(Field, &str)>> {
    let mut people: Vec<_> = confirmation.eligibilities.iter().map(fields).collect();
    people.sort_unstable();
    people
}

fn fields(eligibility: &Eligibility) -> Vec<(Field, &str)> {
    let kept = eligibility.iter().filter(|(field, _)| *field != Field::ReferenceNumber);
    kept.map(|(field, value)| (field, value.expose())).collect()
}

/// The people a result names, as the central system tells people apart. Blank identifiers name nobody.
fn persons(confirmation: &Confirmation) -> BTreeSet<Vec<u8>> {
    let named = confirmation.eligibilities.iter().filter_map(identified);
    named.map(|person| person.fingerprint()).collect()
}

fn identified(eligibility: &Eligibility) -> Option<InsuranceIdentifiers> {
    let blank = |value: &Personal| value.expose().trim().is_empty();
    InsuranceIdentifiers::of(eligibility)
        .filter(|person| !blank(&person.insurer_number) && !blank(&person.number))
}

/// The one person a result is about; `None` if that is not certain: nobody or several are shown, or the identifiers are
/// withheld.
pub fn person(confirmation: &Confirmation) -> Option<InsuranceIdentifiers> {
    let [only] = confirmation.eligibilities.as_slice() else { return None };
    identified(only)
}

/// Why nobody can say for whom a number is that was asked for by a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncertain {
    /// The result names no insurance.
    Nobody,
    /// It names several.
    Several,
}

/// For whom a number is that is asked for by a result: the one insurance that it names, also if parts of it are withheld.
pub fn asked_for(confirmation: &Confirmation) -> Result<InsuranceIdentifiers, Uncertain> {
    let mut named = confirmation.eligibilities.iter().filter_map(InsuranceIdentifiers::of);
    let first = named.next().ok_or(Uncertain::Nobody)?;
    if named.any(|other| other != first) { Err(Uncertain::Several) } else { Ok(first) }
}

/// The inquiry number (照会番号) the central system sent with a result: the only one among its eligibilities.
pub fn received_inquiry_number(confirmation: &Confirmation) -> Option<InquiryNumber> {
    let mut numbers = confirmation.eligibilities.iter().filter_map(|eligibility| {
        InquiryNumber::parse(eligibility.get(Field::ReferenceNumber)?.expose()).ok()
    });
    let first = numbers.next()?;
    numbers.all(|number| number == first).then_some(first)
}

/// What a fetched result means for the stored one that is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The number the stored result is to have from now on.
    pub number: Option<InquiryNumber>,
    /// Something else differs; it is kept as first stored, and somebody should look at the other side.
    pub conflict: bool,
}

/// Compares a fetched result with the stored one that it is. Only the inquiry number may follow the central system, and
/// only where both name the same people; a number that is missing takes nothing away.
pub fn difference(
    stored: &Confirmation,
    number: Option<&InquiryNumber>,
    fetched: &Confirmation,
) -> Difference {
    let conflict = !is_equal_but_for_the_number(stored, fetched);
    let people = persons(stored);
    let same_people = !people.is_empty() && people == persons(fetched);
    let sent = received_inquiry_number(fetched).filter(|sent| same_people && Some(sent) != number);
    Difference { number: sent, conflict }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::super::eligibility::Validity;
    use super::super::identifiers::UpstreamResultId;
    use super::*;

    fn person(number: &str, name: &str, reference: Option<&str>) -> Eligibility {
        let fields = [
            (Field::InsurerNumber, "  138057"),
            (Field::InsuredIdentificationNumber, number),
            (Field::Name, name),
        ];
        let fields = fields.map(|(field, value)| (field, Personal::new(value)));
        Eligibility::from_fields(
            fields.into_iter().chain(reference.map(|number| (Field::ReferenceNumber, Personal::new(number)))),
        )
    }

    fn result(id: &str, at: &str, people: Vec<Eligibility>) -> Confirmation {
        Confirmation {
            upstream_id: UpstreamResultId::parse(id).ok(),
            processed_at: at.parse().unwrap(),
            confirmed_for: Date::constant(2026, 7, 8),
            validity: Validity::Valid,
            note: None,
            eligibilities: people,
        }
    }

    const NOON: &str = "2026-07-08T03:00:00Z";

    fn taro() -> Vec<Eligibility> {
        vec![person("1", "資格 太郎", None)]
    }

    #[test]
    fn ids_decide_where_both_have_one_and_content_otherwise() {
        let other_day =
            Confirmation { confirmed_for: Date::constant(2026, 7, 1), ..result("", NOON, taro()) };
        let invalid = Confirmation { validity: Validity::Invalid, ..result("", NOON, taro()) };
        for (one, other, same) in [
            (result("A", NOON, taro()), result("A", NOON, taro()), true),
            (result("A", NOON, taro()), result("B", NOON, taro()), false),
            (result("A", NOON, taro()), result("A", "2026-07-08T03:00:09Z", Vec::new()), true),
            (result("", NOON, taro()), result("A", NOON, taro()), true),
            (result("", NOON, taro()), result("", "2026-07-08T03:00:00.9Z", taro()), true),
            (result("", NOON, taro()), result("A", "2026-07-08T03:00:01Z", taro()), false),
            (result("", NOON, taro()), result("A", NOON, vec![person("2", "資格 太郎", None)]), false),
            (result("", NOON, taro()), result("A", NOON, vec![person("1", "資格 太郎", Some("K-1"))]), true),
            (other_day, result("A", NOON, taro()), false),
            (invalid, result("A", NOON, taro()), false),
        ] {
            assert_eq!(is_same(&one, &other), same, "{one:?} {other:?}");
            assert_eq!(is_same(&other, &one), same, "{other:?} {one:?}");
        }
    }

    #[test]
    fn several_insurances_are_the_same_in_any_order() {
        let (one, other) = (person("1", "一", None), person("2", "二", None));
        let forth = result("", NOON, vec![one.clone(), other.clone()]);
        let back = result("A", NOON, vec![other.clone(), one.clone()]);
        assert!(is_same(&forth, &back));
        assert!(!is_same(&forth, &result("A", NOON, vec![one.clone(), one])));
    }

    /// A withheld result shows nothing but its number, so the number must tell people apart.
    #[test]
    fn withheld_results_of_two_people_are_never_one() {
        let withheld =
            |number: &str| vec![Eligibility::from_fields([(Field::ReferenceNumber, Personal::new(number))])];
        assert!(!is_same(&result("", NOON, withheld("K-1")), &result("A", NOON, withheld("K-2"))));
        assert!(is_same(&result("", NOON, withheld("K-1")), &result("A", NOON, withheld("K-1"))));
        let changed = difference(
            &result("A", NOON, withheld("K-1")),
            InquiryNumber::parse("K-1").ok().as_ref(),
            &result("A", NOON, withheld("K-2")),
        );
        assert_eq!(changed, Difference { number: None, conflict: false });
    }

    #[test]
    fn only_the_number_follows_and_only_for_the_same_person() {
        let number = |text: &str| InquiryNumber::parse(text).ok();
        let stored = result("A", NOON, vec![person("1", "資格 太郎", Some("K-1"))]);
        for (people, known, sent, conflict) in [
            (vec![person("1", "資格 太郎", Some("K-1"))], "K-1", None, false),
            (vec![person("1", "資格 太郎", Some("K-2"))], "K-1", number("K-2"), false),
            (vec![person("1", "資格 太郎", Some("K-1"))], "", number("K-1"), false),
            (vec![person("1", "資格 太郎", None)], "K-1", None, false),
            (vec![person("1", "別名 太郎", Some("K-2"))], "K-1", number("K-2"), true),
            (vec![person("2", "資格 花子", Some("K-9"))], "K-1", None, true),
            (Vec::new(), "K-1", None, true),
        ] {
            let found = difference(&stored, number(known).as_ref(), &result("A", NOON, people.clone()));
            assert_eq!(found, Difference { number: sent, conflict }, "{people:?}");
        }
    }
}
