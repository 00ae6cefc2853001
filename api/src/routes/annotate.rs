//! What the document says beside the routes themselves: which roles may call an operation, what every session shows, and examples.
//!
//! The roles are a promise, not the gate: the use cases decide. A test holds one against the other.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, OpenApi as Document, RefOr};

use super::TerminalHeader;
use crate::wire::Role;

const EVERYBODY: &[Role] = &[Role::Operator, Role::ReceiptComputer, Role::Administrator];
/// Who sees patients; an administrator manages the installation and does not.
const CLINIC: &[Role] = &[Role::Operator, Role::ReceiptComputer];
/// Who can be verified as a person.
const PEOPLE: &[Role] = &[Role::Operator, Role::Administrator];
const ADMINISTRATOR: &[Role] = &[Role::Administrator];

/// Operations by the roles that may call them. Those without a session are not here.
const ROLES: &[(&[Role], &[&str])] = &[
    (
        EVERYBODY,
        &[
            "change_password",
            "confirm_totp",
            "end_other_sessions",
            "end_session",
            "get_health",
            "get_security_settings",
            "get_session",
            "list_announcements",
            "list_readers",
            "list_sessions",
            "offer_totp",
            "renew_machine",
            "renew_recovery_codes",
            "sign_out",
            "stream_events",
        ],
    ),
    (
        CLINIC,
        &[
            "cancel_check",
            "collect_results",
            "confirm_last_try",
            "count_results",
            "count_search",
            "create_check",
            "enter_pin",
            "export_results",
            "get_check",
            "get_inquiry_bulk",
            "get_inquiry_job",
            "get_result",
            "list_inquiry_jobs",
            "list_result_changes",
            "list_results",
            "record_incident",
            "register_card_use",
            "search_results",
            "set_inquiry_number",
            "set_inquiry_number_of_insurance",
            "set_inquiry_numbers_in_bulk",
        ],
    ),
    (
        PEOPLE,
        &[
            "add_passkey",
            "begin_passkey",
            "get_checklist",
            "list_passkeys",
            "record_checklist",
            "remove_passkey",
        ],
    ),
    (
        ADMINISTRATOR,
        &[
            "create_account",
            "get_folder_settings",
            "get_retention",
            "list_accounts",
            "list_audit",
            "list_incidents",
            "list_terminals",
            "offer_terminal",
            "remove_account",
            "remove_passkeys_of_account",
            "remove_terminal",
            "reset_account",
            "set_account_status",
            "set_folder_access",
            "set_security_settings",
            "unlock_account",
        ],
    ),
];

/// Operations without a session that ask which terminal it is: those that begin one.
const SIGN_IN: &[&str] = &["sign_in", "sign_in_with_passkey"];

/// Bodies of one operation, from invented people of the sandbox.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    request: Option<Value>,
    response: Option<Value>,
    /// Of an answer 202 that is unlike the 200.
    accepted: Option<Value>,
}

/// Adds roles, the terminal's header and examples to every operation.
pub(super) fn annotate(document: &mut Document) {
    // The files are part of the program: what cannot be read is missing in the document, which the contract's tests see.
    let mut examples: BTreeMap<String, Examples> =
        serde_json::from_str(include_str!("examples.json")).unwrap_or_default();
    let mut of_forms: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(include_str!("form_examples.json")).unwrap_or_default();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let id = operation.operation_id.clone().unwrap_or_default();
        if let Some(roles) = roles_of(&id) {
            let roles = roles.iter().map(|role| serde_json::json!(role));
            let words: Vec<String> = roles.filter_map(|role| role.as_str().map(ToOwned::to_owned)).collect();
            operation.security = Some(vec![SecurityRequirement::new("bearer", words)]);
        }
        // A session may be bound to its terminal, so whatever reads the one reads the other.
        if operation.security.is_some() || SIGN_IN.contains(&id.as_str()) {
            let header = TerminalHeader::into_params(|| None).into_iter().map(RefOr::T);
            operation.parameters.get_or_insert_default().extend(header);
        }
        let Examples { request, response, accepted } = examples.remove(&id).unwrap_or_default();
        let of_forms = of_forms.remove(&id).unwrap_or_default();
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            exemplify(body.content.values_mut(), request.as_ref());
        }
        let successes =
            operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
        for (status, answer) in successes {
            let json = accepted.as_ref().filter(|_| status == "202").or(response.as_ref());
            if let RefOr::T(answer) = answer {
                for (kind, content) in &mut answer.content {
                    let example = if kind == "application/json" { json } else { of_forms.get(kind) };
                    exemplify([content], example);
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

fn roles_of(operation: &str) -> Option<&'static [Role]> {
    ROLES.iter().find(|(_, operations)| operations.contains(&operation)).map(|(roles, _)| *roles)
}

fn exemplify<'a>(contents: impl IntoIterator<Item = &'a mut RefOr<Content>>, example: Option<&Value>) {
    for content in contents {
        if let RefOr::T(content) = content {
            content.example = content.example.take().or_else(|| example.cloned());
        }
    }
}
