//! What is anchored when: a new log at once, each commit with the rows that stand, and nothing that somebody else wrote.

use std::fs;

use daemon::app::audit::ACCEPTED;
use daemon::app::ports::{
    AnchorFinding, AuditLog as _, AuditRange, AuditTrail as _, InquiryEnd, InquiryFailure, InquiryQueue as _,
    ResultStore as _, StoreError, Verified,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::anchor::{alter, append, machine_with_rows};
use super::support::{Machine, at, audit, for_person, person, result, take_in};

const NOW: &str = "2026-06-10T01:00:00Z";
const MAGIC: &[u8] = b"shikaku anchor 1";
const SLOT: usize = 512;

/// A trigger by which the database refuses a statement of the running store.
async fn refuse(machine: &Machine, trigger: &'static str) {
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = options.connect().await.expect("the file opens");
    db.execute(trigger).await.expect("a trigger");
    db.close().await.expect("closed");
}

#[tokio::test]
async fn a_new_log_is_anchored_before_its_first_row_and_the_two_marks_take_turns() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let anchor = || {
        let content = fs::read(machine.config().audit_anchor()).expect("an anchor");
        assert_eq!(content.len(), 2 * SLOT, "both slots are there from the start");
        (content[..SLOT].to_vec(), content[SLOT..].to_vec())
    };
    assert_eq!((running.store.anchor().await, running.store.suspicion()), (Ok(None), None));
    let none = Verified { rows: 0, first: 1, last: 0, findings: Vec::new() };
    assert_eq!(running.store.verify(&|_| {}).await, Ok(none), "the first row will be row 1");
    let new = anchor();
    assert!(new.0.starts_with(MAGIC), "a mark of no rows");
    assert_eq!(new.1, [0; SLOT]);

    append(&running.store, 1).await;
    let first = anchor();
    assert!(first.0 == new.0 && first.1.starts_with(MAGIC), "commit 1 does not touch the mark before it");
    append(&running.store, 1).await;
    let second = anchor();
    assert!(second.1 == first.1 && second.0.starts_with(MAGIC) && second.0 != first.0, "nor does 2");

    let rows = running.store.rows(AuditRange::default(), 0, 10).await.expect("readable");
    assert_eq!(rows.iter().map(|row| row.batch).collect::<Vec<_>>(), [1, 2]);
    let two = Verified { rows: 2, first: 1, last: 2, findings: Vec::new() };
    let heard = |rows: i64| assert!(rows >= 10_000, "{rows} rows are verified without a word");
    assert_eq!(running.store.verify(&heard).await, Ok(two));
    running.stop().await;
}

#[tokio::test]
async fn an_anchor_that_was_cut_short_has_both_slots_again_after_the_next_start() {
    for length in [1, 600, 2 * SLOT - 1] {
        // The fourth commit tells of the finding, in the first slot.
        let machine = machine_with_rows(3).await;
        let path = machine.config().audit_anchor();
        fs::write(&path, vec![0x55; length]).expect("written");
        let running = machine.start().await;
        assert_eq!(running.store.suspicion(), Some(AnchorFinding::Unreadable), "{length} bytes");
        let content = fs::read(&path).expect("an anchor");
        assert_eq!(content.len(), 2 * SLOT, "{length} bytes");
        assert!(content.starts_with(MAGIC) && content[SLOT..] == [0; SLOT], "nothing else is left in it");
        running.stop().await;
    }
}

#[tokio::test]
async fn what_a_start_found_is_suspected_whatever_is_written_until_someone_accepts_it() {
    let machine = machine_with_rows(3).await;
    alter(&machine, "DELETE FROM audit WHERE seq = 3").await;
    let running = machine.start().await;
    let found = Some(AnchorFinding::RowsMissing { anchored: 3, found: 2 });
    append(&running.store, 2).await;
    assert_eq!((running.store.suspicion(), running.store.anchor().await), (found, Ok(found)));
    running.store.append(&audit(ACCEPTED)).await.expect("accepted");
    assert_eq!((running.store.suspicion(), running.store.anchor().await), (None, Ok(None)));

    let path = machine.config().audit_anchor();
    fs::rename(&path, path.with_extension("away")).expect("away");
    assert_eq!(running.store.suspicion(), Some(AnchorFinding::Missing), "gone now, and nobody has to look");
    fs::rename(path.with_extension("away"), &path).expect("back");
    assert_eq!(running.store.suspicion(), None);
    running.stop().await;
}

#[tokio::test]
async fn a_result_is_not_stored_behind_a_log_that_somebody_cut_while_it_ran() {
    let machine = machine_with_rows(5).await;
    let running = machine.start().await;
    alter(&machine, "DELETE FROM audit WHERE seq > 3").await;
    let new = result("c1", at(NOW), vec![person("資格 太郎", "1")]);
    let refused = running.store.insert(&new, &audit("check.end")).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { table: "audit", row: 3, .. })), "{refused:?}");
    let expected = Some(AnchorFinding::RowsMissing { anchored: 5, found: 3 });
    assert_eq!(running.store.anchor().await, Ok(expected), "the cut has not got an anchor");
    running.stop().await;
}

/// Both wait at the same time and so share a commit. The pruning writes its row before the database refuses the cut.
#[tokio::test]
async fn a_commit_is_anchored_with_the_rows_that_stand_and_without_those_of_a_job_that_was_undone() {
    let machine = machine_with_rows(2).await;
    machine.clock.set(at("2026-06-11T01:00:00Z"));
    let running = machine.start().await;
    refuse(
        &machine,
        "CREATE TRIGGER no_cut BEFORE UPDATE ON audit_cut BEGIN SELECT RAISE(ABORT, 'not now'); END",
    )
    .await;
    let new = result("c1", at("2026-06-11T01:00:00Z"), vec![person("資格 太郎", "1")]);
    let (store, entry) = (&running.store, audit("check.end"));
    let (stored, pruned) = tokio::join!(store.insert(&new, &entry), store.prune(at("2026-06-11T00:00:00Z")));
    assert!(stored.is_ok() && pruned.is_err(), "{stored:?}, {pruned:?}");
    let rows = store.rows(AuditRange::default(), 0, 10).await.expect("readable");
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.anchor().await, Ok(None), "a row that was undone is not missed");
    running.stop().await;

    alter(&machine, "DELETE FROM audit WHERE seq = 3").await;
    let running = machine.start().await;
    let expected = Some(AnchorFinding::RowsMissing { anchored: 3, found: 2 });
    assert_eq!(running.store.anchor().await, Ok(expected), "the row that stood is");
    running.stop().await;
}

/// The same on the way of the inquiry numbers: the first of two rows was written when the second is refused.
#[tokio::test]
async fn a_row_follows_the_last_that_stands_when_the_job_before_it_was_undone() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    let (first, second) =
        (take_in(store, &for_person("1", "K-1")).await, take_in(store, &for_person("2", "K-2")).await);
    refuse(
        &machine,
        "CREATE TRIGGER no_end BEFORE INSERT ON audit \
         WHEN NEW.action = 'inquiry_number.set' AND NEW.outcome = 'ok' \
         BEGIN SELECT RAISE(ABORT, 'not now'); END",
    )
    .await;
    let ends = [(first, InquiryEnd::Registered), (second, InquiryEnd::Failed(InquiryFailure::NumberInUse))];
    let entry = audit("result.read");
    let (ended, noted) = tokio::join!(store.end(&ends), store.append(&entry));
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(noted, Ok(()));
    let rows = store.rows(AuditRange::default(), 2, 10).await.expect("readable");
    let seen: Vec<_> = rows.iter().map(|row| (row.seq, row.action.as_str())).collect();
    assert_eq!(seen, [(3, "result.read")]);
    let whole = Verified { rows: 3, first: 1, last: 3, findings: Vec::new() };
    assert_eq!(store.verify(&|_| {}).await, Ok(whole));
    running.stop().await;
}
