//! Retention under trouble: jumping clocks, full disks, restarts in between.

use std::path::Path;

use daemon::app::ports::{ResultQuery, ResultStore, RetentionStore};
use daemon::store::Purged;
use harness::retention::{Canaries, canaries_after_purge, clock_jumps, latest_after_boundary};
use tempfile::TempDir;

use super::support::{Machine, at, audit, get, insert, person};
use crate::lane;

/// In memory where there is such a place: thousands of commits would wait for the disk.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    place.expect("a directory")
}

#[tokio::test]
async fn clocks_that_jump_serve_nothing_late_destroy_nothing_early_and_hide_nothing_for_good() {
    let place = scratch();
    let seen = clock_jumps(place.path(), 40, 1).await;
    let wrong = [seen.served_late, seen.destroyed_early, seen.kept_hidden, seen.kept_late];
    assert_eq!(wrong, [0; 4], "{seen:?}");
    assert!(seen.cases == 40 && seen.purges > 20, "{seen:?}");
}

#[tokio::test]
async fn what_has_expired_is_destroyed_within_the_minute() {
    let place = scratch();
    let latest = latest_after_boundary(place.path(), 24).await;
    assert!(latest <= std::time::Duration::from_secs(20), "{latest:?}");
}

#[test]
fn on_a_full_disk_with_readers_open_a_purge_leaves_nothing_and_work_goes_on() {
    let name =
        "store::retention_trouble::on_a_full_disk_with_readers_open_a_purge_leaves_nothing_and_work_goes_on";
    lane::run_on_small_disk(name, 96, |disk| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let Canaries { before, left, deleted, kept, refused, low, resumed, room } =
            runtime.block_on(canaries_after_purge(disk, 10_000));
        assert!(before >= 10_000, "the scan sees what lies there: {before}");
        assert!(refused && low, "the disk was full");
        assert_eq!((deleted, left), (10_000, 0));
        assert!(kept >= 20, "what has not expired is served: {kept}");
        assert!(resumed && room, "without a restart");
    });
}

#[tokio::test]
async fn a_clock_that_ran_ahead_hides_and_gives_back_once_it_is_right() {
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    let june = insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    machine.clock.set(at("2036-06-10T00:00:00Z"));
    assert!(get(&running.store, june).await.is_none(), "hidden at once");
    // The central system's time is the true one; the result is kept, hidden until the clock is right.
    let new = insert(&running.store, "c2", "2026-06-11T00:00:00Z", person("資格 花子", "2")).await;
    assert!(get(&running.store, new).await.is_none());
    running.stop().await;

    machine.clock.set(at("2026-06-12T00:00:00Z"));
    let running = machine.start().await;
    assert!(get(&running.store, june).await.is_none(), "the mark outlives a restart");
    running.store.settle(at("2026-06-12T00:00:00Z")).await.unwrap();
    assert!(get(&running.store, june).await.is_some() && get(&running.store, new).await.is_some());
    running.stop().await;
    let running = machine.start().await;
    assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(2), "so does the lowered mark");
    running.stop().await;
}

#[tokio::test]
async fn what_a_plausible_clock_has_seen_expire_does_not_come_back() {
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    let june = insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    running.store.settle(gone).await.unwrap();
    machine.clock.set(at("2026-06-10T00:00:00Z"));
    running.store.settle(at("2026-06-10T00:00:00Z")).await.unwrap();
    assert!(get(&running.store, june).await.is_none());
    running.stop().await;
    let running = machine.start().await;
    running.store.settle(at("2026-06-10T00:00:00Z")).await.unwrap();
    assert!(get(&running.store, june).await.is_none());
    running.stop().await;
}

#[tokio::test]
async fn a_purge_that_was_cut_short_is_due_until_it_has_ended() {
    use sqlx::ConnectOptions as _;
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    assert!(running.store.is_due(gone));
    assert_eq!(running.store.overdue_since(), Some(gone));
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 1, months: 1 }));
    assert!(!running.store.is_due(gone));
    running.stop().await;

    // A crash after the rows were deleted leaves this mark.
    let database = machine.config().database();
    let mut db = sqlx::sqlite::SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
    sqlx::query("UPDATE retention SET unfinished = 1").execute(&mut db).await.unwrap();
    sqlx::Connection::close(db).await.unwrap();
    let running = machine.start().await;
    assert!(running.store.is_due(gone) && running.store.stock().await.unwrap().unfinished);
    let entry = audit("retention.purge");
    let purged = RetentionStore::purge(&*running.store, gone, &entry).await;
    assert_eq!(purged, Ok(Purged { results: 0, months: 0 }));
    let stock = running.store.stock().await.unwrap();
    assert!(!stock.unfinished && stock.months.is_empty());
    assert_eq!(stock.last.map(|last| last.at), Some(gone));
    assert_eq!(running.store.verify_chain().await.unwrap().count, 2, "the purge has its row");
    running.stop().await;
}

/// A read transaction of another process cannot be let go, but it does not stop anything else either: rows and keys are
/// gone, and the next run empties the WAL.
#[tokio::test]
async fn a_foreign_reader_holds_up_the_wal_alone() {
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    let database = machine.config().database();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database).read_only(true);
    let mut foreign = options.connect().await.unwrap();
    foreign.execute("BEGIN").await.unwrap();
    foreign.execute("SELECT count(*) FROM results").await.unwrap();
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    let let_go = async {
        let keys_gone = async {
            while running.store.overdue_since().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(50), keys_gone).await.expect("the keys go first");
        assert!(running.store.is_due(gone), "and the purge is not called finished");
        foreign.execute("ROLLBACK").await.expect("the read ends");
        foreign.close().await.expect("closed");
    };
    let (purged, ()) = tokio::join!(running.store.purge(gone), let_go);
    assert_eq!(purged, Ok(Purged { results: 1, months: 1 }));
    running.stop().await;
}

/// No key goes without a row that says so, not even where the row cannot be committed.
#[tokio::test]
async fn keys_go_only_after_the_row_that_tells_of_it_is_in_the_audit_log() {
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let running = machine.start().await;
    insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(machine.config().database());
    let mut foreign = options.connect().await.unwrap();
    // The commit of an audit row fails, and nothing before it.
    foreign
        .execute(
            "CREATE TABLE obstacle (id INTEGER PRIMARY KEY); \
             CREATE TABLE trips (over INTEGER REFERENCES obstacle (id) DEFERRABLE INITIALLY DEFERRED); \
             CREATE TRIGGER in_the_way AFTER INSERT ON audit BEGIN INSERT INTO trips VALUES (1); END",
        )
        .await
        .unwrap();
    let entry = audit("retention.purge");
    let refused = RetentionStore::purge(&*running.store, gone, &entry).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(running.store.overdue_since(), Some(gone), "the keys are there");
    assert!(running.store.is_due(gone));

    foreign.execute("DROP TRIGGER in_the_way").await.unwrap();
    foreign.close().await.unwrap();
    let purged = RetentionStore::purge(&*running.store, gone, &entry).await.unwrap();
    assert_eq!((purged.months, running.store.overdue_since()), (1, None));
    assert_eq!(running.store.verify_chain().await.unwrap().count, 2, "one for the result, one for its end");
    running.stop().await;
}
