//! The audit log: append-only, and every alteration shows.

use daemon::app::audit::ReviewAudit;
use daemon::app::ports::{AuditEntry, AuditLog, AuditRange, AuditSource, AuditTrail as _};
use daemon::store::ChainError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use super::support::{Machine, at, audit, insert, person};

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
        "INSERT OR REPLACE INTO audit (seq, at_us, actor, action, results, outcome, mac) \
         SELECT 3, at_us, 'x', action, results, outcome, mac FROM audit WHERE seq = 3",
        "INSERT INTO audit (seq, at_us, actor, action, results, outcome, mac) \
         SELECT 9, at_us, actor, action, results, outcome, mac FROM audit WHERE seq = 3",
    ] {
        let refused = db.execute(sql).await.expect_err(sql).to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    db.close().await.expect("closed");
}

#[tokio::test]
async fn whoever_alters_the_file_without_the_key_is_found_out() {
    let columns = "at_us, actor, action, terminal, results, outcome, mac, run, batch, up_us, wall_us, source";
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
        "run = run + 1",
        "run = 0, batch = 0, up_us = 0, wall_us = 0, source = ''",
        "batch = batch + 1",
        "up_us = up_us + 1",
        "wall_us = wall_us + 1",
        "source = 'loopback'",
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

//------------ Context and retention of the log itself ----------------------------------------------------------------

#[tokio::test]
async fn a_row_says_when_by_two_clocks_from_where_and_in_which_run() {
    let machine = Machine::at(NOW);
    let entry = |source| AuditEntry { source, ..audit("result.read") };
    let api = AuditSource::Api { loopback: true, session: Some([0x1a, 0x2b, 0x3c, 0x4d]) };
    let running = machine.start().await;
    running.store.append(&entry(api)).await.expect("appended");
    running.store.append(&entry(AuditSource::Machine)).await.expect("appended");
    running.stop().await;
    // The clock is set back by a day: the order of the rows and their store's instant do not follow it.
    machine.clock.set(at("2026-06-09T01:00:00Z"));
    let running = machine.start().await;
    running.store.append(&entry(AuditSource::Daemon)).await.expect("appended");
    let rows = running.store.rows(AuditRange::default(), 0, 10).await.expect("readable");
    running.stop().await;
    let sources: Vec<_> = rows.iter().map(|row| row.source.as_str()).collect();
    assert_eq!(sources, ["loopback/1a2b3c4d", "machine", "daemon"]);
    assert_eq!(rows.iter().map(|row| row.run).collect::<Vec<_>>(), [1, 1, 2]);
    assert!(rows[0].up_us <= rows[1].up_us && rows[0].batch < rows[1].batch && rows[1].batch < rows[2].batch);
    assert!(rows[2].at >= rows[1].at, "the store's instant never goes back");
    assert_eq!(rows[2].wall, Some(at("2026-06-09T01:00:00Z")), "and the wall clock is not hidden");
}

#[tokio::test]
async fn old_rows_go_and_the_rest_still_verifies() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    for day in 1..=9 {
        machine.clock.set(at(&format!("2026-06-1{day}T00:00:00Z")));
        running.store.append(&audit("result.read")).await.expect("appended");
    }
    assert_eq!(running.store.prune(at("2026-06-11T00:00:00Z")).await, Ok(0), "nothing is older");
    assert_eq!(running.store.prune(at("2026-06-15T00:00:00Z")).await, Ok(4));
    let verified = running.store.verify(&|_| {}).await.expect("the rest holds");
    assert_eq!((verified.first, verified.last, verified.rows), (5, 10, 6));
    let rows = running.store.rows(AuditRange::default(), 9, 10).await.expect("readable");
    assert_eq!((rows[0].action.as_str(), rows[0].outcome.as_str()), ("audit.pruned", "ok:4"));
    running.stop().await;
    let running = machine.start().await;
    assert_eq!(running.store.anchor().await, Ok(None));
    assert_eq!(running.store.prune(at("2026-06-17T00:00:00Z")).await, Ok(2));
    // Even if everything is old, the row that says so stays.
    assert_eq!(running.store.prune(at("2027-06-17T00:00:00Z")).await, Ok(5));
    let verified = running.store.verify(&|_| {}).await.expect("the rest holds");
    assert_eq!((verified.first, verified.last), (12, 12));
    running.stop().await;
    assert_eq!(machine.start().await.store.anchor().await, Ok(None));
}

/// The daily pruning may come while somebody verifies.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_pruned_while_it_is_verified_is_not_altered() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = running.store.clone();
    let entry = audit("result.read");
    for _ in 0..21 {
        let together = (0..500).map(|_| store.append(&entry));
        futures_util::future::try_join_all(together).await.expect("appended");
    }
    machine.clock.set(at("2026-06-20T00:00:00Z"));
    store.append(&entry).await.expect("appended");
    let prune = |rows: i64| {
        assert_eq!(rows, 10_000, "in the middle of the log");
        let pruned = store.prune(at("2026-06-15T00:00:00Z"));
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(pruned)).expect("pruned");
    };
    let verified = store.verify(&prune).await.expect("nothing was altered");
    assert_eq!((verified.first, verified.last, verified.rows), (10_501, 10_502, 2));
    let again = store.verify(&|_| {}).await.expect("the rest holds");
    assert_eq!((again.first, again.last, again.rows), (10_501, 10_502, 2), "as if it had been pruned before");
    running.stop().await;
}

#[tokio::test]
async fn only_the_program_can_cut_and_the_database_lets_nothing_else_go() {
    let pruned = || async {
        let machine = machine_with_rows().await;
        machine.clock.set(at("2026-06-20T00:00:00Z"));
        let running = machine.start().await;
        running.store.append(&audit("result.read")).await.expect("appended");
        assert_eq!(running.store.prune(at("2026-06-15T00:00:00Z")).await, Ok(6));
        running.stop().await;
        machine
    };
    let machine = pruned().await;
    let mut db = database(&machine).await;
    for sql in [
        "DELETE FROM audit WHERE seq = 7",
        "DELETE FROM audit_cut",
        "UPDATE audit_cut SET seq = 3",
        "UPDATE audit_cut SET seq = 8, mac = (SELECT mac FROM audit WHERE seq = 8)",
        "UPDATE audit_cut SET seq = 7",
    ] {
        let refused = db.execute(sql).await.expect_err(sql).to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    // A cut that is moved by hand satisfies the triggers and not the proof.
    db.execute("UPDATE audit_cut SET seq = 7, mac = (SELECT mac FROM audit WHERE seq = 7)")
        .await
        .expect("moved");
    db.execute("DELETE FROM audit WHERE seq = 7").await.expect("deleted");
    db.close().await.expect("closed");
    let running = machine.start().await;
    assert_eq!(running.store.verify_chain().await, Err(ChainError::Altered { seq: 7 }));
    running.stop().await;
}

//------------ Affected persons ---------------------------------------------------------------------------------------

#[tokio::test]
async fn the_list_names_persons_while_their_results_last_and_numbers_afterwards() {
    let machine = Machine::at("2026-05-20T01:00:00Z");
    let running = machine.start().await;
    let (store, may) = (running.store.clone(), "2026-05-20T01:00:00Z");
    let old = insert(&store, "old", may, person("皐月 花子", "5")).await;
    machine.clock.set(at(NOW));
    let new = insert(&store, "new", NOW, person("水無月 太郎", "6")).await;
    let again = insert(&store, "again", NOW, person("水無月 太郎", "6")).await;
    let unseen = insert(&store, "unseen", NOW, person("文月 次郎", "7")).await;
    machine.clock.set(at("2026-06-12T01:00:00Z"));
    let shown = AuditEntry { results: vec![old, new, again], ..audit("result.list") };
    store.append(&shown).await.expect("appended");
    let refused =
        AuditEntry { results: vec![unseen], outcome: "result_not_found".to_owned(), ..audit("result.read") };
    store.append(&refused).await.expect("appended");
    machine.clock.set(at("2026-07-05T01:00:00Z"));

    let review = ReviewAudit {
        trail: store.clone(),
        log: store.clone(),
        results: store.clone(),
        clock: machine.clock.clone(),
    };
    let range = AuditRange { since: Some(at("2026-06-12T00:00:00Z")), until: None };
    let answered = review.answered(range, &|_| {}).await.expect("readable");
    let mut numbers = std::collections::HashMap::new();
    let list = review.name(answered.into_iter().collect(), &mut numbers).await.expect("named");
    let lines: Vec<_> = list
        .iter()
        .map(|line| (line.result, line.person.as_ref().map(|person| person.number), line.answered.times))
        .collect();
    assert_eq!(lines, [(old, None, 1), (new, Some(1), 1), (again, Some(1), 1)]);
    let name = list[1].person.as_ref().and_then(|person| person.fields[0].clone()).expect("a name");
    assert_eq!(name.expose(), "水無月 太郎");
    assert_eq!(list[0].answered.first, at("2026-06-12T01:00:00Z"), "a nameless line still tells when");
    assert!(list[0].answered.terminals.contains("uketsuke-1"), "and where");
    let rows = store.rows(AuditRange::default(), 0, 100).await.expect("readable");
    let own = rows.last().expect("its own row");
    assert_eq!((own.action.as_str(), own.results.len()), ("audit.affected", 3));
    running.stop().await;
}
