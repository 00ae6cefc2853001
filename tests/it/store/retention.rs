//! Retention: served until the last instant, never after, whatever the clock does; purged for good.

use std::fs;

use daemon::app::ports::{ResultQuery, ResultStore, RetentionStore as _, StoreError};
use daemon::domain::check::ResultId;
use daemon::domain::identifiers::InquiryNumber;
use daemon::domain::retention::start_of_jst_day;
use daemon::store::{OpenError, Purged, Store};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use tokio::task::JoinSet;

use super::support::{Machine, at, audit, get, insert, just_before, person, result};

/// One result a day at one of the day's four edges; a month's results go in together, as one commit.
async fn insert_month(running: &super::support::Running, first: Date) -> Vec<ResultId> {
    let mut tasks = JoinSet::new();
    for day in (0..i64::from(first.days_in_month())).map(|day| first + day.days()) {
        let seconds = [0, 1, 43_200, 86_399][usize::from(day.day().unsigned_abs()) % 4];
        let midnight = start_of_jst_day(day).expect("a day").as_second();
        let checked = Timestamp::from_second(midnight + seconds).expect("an instant");
        let store = running.store.clone();
        tasks.spawn(async move {
            let new = result(&day.to_string(), checked, vec![person("資格 太郎", "1")]);
            store.insert(&new, &audit("check.done")).await.expect("stored")
        });
    }
    tasks.join_all().await
}

/// How many results of checks from `from` to before `until` are listed and counted.
async fn listed(store: &Store, from: Timestamp, until: Timestamp) -> usize {
    let query = ResultQuery { from: Some(from), until: Some(until), ..ResultQuery::default() };
    let page = store.page(&query, None, 1_000).await.expect("a page").len();
    assert_eq!(store.count(&query).await, Ok(page as u64));
    page
}

#[tokio::test]
async fn for_every_day_from_2024_to_2104_results_are_served_to_the_last_instant_and_never_after() {
    let machine = Machine::at("2023-12-31T15:00:00Z");
    let running = machine.start().await;
    let store = &running.store;
    let mut first = Date::constant(2024, 1, 1);
    // The month before the last, with its results; and the last.
    let mut months: [Vec<ResultId>; 2] = [Vec::new(), Vec::new()];
    let mut days = 0;
    while first < Date::constant(2105, 1, 1) {
        let start = start_of_jst_day(first).unwrap();
        let two_back = start_of_jst_day(first - 2.months()).unwrap();
        let one_back = start_of_jst_day(first - 1.month()).unwrap();
        let [oldest, newer] = &months;
        machine.clock.set(just_before(start));
        assert_eq!(listed(store, two_back, one_back).await, oldest.len(), "just before {first}");
        machine.clock.set(start);
        assert_eq!(listed(store, Timestamp::MIN, one_back).await, 0, "at {first}");
        for id in oldest {
            assert_eq!(store.get(*id).await, Ok(None), "{id:?} at {first}");
        }
        if first.month() == 1 {
            let purged = store.purge(start).await.unwrap();
            assert_eq!(listed(store, Timestamp::MIN, start).await, newer.len(), "the others are left");
            let expected = if first.year() == 2024 {
                0
            } else if first.year() == 2025 {
                11
            } else {
                12
            };
            assert_eq!(purged.months, expected, "{first}");
        }
        let inserted = insert_month(&running, first).await;
        days += inserted.len();
        let [_, newer] = months;
        months = [newer, inserted];
        first += 1.month();
    }
    assert_eq!(days, 29_585);
    running.stop().await;
}

#[tokio::test]
async fn a_clock_set_back_brings_nothing_back_not_even_after_a_restart() {
    let machine = Machine::at("2026-06-30T14:59:59Z");
    let running = machine.start().await;
    let id = insert(&running.store, "c1", "2026-06-30T14:59:59Z", person("資格 太郎", "1")).await;
    machine.clock.set(just_before(at("2026-07-31T15:00:00Z")));
    assert!(get(&running.store, id).await.is_some());
    machine.clock.set(at("2026-07-31T15:00:00Z"));
    assert!(get(&running.store, id).await.is_none());
    machine.clock.set(at("2026-07-01T00:00:00Z"));
    assert!(get(&running.store, id).await.is_none());
    let number = InquiryNumber::parse("7").unwrap();
    let changed = running.store.set_inquiry_number(id, &number, &audit("inquiry.set")).await;
    assert_eq!(changed, Ok(vec![]));
    insert(&running.store, "c2", "2026-07-31T15:00:00Z", person("資格 花子", "2")).await;
    running.stop().await;

    let running = machine.start().await;
    assert!(get(&running.store, id).await.is_none());
    assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(1));
    running.stop().await;
}

#[tokio::test]
async fn a_result_past_its_retention_is_not_stored() {
    let machine = Machine::at("2026-07-31T15:00:00Z");
    let running = machine.start().await;
    // A plausible clock has seen the boundary; a clock that nobody vouches for refuses nothing.
    running.store.settle(at("2026-07-31T15:00:00Z")).await.expect("settled");
    let late = result("c1", at("2026-06-30T14:59:59Z"), vec![person("資格 太郎", "1")]);
    let refused = running.store.insert(&late, &audit("check.done")).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert_eq!(running.store.verify_chain().await.unwrap().count, 0);
    running.stop().await;
}

#[tokio::test]
async fn after_a_purge_an_old_copy_of_database_and_keyring_cannot_be_read_any_more() {
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    let july = insert(&running.store, "c2", "2026-07-01T00:00:00Z", person("資格 太郎", "1")).await;
    running.stop().await;
    let (database, keyring) = (machine.config().database(), machine.path("keys/keyring"));
    let copies = [fs::read(&database).unwrap(), fs::read(&keyring).unwrap()];
    let old_master = fs::read(machine.path("master/master.key")).unwrap();

    let running = machine.start().await;
    let gone = at("2026-07-31T15:00:00Z");
    assert_eq!(running.store.purge(just_before(gone)).await, Ok(Purged { results: 0, months: 0 }));
    machine.clock.set(gone);
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 1, months: 1 }));
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 0, months: 0 }));
    assert!(get(&running.store, july).await.is_some());
    insert(&running.store, "c3", "2026-08-01T00:00:00Z", person("資格 花子", "2")).await;
    running.stop().await;
    for (path, content) in machine.files() {
        let found = content.windows(old_master.len()).any(|window| window == old_master);
        assert!(!found, "the old master key is in {}", path.display());
    }
    machine.start().await.stop().await;

    fs::write(&database, &copies[0]).unwrap();
    fs::write(&keyring, &copies[1]).unwrap();
    assert!(matches!(machine.refused().await, OpenError::KeyringUnreadable(_)));
}

#[tokio::test]
async fn a_purge_leaves_no_page_and_no_wal_of_the_deleted_rows() {
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    // The check's id stands in clear, so it shows what deleting leaves behind.
    for index in 0..200 {
        let check = format!("canary-{index:04}");
        insert(&running.store, &check, "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    }
    let found = |machine: &Machine| {
        let count = |content: &[u8]| content.windows(7).filter(|window| window == b"canary-").count();
        machine.files().iter().map(|(_, content)| count(content)).sum::<usize>()
    };
    assert!(found(&machine) >= 200);
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 200, months: 1 }));
    assert_eq!(found(&machine), 0);
    running.stop().await;
}
