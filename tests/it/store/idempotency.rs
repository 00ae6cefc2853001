//! Requests with a key on disk: remembered with their effect, sealed, and gone after a day.

use daemon::app::ports::{Inquiry, InquiryQueue, Keyed, Made, RequestMemory, RetentionStore, StoreError};
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::support::{Machine, at, audit, person};

/// Half an hour before the month ends in Japan.
const NOW: &str = "2026-06-30T14:30:00Z";

fn keyed(key: &str) -> Keyed {
    Keyed { account: "reseputo".to_owned(), key: key.to_owned(), request: [7; 32] }
}

fn inquiry() -> Inquiry {
    Inquiry {
        person: InsuranceIdentifiers::of(&person("資格 太郎", "1")).expect("identifiers"),
        number: InquiryNumber::parse("K-1").expect("a number"),
        result: None,
    }
}

#[tokio::test]
async fn a_request_is_remembered_with_its_job_for_a_day_also_into_the_next_month() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let key = keyed("CANARY-OF-TARO-0001");
    let taken = running.store.take_in(&inquiry(), &audit("inquiry_number.queued"), Some(&key)).await;
    let (job, _) = taken.expect("written").expect("nobody has the number");
    running.store.remember(&keyed("of-a-check"), &Made::Check("abc".to_owned())).await.expect("kept");
    running.stop().await;
    for (path, content) in machine.files() {
        let shown = content.windows(key.key.len()).any(|window| window == key.key.as_bytes());
        assert!(!shown, "a key can name somebody: {}", path.display());
    }

    machine.clock.set(at("2026-07-01T14:29:59Z"));
    let running = machine.start().await;
    let store = &running.store;
    let remembered = store.remembered("reseputo", &key.key).await.expect("readable").expect("remembered");
    assert_eq!((remembered.request, remembered.made), ([7; 32], Made::Job(job)));
    assert_eq!(store.remembered("hanako", &key.key).await, Ok(None), "keys belong to an account");
    store.forget(&keyed("of-a-check")).await.expect("forgotten");
    assert_eq!(store.remembered("reseputo", "of-a-check").await, Ok(None));

    machine.clock.set(at(NOW).checked_add(jiff::SignedDuration::from_hours(24)).expect("a time"));
    assert_eq!(store.remembered("reseputo", &key.key).await, Ok(None));
    let again = store.take_in(&inquiry(), &audit("inquiry_number.queued"), Some(&key)).await;
    let (next, _) = again.expect("the key is free again").expect("nobody has the number");
    let remembered = store.remembered("reseputo", &key.key).await.expect("readable").expect("remembered");
    assert_eq!(remembered.made, Made::Job(next));
    running.stop().await;
}

#[tokio::test]
async fn what_is_no_longer_remembered_is_removed_under_a_plausible_clock_and_rows_cannot_be_swapped() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    for (key, check) in [("first-key", "one"), ("second-key", "two")] {
        running.store.remember(&keyed(key), &Made::Check(check.to_owned())).await.expect("kept");
    }
    let options = SqliteConnectOptions::new().filename(machine.path("data/shikaku.db"));
    let pool = SqlitePool::connect_with(options).await.expect("the database");
    sqlx::query(
        "UPDATE idempotency SET payload = (SELECT payload FROM idempotency WHERE id = 1) WHERE id = 2",
    )
    .execute(&pool)
    .await
    .expect("writable");
    let swapped = running.store.remembered("reseputo", "second-key").await;
    assert!(matches!(swapped, Err(StoreError::Corrupt { table: "idempotency", row: 2, .. })), "{swapped:?}");

    let count = async || {
        let query = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM idempotency");
        query.fetch_one(&pool).await.expect("readable")
    };
    RetentionStore::settle(&*running.store, at("2026-07-01T14:29:59Z")).await.expect("settled");
    assert_eq!(count().await, 2);
    RetentionStore::settle(&*running.store, at("2026-07-01T14:30:00Z")).await.expect("settled");
    assert_eq!(count().await, 0);
    pool.close().await;
    running.stop().await;
}
