//! The invented people: every one comes to the front desk, and each goes home with a result that is as it was sent, or with
//! the words that the manual has for the case.

use std::collections::BTreeSet;

use harness::clinic::personas::{Outcome, play};
use harness::clinic::{OpenClinic, personas};
use harness::personas::Personas;

#[tokio::test]
async fn everyone_comes_out_as_the_manual_foresees() {
    let open = OpenClinic::at_noon().await;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for persona in Personas::builtin() {
        outcomes.push(play(&open, persona).await);
    }
    let problems: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.problems).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(outcomes.iter().all(Outcome::is_ok));
    let failures: BTreeSet<&str> = outcomes.iter().map(|outcome| outcome.failure.as_str()).collect();
    let expected = ["", "certificate_expired", "certificate_expired_phone", "pin_locked", "upstream_refused"];
    assert_eq!(failures.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(open.clinic.upstream.registrations("unregistered"), 1);
    let searchable = outcomes.iter().filter(|outcome| outcome.searchable).count();
    assert_eq!(open.visitor.get("/v1/results/count").await.json()["count"], searchable);
    assert!(searchable >= 30, "only {searchable} people have a searchable result");
}

#[tokio::test]
async fn the_figures_count_the_same_people() {
    let outcomes = personas::play_all().await;
    assert_eq!(outcomes.len(), Personas::builtin().iter().count());
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), outcomes.len());
}
