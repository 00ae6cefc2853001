//! Bad input, generated from the contract: for every operation, every parameter and every field of its body, values that the document
//! rules out.

use serde_json::{Map, Value, json};

use crate::contract::{Contract, Operation};

/// A request that must be refused.
pub struct Case {
    /// Its operation.
    pub operation: Operation,
    /// Path and query.
    pub target: String,
    /// Its body, if the operation takes one.
    pub body: Option<Vec<u8>>,
    /// The field that is to blame; `None` if it is the whole request.
    pub field: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// Their lengths and forms are rules of the field with codes of their own, judged behind the contract.
const JUDGED_BEHIND: &[&str] = &["pin", "inquiry_number", "insurance"];

/// Every case of the committed contract.
pub fn cases(contract: &Contract) -> Vec<Case> {
    let mut all = Vec::new();
    for operation in contract.operations() {
        let good = contract.sample_body(&operation);
        let path = operation.path.replace("{id}", "1");
        let case = |target: String, body: Option<Vec<u8>>, field: Option<String>, what: String| Case {
            operation: operation.clone(),
            target,
            body,
            field,
            what,
        };
        let bytes = |body: &Value| body.to_string().into_bytes();
        let good_bytes = good.as_ref().map(bytes);
        for parameter in contract.parameters(&operation) {
            let name = parameter["name"].as_str().unwrap_or_default();
            let schema = contract.resolved(&parameter["schema"]).clone();
            for (value, what) in bad_texts(&schema, parameter["in"] == "path") {
                let target = match parameter["in"].as_str() {
                    Some("path") => operation.path.replace(&format!("{{{name}}}"), &value),
                    Some("query") => format!("{path}?{name}={value}"),
                    _ => continue,
                };
                all.push(case(target, good_bytes.clone(), Some(name.to_owned()), what));
            }
            if parameter["in"] == "query" {
                let twice = format!("{path}?{name}=1&{name}=1");
                all.push(case(twice, good_bytes.clone(), Some(name.to_owned()), "twice".to_owned()));
            }
        }
        if operation.has_query {
            let unknown = Some("no_such_parameter".to_owned());
            all.push(case(format!("{path}?no_such_parameter=1"), None, unknown, "unknown".to_owned()));
        }
        let Some(good) = good else { continue };
        let twice = format!("{good} {good}");
        for (text, what) in [
            ("", "empty"),
            ("{", "half"),
            ("[]", "a list"),
            ("\"x\"", "a text"),
            ("null", "null"),
            (twice.as_str(), "two of them"),
        ] {
            all.push(case(path.clone(), Some(text.into()), None, what.to_owned()));
        }
        let mut other_charset = bytes(&good);
        other_charset.splice(1..1, *b"\"\x8e\x91\x8a\x69\":1,");
        all.push(case(path.clone(), Some(other_charset), None, "Shift_JIS".to_owned()));
        let schema = contract.body_schema(&operation);
        for (body, field, what) in bad_objects(contract, &schema, &good) {
            all.push(case(path.clone(), Some(bytes(&body)), Some(field), what));
        }
    }
    all
}

/// Bad values of a parameter, percent-encoded.
fn bad_texts(schema: &Value, is_path: bool) -> Vec<(String, String)> {
    let mut bad: Vec<(String, String)> = vec![("%FF".to_owned(), "no UTF-8".to_owned())];
    let mut add = |value: String, what: &str| bad.push((value, what.to_owned()));
    match kind(schema) {
        "integer" => {
            for value in ["x", "1.5", "1e3", "0x1", "99999999999999999999", "%E4%B8%80", "%20"] {
                add(value.to_owned(), "no such number");
            }
            if let Some(least) = schema["minimum"].as_i64() {
                add((least - 1).to_string(), "too small");
            }
            if let Some(most) = schema["maximum"].as_i64() {
                add((most + 1).to_string(), "too large");
            }
        }
        "boolean" => add("yes".to_owned(), "neither true nor false"),
        "string" if !words(schema).is_empty() => add("no_such_word".to_owned(), "no such word"),
        "string" if schema["format"] == "date" => {
            for value in ["x", "20260701", "2026-7-1", "2026-07-01T00:00:00", "%EF%BC%92026-07-01"] {
                add(value.to_owned(), "no such date");
            }
        }
        "string" if !is_path => {
            if schema["minLength"].as_u64() >= Some(1) {
                add(String::new(), "empty");
            }
            if let Some(most) = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
                add("a".repeat(most + 1), "too long");
            }
        }
        _ => {}
    }
    bad
}

/// Bad variants of a good object: the object, the field to blame, and why.
fn bad_objects(contract: &Contract, schema: &Value, good: &Value) -> Vec<(Value, String, String)> {
    let mut bad = Vec::new();
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    bad.push((with("no_such_field", json!(1)), "no_such_field".to_owned(), "unknown".to_owned()));
    for (name, property) in properties {
        let takes_null = takes_null(property);
        let property = contract.resolved(property);
        let is_required = required.contains(&json!(name));
        for (value, what) in bad_values(name, property, takes_null) {
            bad.push((with(name, value), name.clone(), what));
        }
        if is_required {
            let mut without = good.clone();
            if let Some(object) = without.as_object_mut() {
                object.remove(name);
            }
            bad.push((without, name.clone(), "missing".to_owned()));
        }
        let inner_good = contract.sample(property);
        if kind(property) == "object" && property["properties"].is_object() {
            for (inner, field, what) in bad_objects(contract, property, &inner_good) {
                let whole =
                    if what == "unknown" || what == "missing" { field } else { format!("{name}.{field}") };
                bad.push((with(name, inner), whole, what));
            }
        }
    }
    bad
}

fn bad_values(name: &str, schema: &Value, takes_null: bool) -> Vec<(Value, String)> {
    let wrong_type = |values: &[Value]| -> Vec<(Value, String)> {
        values.iter().map(|value| (value.clone(), format!("another type: {value}"))).collect()
    };
    let mut bad = match kind(schema) {
        "string" => wrong_type(&[json!(1), json!(true), json!(["x"]), json!({ "x": 1 })]),
        "integer" => wrong_type(&[json!("1"), json!(1.5), json!(true), json!([1]), json!(1e300)]),
        "boolean" => wrong_type(&[json!("true"), json!(1), json!([true])]),
        "array" => wrong_type(&[json!("x"), json!(1), json!({ "x": 1 })]),
        "object" => wrong_type(&[json!("x"), json!(1), json!(true)]),
        _ => Vec::new(),
    };
    if !takes_null {
        bad.push((Value::Null, "null".to_owned()));
    }
    if !words(schema).is_empty() {
        bad.push((json!("no_such_word"), "no such word".to_owned()));
    } else if kind(schema) == "string" && !JUDGED_BEHIND.contains(&name) && !name.starts_with("insur") {
        if schema["minLength"].as_u64() >= Some(1) {
            bad.push((json!(""), "empty".to_owned()));
        }
        if let Some(most) = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
            bad.push((json!("a".repeat(most + 1)), "too long".to_owned()));
        }
    }
    bad
}

/// Whether the document lets a property be null.
fn takes_null(property: &Value) -> bool {
    let null = json!("null");
    let kinds = property["type"].as_array().cloned().unwrap_or_default();
    let one_of = property["oneOf"].as_array().cloned().unwrap_or_default();
    kinds.contains(&null) || one_of.iter().any(|one| one["type"] == null)
}

fn kind(schema: &Value) -> &str {
    schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default()
}

/// The words that a text must be one of.
fn words(schema: &Value) -> Vec<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return words.clone();
    }
    let one_of = schema["oneOf"].as_array().cloned().unwrap_or_default();
    one_of.iter().filter_map(|word| word.get("const").cloned()).collect()
}
