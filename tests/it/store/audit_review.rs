//! Reviewing the audit log over the store: what is written about a review, where a page ends, how long a year is, and how often
//! whoever waits hears of it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use daemon::app::access::Actor;
use daemon::app::audit::{ReviewAudit, ReviewError};
use daemon::app::ports::{
    AnchorFinding, AuditRange, AuditRecord, AuditSource, AuditTrail, Role, StoreError, Verified, VerifyError,
};
use daemon::domain::check::ResultId;
use jiff::{SignedDuration, Timestamp};

use super::anchor::append;
use super::support::{Machine, Running, at};

const NOW: &str = "2026-06-10T01:00:00Z";

fn review(machine: &Machine, running: &Running) -> ReviewAudit {
    let store = &running.store;
    ReviewAudit {
        trail: store.clone(),
        log: store.clone(),
        results: store.clone(),
        clock: machine.clock.clone(),
    }
}

fn actor(role: Role) -> Actor {
    let source = AuditSource::Api { loopback: true, session: None };
    Actor { account: "kanrisha".to_owned(), role, source }
}

/// Every row's action and outcome.
async fn written(running: &Running) -> Vec<(String, String)> {
    let rows = running.store.rows(AuditRange::default(), 0, 1_000).await.expect("readable");
    rows.into_iter().map(|row| (row.action, row.outcome)).collect()
}

#[tokio::test]
async fn what_a_verification_has_found_is_on_record_until_it_is_accepted() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    append(&running.store, 2).await;
    review(&machine, &running).verify(&|_| {}).await.expect("intact");
    running.stop().await;
    std::fs::remove_file(machine.config().audit_anchor()).expect("removed");

    let running = machine.start().await;
    let review = review(&machine, &running);
    let found = review.verify(&|_| {}).await.expect("the chain holds");
    assert_eq!(found.findings, [(4, AnchorFinding::Missing.word())]);
    review.accept().await.expect("accepted");
    let accepted = review.verify(&|_| {}).await.expect("the chain holds");
    assert!(accepted.findings.is_empty(), "{accepted:?}");
    std::fs::remove_file(machine.config().audit_anchor()).expect("removed");
    review.verify(&|_| {}).await.expect_err("without an anchor");
    let rows = written(&running).await;
    let rows: Vec<_> = rows.iter().map(|(action, outcome)| (action.as_str(), outcome.as_str())).collect();
    let expected = [
        ("result.read", "ok"),
        ("result.read", "ok"),
        ("audit.verified", "ok"),
        ("audit.anchor", "anchor_missing"),
        ("audit.verified", "findings"),
        ("audit.accepted", "ok"),
        ("audit.verified", "ok"),
        ("audit.verified", "anchor_missing"),
    ];
    assert_eq!(rows, expected);
    running.stop().await;
}

#[tokio::test]
async fn a_page_that_ends_with_the_last_row_is_the_last_page() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    append(&running.store, 3).await;
    let review = review(&machine, &running);
    let page = async |after: i64, limit: u32| {
        let page = review.page(&actor(Role::Administrator), AuditRange::default(), after, limit).await;
        let (rows, next) = page.expect("a page");
        (rows.iter().map(|row| row.seq).collect::<Vec<_>>(), next)
    };
    assert_eq!(page(0, 3).await, (vec![1, 2, 3], None), "nothing follows");
    assert_eq!(page(0, 3).await, (vec![1, 2, 3], Some(3)), "the row of the page before follows");
    assert_eq!(page(3, 1).await, (vec![4], Some(4)));
    assert_eq!(page(6, 5).await, (vec![], None));
    let refused = review.page(&actor(Role::Operator), AuditRange::default(), 0, 3).await;
    assert_eq!(refused, Err(ReviewError::Forbidden));
    let rows = written(&running).await;
    let views = rows.iter().filter(|(action, _)| action == "audit.viewed").count();
    assert_eq!((views, rows.len()), (4, 7), "a page that was refused was not viewed");
    running.stop().await;
}

#[tokio::test]
async fn a_row_is_kept_for_as_many_years_of_366_days_as_are_configured_and_not_longer() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    append(&running.store, 1).await;
    let review = review(&machine, &running);
    let two_years = at(NOW) + SignedDuration::from_hours(2 * 366 * 24);
    machine.clock.set(two_years);
    assert_eq!(review.prune(2).await, Ok(0), "not older than two years yet");
    machine.clock.set(two_years + SignedDuration::from_micros(1));
    assert_eq!(review.prune(3).await, Ok(0));
    assert_eq!(review.prune(2).await, Ok(1));
    assert_eq!(written(&running).await, [("audit.pruned".to_owned(), "ok:1".to_owned())]);
    running.stop().await;
}

/// A log of so many rows, each about one result.
struct Long(i64);

#[async_trait]
impl AuditTrail for Long {
    async fn verify(&self, _progress: &(dyn Fn(i64) + Send + Sync)) -> Result<Verified, VerifyError> {
        Err(StoreError::Failed("nobody verifies it".to_owned()).into())
    }

    async fn rows(&self, _range: AuditRange, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let until = self.0.min(after + i64::from(limit));
        Ok((after + 1..=until).map(about_one).collect())
    }

    async fn prune(&self, _before: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn suspicion(&self) -> Option<AnchorFinding> {
        None
    }

    async fn anchor(&self) -> Result<Option<AnchorFinding>, StoreError> {
        Ok(None)
    }
}

fn about_one(seq: i64) -> AuditRecord {
    AuditRecord {
        seq,
        at: at(NOW),
        wall: None,
        run: 1,
        up_us: seq,
        batch: seq,
        actor: "uketsuke".to_owned(),
        action: "result.read".to_owned(),
        source: "loopback".to_owned(),
        terminal: None,
        results: vec![ResultId(1 + seq % 2)],
        outcome: "ok".to_owned(),
    }
}

#[tokio::test]
async fn whoever_waits_for_the_list_hears_after_every_ten_thousand_rows_and_not_in_between() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let long = ReviewAudit { trail: Arc::new(Long(20_500)), ..review(&machine, &running) };
    let told = Mutex::new(Vec::new());
    let hears = |rows: i64| told.lock().expect("nobody panics while hearing").push(rows);
    let answered = long.answered(AuditRange::default(), &hears).await.expect("readable");
    let times: Vec<_> = answered.iter().map(|(result, answered)| (*result, answered.times)).collect();
    assert_eq!(times, [(1, 10_250), (2, 10_250)], "every row counts once");
    assert_eq!(*told.lock().expect("nobody panics while hearing"), [10_000, 20_000]);
    assert_eq!(ReviewAudit::at_once(), 1_000);
    assert_eq!(written(&running).await, [("audit.affected".to_owned(), "ok".to_owned())]);
    running.stop().await;
}
