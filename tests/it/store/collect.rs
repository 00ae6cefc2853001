//! Collected results: merged once, however often, in whatever order, and never into somebody else's row.

use daemon::app::ports::{
    Batch, CollectedResults as _, LinkedResult, Merged, NewResult, Origin, ResultQuery, ResultStore as _,
    Source, TerminalId,
};
use daemon::domain::check::ResultId;
use daemon::domain::eligibility::{Eligibility, Field};
use daemon::domain::identifiers::{InquiryNumber, UpstreamResultId};
use daemon::store::Store;
use proptest::prelude::*;

use super::support::{Machine, at, audit, get, person, result, set_number, with};

const NOW: &str = "2026-06-10T01:00:00Z";
const SECOND: &str = "2026-06-10T00:30:00Z";

fn number(text: &str) -> Option<InquiryNumber> {
    InquiryNumber::parse(text).ok()
}

fn fetched(id: &str, processed_at: &str, eligibilities: Vec<Eligibility>) -> LinkedResult {
    let mut confirmation = result("", at(processed_at), eligibilities).confirmation;
    confirmation.upstream_id = UpstreamResultId::parse(id).ok();
    LinkedResult { terminal: "PHONE-1".to_owned(), confirmation }
}

fn own(check: &str, id: &str, eligibilities: Vec<Eligibility>) -> NewResult {
    let mut new = result(check, at(SECOND), eligibilities);
    new.confirmation.upstream_id = UpstreamResultId::parse(id).ok();
    new
}

async fn merge(store: &Store, results: Vec<LinkedResult>) -> Merged {
    let batch = Batch { results, origin: Origin::Sandbox, asked_at: at(NOW) };
    store.merge(batch, &audit("results.collected")).await.expect("merged")
}

async fn insert(store: &Store, new: &NewResult) -> ResultId {
    store.insert(new, &audit("check.end")).await.expect("stored")
}

async fn count(store: &Store) -> u64 {
    store.count(&ResultQuery::default()).await.expect("counted")
}

fn taro() -> Vec<Eligibility> {
    vec![person("資格 太郎", "1")]
}

fn numbered(number: &str) -> Vec<Eligibility> {
    vec![with(&person("資格 太郎", "1"), Field::ReferenceNumber, number)]
}

fn known(number: u64) -> Merged {
    Merged { known: number, ..Merged::default() }
}

#[tokio::test]
async fn a_result_from_elsewhere_is_stored_once_audited_once_and_found_by_its_terminal() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let one = fetched("A", SECOND, taro());
    // The same result twice in one answer, and two results that are equal but for their id.
    let merged = merge(store, vec![one.clone(), one.clone(), fetched("B", SECOND, taro())]).await;
    assert_eq!((merged.added.len(), merged.known, merged.updated.len()), (2, 1, 0));
    assert_eq!(merge(store, vec![one.clone()]).await, known(1));
    assert_eq!(store.verify_chain().await.expect("whole").count, 1, "what changes nothing is not recorded");

    let stored = get(store, merged.added[0]).await.expect("there");
    assert_eq!((&stored.content.source, stored.version), (&Source::Elsewhere, 1));
    assert_eq!(stored.content.confirmation, one.confirmation);
    assert_eq!(stored.content.terminal, TerminalId("central:PHONE-1".to_owned()));
    for (terminal, expected) in [("central:PHONE-1", 2), ("PHONE-1", 0)] {
        let query = ResultQuery { terminal: Some(TerminalId(terminal.to_owned())), ..ResultQuery::default() };
        assert_eq!(store.count(&query).await, Ok(expected), "{terminal}");
    }
    running.stop().await;
    let running = machine.start().await;
    assert_eq!(merge(&running.store, vec![one]).await, known(1), "also after a restart");
    running.stop().await;
}

#[tokio::test]
async fn a_check_of_ours_is_one_result_with_and_without_an_id_whoever_comes_first() {
    for id in ["A", ""] {
        for collected_first in [false, true] {
            let machine = Machine::at(NOW);
            let running = machine.start().await;
            let store = &running.store;
            if collected_first {
                merge(store, vec![fetched("A", SECOND, taro())]).await;
            }
            let row = insert(store, &own("c1", id, taro())).await;
            assert_eq!(insert(store, &own("c1", id, taro())).await, row);
            assert_eq!(merge(store, vec![fetched("A", SECOND, taro())]).await, known(1), "{id:?}");
            let stored = get(store, row).await.expect("there");
            assert!(matches!(stored.content.source, Source::Own { .. }), "{id:?} {collected_first}");
            assert_eq!(stored.content.terminal.0, "uketsuke-1");
            assert_eq!(stored.content.confirmation.upstream_id.expect("learnt").as_str(), "A");
            // Another id is another result, and the row that learnt its id takes no second one.
            assert_eq!(merge(store, vec![fetched("B", SECOND, taro())]).await.added.len(), 1);
            assert_eq!(count(store).await, 2, "{id:?} {collected_first}");
            running.stop().await;
        }
    }
}

#[tokio::test]
async fn only_the_number_follows_the_central_system_and_only_where_it_is_newer() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let numbered = |number| fetched("A", SECOND, numbered(number));
    let id = merge(store, vec![numbered("K-1")]).await.added[0];
    assert_eq!(merge(store, vec![numbered("K-2")]).await.updated, [id]);
    assert_eq!(merge(store, vec![numbered("K-2"), fetched("A", SECOND, taro())]).await, known(2));
    let stored = get(store, id).await.expect("there");
    assert_eq!((stored.inquiry_number, stored.version), (number("K-2"), 2));

    // Somebody else, or another name, under the same id: kept as first stored.
    let other = with(&person("別人", "2"), Field::ReferenceNumber, "K-9");
    assert_eq!(merge(store, vec![fetched("A", SECOND, vec![other])]).await, known(1));
    let stored = get(store, id).await.expect("there");
    assert_eq!(
        stored.content.confirmation.eligibilities[0].get(Field::Name).expect("a name").expose(),
        "資格 太郎"
    );
    assert_eq!(stored.inquiry_number, number("K-2"));

    // Set here while the answer was on its way: the answer is older.
    machine.clock.set(at("2026-06-10T01:00:05Z"));
    assert_eq!(set_number(store, "1", "K-3").await, [id]);
    assert_eq!(merge(store, vec![numbered("K-2")]).await, known(1));
    assert_eq!(get(store, id).await.expect("there").inquiry_number, number("K-3"));
    running.stop().await;
}

#[tokio::test]
async fn a_number_that_was_set_again_is_newer_than_an_answer_that_was_asked_for_before() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let id = merge(store, vec![fetched("A", SECOND, numbered("K-1"))]).await.added[0];
    machine.clock.set(at("2026-06-10T01:00:05Z"));
    assert_eq!(set_number(store, "1", "K-1").await, [id]);
    let before = get(store, id).await.expect("there");
    assert_eq!(merge(store, vec![fetched("A", SECOND, numbered("K-0"))]).await, known(1));
    let stored = get(store, id).await.expect("there");
    assert_eq!((stored.inquiry_number, stored.version), (number("K-1"), 1), "the same number is no news");
    assert_eq!(before.version, 1);
    running.stop().await;
}

#[tokio::test]
async fn a_number_that_was_set_after_a_check_stays_when_the_checks_own_answer_comes_late() {
    for (set, expected) in [(None, "K-2"), (Some("K-3"), "K-3")] {
        let machine = Machine::at(NOW);
        let running = machine.start().await;
        let store = &running.store;
        let row = merge(store, vec![fetched("A", SECOND, numbered("K-1"))]).await.added[0];
        if let Some(set) = set {
            assert_eq!(set_number(store, "1", set).await, [row]);
        }
        assert_eq!(insert(store, &own("c1", "A", numbered("K-2"))).await, row);
        let stored = get(store, row).await.expect("there");
        assert!(matches!(stored.content.source, Source::Own { .. }));
        assert_eq!(stored.inquiry_number, number(expected));
        running.stop().await;
    }
}

#[tokio::test]
async fn what_is_past_its_retention_is_not_looked_at() {
    let machine = Machine::at("2026-07-31T14:59:59Z");
    let running = machine.start().await;
    let old = fetched("A", SECOND, taro());
    let june = merge(&running.store, vec![old.clone(), fetched("B", "2026-05-31T14:59:59Z", taro())]).await;
    assert_eq!((june.added.len(), june.expired), (1, 1));
    machine.clock.set(at("2026-07-31T15:00:00Z"));
    let merged = merge(&running.store, vec![old]).await;
    assert_eq!(merged, Merged { expired: 1, ..Merged::default() });
    assert_eq!(count(&running.store).await, 0);
    running.stop().await;
}

/// An id that the central system gave to two of our checks must not cost the second its result.
#[tokio::test]
async fn a_check_is_stored_even_if_its_id_is_taken() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let first = insert(store, &own("c1", "A", taro())).await;
    let second = insert(store, &own("c2", "A", vec![person("資格 花子", "2")])).await;
    assert_ne!(first, second);
    merge(store, vec![fetched("C", SECOND, vec![person("三", "3")])]).await;
    insert(store, &own("c3", "C", vec![person("四", "4")])).await;
    assert_eq!(count(store).await, 4);
    running.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Own checks and answers in any order, with repeats and overlaps: as many rows as results, each with its person.
    #[test]
    fn any_order_gives_one_row_a_result(
        moves in prop::collection::vec((0_usize..12, any::<bool>()), 1..40),
        without_ids in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let machine = Machine::at(NOW);
            let running = machine.start().await;
            let mut seen = std::collections::BTreeSet::new();
            for (which, checked_here) in moves {
                // Three results a person, two of them in one second.
                let people = vec![person("誰か", &(which / 3).to_string())];
                let id = format!("R{which}");
                let here = checked_here && which % 3 == 0;
                if here {
                    let told = if without_ids { "" } else { &id };
                    insert(&running.store, &own(&format!("c{which}"), told, people)).await;
                } else {
                    let second = if which % 3 == 2 { "2026-06-10T00:30:01Z" } else { SECOND };
                    // A content that two results share is only told apart by ids: then the check's is on record first.
                    if without_ids && which % 3 == 1 {
                        continue;
                    }
                    merge(&running.store, vec![fetched(&id, second, people)]).await;
                }
                seen.insert(which);
            }
            assert_eq!(count(&running.store).await, seen.len() as u64);
            running.stop().await;
        });
    }
}
