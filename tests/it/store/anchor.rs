//! The anchor: rows cut off the end of the audit log are noticed, and so is an anchor that is gone, foreign or old.

use std::fs;

use daemon::app::ports::{AnchorFinding, AuditLog as _, AuditTrail as _, Tampering, VerifyError};
use daemon::store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::support::{Machine, audit, insert, person};

const NOW: &str = "2026-06-10T01:00:00Z";

pub(super) async fn append(store: &Store, rows: usize) {
    for _ in 0..rows {
        store.append(&audit("result.read")).await.expect("appended");
    }
}

/// Alters the closed database as somebody would who may write its file.
pub(super) async fn alter(machine: &Machine, sql: &str) {
    let path = machine.config().database();
    let mut db = SqliteConnectOptions::new().filename(path).connect().await.expect("the file opens");
    for trigger in ["audit_no_update", "audit_no_delete", "audit_only_append"] {
        let drop = format!("DROP TRIGGER {trigger}");
        db.execute(AssertSqlSafe(drop.as_str())).await.expect("a trigger");
    }
    db.execute(AssertSqlSafe(sql)).await.expect(sql);
    db.close().await.expect("closed");
}

pub(super) async fn machine_with_rows(rows: usize) -> Machine {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    append(&running.store, rows).await;
    let verified = running.store.verify(&|_| {}).await.expect("intact");
    assert_eq!(verified.last, i64::try_from(rows).expect("few"));
    running.stop().await;
    machine
}

/// What the next start finds, and what it leaves behind for whoever verifies later.
async fn found_at_start(machine: &Machine) -> Option<AnchorFinding> {
    let running = machine.start().await;
    let found = running.store.anchor().await.expect("readable");
    let verified = running.store.verify(&|_| {}).await.expect("the chain itself holds");
    let words: Vec<_> = verified.findings.iter().map(|(_, word)| word.clone()).collect();
    assert_eq!(words, found.map(AnchorFinding::word).into_iter().collect::<Vec<_>>());
    running.stop().await;
    found
}

#[tokio::test]
async fn rows_cut_off_the_end_are_missed_and_stay_missed_until_someone_accepts_it() {
    for cut in 1..=6 {
        let machine = machine_with_rows(6).await;
        alter(&machine, &format!("DELETE FROM audit WHERE seq > {}", 6 - cut)).await;
        let expected = AnchorFinding::RowsMissing { anchored: 6, found: 6 - cut };
        assert_eq!(found_at_start(&machine).await, Some(expected), "{cut} rows");

        // New rows do not cover it up, a restart does not either.
        let running = machine.start().await;
        append(&running.store, 10).await;
        let verified = running.store.verify(&|_| {}).await.expect("the chain holds");
        assert_eq!(verified.findings.len(), 1, "{cut} rows");
        running.store.append(&audit(daemon::app::audit::ACCEPTED)).await.expect("accepted");
        let verified = running.store.verify(&|_| {}).await.expect("the chain holds");
        assert!(verified.findings.is_empty());
        running.stop().await;
        assert_eq!(found_at_start(&machine).await, None);
    }
}

#[tokio::test]
async fn an_older_database_put_back_is_noticed() {
    let machine = machine_with_rows(3).await;
    let older = fs::read(machine.config().database()).expect("a database");
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    append(&running.store, 2).await;
    running.stop().await;
    fs::write(machine.config().database(), older).expect("put back");
    assert_eq!(found_at_start(&machine).await, Some(AnchorFinding::RowsMissing { anchored: 6, found: 3 }));
}

#[tokio::test]
async fn the_log_may_be_ahead_by_its_last_commit_and_no_further() {
    for (commits, expected) in
        [(0, None), (1, None), (2, Some(AnchorFinding::Older { anchored: 4, found: 6 }))]
    {
        let machine = machine_with_rows(4).await;
        let anchor = fs::read(machine.config().audit_anchor()).expect("an anchor");
        let running = machine.start().await;
        append(&running.store, commits).await;
        running.stop().await;
        // As if the process had died before the anchor followed.
        fs::write(machine.config().audit_anchor(), anchor).expect("put back");
        assert_eq!(found_at_start(&machine).await, expected, "{commits} commits");
        if expected.is_none() {
            assert_eq!(found_at_start(&machine).await, None, "the start has brought the anchor up");
        }
    }
}

#[tokio::test]
async fn a_write_torn_by_a_crash_leaves_the_anchor_before() {
    let machine = machine_with_rows(5).await;
    let path = machine.config().audit_anchor();
    let whole = fs::read(&path).expect("an anchor");
    assert_eq!(whole.len(), 1024, "two slots of a sector each");
    let newest = if whole[16..24] > whole[528..536] { 0 } else { 512 };
    for torn in [0, 15, 23, 31, 63, 95] {
        let mut content = whole.clone();
        content[newest + torn] ^= 0xff;
        fs::write(&path, &content).expect("torn");
        assert_eq!(found_at_start(&machine).await, None, "byte {torn}");
        // The other slot alone is not enough for two commits.
    }
}

/// As a crash or a loss of power leaves it that comes before the first mark.
#[tokio::test]
async fn an_anchor_that_was_being_made_is_no_alarm_in_a_new_log_and_is_missed_in_an_old_one() {
    for content in [vec![], vec![0; 512], vec![0; 1024]] {
        let machine = machine_with_rows(0).await;
        fs::write(machine.config().audit_anchor(), &content).expect("written");
        assert_eq!(found_at_start(&machine).await, None, "{} bytes", content.len());
        assert_eq!(found_at_start(&machine).await, None);

        let machine = machine_with_rows(3).await;
        fs::write(machine.config().audit_anchor(), &content).expect("written");
        assert_eq!(found_at_start(&machine).await, Some(AnchorFinding::Missing), "{} bytes", content.len());
    }
}

#[tokio::test]
async fn an_anchor_that_is_gone_foreign_or_for_another_row_is_noticed() {
    let machine = machine_with_rows(3).await;
    let path = machine.config().audit_anchor();
    fs::remove_file(&path).expect("removed");
    assert_eq!(found_at_start(&machine).await, Some(AnchorFinding::Missing));

    let machine = machine_with_rows(3).await;
    let other = machine_with_rows(3).await;
    fs::copy(other.config().audit_anchor(), machine.config().audit_anchor()).expect("copied");
    assert_eq!(found_at_start(&machine).await, Some(AnchorFinding::Unreadable));

    // Everything is cut off and the anchor with it: the accounts and results tell that there was more.
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    running.stop().await;
    alter(&machine, "DELETE FROM audit").await;
    fs::remove_file(machine.config().audit_anchor()).expect("removed");
    assert_eq!(found_at_start(&machine).await, Some(AnchorFinding::Missing));
}

#[tokio::test]
async fn while_it_runs_a_removed_anchor_and_a_changed_row_are_told_apart() {
    let machine = machine_with_rows(3).await;
    let running = machine.start().await;
    let path = machine.config().audit_anchor();
    let kept = fs::read(&path).expect("an anchor");
    fs::remove_file(&path).expect("removed");
    let expected = Err(VerifyError::Tampering(Tampering::Anchor(AnchorFinding::Missing)));
    assert_eq!(running.store.verify(&|_| {}).await, expected);
    assert_eq!(running.store.anchor().await, Ok(Some(AnchorFinding::Missing)));
    running.stop().await;
    fs::write(&path, kept).expect("put back");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("private");

    alter(&machine, "UPDATE audit SET outcome = 'x' WHERE seq = 2").await;
    let running = machine.start().await;
    let expected = Err(VerifyError::Tampering(Tampering::Altered { seq: 2 }));
    assert_eq!(running.store.verify(&|_| {}).await, expected);
    running.stop().await;
}

#[tokio::test]
async fn whoever_cuts_rows_off_while_it_runs_does_not_get_that_anchored() {
    let machine = machine_with_rows(5).await;
    let running = machine.start().await;
    alter(&machine, "DELETE FROM audit WHERE seq > 3").await;
    assert!(running.store.append(&audit("result.read")).await.is_err(), "nothing leaves any more");
    let expected = AnchorFinding::RowsMissing { anchored: 5, found: 3 };
    assert_eq!(running.store.anchor().await, Ok(Some(expected)));
    running.stop().await;
    assert_eq!(found_at_start(&machine).await, Some(expected));
}

#[tokio::test]
async fn the_anchor_may_lie_elsewhere_and_stays_private() {
    let machine = Machine::at(NOW);
    let mut config = machine.config();
    config.anchor = Some(machine.path("elsewhere/audit.anchor"));
    let running = machine.open(&config).await.expect("it opens");
    append(&running.store, 2).await;
    running.stop().await;
    assert!(!machine.config().audit_anchor().exists());
    let found = fs::metadata(machine.path("elsewhere/audit.anchor")).expect("the anchor");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777, 0o600);
    fs::set_permissions(
        machine.path("elsewhere/audit.anchor"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .expect("opened up");
    assert!(machine.open(&config).await.is_err(), "an anchor that others can write is refused");
}
