//! Forged audit logs: somebody with the file but without the key changes, deletes, inserts, reorders or cuts rows.

use daemon::app::ports::{AuditEntry, AuditLog as _, TerminalId};
use daemon::domain::check::ResultId;
use daemon::store::{ChainHead, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::site::{Site, scratch};
use super::work::june_is_live;
use super::{block_on, in_parallel};
use crate::dice::Dice;

/// Rows of the log that is forged.
const ROWS: usize = 24;
/// Edits of one log, each of the whole log as it was.
const EDITS: u64 = 250;

/// What many edits showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Edits made.
    pub edits: u64,
    /// Edits that nobody noticed.
    pub missed: u64,
    /// Edits that only the count and head from outside the database showed: the chain itself was whole.
    pub seen_by_head_alone: u64,
    /// Each edit that was missed, with the seed that shows it again.
    pub findings: Vec<String>,
}

/// What the verification says of a log, given what is known of it from outside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Nothing was altered.
    Whole,
    /// The chain is broken.
    Broken,
    /// The chain is whole, but not the one that is known.
    NotTheKnown,
}

/// The chain, compared with the count and head that were returned before the edit.
pub async fn by_known_head(store: &Store, known: ChainHead) -> Verified {
    match store.verify_chain().await {
        Err(_) => Verified::Broken,
        Ok(head) if head == known => Verified::Whole,
        Ok(_) => Verified::NotTheKnown,
    }
}

/// Makes about `edits` edits, with the seeds from `first` on, and asks `verify` about each; `verify` is given the store
/// and what was known of the log before.
pub fn run(first: u64, edits: u64, verify: impl AsyncFn(&Store, ChainHead) -> Verified + Sync) -> Report {
    let mut all = Report::default();
    for mut report in in_parallel(first, edits.div_ceil(EDITS), |seed| block_on(run_one(seed, &verify))) {
        all.edits += report.edits;
        all.missed += report.missed;
        all.seen_by_head_alone += report.seen_by_head_alone;
        all.findings.append(&mut report.findings);
    }
    all
}

/// The edits of one log: how a finding is looked at again.
pub async fn run_one(seed: u64, verify: &impl AsyncFn(&Store, ChainHead) -> Verified) -> Report {
    let mut dice = Dice::new(seed);
    let directory = scratch();
    let site = Site::at(directory.path());
    let open = site.open(june_is_live()).await.expect("the store opens");
    for row in 0..ROWS {
        open.store.append(&entry(row, &mut dice)).await.expect("appended");
    }
    let known = open.store.verify_chain().await.expect("a whole chain");
    let mut forger = Forger::open(&site).await;
    let mut report = Report::default();
    while report.edits < EDITS {
        assert_eq!(
            verify(&open.store, known).await,
            Verified::Whole,
            "{} edits of seed {seed}",
            report.edits
        );
        let done = forger.forge(&mut dice).await;
        if !forger.has_changed_anything().await {
            continue;
        }
        report.edits += 1;
        match verify(&open.store, known).await {
            Verified::Broken => {}
            Verified::NotTheKnown => report.seen_by_head_alone += 1,
            Verified::Whole => {
                report.missed += 1;
                report.findings.push(format!("{done} (run again: audit_edits::run_one({seed}, …))"));
            }
        }
        forger.undo().await;
    }
    forger.db.close().await.expect("closed");
    open.close().await;
    report
}

fn entry(row: usize, dice: &mut Dice) -> AuditEntry {
    AuditEntry {
        actor: dice.pick(&["receipt", "uketsuke", "kanrisha", ""]).to_owned(),
        action: dice.pick(&["result.read", "result.list", "check.done"]),
        terminal: dice.pick(&[None, Some("uketsuke-1"), Some("")]).map(|name| TerminalId(name.to_owned())),
        results: (0..dice.below(4))
            .map(|more| ResultId(i64::try_from(row * 10 + more).unwrap_or(0)))
            .collect(),
        outcome: dice.pick(&["ok", "not_found", "store_failed"]).to_owned(),
    }
}

/// Somebody at the file.
struct Forger {
    db: SqliteConnection,
}

const COLUMNS: [&str; 7] = ["at_us", "actor", "action", "terminal", "results", "outcome", "mac"];

impl Forger {
    async fn open(site: &Site) -> Self {
        let mut db =
            SqliteConnectOptions::new().filename(site.config().database()).connect().await.expect("the file");
        // Whoever can write the file is held up neither by triggers nor by constraints.
        let sql = "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; DROP TRIGGER audit_no_update; \
                   DROP TRIGGER audit_no_delete; DROP TRIGGER audit_only_append; \
                   CREATE TEMP TABLE kept AS SELECT * FROM audit";
        db.execute(sql).await.expect("triggers dropped");
        Self { db }
    }

    async fn run(&mut self, sql: &str) {
        let sql = format!("BEGIN IMMEDIATE; {sql}; COMMIT");
        self.db.execute(AssertSqlSafe(sql.as_str())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn undo(&mut self) {
        self.run("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
    }

    async fn has_changed_anything(&mut self) -> bool {
        let sql = "SELECT (SELECT count(*) FROM audit) <> (SELECT count(*) FROM kept) \
                   OR EXISTS (SELECT * FROM audit EXCEPT SELECT * FROM kept)";
        sqlx::query_scalar(sql).fetch_one(&mut self.db).await.expect("a comparison")
    }

    /// Makes one edit and says which.
    async fn forge(&mut self, dice: &mut Dice) -> String {
        let sql = match dice.below(8) {
            0..=2 => change(dice),
            3 => delete(dice),
            4 => insert(dice),
            5 => reorder(dice),
            6 => format!("DELETE FROM audit WHERE seq > {}", dice.below(ROWS)),
            _ => renumber(dice),
        };
        self.run(&sql).await;
        sql
    }
}

fn row(dice: &mut Dice) -> usize {
    1 + dice.below(ROWS)
}

/// One byte, or one bit of a number, of one column.
fn change(dice: &mut Dice) -> String {
    let (column, seq) = (dice.pick(&COLUMNS), row(dice));
    let value = match column {
        "at_us" => format!("at_us + {}", (1_i64 << dice.below(50)) * dice.pick(&[1, -1])),
        "mac" | "results" => {
            let (place, byte) = (1 + dice.below(32), dice.below(256));
            format!(
                "CASE WHEN length({column}) = 0 THEN x'{byte:02X}' ELSE substr({column}, 1, \
                 {place} % length({column})) || x'{byte:02X}' || substr({column}, {place} % length({column}) + 2) END"
            )
        }
        "terminal" if dice.percent(50) => "CASE WHEN terminal IS NULL THEN '' ELSE NULL END".to_owned(),
        _ => {
            let (place, letter) = (dice.below(12), dice.pick(&['a', 'x', 'Z', '0', 'é']));
            format!("substr({column}, 1, {place}) || '{letter}' || substr({column}, {place} + 2)")
        }
    };
    let value = if matches!(column, "mac" | "results") { format!("CAST({value} AS BLOB)") } else { value };
    format!("UPDATE audit SET {column} = {value} WHERE seq = {seq}")
}

fn delete(dice: &mut Dice) -> String {
    let (from, rows) = (row(dice), dice.pick(&[1, 2, 3]));
    let delete = format!("DELETE FROM audit WHERE seq >= {from} AND seq < {from} + {rows}");
    // With or without closing the gap.
    if dice.percent(50) { format!("{delete}; {}", shift(from, -rows)) } else { delete }
}

/// Moves the numbers of every row from one on.
fn shift(from: usize, by: i64) -> String {
    format!(
        "UPDATE audit SET seq = -seq WHERE seq >= {from}; UPDATE audit SET seq = {by} - seq WHERE seq < 0"
    )
}

fn insert(dice: &mut Dice) -> String {
    let (at, copied) = (1 + dice.below(ROWS + 1), row(dice));
    let copied = if copied >= at { copied + 1 } else { copied };
    let mac = if dice.percent(50) { "mac" } else { "randomblob(32)" };
    format!(
        "{}; INSERT INTO audit SELECT {at}, at_us, actor, action, terminal, results, outcome, {mac} FROM audit \
         WHERE seq = {copied}",
        shift(at, 1)
    )
}

/// Two rows change places, with or without their codes.
fn reorder(dice: &mut Dice) -> String {
    let (one, other) = (row(dice), row(dice));
    let columns = if dice.percent(50) { &COLUMNS[..] } else { &COLUMNS[..6] };
    let set = |to: usize, from: usize| {
        let values: Vec<String> = columns
            .iter()
            .map(|column| format!("{column} = (SELECT {column} FROM kept WHERE seq = {from})"))
            .collect();
        format!("UPDATE audit SET {} WHERE seq = {to}", values.join(", "))
    };
    format!("{}; {}", set(one, other), set(other, one))
}

fn renumber(dice: &mut Dice) -> String {
    let to = dice.pick(&["0", "-1", "(SELECT count(*) + 1 FROM audit)", "1000", "9223372036854775807"]);
    format!("UPDATE audit SET seq = {to} WHERE seq = {}", row(dice))
}
