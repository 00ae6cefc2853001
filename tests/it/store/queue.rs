//! The queue of inquiry numbers on disk: acknowledged means kept, ended means erased, expired means gone.

use std::sync::{Arc, Mutex};

use daemon::app::ports::{
    Inquiry, InquiryEnd, InquiryFailure, InquiryQueue, InquiryRequest, Intake, OnDisk, PendingInquiry,
    ResultStore as _, StoreError, Subject,
};
use daemon::domain::check::ResultId;
use daemon::domain::eligibility::Field;
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use daemon::domain::queue::{BulkId, JobId, Receipt};
use daemon::store::Store;
use futures_util::future::join_all;

use super::support::{Machine, at, audit, for_person, get, insert, just_before, person, take_in, with};

const NOW: &str = "2026-06-10T01:00:00Z";

/// A number asked for by a result.
fn by_result(result: ResultId, number: &str) -> InquiryRequest {
    InquiryRequest {
        subject: Subject::Result(result),
        number: InquiryNumber::parse(number).expect("a number"),
    }
}

/// What is sent for a person.
fn inquiry(of: &str, number: &str, result: Option<ResultId>) -> Inquiry {
    Inquiry {
        person: InsuranceIdentifiers::of(&person("資格 太郎", of)).expect("identifiers"),
        number: InquiryNumber::parse(number).expect("a number"),
        result,
    }
}

async fn take_in_bulk(store: &Store, items: &[InquiryRequest]) -> (BulkId, Vec<JobId>, Intake) {
    let audit = audit("inquiry_number.bulk_queued");
    store.take_in_bulk(items, &audit, None, Box::new(|_| ())).await.expect("taken in")
}

async fn ids(store: &Store) -> Vec<JobId> {
    store.pending().await.expect("readable").iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn what_was_taken_in_is_there_after_a_restart_in_its_order() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let result = insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let one = take_in(&running.store, &by_result(result, "K-1")).await;
    let two = take_in(&running.store, &for_person("1", "K-2")).await;
    let items = [for_person("2", "K-3"), by_result(ResultId(99), "K-4")];
    let bulk = take_in_bulk(&running.store, &items).await;
    let receipt = Receipt("R-1".to_owned());
    running.store.note_receipt(&bulk.1[..1], Some(&receipt)).await.expect("noted");
    assert_eq!(running.store.verify_chain().await.expect("whole").count, 4, "one audit row each");
    running.stop().await;

    let running = machine.start().await;
    let pending = running.store.pending().await.expect("readable");
    let intake = bulk.2;
    assert_eq!(intake.taken_at, at(NOW));
    let expected = |id, bulk, inquiry: &Inquiry, receipt| PendingInquiry {
        id,
        bulk,
        inquiry: inquiry.clone(),
        intake,
        receipt,
    };
    assert_eq!(
        pending,
        [
            expected(one, None, &inquiry("1", "K-1", Some(result)), None),
            expected(two, None, &inquiry("1", "K-2", None), None),
            expected(bulk.1[0], Some(bulk.0), &inquiry("2", "K-3", None), Some(receipt)),
        ]
    );
    let stand = running.store.bulk(bulk.0, 0, 10).await.expect("readable").expect("there");
    assert_eq!((stand.items, stand.registered, stand.failed), (2, 0, 1));
    assert_eq!(stand.page[1].end, Some(InquiryEnd::Failed(InquiryFailure::ResultNotFound)));
    assert_eq!(running.store.bulk(bulk.0, 1, 10).await.expect("readable").expect("there").page.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_number_that_was_taken_stands_on_every_result_of_the_person_and_only_there() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let may = insert(store, "c1", "2026-05-31T14:59:59Z", person("資格 太郎", "1")).await;
    let june = insert(store, "c2", NOW, person("資格 太郎", "1")).await;
    let other = insert(store, "c3", NOW, person("資格 花子", "2")).await;
    let job = take_in(store, &by_result(june, "K-1")).await;
    let ends = [(job, InquiryEnd::Registered)];
    let mut changed = store.end(&ends).await.expect("ended");
    changed[0].sort();
    assert_eq!(changed, [vec![may, june]]);
    assert_eq!(store.end(&ends).await, Ok(vec![vec![]]), "it has ended before");
    for (id, number) in [(may, Some("K-1")), (june, Some("K-1")), (other, None)] {
        let found = get(store, id).await.expect("a result").inquiry_number;
        assert_eq!(found.as_ref().map(InquiryNumber::expose), number);
    }
    let stand = store.job(job).await.expect("readable").expect("there");
    assert_eq!((stand.end, stand.results.len()), (Some(InquiryEnd::Registered), 2));

    let audit = audit("inquiry_number.queued");
    let of_another = store.take_in(&by_result(other, "K-1"), &audit, None, Box::new(|_| ())).await;
    assert_eq!(of_another, Ok(Err(InquiryFailure::NumberInUse)), "it stands on another person's results");
    let (bulk, ..) = take_in_bulk(store, &[for_person("2", "K-1")]).await;
    let stand = store.bulk(bulk, 0, 1).await.expect("readable").expect("there");
    assert_eq!(stand.page[0].end, Some(InquiryEnd::Failed(InquiryFailure::NumberInUse)));
    assert_eq!(store.pending().await.expect("readable").len(), 0);
    assert_eq!(ids(store).await, []);
    running.stop().await;
}

async fn asked(store: &Store, request: &InquiryRequest) -> Result<(), InquiryFailure> {
    let audit = audit("inquiry_number.queued");
    store.take_in(request, &audit, None, Box::new(|_| ())).await.expect("written").map(drop)
}

#[tokio::test]
async fn a_number_that_is_on_its_way_for_somebody_is_nobody_elses_in_every_month_until_it_has_ended() {
    let machine = Machine::at("2026-05-31T14:59:59Z");
    let running = machine.start().await;
    let job = take_in(&running.store, &for_person("1", "K-1")).await;
    running.stop().await;
    machine.clock.set(at(NOW));
    let running = machine.start().await;
    let store = &running.store;
    assert_eq!(asked(store, &for_person("2", "K-1")).await, Err(InquiryFailure::NumberInUse));
    let again = take_in(store, &for_person("1", "K-1")).await;
    assert_eq!(asked(store, &for_person("2", "K-1")).await, Err(InquiryFailure::NumberInUse));
    assert_eq!(asked(store, &for_person("2", "K-2")).await, Ok(()));

    let items = [("3", "K-3"), ("4", "K-3"), ("3", "K-3"), ("4", "K-1"), ("1", "K-1")];
    let (bulk, ..) = take_in_bulk(store, &items.map(|(of, number)| for_person(of, number))).await;
    let stand = store.bulk(bulk, 0, 10).await.expect("readable").expect("there");
    let refused = Some(InquiryEnd::Failed(InquiryFailure::NumberInUse));
    let ends: Vec<_> = stand.page.iter().map(|job| job.end.clone()).collect();
    assert_eq!(ends, [None, refused.clone(), None, refused, None]);

    // Refused for its person, it is free again; no result has it.
    let end = InquiryEnd::Failed(InquiryFailure::PersonNotFound);
    let own = [job, again, stand.page[4].id].map(|job| (job, end.clone()));
    store.end(&own[..2]).await.expect("ended");
    assert_eq!(asked(store, &for_person("2", "K-1")).await, Err(InquiryFailure::NumberInUse));
    store.end(&own[2..]).await.expect("ended");
    assert_eq!(asked(store, &for_person("2", "K-1")).await, Ok(()));
    running.stop().await;
}

#[tokio::test]
async fn a_number_whose_job_has_expired_is_free() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    take_in(&running.store, &for_person("1", "K-1")).await;
    machine.clock.set(just_before(at("2026-07-31T15:00:00Z")));
    assert_eq!(asked(&running.store, &for_person("2", "K-1")).await, Err(InquiryFailure::NumberInUse));
    machine.clock.set(at("2026-07-31T15:00:00Z"));
    assert_eq!(asked(&running.store, &for_person("2", "K-1")).await, Ok(()));
    running.stop().await;
}

#[tokio::test]
async fn the_queue_in_memory_hears_of_every_job_in_the_order_on_disk_also_if_its_caller_went_away() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let (store, heard) = (&running.store, Arc::new(Mutex::new(Vec::new())));
    let on_disk = || -> OnDisk {
        let heard = Arc::clone(&heard);
        Box::new(move |taken| heard.lock().expect("whole").extend(taken.iter().map(|job| job.id)))
    };
    let audit = audit("inquiry_number.queued");
    let requests: Vec<_> = (1..=20).map(|of| for_person(&of.to_string(), &format!("K-{of}"))).collect();
    let take_in = |request| store.take_in(request, &audit, None, on_disk());
    tokio::select! {
        biased;
        early = take_in(&requests[0]) => panic!("answered before it was on disk: {early:?}"),
        () = std::future::ready(()) => {} // its caller goes away
    }
    for taken in join_all(requests[1..].iter().map(take_in)).await {
        taken.expect("written").expect("nobody has the number");
    }
    assert_eq!(*heard.lock().expect("whole"), (1..=20).map(JobId).collect::<Vec<_>>());
    assert_eq!(ids(store).await.len(), 20);
    running.stop().await;
}

#[tokio::test]
async fn a_refusal_is_kept_with_its_code_and_changes_no_result() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let result = insert(store, "c1", NOW, person("資格 太郎", "1")).await;
    for failure in [
        InquiryFailure::ResultNotFound,
        InquiryFailure::PersonUnknown,
        InquiryFailure::PersonAmbiguous,
        InquiryFailure::PersonNotFound,
        InquiryFailure::NumberInUse,
        InquiryFailure::Refused { code: "ASRV00001E".to_owned() },
    ] {
        let job = take_in(store, &by_result(result, "K-1")).await;
        let end = InquiryEnd::Failed(failure);
        assert_eq!(store.end(&[(job, end.clone())]).await, Ok(vec![vec![]]));
        assert_eq!(store.job(job).await.expect("readable").expect("there").end, Some(end));
    }
    assert_eq!(get(store, result).await.expect("a result").inquiry_number, None);
    assert_eq!(store.verify_chain().await.expect("whole").count, 1 + 6 * 2);
    running.stop().await;
}

#[tokio::test]
async fn jobs_are_gone_with_the_end_of_the_month_after_their_intake() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let job = take_in(store, &for_person("1", "K-1")).await;
    let (bulk, ..) = take_in_bulk(store, &[for_person("2", "K-2")]).await;
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(just_before(gone));
    assert_eq!(ids(store).await.len(), 2);
    machine.clock.set(gone);
    assert_eq!(ids(store).await, []);
    assert_eq!(store.job(job).await, Ok(None));
    assert_eq!(store.bulk(bulk, 0, 10).await, Ok(None));
    assert_eq!(store.end(&[(job, InquiryEnd::Registered)]).await, Ok(vec![vec![]]));
    machine.clock.set(at(NOW));
    assert_eq!(ids(store).await, [], "a clock set back brings nothing back");

    machine.clock.set(gone);
    let later = take_in(store, &for_person("3", "K-3")).await;
    store.purge(gone).await.expect("purged");
    assert_eq!(ids(store).await, [later]);
    assert!(later > JobId(2), "numbers are never used again");
    running.stop().await;
}

#[tokio::test]
async fn a_result_of_a_later_month_waits_for_no_job_that_is_gone() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let [purged, sent] = ["1", "2"].map(|of| for_person(of, &format!("K-{of}")));
    let (purged, sent) = (take_in(store, &purged).await, take_in(store, &sent).await);
    machine.clock.set(at("2026-07-10T01:00:00Z"));
    let mut results = Vec::new();
    for of in ["1", "2", "3", "4"] {
        results.push(insert(store, of, "2026-07-10T01:00:00Z", person("資格 太郎", of)).await);
    }
    let (later, refused) =
        (take_in(store, &for_person("3", "K-3")).await, take_in(store, &for_person("4", "K-4")).await);
    store.end(&[(refused, InquiryEnd::Failed(InquiryFailure::PersonNotFound))]).await.expect("ended");
    let waits = async |of: usize| get(store, results[of]).await.expect("there").pending.map(|mark| mark.job);
    assert_eq!([waits(0).await, waits(1).await], [Some(purged), Some(sent)]);
    let before = [get(store, results[0]).await, get(store, results[1]).await];
    let before = before.map(|stored| stored.expect("there"));

    // The central system answers when the job has expired, and nothing was purged yet.
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    assert_eq!(store.end(&[(sent, InquiryEnd::Registered)]).await, Ok(vec![vec![]]));
    assert_eq!([waits(0).await, waits(1).await], [Some(purged), None]);
    store.purge(gone).await.expect("purged");
    assert_eq!([waits(0).await, waits(1).await], [None, None]);
    assert_eq!([waits(2).await, waits(3).await], [Some(later), Some(refused)], "these go on, or have failed");
    store.purge(gone).await.expect("purged");
    for (before, changes) in before.iter().zip([1, 2]) {
        let now = get(store, before.id).await.expect("there");
        assert_eq!((now.version, &now.inquiry_number), (before.version + 1, &None), "once");
        let ready = store.ready(before.id).await.expect("readable").expect("there");
        assert_eq!(ready.version, now.version);
        let heard = store.changes(ready.change - 1, 9).await.expect("readable");
        assert_eq!(heard.len(), changes, "the last changes of all");
    }
    running.stop().await;
}

#[tokio::test]
async fn neither_a_waiting_nor_an_ended_job_shows_whom_it_is_about() {
    let canaries = ["77665544", "MEMBER-887766", "CHART-554433"];
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let eligibility = with(&person("資格 太郎", canaries[1]), Field::InsurerName, "x");
    let mut person = InsuranceIdentifiers::of(&eligibility).expect("identifiers");
    person.insurer_number = daemon::domain::personal::Personal::new(canaries[0]);
    let asked = InquiryRequest { subject: Subject::Person(person), ..for_person("1", canaries[2]) };
    let ended = take_in(store, &asked).await;
    take_in(store, &asked).await;
    store.end(&[(ended, InquiryEnd::Registered)]).await.expect("ended");
    let open = machine.files();
    running.stop().await;
    for (path, content) in open.into_iter().chain(machine.files()) {
        for canary in canaries {
            let found = content.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn an_ended_job_holds_no_sealed_copy_any_more_and_a_moved_one_does_not_open() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let ended = take_in(&running.store, &for_person("1", "K-1")).await;
    let one = take_in(&running.store, &for_person("2", "K-2")).await;
    let two = take_in(&running.store, &for_person("3", "K-3")).await;
    running.store.end(&[(ended, InquiryEnd::Registered)]).await.expect("ended");
    running.stop().await;

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(machine.config().database());
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("the file opens");
    let sealed: Vec<(i64, bool)> =
        sqlx::query_as("SELECT id, payload IS NOT NULL FROM inquiry_jobs ORDER BY id")
            .fetch_all(&pool)
            .await
            .expect("readable");
    assert_eq!(sealed, [(ended.0, false), (one.0, true), (two.0, true)]);
    let hashes: Vec<(bool, bool)> = sqlx::query_as(
        "SELECT person_index IS NOT NULL, number_index IS NOT NULL FROM inquiry_jobs ORDER BY id",
    )
    .fetch_all(&pool)
    .await
    .expect("readable");
    assert_eq!(hashes, [(false, false), (true, true), (true, true)]);
    sqlx::query(
        "UPDATE inquiry_jobs SET payload = (SELECT payload FROM inquiry_jobs WHERE id = ?1) WHERE id = ?2",
    )
    .bind(one.0)
    .bind(two.0)
    .execute(&pool)
    .await
    .expect("writable");
    pool.close().await;

    let running = machine.start().await;
    assert_eq!(ids(&running.store).await, [one], "the others are sent");
    let refused = running.store.end(&[(two, InquiryEnd::Registered)]).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt { table: "inquiry_jobs", row, .. }) if row == two.0),
        "{refused:?}"
    );
    assert_eq!(running.store.bulk(BulkId(1), 0, 1).await, Ok(None));
    running.stop().await;
}
