//! The audit log: append-only, and every alteration shows.

use daemon::app::ports::AuditLog;
use daemon::store::ChainError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use super::support::{Machine, audit};

const NOW: &str = "2026-06-10T01:00:00Z";
const ROWS: i64 = 6;

async fn machine_with_rows() -> Machine {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    for _ in 0..ROWS {
        running.store.append(&audit("result.read")).await.expect("appended");
    }
    let head = running.store.verify_chain().await.expect("an intact chain");
    assert_eq!(head.count, ROWS);
    assert_ne!(head.head, [0; 32]);
    running.stop().await;
    machine
}

async fn database(machine: &Machine) -> SqliteConnection {
    SqliteConnectOptions::new().filename(machine.config().database()).connect().await.expect("the file opens")
}

#[tokio::test]
async fn the_database_itself_refuses_changes_to_the_log() {
    let machine = machine_with_rows().await;
    let mut db = database(&machine).await;
    for sql in [
        "UPDATE audit SET actor = 'x' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 6",
        "INSERT OR REPLACE INTO audit SELECT 3, at_us, 'x', action, terminal, results, outcome, mac FROM audit \
         WHERE seq = 3",
        "INSERT INTO audit SELECT 9, at_us, actor, action, terminal, results, outcome, mac FROM audit \
         WHERE seq = 3",
    ] {
        let refused = db.execute(sql).await.expect_err(sql).to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    db.close().await.expect("closed");
}

#[tokio::test]
async fn whoever_alters_the_file_without_the_key_is_found_out() {
    let columns = "at_us, actor, action, terminal, results, outcome, mac";
    let swap = format!(
        "CREATE TEMP TABLE two AS SELECT * FROM audit WHERE seq IN (3, 4); DELETE FROM audit WHERE seq IN (3, 4); \
         INSERT INTO audit SELECT 3, {columns} FROM two WHERE seq = 4; \
         INSERT INTO audit SELECT 4, {columns} FROM two WHERE seq = 3"
    );
    let insert = format!(
        "UPDATE audit SET seq = -seq WHERE seq >= 4; UPDATE audit SET seq = 1 - seq WHERE seq < 0; \
         INSERT INTO audit SELECT 4, {columns} FROM audit WHERE seq = 3"
    );
    let close_up = "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3".to_owned();
    let mut alterations: Vec<(String, i64)> = [
        "at_us = at_us + 1",
        "actor = 'kanrisha'",
        "action = 'result.list'",
        "terminal = NULL",
        "terminal = ''",
        "results = x'0000000000000001'",
        "outcome = 'refused'",
        "mac = zeroblob(32)",
    ]
    .into_iter()
    .map(|change| (format!("UPDATE audit SET {change} WHERE seq = 3"), 3))
    .collect();
    alterations.push(("DELETE FROM audit WHERE seq = 1".to_owned(), 2));
    alterations.push(("DELETE FROM audit WHERE seq = 3".to_owned(), 4));
    alterations.extend([(swap, 3), (insert, 4), (close_up, 3)]);

    for (sql, seq) in alterations {
        let machine = machine_with_rows().await;
        let mut db = database(&machine).await;
        db.execute(
            "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_only_append",
        )
        .await
        .expect("triggers dropped");
        db.execute(sqlx::AssertSqlSafe(sql.as_str())).await.expect(&sql);
        db.close().await.expect("closed");
        let running = machine.start().await;
        assert_eq!(running.store.verify_chain().await, Err(ChainError::Altered { seq }), "{sql}");
        running.stop().await;
    }
}
