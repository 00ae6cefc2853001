//! Listeners: which operation answers where. One table, published as `x-listeners` on every operation.
//!
//! What a listener does not serve is not there for it: 404, whatever the caller proves. An operation that the table does not
//! name answers nowhere; a gate of the contract asks for the decision.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};

use crate::codes::Code;
use crate::problem::Problem;
use crate::responses;

/// Where requests come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The API on this machine alone.
    Loopback,
    /// The API for receipt computers on the clinic's network, each with its client certificate.
    Lan,
    /// The front-desk page, with cookies in place of bearer tokens.
    Page,
}

impl Listener {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Loopback, Self::Lan, Self::Page];

    /// As it stands in `x-listeners`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Lan => "lan",
            Self::Page => "page",
        }
    }
}

/// The name of the extension in the document.
const EXTENSION: &str = "x-listeners";

/// Administration, watching the program, enrolling devices, and what people keep on record, is done beside the machine that holds the data, or by a person
/// at the page.
const BESIDE_THE_MACHINE: &[&str] = &[
    "add_passkey",
    "ask_for_passkey",
    "begin_passkey",
    "confirm_totp",
    "create_account",
    "enrol_machine",
    "enrol_terminal",
    "get_checklist",
    "get_folder_settings",
    "get_metrics",
    "get_readiness",
    "get_retention",
    "list_accounts",
    "list_audit",
    "list_incidents",
    "list_passkeys",
    "list_terminals",
    "offer_terminal",
    "offer_totp",
    "record_checklist",
    "remove_account",
    "remove_passkey",
    "remove_passkeys_of_account",
    "remove_terminal",
    "renew_recovery_codes",
    "reset_account",
    "set_account_status",
    "set_folder_access",
    "set_security_settings",
    "sign_in_with_passkey",
    "unlock_account",
];

/// What a receipt computer needs, wherever it stands.
const FOR_RECEIPT_COMPUTERS: &[&str] = &[
    "begin_sign_in",
    "cancel_check",
    "change_password",
    "collect_results",
    "confirm_last_try",
    "count_results",
    "count_search",
    "create_check",
    "end_other_sessions",
    "end_session",
    "enter_pin",
    "export_results",
    "get_check",
    "get_health",
    "get_inquiry_bulk",
    "get_inquiry_job",
    "get_liveness",
    "get_openapi",
    "get_result",
    "get_security_settings",
    "get_session",
    "list_announcements",
    "list_inquiry_jobs",
    "list_readers",
    "list_result_changes",
    "list_results",
    "list_sessions",
    "record_incident",
    "register_card_use",
    "renew_machine",
    "search_results",
    "set_inquiry_number",
    "set_inquiry_number_of_insurance",
    "set_inquiry_numbers_in_bulk",
    "sign_in",
    "sign_out",
    "stream_events",
];

/// What the front-desk page asks, and no more. What takes a person's name in its URL is not here: the page searches by
/// `search_results`, so that nothing personal gets into a browser's history.
const ON_THE_PAGE: &[&str] = &[
    "add_passkey",
    "ask_for_passkey",
    "begin_passkey",
    "cancel_check",
    "change_password",
    "collect_results",
    "confirm_last_try",
    "confirm_totp",
    "count_search",
    "create_account",
    "create_check",
    "end_other_sessions",
    "end_session",
    "enrol_terminal",
    "enter_pin",
    "get_check",
    "get_checklist",
    "get_health",
    "get_inquiry_job",
    "get_liveness",
    "get_result",
    "get_retention",
    "get_security_settings",
    "get_session",
    "list_accounts",
    "list_announcements",
    "list_audit",
    "list_incidents",
    "list_passkeys",
    "list_readers",
    "list_sessions",
    "list_terminals",
    "offer_terminal",
    "offer_totp",
    "record_checklist",
    "record_incident",
    "register_card_use",
    "remove_account",
    "remove_passkey",
    "remove_passkeys_of_account",
    "remove_terminal",
    "renew_recovery_codes",
    "reset_account",
    "search_results",
    "set_account_status",
    "set_inquiry_number",
    "set_security_settings",
    "sign_in",
    "sign_in_with_passkey",
    "sign_out",
    "stream_events",
    "unlock_account",
];

/// The listeners on which an operation answers; nothing for one that nobody decided about.
pub fn listeners_of(operation_id: &str) -> &'static [Listener] {
    let decided = |table: &[&str]| table.contains(&operation_id);
    match (decided(BESIDE_THE_MACHINE), decided(FOR_RECEIPT_COMPUTERS), decided(ON_THE_PAGE)) {
        (true, _, false) => &[Listener::Loopback],
        (true, _, true) => &[Listener::Loopback, Listener::Page],
        (false, true, false) => &[Listener::Loopback, Listener::Lan],
        (false, true, true) => &[Listener::Loopback, Listener::Lan, Listener::Page],
        (false, false, true) => &[Listener::Page],
        (false, false, false) => &[],
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let every = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    every.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn is_served(operation: &Operation, listener: Listener) -> bool {
    operation.operation_id.as_deref().is_some_and(|id| listeners_of(id).contains(&listener))
}

/// Writes the table into the document, and beside it what only the page's listener refuses.
pub(crate) fn document(item: &mut PathItem) {
    let changing = [&mut item.put, &mut item.post, &mut item.delete, &mut item.patch].map(|one| (true, one));
    for (changes, operation) in changing.into_iter().chain([(false, &mut item.get)]) {
        let Some(operation) = operation else { continue };
        let id = operation.operation_id.as_deref().unwrap_or_default();
        let listeners = listeners_of(id);
        if changes && listeners.contains(&Listener::Page) {
            responses::add(operation, Code::CsrfTokenInvalid);
        }
        let words: Vec<&str> = listeners.iter().map(|listener| listener.word()).collect();
        operation.extensions.get_or_insert_default().merge(Extensions::from_iter([(EXTENSION, words)]));
    }
}

/// The operations that answer on other listeners only.
pub(crate) struct Elsewhere(HashMap<String, Vec<Method>>);

impl Elsewhere {
    pub(crate) fn of(listener: Listener, document: &utoipa::openapi::OpenApi) -> Arc<Self> {
        let mut elsewhere: HashMap<String, Vec<Method>> = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                if !is_served(operation, listener) {
                    elsewhere.entry(path.clone()).or_default().push(method);
                }
            }
        }
        Arc::new(Self(elsewhere))
    }

    /// An operation of another listener is not there.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Box<Response>> {
        if self.has(request) { Err(Box::new(Problem::new(Code::NotFound).into_response())) } else { Ok(()) }
    }

    fn has(&self, request: &Request) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let Some(path) = request.extensions().get::<MatchedPath>() else { return false };
        // What answers GET answers HEAD.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        self.0.get(path.as_str()).is_some_and(|methods| methods.contains(method))
    }
}
