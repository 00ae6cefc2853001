//! Which role may use which operation. A new operation fails here until it is decided.

use std::collections::BTreeMap;

use daemon::app::ports::Role;
use harness::clinic::OpenClinic;
use harness::contract::Contract;

use crate::contract::coverage::{body, target};

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Whoever signed in: one's own account, and what is no patient's.
    Anybody,
    /// Operators and receipt computers: patients.
    Desk,
    /// Administrators: the installation. They see no patient.
    Administrator,
}

use May::{Administrator, Anybody, Desk};

const ROLES: &[(&str, May)] = &[
    ("get_session", Anybody),
    ("list_sessions", Anybody),
    ("end_session", Anybody),
    ("end_other_sessions", Anybody),
    ("change_password", Anybody),
    ("offer_totp", Anybody),
    ("confirm_totp", Anybody),
    ("renew_recovery_codes", Anybody),
    ("renew_machine", Anybody),
    ("list_readers", Anybody),
    ("get_health", Anybody),
    ("get_security_settings", Anybody),
    ("list_announcements", Anybody),
    ("create_check", Desk),
    ("get_check", Desk),
    ("enter_pin", Desk),
    ("confirm_last_try", Desk),
    ("register_card_use", Desk),
    ("cancel_check", Desk),
    ("list_results", Desk),
    ("count_results", Desk),
    ("get_result", Desk),
    ("collect_results", Desk),
    ("set_inquiry_number", Desk),
    ("set_inquiry_number_of_insurance", Desk),
    ("set_inquiry_numbers_in_bulk", Desk),
    ("list_inquiry_jobs", Desk),
    ("get_inquiry_job", Desk),
    ("get_inquiry_bulk", Desk),
    ("set_security_settings", Administrator),
    ("list_accounts", Administrator),
    ("create_account", Administrator),
    ("set_account_status", Administrator),
    ("unlock_account", Administrator),
    ("reset_account", Administrator),
    ("remove_account", Administrator),
    ("offer_terminal", Administrator),
    ("list_terminals", Administrator),
    ("remove_terminal", Administrator),
    ("list_audit", Administrator),
    ("get_retention", Administrator),
    // Last: nothing comes after it.
    ("sign_out", Anybody),
];

#[tokio::test]
async fn every_operation_is_open_to_the_roles_that_were_decided_and_to_no_other() {
    let mut open = OpenClinic::with(|plan| plan.accounts.push(("kanrisha", Role::Administrator))).await;
    let operations: BTreeMap<_, _> = Contract::committed()
        .operations()
        .into_iter()
        .filter(|operation| operation.secured)
        .map(|operation| (operation.id.clone(), operation))
        .collect();
    let decided: BTreeMap<_, _> = ROLES.iter().copied().collect();
    let undecided: Vec<_> = operations.keys().filter(|id| !decided.contains_key(id.as_str())).collect();
    assert!(undecided.is_empty(), "which roles may use {undecided:?}?");

    let operator = open.clinic.enrol("uketsuke", Role::Operator).await;
    let mut desk = open.clinic.visitor();
    desk.sign_in(&operator).await;
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    for (role, visitor) in
        [("operator", &desk), ("receipt-computer", &open.visitor), ("administrator", &boss)]
    {
        for (id, may) in ROLES {
            let operation = &operations[*id];
            let body = body(operation).map(|body| serde_json::from_str(body).expect("JSON"));
            let reply = visitor.call(&operation.method, &target(operation), body.as_ref()).await;
            let allowed = match may {
                Anybody => true,
                Desk => role != "administrator",
                Administrator => role == "administrator",
            };
            assert_eq!(reply.code() != "forbidden_role", allowed, "{role} {id}: {}", reply.code());
            assert!(reply.status != 401 && reply.status != 500, "{role} {id}: {}", reply.code());
        }
    }
}
