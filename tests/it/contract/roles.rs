//! The document says which roles may call an operation, and a real daemon does as it says.

use daemon::app::ports::Role;
use harness::clinic::OpenClinic;
use harness::contract::Contract;
use serde_json::Value;

use super::coverage::{body, target};

const ROLES: [(&str, Role); 3] = [
    ("operator", Role::Operator),
    ("receipt_computer", Role::ReceiptComputer),
    ("administrator", Role::Administrator),
];

#[test]
fn every_operation_with_a_session_names_its_roles_and_no_other_does() {
    for operation in Contract::committed().operations() {
        assert_eq!(
            operation.secured,
            !operation.roles.is_empty(),
            "{}: say in api/src/routes/annotate.rs which roles may call it",
            operation.id
        );
        assert!(
            operation.roles.iter().all(|role| ROLES.iter().any(|(known, _)| known == role)),
            "{}",
            operation.id
        );
    }
}

#[tokio::test]
async fn an_operation_refuses_every_role_that_it_does_not_name_and_no_other() {
    let open = OpenClinic::with(|plan| plan.accounts.extend(ROLES)).await;
    let mut operations = Contract::committed().operations();
    operations.retain(|operation| operation.secured);
    // What ends the session comes last.
    operations.sort_by_key(|operation| operation.id == "sign_out");
    for (name, _) in ROLES {
        let mut visitor = open.clinic.visitor();
        visitor.sign_in(&open.clinic.credentials(name)).await;
        for operation in &operations {
            // A stream has no end; that it refuses whoever has no session is tested with all others.
            if operation.id == "stream_events" && operation.roles.iter().any(|role| role == name) {
                continue;
            }
            let body: Option<Value> = body(operation).map(|body| serde_json::from_str(body).unwrap());
            let reply = visitor.call(&operation.method, &target(operation), body.as_ref()).await;
            let admitted = operation.roles.iter().any(|role| role == name);
            let code = if reply.status < 400 { String::new() } else { reply.code() };
            assert_eq!(code == "forbidden_role", !admitted, "{} as {name}: {code}", operation.id);
            assert_ne!(reply.status, 401, "{} as {name}: the session is still good", operation.id);
        }
    }
    open.clinic.close().await;
}
