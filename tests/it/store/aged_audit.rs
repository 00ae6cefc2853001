//! A log that an earlier version of the program began: its rows have the older form, and go on being checked.

use daemon::app::ports::{AuditLog as _, AuditTrail as _};
use daemon::store::ChainError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::support::{Machine, audit, earlier_schema};

const NOW: &str = "2026-06-10T01:00:00Z";
/// The schema before rows said from where they were asked.
const BEFORE: i64 = 31;
const ROWS: i64 = 5;

/// A machine whose database holds rows in the older form under the older schema. They are written by the program itself, which
/// gives the rows of run 0 that form, and moved into a database made from the earlier migrations alone.
async fn machine_of_before() -> Machine {
    let machine = Machine::at(NOW);
    machine.start().await.stop().await;
    let (path, aside) = (machine.config().database(), machine.path("rows.db"));
    let options = SqliteConnectOptions::new().filename(&path);
    let mut db = options.clone().connect().await.expect("a database");
    db.execute("UPDATE store_runs SET runs = -1").await.expect("the next opening is run 0");
    db.close().await.expect("closed");
    let running = machine.start().await;
    for _ in 0..ROWS {
        running.store.append(&audit("result.read")).await.expect("appended");
    }
    running.stop().await;
    std::fs::rename(&path, &aside).expect("aside");
    std::fs::remove_file(machine.config().audit_anchor()).expect("there was none in those days");
    let mut db = earlier_schema(&path, BEFORE).await;
    let copy = format!(
        "ATTACH '{}' AS later; INSERT INTO audit SELECT seq, at_us, actor, action, terminal, results, outcome, mac \
         FROM later.audit ORDER BY seq; DETACH later",
        aside.display()
    );
    db.execute(sqlx::AssertSqlSafe(copy)).await.expect("the rows without what came later");
    db.close().await.expect("closed");
    machine
}

#[tokio::test]
async fn rows_of_before_the_upgrade_verify_after_it_and_new_ones_follow_them() {
    let machine = machine_of_before().await;
    let running = machine.start().await;
    let upgraded = running.store.verify_chain().await.expect("the old rows are whole");
    assert!(upgraded.count >= ROWS, "{upgraded:?}");
    running.store.append(&audit("result.list")).await.expect("appended");
    let head = running.store.verify(&|_| {}).await.expect("old and new together");
    assert_eq!(running.store.verify_chain().await.expect("whole").count, upgraded.count + 1, "{head:?}");
    running.stop().await;
    machine.start().await.stop().await;
}

#[tokio::test]
async fn a_row_of_before_that_was_altered_is_found_out_after_the_upgrade() {
    let machine = machine_of_before().await;
    machine.start().await.stop().await;
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    for (sql, row) in [
        ("UPDATE audit SET outcome = 'refused' WHERE seq = 2", 2),
        // What came with the upgrade is not in the code of an old row: giving it a run makes it a new one, which is not right either.
        ("UPDATE audit SET outcome = 'ok', run = 1 WHERE seq = 2", 2),
    ] {
        let mut db = options.clone().connect().await.expect("a database");
        db.execute("DROP TRIGGER IF EXISTS audit_no_update").await.expect("a hand at the file");
        db.execute(sql).await.expect("altered");
        db.close().await.expect("closed");
        let running = machine.start().await;
        let found = running.store.verify_chain().await;
        assert!(matches!(found, Err(ChainError::Altered { seq }) if seq == row), "{found:?}");
        running.stop().await;
    }
}
