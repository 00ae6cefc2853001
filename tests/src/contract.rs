//! Contract: holds every reply against the committed `openapi.yaml`.
//!
//! In the published document the schemas of answers are open, so that vendors tolerate new fields. Here they are closed:
//! our own replies must say nothing that is not documented.

#![expect(clippy::expect_used, reason = "test support: a broken document must stop the test")]

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::raw_http::Reply;

/// The committed document's file.
pub fn committed_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yaml"))
}

/// One documented operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its operation id.
    pub id: String,
    /// HTTP method, upper case.
    pub method: String,
    /// Path with its parameters in braces.
    pub path: String,
    /// Whether it needs a session.
    pub secured: bool,
    /// Whether it takes a JSON body.
    pub has_body: bool,
    /// Whether it takes a query.
    pub has_query: bool,
    /// The listeners on which it answers (`x-listeners`).
    pub listeners: Vec<String>,
    /// Every documented status with the problem codes it names.
    pub statuses: Vec<(u16, Vec<String>)>,
    /// The roles whose accounts may call it.
    pub roles: Vec<String>,
}

/// The document as every [`Contract`] of this process sees it: reading it and building its validators costs more than the answers
/// that are held against them.
static READ: LazyLock<Document> = LazyLock::new(|| {
    let text = include_str!("../../openapi.yaml");
    let whole: Value = serde_norway::from_str(text).expect("openapi.yaml is YAML");
    let mut closed = whole["components"]["schemas"].clone();
    close(&mut closed);
    Document { whole, closed, validators: Mutex::default() }
});

struct Document {
    whole: Value,
    closed: Value,
    /// By the text of their schema.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        validators.entry(schema.to_string()).or_insert_with(|| Arc::new(self.build(schema))).clone()
    }

    fn build(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        close(&mut schema);
        let root = json!({ "allOf": [schema], "components": { "schemas": self.closed } });
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&root)
            .expect("the document's schemas are JSON Schema")
    }
}

/// The committed contract, and which (operation, status) pairs were seen.
pub struct Contract {
    document: &'static Value,
    seen: Mutex<BTreeSet<(String, u16)>>,
}

impl Contract {
    /// Reads the committed document.
    pub fn committed() -> Self {
        Self { document: &READ.whole, seen: Mutex::default() }
    }

    /// Every documented operation.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.document["paths"].as_object().expect("paths");
        let methods = |item: &Value| item.as_object().cloned().unwrap_or_default();
        paths
            .iter()
            .flat_map(|(path, item)| methods(item).into_iter().map(move |entry| (path.clone(), entry)))
            .map(|(path, (method, operation))| read_operation(path, &method, &operation))
            .collect()
    }

    /// The document itself.
    pub fn document(&self) -> &'static Value {
        self.document
    }

    /// Holds a body against a schema of the document, closed.
    pub fn holds(&self, schema: &Value, body: &Value) -> Result<(), String> {
        Self::fits(schema, body)
    }

    /// The parameters of an operation, as they stand in the document.
    pub fn parameters(&self, operation: &Operation) -> Vec<Value> {
        self.item(operation)["parameters"].as_array().cloned().unwrap_or_default()
    }

    /// The schema of an operation's JSON body; `null` if it takes none.
    pub fn body_schema(&self, operation: &Operation) -> Value {
        let content = &self.item(operation)["requestBody"]["content"]["application/json"];
        self.resolved(&content["schema"]).clone()
    }

    fn item(&self, operation: &Operation) -> &Value {
        &self.document["paths"][&operation.path][&operation.method.to_lowercase()]
    }

    /// A body that an operation takes: what its schema requires or gives an example of; `None` if it takes none.
    pub fn sample_body(&self, operation: &Operation) -> Option<Value> {
        let schema = self.body_schema(operation);
        (!schema.is_null()).then(|| self.sample(&schema))
    }

    /// A value of a schema: its example, or the least that it takes.
    pub fn sample(&self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        if let Some(example) = schema.get("example").or_else(|| schema.get("const")) {
            return example.clone();
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        if let Some(first) = schema["oneOf"].get(0).or_else(|| schema["allOf"].get(0)) {
            return self.sample(first);
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match kind.unwrap_or("object") {
            "string" => json!("x"),
            "integer" | "number" => json!(1),
            "boolean" => json!(true),
            "array" => json!([self.sample(&schema["items"])]),
            _ => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let properties = schema["properties"].as_object().cloned().unwrap_or_default();
                let kept = properties.into_iter().filter(|(name, property)| {
                    required.contains(&json!(name)) || property.get("example").is_some()
                });
                Value::Object(kept.map(|(name, property)| (name, self.sample(&property))).collect())
            }
        }
    }

    /// The schema behind a reference, alone or beside `null`, or the schema itself.
    pub fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let parts = ["oneOf", "allOf"].iter().filter_map(|name| schema[*name].as_array()).flatten();
        let reference = std::iter::once(schema).chain(parts).find_map(|part| part["$ref"].as_str());
        let name = reference.and_then(|place| place.rsplit('/').next());
        name.map_or(schema, |name| &self.document["components"]["schemas"][name])
    }

    /// The (operation id, status) pairs seen so far.
    pub fn seen(&self) -> BTreeSet<(String, u16)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds a reply against the document; the error says what is wrong. `target` is the request's path and query.
    pub fn check(&self, method: &str, target: &str, reply: &Reply) -> Result<(), String> {
        let place = format!("{method} {target} answered {}", reply.status);
        headers_are_safe(reply).map_err(|fault| format!("{place}: {fault}"))?;
        let path = target.split('?').next().unwrap_or_default();
        let Some(operation) = self.find(method, path) else {
            return Self::outside(reply).map_err(|fault| format!("{place}: {fault}"));
        };
        let documented = &self.document["paths"][&operation.path][&operation.method.to_lowercase()]["responses"]
            [reply.status.to_string()];
        if documented.is_null() {
            return Err(format!("{place}, which {} does not document", operation.id));
        }
        Self::headers_fit(documented, reply).map_err(|fault| format!("{place}: {fault}"))?;
        Self::content_fits(documented, reply).map_err(|fault| format!("{place}: {fault}"))?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert((operation.id, reply.status));
        Ok(())
    }

    /// The operation of a request; a literal path goes before one with parameters.
    fn find(&self, method: &str, path: &str) -> Option<Operation> {
        let fits = |template: &str| {
            template.split('/').count() == path.split('/').count()
                && template
                    .split('/')
                    .zip(path.split('/'))
                    .all(|(want, got)| (want.starts_with('{') && !got.is_empty()) || want == got)
        };
        let mut found: Vec<_> =
            self.operations().into_iter().filter(|operation| fits(&operation.path)).collect();
        let literal = found.iter().any(|operation| !operation.path.contains('{'));
        found.retain(|operation| operation.method == method && !(literal && operation.path.contains('{')));
        found.pop()
    }

    /// Where no operation is, only these problems can be.
    fn outside(reply: &Reply) -> Result<(), String> {
        if ![403, 404, 405, 413, 503].contains(&reply.status) {
            return Err("no such operation is documented".to_owned());
        }
        if let Some((name, _)) = reply.headers.iter().find(|(name, _)| !is_usual(name) && !is_outside(name)) {
            return Err(format!("header {name} is on no answer of ours"));
        }
        Self::problem_fits(reply, None)
    }

    /// Every header that is not on any answer is documented for this one, and its value is of its schema.
    fn headers_fit(documented: &Value, reply: &Reply) -> Result<(), String> {
        for (name, value) in reply.headers.iter().filter(|(name, _)| !is_usual(name)) {
            let mut headers = documented["headers"].as_object().into_iter().flatten();
            let Some((_, header)) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
                return Err(format!("undocumented header {name}"));
            };
            let schema = &header["schema"];
            let number = value.parse::<i64>().ok().filter(|_| schema["type"] == "integer");
            Self::fits(schema, &number.map_or_else(|| json!(value), |number| json!(number)))
                .map_err(|fault| format!("header {name}: {fault}"))?;
        }
        Ok(())
    }

    fn content_fits(documented: &Value, reply: &Reply) -> Result<(), String> {
        let Some(content) = documented["content"].as_object() else {
            return if reply.body.is_empty() {
                Ok(())
            } else {
                Err("a body, but none is documented".to_owned())
            };
        };
        let whole = reply.header("content-type").unwrap_or_default();
        let kind = whole.split(';').next().unwrap_or_default();
        let Some(media) = content.get(kind) else {
            return Err(format!("undocumented content type {whole:?}"));
        };
        match kind {
            "application/problem+json" => Self::problem_fits(reply, documented["description"].as_str()),
            json if json == "application/json" || json.ends_with("+json") => {
                Self::fits(&media["schema"], &parse(reply)?)
            }
            _ => Self::fits(
                &media["schema"],
                &Value::String(String::from_utf8_lossy(&reply.body).into_owned()),
            ),
        }
    }

    /// A problem has its status and code in it, and the code is one that the operation documents.
    fn problem_fits(reply: &Reply, description: Option<&str>) -> Result<(), String> {
        let problem = parse(reply)?;
        Self::fits(&json!({ "$ref": "#/components/schemas/Problem" }), &problem)?;
        if problem["status"] != json!(reply.status) {
            return Err("the problem names another status".to_owned());
        }
        let code = problem["code"].as_str().unwrap_or_default();
        match description {
            Some(text) if !codes_in(text).iter().any(|documented| documented == code) => {
                Err(format!("code {code} is not documented for this operation"))
            }
            _ => Ok(()),
        }
    }

    fn fits(schema: &Value, body: &Value) -> Result<(), String> {
        let validator = READ.validator(schema);
        let faults: Vec<String> = validator
            .iter_errors(body)
            .map(|error| format!("{} at {}", error.kind().keyword(), error.instance_path()))
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(format!("body breaks its schema: {}", faults.join(", "))) }
    }
}

fn parse(reply: &Reply) -> Result<Value, String> {
    serde_json::from_slice(&reply.body).map_err(|_| "the body is not JSON".to_owned())
}

/// Headers that say how an answer travels and how it may be used, on whichever answer: the document names none of them.
fn is_usual(name: &str) -> bool {
    let travel = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "trailer",
        "transfer-encoding",
        "vary",
    ];
    let use_of_it = [
        "cache-control",
        "content-security-policy",
        "cross-origin-resource-policy",
        "referrer-policy",
        "x-content-type-options",
        "x-frame-options",
    ];
    travel.contains(&name) || use_of_it.contains(&name)
}

/// Headers of answers where no operation is: the methods there are, when to come back, and cookies that are taken away.
fn is_outside(name: &str) -> bool {
    ["allow", "retry-after", "set-cookie"].contains(&name)
}

fn headers_are_safe(reply: &Reply) -> Result<(), String> {
    let required = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ];
    // Without content there is nothing to guess about, to frame or to run.
    let required = if reply.status == 304 { &required[..1] } else { &required[..] };
    if let Some((name, _)) = required.iter().find(|(name, value)| reply.header(name) != Some(value)) {
        return Err(format!("header {name} is missing or different"));
    }
    match reply.headers.iter().find(|(name, _)| name.starts_with("access-control-")) {
        Some((name, _)) => Err(format!("a CORS header was sent: {name}")),
        None => Ok(()),
    }
}

fn read_operation(path: String, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let responses = operation["responses"].as_object().expect("an operation has responses");
    Operation {
        id: operation["operationId"].as_str().expect("an operation has an id").to_owned(),
        method: method.to_uppercase(),
        path,
        secured: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
        has_body: operation.get("requestBody").is_some(),
        roles: strings(&operation["security"][0]["bearer"]),
        has_query: parameters.iter().any(|parameter| parameter["in"] == "query"),
        listeners: operation["x-listeners"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| word.as_str().map(ToOwned::to_owned))
            .collect(),
        statuses: responses
            .iter()
            .map(|(status, response)| {
                let description = response["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{method} answer {status} has no description");
                (status.parse().expect("statuses are enumerated"), codes_in(description))
            })
            .collect(),
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// The problem codes that a description lists as `` `code`: title``.
fn codes_in(description: &str) -> Vec<String> {
    description
        .lines()
        .filter_map(|line| line.strip_prefix('`')?.split_once("`: "))
        .map(|(code, _)| code.to_owned())
        .collect()
}

/// Closes every object schema that does not say otherwise.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && is_schema(object) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_schema(object: &Map<String, Value>) -> bool {
    object.get("type").is_some_and(|kind| kind == "object")
}
