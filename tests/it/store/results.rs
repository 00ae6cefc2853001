//! Results: what goes in comes out, once, in order, and inquiry numbers follow the person.

use std::task::{Context, Waker};

use daemon::app::ports::{NewResult, ResultQuery, ResultStore, Source, StoreError, TerminalId};
use daemon::domain::check::{Method, ResultId};
use daemon::domain::eligibility::{Eligibility, Field, ProcessingNote, Validity};
use daemon::domain::identifiers::{InquiryNumber, UpstreamResultId};
use daemon::store::Store;

use super::support::{Machine, at, audit, get, insert, person, result, set_number, with};

const NOW: &str = "2026-06-10T01:00:00Z";

fn number(text: &str) -> InquiryNumber {
    InquiryNumber::parse(text).expect("an inquiry number")
}

async fn pages(store: &Store, query: &ResultQuery, limit: u32) -> Vec<ResultId> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(query, after, limit).await.expect("a page");
        ids.extend(page.rows.iter().map(|stored| stored.id));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn everything_received_comes_back_as_it_was() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let full = Eligibility::from_fields(
        Field::ALL
            .iter()
            .map(|field| (*field, daemon::domain::personal::Personal::new(format!("値 {field:?} \"\\\0")))),
    );
    let mut new: NewResult = result(
        "c1",
        at("2026-06-10T00:59:59.123456789Z"),
        vec![full, Eligibility::default(), person("●田", "9")],
    );
    new.confirmation.validity = Validity::Unknown("8".to_owned());
    new.confirmation.note =
        Some(ProcessingNote { code: "OQ0001".to_owned(), message: "期限が近い".to_owned() });
    new.source = Source::Own { check_id: "c1".to_owned(), method: Method::Visual };
    new.confirmation.upstream_id = UpstreamResultId::parse("SIM0001").ok();
    let id = running.store.insert(&new, &audit("check.done")).await.unwrap();
    let stored = get(&running.store, id).await.unwrap();
    assert_eq!(stored.content, new);
    assert_eq!((stored.id, stored.version, stored.expires_at), (id, 1, at("2026-07-31T15:00:00Z")));
    running.stop().await;
}

#[tokio::test]
async fn the_same_check_from_32_tasks_is_stored_and_audited_once() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let tasks: tokio::task::JoinSet<ResultId> = (0..32)
        .map(|_| {
            let store = running.store.clone();
            async move { insert(&store, "the check", NOW, person("資格 太郎", "1")).await }
        })
        .collect();
    let ids = tasks.join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(1));
    assert_eq!(running.store.verify_chain().await.unwrap().count, 1);
    running.stop().await;
}

#[tokio::test]
async fn work_goes_on_when_its_caller_goes_away() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let new = result("abandoned", at(NOW), vec![person("資格 太郎", "1")]);
    let entry = audit("check.done");
    let mut call = running.store.insert(&new, &entry);
    // One poll hands the job over; then the caller is gone.
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(call);
    // The writer takes jobs in order, so this one comes after.
    insert(&running.store, "next", NOW, person("資格 花子", "2")).await;
    assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(2));
    running.stop().await;
}

#[tokio::test]
async fn pages_are_newest_first_and_complete_even_with_equal_times() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let times =
        ["2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z", "2026-06-02T00:00:00Z", "2026-06-02T00:00:00Z"];
    let mut expected = Vec::new();
    for index in 0..60_usize {
        let time = times[index % times.len()];
        let id = insert(&running.store, &format!("c{index}"), time, person("資格 太郎", "1")).await;
        expected.push((at(time), id));
    }
    expected.sort_by(|one, other| other.cmp(one));
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 7, 60, 100] {
        assert_eq!(pages(&running.store, &ResultQuery::default(), limit).await, expected, "{limit}");
    }
    running.stop().await;
}

#[tokio::test]
async fn queries_choose_by_period_terminal_and_validity_and_skip_what_was_not_found() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let first = insert(store, "c1", "2026-06-01T00:00:00Z", person("一", "1")).await;
    let mut other = result("c2", at("2026-06-02T00:00:00Z"), vec![person("二", "2")]);
    other.terminal = TerminalId("uketsuke-2".to_owned());
    other.confirmation.validity = Validity::Invalid;
    let second = store.insert(&other, &audit("check.done")).await.unwrap();
    let nobody = result("c3", at("2026-06-03T00:00:00Z"), Vec::new());
    let third = store.insert(&nobody, &audit("check.done")).await.unwrap();

    assert_eq!(get(store, third).await.unwrap().content, nobody, "shown when asked for by number");
    let all = ResultQuery::default();
    let from = ResultQuery { from: Some(at("2026-06-02T00:00:00Z")), ..all.clone() };
    let until = ResultQuery { until: Some(at("2026-06-02T00:00:00Z")), ..all.clone() };
    let terminal = ResultQuery { terminal: Some(TerminalId("uketsuke-2".to_owned())), ..all.clone() };
    let valid = ResultQuery { validity: Some(Validity::Valid), ..all.clone() };
    let neither = ResultQuery { terminal: terminal.terminal.clone(), ..valid.clone() };
    for (query, expected) in [
        (all, vec![second, first]),
        (from, vec![second]),
        (until, vec![first]),
        (terminal, vec![second]),
        (valid, vec![first]),
        (neither, vec![]),
    ] {
        assert_eq!(pages(store, &query, 1).await, expected, "{query:?}");
        assert_eq!(store.count(&query).await, Ok(expected.len() as u64), "{query:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn an_inquiry_number_goes_to_every_result_of_the_person_in_every_month() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let may = insert(store, "c1", "2026-05-20T00:00:00Z", person("資格 太郎", "1")).await;
    let june = insert(store, "c2", "2026-06-02T00:00:00Z", person("シカク タロウ", "1")).await;
    let family = with(&person("資格 次郎", "1"), Field::InsuredBranchNumber, "02");
    let brother = insert(store, "c3", "2026-06-02T00:00:00Z", family).await;

    assert_eq!(set_number(store, "1", "カルテ7").await, [may, june]);
    for id in [may, june] {
        let stored = get(store, id).await.unwrap();
        assert_eq!((stored.inquiry_number, stored.version), (Some(number("カルテ7")), 3));
    }
    let untouched = get(store, brother).await.unwrap();
    assert_eq!((untouched.inquiry_number, untouched.version), (None, 1));

    assert_eq!(set_number(store, "1", "カルテ7").await, [may, june]);
    assert_eq!(get(store, may).await.unwrap().version, 3, "the same number changes nothing");
    assert_eq!(set_number(store, "999", "8").await, [], "nobody is there");
    running.stop().await;
}

#[tokio::test]
async fn people_without_identifiers_are_never_taken_for_each_other() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let blank = with(&with(&person("", ""), Field::InsurerNumber, "        "), Field::Name, "");
    let mut others = Vec::new();
    for (round, eligibility) in [Eligibility::default(), blank].into_iter().enumerate() {
        for check in ["a", "b"] {
            others.push(insert(store, &format!("{check}{round}"), NOW, eligibility.clone()).await);
        }
    }
    let several = vec![person("資格 太郎", "1"), person("資格 花子", "2")];
    let multiple = result("m", at(NOW), several);
    others.push(store.insert(&multiple, &audit("check.done")).await.unwrap());
    let taro = insert(store, "t", NOW, person("資格 太郎", "1")).await;
    assert_eq!(set_number(store, "1", "8").await, [taro]);
    for other in others {
        assert_eq!(get(store, other).await.unwrap().inquiry_number, None);
    }
    running.stop().await;
}

#[tokio::test]
async fn the_number_that_came_with_a_result_is_its_first_inquiry_number() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let known = with(&person("資格 太郎", "1"), Field::ReferenceNumber, "0042");
    let id = insert(&running.store, "c1", NOW, known).await;
    let stored = get(&running.store, id).await.unwrap();
    assert_eq!((stored.inquiry_number, stored.version), (Some(number("0042")), 1));
    running.stop().await;
}

#[tokio::test]
async fn rows_moved_within_the_database_do_not_open() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let one = insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let other = insert(&running.store, "c2", NOW, person("資格 花子", "2")).await;
    running.stop().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE results SET payload = (SELECT payload FROM results WHERE id = ?1) WHERE id = ?2")
        .bind(one.0)
        .bind(other.0)
        .execute(&mut db)
        .await
        .unwrap();
    sqlx::Connection::close(db).await.unwrap();
    let running = machine.start().await;
    assert!(get(&running.store, one).await.is_some());
    let refused = running.store.get(other).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { row, .. }) if row == other.0), "{refused:?}");
    running.stop().await;
}
