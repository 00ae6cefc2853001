//! Reads of ready results: the sequence of changes, bodies, pages that survive everything, and the search for a person.

use std::collections::BTreeSet;

use daemon::app::ports::{
    NewResult, Page, PersonFilter, ReadyResult, ResultForm as _, ResultQuery, ResultStore,
    RetentionStore as _, StoreError, TerminalId,
};
use daemon::domain::check::ResultId;
use daemon::domain::eligibility::{Eligibility, Field};
use daemon::domain::identifiers::InquiryNumber;
use daemon::domain::personal::Personal;
use daemon::domain::retention::JstMonth;
use daemon::service::JsonForm;
use daemon::store::Store;
use jiff::SignedDuration;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::support::{Machine, at, audit, get, insert, just_before, person, result, set_number, with};

const NOW: &str = "2026-06-10T01:00:00Z";
/// Gone are the results of May.
const JULY: &str = "2026-06-30T15:00:00Z";

async fn database(machine: &Machine) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(machine.config().database()).foreign_keys(true);
    options.connect().await.expect("the database")
}

async fn run(machine: &Machine, sql: &'static str) {
    let mut db = database(machine).await;
    sqlx::raw_sql(sql).execute(&mut db).await.expect(sql);
    db.close().await.expect("closed");
}

async fn ready(store: &Store, id: ResultId) -> ReadyResult {
    store.ready(id).await.expect("readable").expect("a result")
}

async fn changes(store: &Store, after: i64) -> Vec<ReadyResult> {
    store.changes(after, 100).await.expect("changes")
}

fn ids(results: &[ReadyResult]) -> Vec<ResultId> {
    results.iter().map(|result| result.id).collect()
}

/// Everything that a page after page gives.
async fn all(store: &Store, query: &ResultQuery, limit: u32) -> Vec<ReadyResult> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let Page { rows, next } = store.ready_page(query, after, limit).await.expect("a page");
        assert!(rows.len() <= limit as usize);
        found.extend(rows);
        after = next;
        if after.is_none() {
            return found;
        }
    }
}

/// The body is the rendered form of what is stored, in every way to read it.
async fn assert_ready(store: &Store, id: ResultId) {
    let stored = get(store, id).await.expect("a result");
    let one = ready(store, id).await;
    assert_eq!(one.body, JsonForm.render(&stored).expect("rendered"));
    assert_eq!((one.id, one.version, one.place()), (stored.id, stored.version, stored.place()));
    for way in [changes(store, 0).await, all(store, &ResultQuery::default(), 3).await] {
        assert_eq!(way.iter().find(|other| other.id == id), Some(&one));
    }
}

#[tokio::test]
async fn a_ready_result_is_what_is_stored_and_follows_each_of_its_changes() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let one = insert(store, "c1", NOW, person("資格 太郎", "1")).await;
    let other = insert(store, "c2", NOW, person("資格 花子", "2")).await;
    assert_ready(store, one).await;
    let before = ready(store, one).await;
    set_number(store, "1", "カルテ7").await;
    assert_ready(store, one).await;
    assert_ready(store, other).await;
    let after = ready(store, one).await;
    assert_eq!(after.version, before.version + 2, "the number was on its way, then it was set");
    assert!(String::from_utf8(after.body).expect("UTF-8").contains("カルテ7"));
    assert_eq!(ids(&changes(store, 0).await), [other, one], "once, at its last change");
    assert_eq!(store.ready(ResultId(999)).await, Ok(None));
    running.stop().await;
}

#[tokio::test]
async fn numbers_of_changes_go_on_after_a_restart_a_purge_and_a_failure_and_never_come_twice() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let mut news = running.store.news();
    let start = news.borrow_and_update().change;
    let may = insert(&running.store, "may", "2026-05-20T00:00:00Z", person("五月", "5")).await;
    assert!(news.has_changed().expect("open"));
    let first = ready(&running.store, may).await.change;
    assert_eq!((first, news.borrow_and_update().change), (start + 1, start + 1));

    let late = result("late", at("2026-03-01T00:00:00Z"), vec![person("遅", "9")]);
    running.store.settle(at(NOW)).await.expect("settled");
    running.store.insert(&late, &audit("check.done")).await.expect_err("past its retention");
    assert!(!news.has_changed().expect("open"), "nothing was stored");
    insert(&running.store, "may", "2026-05-20T00:00:00Z", person("五月", "5")).await;
    assert!(!news.has_changed().expect("open"), "the same check stores nothing");
    running.stop().await;

    machine.clock.set(at(JULY));
    let running = machine.start().await;
    assert_eq!(running.store.news().borrow().change, first, "a restart is no change");
    running.store.purge(at(JULY)).await.expect("purged");
    let june = insert(&running.store, "june", NOW, person("六月", "6")).await;
    assert_eq!(ready(&running.store, june).await.change, first + 1);
    assert_eq!(ids(&changes(&running.store, first).await), [june]);
    running.stop().await;
}

/// Jobs that share a commit with one that fails.
#[tokio::test]
async fn what_a_failing_neighbour_took_back_leaves_no_gap_that_anybody_saw() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    store.settle(at(NOW)).await.expect("settled");
    let old = result("old", at("2026-03-01T00:00:00Z"), vec![person("遅", "9")]);
    let entry = audit("check.done");
    let good: Vec<NewResult> =
        (0..20).map(|n| result(&format!("c{n}"), at(NOW), vec![person("資格", "1")])).collect();
    let all = good.iter().flat_map(|new| [store.insert(new, &entry), store.insert(&old, &entry)]);
    let stored = futures_util::future::join_all(all).await;
    assert_eq!(stored.iter().filter(|one| one.is_ok()).count(), 20);
    let numbers: BTreeSet<i64> = changes(store, 0).await.iter().map(|one| one.change).collect();
    assert_eq!(numbers.len(), 20);
    assert_eq!(numbers.last().copied(), Some(store.news().borrow().change));
    running.stop().await;
}

#[tokio::test]
async fn what_has_expired_is_gone_from_every_read_at_once_and_the_mark_says_so() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let may = insert(store, "may", "2026-05-20T00:00:00Z", person("五月", "5")).await;
    set_number(store, "5", "K-5").await;
    let everything = [
        ResultQuery::default(),
        ResultQuery { inquiry_number: InquiryNumber::parse("K-5").ok(), ..ResultQuery::default() },
        ResultQuery {
            person: PersonFilter { name: Some(Personal::new("五")), ..PersonFilter::default() },
            ..ResultQuery::default()
        },
    ];
    for (now, left) in [(just_before(at(JULY)), 1), (at(JULY), 0)] {
        machine.clock.set(now);
        assert_eq!(store.news().borrow().month, JstMonth::of(now));
        assert_eq!(store.ready(may).await.expect("readable").iter().count(), left, "{now}");
        assert_eq!(changes(store, 0).await.len(), left, "{now}");
        for query in &everything {
            assert_eq!(all(store, query, 10).await.len(), left, "{now} {query:?}");
            assert_eq!(store.page(query, None, 10).await.expect("a page").rows.len(), left, "{now}");
            assert_eq!(store.count(query).await, Ok(left as u64), "{now} {query:?}");
        }
    }
    machine.clock.set(at(NOW));
    assert_eq!(store.ready(may).await, Ok(None), "a clock that is set back brings nothing back");
    running.stop().await;
}

#[tokio::test]
async fn whoever_waits_for_news_hears_of_a_new_month_when_retention_looks() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let mut news = running.store.news();
    news.mark_unchanged();
    machine.clock.set(at(JULY));
    running.store.is_due(at(JULY));
    news.changed().await.expect("news");
    assert_eq!(news.borrow().month, JstMonth::of(at(JULY)));
    running.stop().await;
}

#[tokio::test]
async fn pages_miss_nothing_and_repeat_nothing_while_results_come_and_go() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let minute = |n: i64| at("2026-05-31T14:00:00Z") + SignedDuration::from_mins(n);
    for n in 0..60 {
        let time = minute(n * 2).to_string();
        insert(store, &format!("c{n}"), &time, person("資格", "1")).await;
    }
    let query = ResultQuery::default();
    let Page { rows, next } = store.ready_page(&query, None, 7).await.expect("a page");
    let mut seen = ids(&rows);
    for (n, minute_of) in [(1, 119), (2, 105), (3, 61), (4, 59)] {
        let new = insert(store, &format!("new{n}"), &minute(minute_of).to_string(), person("新", "2")).await;
        assert!(!seen.contains(&new));
    }
    machine.clock.set(at(JULY));
    store.purge(at(JULY)).await.expect("purged");
    let mut after = next;
    while after.is_some() {
        let Page { rows, next } = store.ready_page(&query, after, 7).await.expect("a page");
        seen.extend(ids(&rows));
        after = next;
    }
    let distinct: BTreeSet<ResultId> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "nothing twice");
    // From minute 60 on it was June in Japan: thirty of the sixty, and one of the late ones lay below the first page.
    assert_eq!(seen.len(), 30 + 2);
    running.stop().await;
}

#[tokio::test]
async fn bodies_are_bound_to_their_row_and_version() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let one = insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let other = insert(&running.store, "c2", NOW, person("資格 花子", "2")).await;
    running.stop().await;
    let mut db = database(&machine).await;
    let old: Vec<u8> = sqlx::query_scalar("SELECT body FROM result_bodies WHERE id = ?1")
        .bind(one.0)
        .fetch_one(&mut db)
        .await
        .expect("a body");
    sqlx::query("UPDATE result_bodies SET body = ?1 WHERE id = ?2")
        .bind(&old)
        .bind(other.0)
        .execute(&mut db)
        .await
        .expect("moved");
    db.close().await.expect("closed");
    let running = machine.start().await;
    let refused = running.store.ready(other).await;
    let unreadable = |row: ResultId| move |error: &StoreError| matches!(error, StoreError::Corrupt { table: "result_bodies", row: found, .. } if *found == row.0);
    assert!(refused.as_ref().is_err_and(unreadable(other)), "{refused:?}");
    assert!(
        running
            .store
            .ready_page(&ResultQuery::default(), None, 9)
            .await
            .is_err_and(|e| unreadable(other)(&e))
    );
    assert!(get(&running.store, other).await.is_some(), "what is stored is another thing");
    set_number(&running.store, "1", "K-1").await;
    running.stop().await;

    let mut db = database(&machine).await;
    sqlx::query("UPDATE result_bodies SET body = ?1 WHERE id = ?2")
        .bind(&old)
        .bind(one.0)
        .execute(&mut db)
        .await
        .expect("put back");
    db.close().await.expect("closed");
    let running = machine.start().await;
    let refused = running.store.ready(one).await;
    assert!(refused.as_ref().is_err_and(unreadable(one)), "an older version: {refused:?}");
    running.stop().await;
}

#[tokio::test]
async fn bodies_of_an_older_form_or_none_are_rendered_when_read_and_kept_at_the_next_write() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let one = insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let other = insert(&running.store, "c2", NOW, person("資格 花子", "2")).await;
    let expected = [ready(&running.store, one).await, ready(&running.store, other).await];
    running.stop().await;
    run(&machine, "UPDATE result_bodies SET form = 0, body = x'00' WHERE id = 1; DELETE FROM result_bodies WHERE id = 2")
        .await;

    let running = machine.start().await;
    let store = &running.store;
    assert_eq!([ready(store, one).await, ready(store, other).await], expected);
    assert_eq!(changes(store, 0).await, expected);
    for id in [one, other] {
        assert_ready(store, id).await;
    }
    set_number(store, "1", "K-1").await;
    set_number(store, "2", "K-2").await;
    running.stop().await;
    let mut db = database(&machine).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM result_bodies WHERE form = ?1")
        .bind(JsonForm.number())
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(kept, 2);
    db.close().await.expect("closed");
}

/// A database as the version before kept it.
#[tokio::test]
async fn an_older_database_gets_its_sequence_and_loses_nothing() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    for n in 0..5 {
        insert(&running.store, &format!("c{n}"), NOW, person("資格 太郎", &n.to_string())).await;
    }
    let expected = all(&running.store, &ResultQuery::default(), 10).await;
    running.stop().await;
    run(
        &machine,
        "DROP VIEW live_results; DROP TABLE result_bodies; DROP TABLE results_sequence; DROP INDEX results_change; \
         DROP INDEX results_newest; ALTER TABLE results DROP COLUMN change; \
         CREATE INDEX results_newest ON results (checked_at_us, id) WHERE searchable = 1; \
         CREATE VIEW live_results AS SELECT * FROM results \
         WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1); \
         DELETE FROM results WHERE id = 5; DELETE FROM _sqlx_migrations WHERE version = 50",
    )
    .await;
    let running = machine.start().await;
    let store = &running.store;
    let found = all(store, &ResultQuery::default(), 10).await;
    assert_eq!(found, expected[1..], "as before, rendered when read");
    assert_eq!(store.news().borrow().change, 5);
    let next = insert(store, "next", NOW, person("次", "7")).await;
    assert_eq!(ready(store, next).await.change, 6, "no number of a result that is gone");
    assert_ready(store, next).await;
    running.stop().await;
}

#[tokio::test]
async fn an_inquiry_number_finds_its_results_in_every_month() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let may = insert(store, "may", "2026-05-20T00:00:00Z", person("資格 太郎", "1")).await;
    let june = insert(store, "june", "2026-06-02T00:00:00Z", person("資格 太郎", "1")).await;
    insert(store, "other", "2026-06-03T00:00:00Z", person("資格 花子", "2")).await;
    set_number(store, "1", "カルテ7").await;
    let with_number = |text: &str| ResultQuery {
        inquiry_number: InquiryNumber::parse(text).ok(),
        ..ResultQuery::default()
    };
    for limit in [1, 10] {
        assert_eq!(ids(&all(store, &with_number("カルテ7"), limit).await), [june, may]);
    }
    assert_eq!(store.count(&with_number("カルテ7")).await, Ok(2));
    let in_june = ResultQuery { from: Some(at("2026-06-01T00:00:00Z")), ..with_number("カルテ7") };
    assert_eq!(ids(&all(store, &in_june, 10).await), [june]);
    assert_eq!(store.count(&in_june).await, Ok(1));
    assert_eq!(store.count(&with_number("カルテ")).await, Ok(0), "all of it or nothing");
    running.stop().await;

    let empty = Machine::at(NOW);
    let running = empty.start().await;
    assert_eq!(all(&running.store, &with_number("7"), 10).await, []);
    assert_eq!(running.store.count(&with_number("7")).await, Ok(0));
    running.stop().await;
}

fn named(name: &str, kana: &str, number: &str, birthdate: &str) -> Eligibility {
    let named = with(&person(name, number), Field::NameKana, kana);
    with(&named, Field::Birthdate, birthdate)
}

#[tokio::test]
async fn a_person_is_found_by_name_kana_birth_date_and_insurer_together() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let kyo = insert(store, "c1", NOW, named("資格　京", "シカク　キヨウ", "1", "19690410")).await;
    let taro = insert(store, "c2", NOW, named("資格 太郎", "ｼｶｸ ﾀﾛｳ", "2", "20010203")).await;
    let several =
        vec![named("複 数", "フク スウ", "3", "19690410"), named("別 人", "ベツ ジン", "4", "20010203")];
    let both = store.insert(&result("c3", at(NOW), several), &audit("check.done")).await.expect("stored");
    let asked = |name: &str, kana: &str, birthdate: Option<&str>, insurer: &str| {
        let text = |text: &str| (!text.is_empty()).then(|| Personal::new(text));
        ResultQuery {
            person: PersonFilter {
                name: text(name),
                kana: text(kana),
                birthdate: birthdate.map(|day| day.parse().expect("a day")),
                insurer_number: text(insurer),
            },
            ..ResultQuery::default()
        }
    };
    for (query, expected) in [
        (asked("資格", "", None, ""), vec![taro, kyo]),
        (asked("資格京", "", None, ""), vec![kyo]),
        (asked("資 格 太", "", None, ""), vec![taro]),
        (asked("格", "", None, ""), vec![]),
        (asked("", "しかくきょう", None, ""), vec![kyo]),
        (asked("", "ｼｶｸ ｷｮ", None, ""), vec![kyo]),
        (asked("", "シカクタ", None, ""), vec![taro]),
        (asked("", "", Some("1969-04-10"), ""), vec![both, kyo]),
        (asked("別", "", Some("1969-04-10"), ""), vec![]),
        (asked("別", "", Some("2001-02-03"), ""), vec![both]),
        (asked("", "", None, "138057"), vec![both, taro, kyo]),
        (asked("", "", None, "13805"), vec![]),
        (asked("資格", "", None, "138057"), vec![taro, kyo]),
    ] {
        for limit in [1, 10] {
            assert_eq!(ids(&all(store, &query, limit).await), expected, "{query:?}");
        }
        assert_eq!(store.count(&query).await, Ok(expected.len() as u64));
        let stored = store.page(&query, None, 10).await.expect("a page").rows;
        assert_eq!(stored.iter().map(|one| one.id).collect::<Vec<_>>(), expected);
    }
    for one in all(store, &asked("資格", "", None, ""), 10).await {
        assert_eq!(one, ready(store, one.id).await, "as any read gives it");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_search_opens_a_bounded_number_of_results_a_page_and_finds_all_in_the_end() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let wanted = insert(store, "first", "2026-06-01T00:00:00Z", person("探 す", "1")).await;
    for portion in 0..103 {
        let many: Vec<NewResult> = (0..50)
            .map(|n| {
                let mut new = result(&format!("c{portion}-{n}"), at(NOW), vec![person("資格", "2")]);
                new.terminal = TerminalId("uketsuke-2".to_owned());
                new
            })
            .collect();
        let entry = audit("check.done");
        let inserts = many.iter().map(|new| store.insert(new, &entry));
        let stored = futures_util::future::join_all(inserts).await;
        assert!(stored.iter().all(Result::is_ok));
    }
    let query = ResultQuery {
        person: PersonFilter { name: Some(Personal::new("探す")), ..PersonFilter::default() },
        ..ResultQuery::default()
    };
    let first = store.ready_page(&query, None, 10).await.expect("a page");
    assert_eq!(first.rows, [], "5,000 of 5,151 were opened");
    let second = store.ready_page(&query, first.next, 10).await.expect("a page");
    assert_eq!((ids(&second.rows), second.next), (vec![wanted], None));
    assert_eq!(store.count(&query).await, Ok(1), "a count is always complete");
    let there = ResultQuery { terminal: Some(TerminalId("uketsuke-1".to_owned())), ..query };
    let narrow = store.ready_page(&there, None, 10).await.expect("a page");
    assert_eq!(
        (ids(&narrow.rows), narrow.next),
        (vec![wanted], None),
        "only the period's own rows are opened"
    );
    running.stop().await;
}

#[tokio::test]
async fn reads_wait_for_a_purge_and_go_on() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    for n in 0..30 {
        insert(&running.store, &format!("m{n}"), "2026-05-20T00:00:00Z", person("五月", "5")).await;
    }
    let june = insert(&running.store, "june", NOW, person("六月", "6")).await;
    machine.clock.set(at(JULY));
    let read = || async {
        for _ in 0..50 {
            assert_eq!(ids(&all(&running.store, &ResultQuery::default(), 10).await), [june]);
        }
    };
    let purge = async { running.store.purge(at(JULY)).await.expect("purged").results };
    let ((), (), (), purged) = tokio::join!(read(), read(), read(), purge);
    assert_eq!(purged, 30);
    running.stop().await;
}
