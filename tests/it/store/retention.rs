//! Retention: served until the last instant, never after, whatever the clock does; purged for good.

use std::fs;

use daemon::app::ports::{ResultQuery, ResultStore, RetentionStore as _, StoreError};
use daemon::store::{OpenError, Purged};

use super::support::{Machine, at, audit, get, insert, just_before, person, result, set_number};

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
    assert_eq!(set_number(&running.store, "1", "7").await, []);
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
    let database = sqlx::sqlite::SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = sqlx::ConnectOptions::connect(&database).await.unwrap();
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut db).await.unwrap();
    assert_eq!(free, 0, "the file system has its space back");
}
