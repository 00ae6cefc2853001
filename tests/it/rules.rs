//! The security guide answers every rule, and every proof it names is a test that exists.

use harness::rules::{has_test, unlinked};

#[test]
fn every_rule_is_answered_once_and_every_proof_is_a_test() {
    assert_eq!(unlinked().expect("the guide"), Vec::<String>::new());
}

#[test]
fn a_proof_that_is_no_test_is_noticed() {
    assert!(has_test("tests/it/rules.rs", "a_proof_that_is_no_test_is_noticed"));
    assert!(!has_test("tests/it/rules.rs", "has_test"), "a function is no test");
    assert!(!has_test("tests/it/rules.rs", "nothing_has_this_name"));
    assert!(!has_test("tests/it/nowhere.rs", "a_proof_that_is_no_test_is_noticed"));
}
