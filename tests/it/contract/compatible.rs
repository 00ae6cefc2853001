//! The contract only grows: what was promised in the baseline still holds, until the version says otherwise.
//!
//! The baseline is the last released contract without its prose. `UPDATE_BASELINE=1 cargo test -p harness --test it
//! contract::compatible` writes it anew: at a release, and when the version was raised for an incompatible change.

use std::path::PathBuf;

use harness::contract::Contract;
use serde_json::{Value, json};

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/it/contract/baseline.json"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by a variable, as in insta")]
fn the_contract_keeps_what_its_version_promised() {
    let current = bare(Contract::committed().document());
    if std::env::var_os("UPDATE_BASELINE").is_some() {
        let text = serde_json::to_string_pretty(&current).unwrap();
        std::fs::write(path(), text + "\n").unwrap();
    }
    let baseline: Value = serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap();
    if line(&baseline) != line(&current) {
        return;
    }
    let broken = differences(&baseline, &current);
    assert!(
        broken.is_empty(),
        "incompatible with the contract of version {}:\n{}\nKeep it; or, if it was never released or the version was raised, bless it as {} says.",
        baseline["info"]["version"],
        broken.join("\n"),
        file!()
    );
}

/// The part of the version that incompatible changes raise.
fn line(document: &Value) -> (u64, u64) {
    let version = document["info"]["version"].as_str().unwrap();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap());
    let (major, minor) = (numbers.next().unwrap(), numbers.next().unwrap());
    (major, if major == 0 { minor } else { 0 })
}

/// The document without what only people read.
fn bare(document: &Value) -> Value {
    match document {
        Value::Object(object) => {
            // A property can be called like a word of the document: what holds text is prose.
            let prose = |name: &str, value: &Value| {
                is_error(name)
                    || (["description", "summary", "title"].contains(&name) && value.is_string())
                    || ["example", "examples"].contains(&name) && !value.is_object()
                    || name == "example"
                    || ["tags", "servers"].contains(&name)
            };
            object
                .iter()
                .filter(|(name, value)| !prose(name, value))
                .map(|(name, value)| (name.clone(), bare(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// Errors have one form, and codes may come and go.
fn is_error(status: &str) -> bool {
    status.len() == 3 && status.starts_with(['4', '5']) && status.bytes().all(|byte| byte.is_ascii_digit())
}

/// Everything that a client of the old document could trip over.
fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (path, item) in entries(&old["paths"]) {
        for (method, operation) in entries(item) {
            let place = format!("{} {path}", method.to_uppercase());
            let now = &new["paths"][path][method];
            if now.is_null() {
                found.push(format!("{place}: is gone"));
            } else {
                let between = Between { old, new, place, found: &mut found };
                between.operation(operation, now);
            }
        }
    }
    found
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Who sends what a schema describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Daemon,
}

struct Between<'a> {
    old: &'a Value,
    new: &'a Value,
    place: String,
    found: &'a mut Vec<String>,
}

impl Between<'_> {
    fn say(&mut self, at: &str, what: &str) {
        self.found.push(format!("{}{at}: {what}", self.place));
    }

    fn operation(mut self, old: &Value, new: &Value) {
        if old["operationId"] != new["operationId"] {
            self.say("", "has another operationId: generated clients name their functions after it");
        }
        if old["security"].is_null() && !new["security"].is_null() {
            self.say("", "needs a session now");
        }
        let roles = |operation: &Value| items(&operation["security"][0]["bearer"]).to_vec();
        for role in roles(old).iter().filter(|role| !roles(new).contains(role)) {
            self.say("", &format!("is closed to the role {role}"));
        }
        self.parameters(items(&old["parameters"]), items(&new["parameters"]));
        let (body, now) = (&old["requestBody"], &new["requestBody"]);
        if body.is_null() && now["required"] == true {
            self.say("", "needs a body now");
        }
        for (kind, media) in entries(&body["content"]) {
            self.media(Sender::Client, &format!(" body {kind}"), media, &now["content"][kind]);
        }
        for (status, response) in entries(&old["responses"]).filter(|(status, _)| status.starts_with('2')) {
            let now = &new["responses"][status];
            if now.is_null() {
                self.say("", &format!("does not answer {status} any more"));
                continue;
            }
            for (name, _) in entries(&response["headers"]).filter(|(name, _)| now["headers"][name].is_null())
            {
                self.say(&format!(" {status} header {name}"), "is gone");
            }
            for (kind, media) in entries(&response["content"]) {
                self.media(Sender::Daemon, &format!(" {status} {kind}"), media, &now["content"][kind]);
            }
        }
    }

    fn parameters(&mut self, old: &[Value], new: &[Value]) {
        let key = |parameter: &Value| (parameter["in"].clone(), parameter["name"].clone());
        for parameter in old {
            let at = format!(" parameter {}", parameter["name"]);
            match new.iter().find(|now| key(now) == key(parameter)) {
                None => self.say(&at, "is gone"),
                Some(now) => {
                    if now["required"] == true && parameter["required"] != true {
                        self.say(&at, "is required now");
                    }
                    self.schema(Sender::Client, &at, &parameter["schema"], &now["schema"], 0);
                }
            }
        }
        for parameter in new.iter().filter(|now| now["required"] == true) {
            if !old.iter().any(|before| key(before) == key(parameter)) {
                self.say(&format!(" parameter {}", parameter["name"]), "is new and required");
            }
        }
    }

    fn media(&mut self, sender: Sender, at: &str, old: &Value, new: &Value) {
        if new.is_null() {
            self.say(at, "is gone");
        } else {
            self.schema(sender, at, &old["schema"], &new["schema"], 0);
        }
    }

    /// Compares two schemas; `depth` bounds what refers to itself.
    fn schema(&mut self, sender: Sender, at: &str, old: &Value, new: &Value, depth: usize) {
        if depth > 12 {
            return;
        }
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        self.values(sender, at, old, new);
        self.bounds(sender, at, old, new);
        let required = |schema: &Value, name: &String| items(&schema["required"]).contains(&json!(name));
        for (name, property) in entries(&old["properties"]) {
            let at = format!("{at}.{name}");
            let now = &new["properties"][name];
            if now.is_null() {
                self.say(&at, "is gone");
                continue;
            }
            match sender {
                Sender::Client if required(new, name) && !required(old, name) => {
                    self.say(&at, "is required now");
                }
                Sender::Daemon if required(old, name) && !required(new, name) => {
                    self.say(&at, "may be absent now");
                }
                _ => {}
            }
            self.schema(sender, &at, property, now, depth + 1);
        }
        for (name, _) in entries(&new["properties"]) {
            if sender == Sender::Client && old["properties"][name].is_null() && required(new, name) {
                self.say(&format!("{at}.{name}"), "is new and required");
            }
        }
        if !old["items"].is_null() {
            self.schema(sender, &format!("{at}[]"), &old["items"], &new["items"], depth + 1);
        }
    }

    /// Types and words: a client's may grow, the daemon's may shrink, and `Code` may grow as the contract says.
    fn values(&mut self, sender: Sender, at: &str, old: &Value, new: &Value) {
        for word in ["type", "enum", "oneOf", "anyOf", "allOf"] {
            let list = |schema: &Value| match &schema[word] {
                Value::Array(items) => items.clone(),
                Value::Null => Vec::new(),
                one => vec![one.clone()],
            };
            let (before, now) = (list(old), list(new));
            let (kept_by, given_by) = match sender {
                Sender::Client => (&now, &before),
                Sender::Daemon => (&before, &now),
            };
            let open = sender == Sender::Daemon && word == "enum";
            let unlimited = kept_by.is_empty() && word == "enum";
            if !open && !unlimited && given_by.iter().any(|value| !kept_by.contains(value)) {
                self.say(at, &format!("`{word}` does not fit the old one"));
            }
            if open && now.is_empty() && !before.is_empty() {
                self.say(at, "is no list of words any more");
            }
        }
        if old["format"] != new["format"] {
            self.say(at, "has another format");
        }
    }

    /// Limits on what clients send may only widen.
    fn bounds(&mut self, sender: Sender, at: &str, old: &Value, new: &Value) {
        if sender == Sender::Daemon {
            return;
        }
        for (word, widens_upwards) in [
            ("maxLength", true),
            ("maxItems", true),
            ("maximum", true),
            ("minLength", false),
            ("minItems", false),
            ("minimum", false),
        ] {
            let narrower = match (old[word].as_f64(), new[word].as_f64()) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(before), Some(now)) => {
                    if widens_upwards {
                        now < before
                    } else {
                        now > before
                    }
                }
            };
            if narrower {
                self.say(at, &format!("`{word}` is narrower"));
            }
        }
        if !new["pattern"].is_null() && old["pattern"] != new["pattern"] {
            self.say(at, "`pattern` is another");
        }
    }
}

/// Follows a reference; an object with nothing but one alternative is that alternative.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"))
    else {
        return schema;
    };
    &document["components"]["schemas"][name]
}

#[test]
fn what_breaks_a_client_is_found_and_what_only_grows_is_not() {
    let old = json!({ "paths": { "/v1/x": { "put": {
        "operationId": "set_x", "security": [{ "bearer": ["operator", "administrator"] }],
        "parameters": [{ "in": "query", "name": "limit", "schema": { "type": "integer", "maximum": 200 } }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": {
            "type": "object", "required": ["a"],
            "properties": { "a": { "type": "string", "enum": ["p", "q"] }, "b": { "type": "string" } } } } } },
        "responses": { "200": { "headers": { "ETag": {} }, "content": { "application/json": { "schema": {
            "type": "object", "required": ["c"],
            "properties": { "c": { "type": "string", "enum": ["r"] } } } } } } },
    } } } });
    let at = "/paths/~1v1~1x/put";
    let body = "requestBody/content/application~1json/schema";
    let answer = "responses/200/content/application~1json/schema";
    let own = |(parent, name): (&str, &str)| (parent.to_owned(), name.to_owned());
    let changed = |place: &str, value: Value| {
        let mut new = old.clone();
        let (parent, name) = format!("{at}/{place}").rsplit_once('/').map(own).unwrap();
        new.pointer_mut(&parent).unwrap()[name] = value;
        differences(&old, &new)
    };
    assert_eq!(differences(&old, &old), Vec::<String>::new());
    assert_eq!(differences(&old, &json!({ "paths": {} })), ["PUT /v1/x: is gone"]);
    for (place, value) in [
        (format!("{body}/properties/n"), json!({ "type": "string" })),
        (format!("{body}/properties/a/enum"), json!(["p", "q", "s"])),
        (format!("{answer}/properties/n"), json!({ "type": "string" })),
        (format!("{answer}/properties/c/enum"), json!(["r", "t"])),
        ("parameters/0/schema/maximum".to_owned(), json!(500)),
    ] {
        assert_eq!(changed(&place, value), Vec::<String>::new(), "{place} only grows");
    }
    for (place, value) in [
        ("operationId".to_owned(), json!("other")),
        ("security/0/bearer".to_owned(), json!(["operator"])),
        ("parameters/0/schema/maximum".to_owned(), json!(100)),
        ("parameters/0/required".to_owned(), json!(true)),
        (format!("{body}/required"), json!(["a", "b"])),
        (format!("{body}/properties/b"), Value::Null),
        (format!("{body}/properties/b/maxLength"), json!(10)),
        (format!("{body}/properties/a/enum"), json!(["p"])),
        (format!("{answer}/required"), json!([])),
        (format!("{answer}/properties/c/type"), json!(["string", "null"])),
        ("responses/200".to_owned(), Value::Null),
        ("responses/200/headers/ETag".to_owned(), Value::Null),
    ] {
        assert_eq!(changed(&place, value).len(), 1, "{place} breaks clients");
    }
}
