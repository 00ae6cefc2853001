//! Selecting fields (`fields=`) of results that are rendered already, so that a poll is as small as the client likes.
//!
//! The names are those of the documented schemas: what is not documented cannot be selected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::value::RawValue;
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::wire;

/// Where the fields of a person's eligibilities are.
const NESTED: &str = "eligibilities";

/// The names of a schema's properties.
fn names<T: PartialSchema>() -> BTreeSet<String> {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object.properties.keys().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

static OF_RESULT: LazyLock<BTreeSet<String>> = LazyLock::new(names::<wire::EligibilityResult>);
static OF_ELIGIBILITY: LazyLock<BTreeSet<String>> = LazyLock::new(names::<wire::Eligibility>);

/// The fields a client wants; the result's number is always among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    result: BTreeSet<&'static str>,
    /// Fields of each eligibility; none: whole eligibilities, if at all.
    eligibility: BTreeSet<&'static str>,
}

impl Fields {
    /// Reads names; `None` if one of them is not known, or there is none.
    pub(crate) fn read<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut fields = Self { result: BTreeSet::from(["id"]), eligibility: BTreeSet::new() };
        let mut whole = false;
        let mut any = false;
        for name in wanted {
            any = true;
            if let Some(nested) = name.strip_prefix(NESTED).and_then(|rest| rest.strip_prefix('.')) {
                fields.eligibility.insert(OF_ELIGIBILITY.get(nested)?);
                fields.result.insert(NESTED);
            } else {
                whole |= name == NESTED;
                fields.result.insert(OF_RESULT.get(name)?);
            }
        }
        if whole {
            fields.eligibility.clear();
        }
        any.then_some(fields)
    }

    /// The chosen fields of a rendered result. What is no JSON object stays as it is: it was not made by us.
    pub(crate) fn select(&self, body: Vec<u8>) -> Vec<u8> {
        self.chosen(&body).unwrap_or(body)
    }

    fn chosen(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut result: BTreeMap<&str, &RawValue> = serde_json::from_slice(body).ok()?;
        result.retain(|name, _| self.result.contains(name));
        let nested = match result.get(NESTED) {
            Some(people) if !self.eligibility.is_empty() => Some(self.nested(people)?),
            _ => None,
        };
        if let Some(people) = &nested {
            result.insert(NESTED, people);
        }
        serde_json::to_vec(&result).ok()
    }

    fn nested(&self, people: &RawValue) -> Option<Box<RawValue>> {
        let mut people: Vec<BTreeMap<&str, &RawValue>> = serde_json::from_str(people.get()).ok()?;
        for person in &mut people {
            person.retain(|name, _| self.eligibility.contains(name));
        }
        serde_json::value::to_raw_value(&people).ok()
    }
}

/// Reads an optional list of names, separated by commas.
pub(crate) fn of_query(text: Option<&str>) -> Option<Fields> {
    text.and_then(|text| Fields::read(text.split(',')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(fields: &str) -> String {
        let body = r#"{"id":7,"version":2,"inquiry_number":"K\"1","eligibilities":[{"name":"資格 太郎","sex1":"1"},{}]}"#;
        let fields = Fields::read(fields.split(',')).expect("known names");
        String::from_utf8(fields.select(body.as_bytes().to_vec())).expect("UTF-8")
    }

    #[test]
    fn what_is_selected_is_what_comes_and_the_number_always() {
        assert_eq!(select("version"), r#"{"id":7,"version":2}"#);
        assert_eq!(select("inquiry_number,note"), r#"{"id":7,"inquiry_number":"K\"1"}"#);
        assert_eq!(select("eligibilities.name"), r#"{"eligibilities":[{"name":"資格 太郎"},{}],"id":7}"#);
        let whole = r#"{"eligibilities":[{"name":"資格 太郎","sex1":"1"},{}],"id":7}"#;
        assert_eq!(select("eligibilities"), whole);
        assert_eq!(select("eligibilities.sex1,eligibilities"), whole);
    }

    #[test]
    fn unknown_names_are_refused() {
        for fields in
            ["", "name", "id,", "ID", "eligibilities.", "eligibilities.id", "validity.code", "id, version"]
        {
            assert_eq!(Fields::read(fields.split(',')), None, "{fields:?}");
        }
        assert_eq!(Fields::read([]), None);
    }
}
