//! Gate 1: the committed document is the one the code gives.

use std::collections::BTreeSet;

use harness::contract::{Contract, committed_path};
use serde_json::Value;

/// `UPDATE_OPENAPI=1 cargo test -p harness --test it openapi_yaml` writes the file anew; review the difference.
#[test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by a variable, as in insta")]
fn openapi_yaml_is_what_the_code_gives() {
    let current = api::openapi_yaml();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(committed_path(), &current).unwrap();
    }
    let committed = std::fs::read_to_string(committed_path()).unwrap_or_default();
    assert!(
        committed == current,
        "openapi.yaml differs from the code; bless it with UPDATE_OPENAPI=1 cargo test -p harness --test it openapi_yaml"
    );
}

#[test]
fn operations_have_unique_ids_and_only_ten_need_no_session() {
    let operations = Contract::committed().operations();
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids.len(), operations.len());
    let open: BTreeSet<_> = operations
        .iter()
        .filter(|operation| !operation.secured)
        .map(|operation| operation.id.as_str())
        .collect();
    assert_eq!(
        open,
        BTreeSet::from([
            "ask_for_passkey",
            "begin_sign_in",
            "enrol_machine",
            "enrol_terminal",
            "get_liveness",
            "get_metrics",
            "get_openapi",
            "get_readiness",
            "sign_in",
            "sign_in_with_passkey"
        ])
    );
}

/// Every place of a document with what stands there.
fn walk<'a>(at: &str, value: &'a Value, visit: &mut dyn FnMut(&str, &'a Value)) {
    visit(at, value);
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, value)| walk(&format!("{at}/{name}"), value, visit));
        }
        Value::Array(items) => items.iter().for_each(|value| walk(&format!("{at}[]"), value, visit)),
        _ => {}
    }
}

/// Generators stop at a reference that leads nowhere.
#[test]
fn every_reference_leads_somewhere() {
    let contract = Contract::committed();
    let document = contract.document();
    walk("", document, &mut |at, value| {
        if let Some(target) = value["$ref"].as_str() {
            let found = target.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            assert!(found.is_some(), "{at}: {target}");
        }
    });
}

#[test]
fn every_operation_is_explained_in_japanese_and_shows_examples_that_keep_its_schemas() {
    let contract = Contract::committed();
    let document = contract.document();
    for operation in contract.operations() {
        let written = &document["paths"][&operation.path][operation.method.to_lowercase()];
        let summary = written["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_ascii(), "{} has no Japanese summary", operation.id);
        let answers = written["responses"].as_object().unwrap().iter();
        let answers = answers.filter(|(status, _)| status.starts_with('2')).map(|(_, answer)| answer);
        for body in answers.chain([&written["requestBody"]]) {
            for (kind, content) in body["content"].as_object().into_iter().flatten() {
                // The document itself and the stream of events need none.
                if ["application/yaml", "text/event-stream"].contains(&kind.as_str()) {
                    continue;
                }
                let example = &content["example"];
                assert!(
                    !example.is_null(),
                    "{} lacks an example of {kind}: add one to api/src/routes/examples.json or form_examples.json",
                    operation.id
                );
                contract
                    .holds(&content["schema"], example)
                    .unwrap_or_else(|fault| panic!("the example of {} as {kind}: {fault}", operation.id));
            }
        }
    }
}
