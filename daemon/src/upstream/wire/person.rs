//! `ResultOfQualificationConfirmation`: one person's fields, kept as received.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::domain::eligibility::{Eligibility, Field};
use crate::domain::personal::Personal;

/// The element that holds the fields of 高齢受給者証.
const ELDERLY_RECIPIENT: &str = "ElderlyRecipientCertificateInfo";

/// `ResultList`, absent for 該当資格なし.
#[derive(Default)]
pub(super) struct Entries(Vec<Entry>);

impl Entries {
    /// Each person's fields; an entry without any is information withheld in full (不開示).
    pub(super) fn into_eligibilities(self) -> Vec<Eligibility> {
        let fields = |entry: Entry| entry.result_of_qualification_confirmation.map(|person| person.0);
        self.0.into_iter().map(|entry| Eligibility::from_fields(fields(entry).unwrap_or_default())).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    result_of_qualification_confirmation: Option<Person>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(List)
    }
}

/// Converters from XML write a list of one as the element itself, and an empty list as nothing.
///
/// Not serde's `untagged`: that would try the second form after an error in the first, and a derived struct also reads
/// from a list, so that a refused person would come out as one whose information is withheld.
struct List;

impl<'de> Visitor<'de> for List {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entries, A::Error> {
        Entry::deserialize(MapAccessDeserializer::new(map)).map(|entry| Entries(vec![entry]))
    }

    fn visit_unit<E>(self) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Entries, E> {
        if text.is_empty() { Ok(Entries::default()) } else { Err(E::custom("text where a list belongs")) }
    }
}

struct Person(BTreeMap<Field, Personal>);

impl<'de> Deserialize<'de> for Person {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::new();
        deserializer.deserialize_any(Fields { into: &mut fields, nested: false })?;
        Ok(Self(fields))
    }
}

/// Collects known fields, skips unknown tags, and refuses a field that comes twice: nobody could say which one counts.
struct Fields<'a> {
    into: &'a mut BTreeMap<Field, Personal>,
    nested: bool,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of one person")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(tag) = map.next_key::<String>()? {
            if tag == ELDERLY_RECIPIENT && !self.nested {
                map.next_value_seed(Nested { into: self.into })?;
            } else if let Some(field) = Field::from_tag(&tag) {
                // An empty element means the same as none. Numbers are refused: their leading zeros would be lost.
                let value: Option<String> = map.next_value()?;
                if let Some(value) = value.filter(|value| !value.is_empty())
                    && self.into.insert(field, Personal::new(value)).is_some()
                {
                    return Err(A::Error::custom("a field comes twice"));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    /// The JSON form of an empty XML element.
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.is_empty() { Ok(()) } else { Err(E::custom("text where fields belong")) }
    }
}

struct Nested<'a> {
    into: &'a mut BTreeMap<Field, Personal>,
}

impl<'de> serde::de::DeserializeSeed<'de> for Nested<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Fields { into: self.into, nested: true })
    }
}
