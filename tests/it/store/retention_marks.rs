//! What a purge leaves in the files, and where the marks of time and of unfinished work stand after it.

use std::fs;
use std::time::Duration;

use daemon::app::ports::{ResultStore as _, RetentionStore, StoreError};
use daemon::store::{Purged, Room, StoreConfig};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use super::support::{Machine, at, audit, insert, person, result};

const NOW: &str = "2026-06-10T00:00:00Z";
/// First instant at which a result of then is gone.
const GONE: &str = "2026-07-31T15:00:00Z";
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// More pages than are given back at once.
const MANY: i64 = 2_000;

async fn database(machine: &Machine) -> SqliteConnection {
    SqliteConnectOptions::new().filename(machine.config().database()).connect().await.expect("the file opens")
}

async fn free_pages(db: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar("PRAGMA freelist_count").fetch_one(db).await.expect("a number")
}

/// Leaves pages that are used no more, as a month of very many results does.
async fn leave_free_pages(db: &mut SqliteConnection) {
    db.execute("CREATE TABLE heap (bytes BLOB)").await.expect("made");
    db.execute("INSERT INTO heap VALUES (zeroblob(12000000))").await.expect("filled");
    db.execute("DROP TABLE heap").await.expect("dropped");
    let free = free_pages(db).await;
    assert!(free > MANY, "{free}");
}

fn log_bytes(machine: &Machine) -> u64 {
    fs::metadata(machine.path("data/shikaku.db-wal")).expect("the log").len()
}

#[tokio::test]
async fn a_purge_gives_every_free_page_back_and_leaves_an_empty_log() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let mut db = database(&machine).await;
    leave_free_pages(&mut db).await;
    db.close().await.expect("closed");
    assert!(log_bytes(&machine) > 0);

    let gone = at(GONE);
    machine.clock.set(gone);
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 1, months: 1 }));
    assert_eq!(log_bytes(&machine), 0, "everything is in the database");
    let bytes = fs::metadata(machine.config().database()).expect("the database").len();
    assert!(bytes < 4_000_000, "the file system has its space back: {bytes}");
    let mut db = database(&machine).await;
    assert_eq!(free_pages(&mut db).await, 0);
    db.close().await.expect("closed");
    running.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_give_pages_back_is_purged_all_the_same() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    running.stop().await;
    let mut db = database(&machine).await;
    db.execute("PRAGMA auto_vacuum = NONE").await.expect("set");
    db.execute("VACUUM").await.expect("made anew");
    leave_free_pages(&mut db).await;
    db.close().await.expect("closed");

    let running = machine.start().await;
    let gone = at(GONE);
    machine.clock.set(gone);
    let purged = timeout(Duration::from_secs(30), running.store.purge(gone)).await;
    assert_eq!(purged, Ok(Ok(Purged { results: 1, months: 1 })));
    assert_eq!(log_bytes(&machine), 0);
    let mut db = database(&machine).await;
    assert!(free_pages(&mut db).await > MANY, "there they stay");
    db.close().await.expect("closed");
    running.stop().await;
}

#[tokio::test]
async fn a_plausible_instant_is_kept_once_it_is_ten_minutes_on_or_the_store_is_a_second_ahead_of_it() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let marks = async || {
        let stock = store.stock().await.expect("readable");
        (stock.instant, stock.plausible)
    };
    let settle = async |now: Timestamp| {
        machine.clock.set(now);
        store.settle(now).await.expect("settled");
    };
    let first = at(NOW);
    settle(first).await;
    assert_eq!(marks().await, (first, first));
    let almost = first + SECOND * 600;
    settle(almost).await;
    assert_eq!(marks().await, (almost, first), "not worth a commit");
    let second = almost + MICROSECOND;
    settle(second).await;
    assert_eq!(marks().await, (second, second));

    let right = second + SECOND * 60;
    machine.clock.set(right + SECOND);
    assert_eq!(marks().await, (right + SECOND, second));
    settle(right).await;
    assert_eq!(marks().await, (right + SECOND, second), "so far it may be ahead");
    machine.clock.set(right + SECOND + MICROSECOND);
    assert_eq!(marks().await, (right + SECOND + MICROSECOND, second));
    settle(right).await;
    assert_eq!(marks().await, (right, right), "it comes down");
    running.stop().await;

    machine.clock.set(first);
    let running = machine.start().await;
    let stock = running.store.stock().await.expect("readable");
    assert_eq!((stock.instant, stock.plausible), (right, right), "nor does a restart change it");
    running.stop().await;
}

#[tokio::test]
async fn a_ballast_that_is_gone_is_laid_again_by_the_next_look_and_by_a_purge() {
    const BALLAST: u64 = 1 << 16;
    let machine = Machine::at(NOW);
    let config = StoreConfig { room: Room { ballast: BALLAST, low_water: 0 }, ..machine.config() };
    let running = machine.open(&config).await.expect("the store opens");
    let store = &running.store;
    let is_whole = async || store.stock().await.expect("readable").ballast;
    let ballast = machine.path("data/ballast");
    assert!(is_whole().await);

    fs::remove_file(&ballast).expect("it was there");
    assert!(!is_whole().await);
    store.settle(at(NOW)).await.expect("settled");
    assert!(is_whole().await);
    assert_eq!(fs::metadata(&ballast).expect("a file").len(), BALLAST);

    fs::remove_file(&ballast).expect("it was there");
    assert_eq!(store.purge(at(NOW)).await, Ok(Purged { results: 0, months: 0 }));
    assert!(is_whole().await);
    running.stop().await;
}

#[tokio::test]
async fn a_purge_that_failed_halfway_is_due_whatever_the_clock_says_and_lets_nothing_of_its_month_in() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    assert!(!running.store.is_unfinished() && !running.store.is_due(at(NOW)));
    let mut db = database(&machine).await;
    db.execute(
        "CREATE TRIGGER in_the_way BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'in the way'); END",
    )
    .await
    .expect("a hand at the file");
    let gone = at(GONE);
    machine.clock.set(gone);
    let entry = audit("retention.purge");
    let failed = RetentionStore::purge(&*running.store, gone, &entry).await;
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    assert!(running.store.is_unfinished());
    db.execute("DROP TRIGGER in_the_way").await.expect("out of the way");
    db.close().await.expect("closed");
    let late = result("c2", at(NOW), vec![person("資格 花子", "2")]);
    let refused = running.store.insert(&late, &audit("check.done")).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    running.stop().await;

    let running = machine.start().await;
    let stock = running.store.stock().await.expect("readable");
    assert!(running.store.is_unfinished() && stock.unfinished);
    assert_eq!((stock.plausible, stock.last), (gone, None));
    assert!(running.store.is_due(at(NOW)), "also before anything has expired");
    let purged = RetentionStore::purge(&*running.store, gone, &entry).await;
    assert_eq!(purged, Ok(Purged { results: 0, months: 1 }), "the rows went first");
    assert!(!running.store.is_unfinished() && !running.store.is_due(gone));
    let last = running.store.stock().await.expect("readable").last.expect("it has ended");
    assert_eq!((last.at, last.purged), (gone, Purged { results: 0, months: 1 }));
    running.stop().await;
}
