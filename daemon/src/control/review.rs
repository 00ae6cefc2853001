//! The audit commands: the use case's rows as text, in lines that leave in portions.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::command::{Hidden, Reply};
use super::execute::{CommandError, Progress};
use crate::app::audit::{Affected, ReviewAudit};
use crate::app::ports::{AuditRange, AuditRecord, Tampering, Verified, VerifyError};
use crate::domain::retention::{jst_datetime, start_of_jst_day};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RowForm {
    /// 1行に1つのJSON
    Jsonl,
    /// CSV（先頭行は見出し）
    Csv,
}

/// The days of a period in Japan time, both included.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Days {
    /// `YYYY-MM-DD`.
    #[serde(with = "day")]
    pub since: Option<Date>,
    /// `YYYY-MM-DD`.
    #[serde(with = "day")]
    pub until: Option<Date>,
}

mod day {
    use jiff::civil::Date;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    pub(super) fn serialize<S: Serializer>(day: &Option<Date>, to: S) -> Result<S::Ok, S::Error> {
        day.map(|day| day.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(|_| D::Error::custom("no day"))).transpose()
    }
}

impl Days {
    fn range(self) -> AuditRange {
        let after = |day: Date| day.tomorrow().ok().and_then(start_of_jst_day);
        AuditRange { since: self.since.and_then(start_of_jst_day), until: self.until.and_then(after) }
    }
}

/// What a verification found, for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether everything is as it was written and nothing is open.
    pub intact: bool,
    /// Japanese, a line each.
    pub lines: Vec<String>,
}

/// `audit verify`.
pub(super) async fn verify(audit: &ReviewAudit, progress: &Progress) -> Result<Reply, CommandError> {
    progress.say("監査ログを確認しています").await;
    let heard = |rows: i64| progress.try_say(format!("監査ログを{rows}行確認しました"));
    let report = match audit.verify(&heard).await {
        Ok(verified) => whole(&verified),
        Err(VerifyError::Tampering(Tampering::Altered { seq })) => VerifyReport {
            intact: false,
            lines: vec![format!("監査ログは{seq}行目（またはその直前）で書き換えられています")],
        },
        Err(VerifyError::Tampering(Tampering::Anchor(finding))) => {
            VerifyReport { intact: false, lines: vec![finding.meaning()] }
        }
        Err(VerifyError::Store(error)) => return Err(error.into()),
    };
    Ok(Reply::Verified(report))
}

fn whole(verified: &Verified) -> VerifyReport {
    let mut lines = vec![format!(
        "{}行（{}〜{}）の連鎖とアンカーは正しいです",
        verified.rows, verified.first, verified.last
    )];
    for (seq, word) in verified.findings.iter().filter(|(_, word)| word != "anchor_begun") {
        lines.push(format!(
            "{seq}行目：起動時にアンカーの異常（{word}）が見つかっています。調べ終えたら shikakud audit verify --accept"
        ));
    }
    VerifyReport { intact: lines.len() == 1, lines }
}

/// `audit export`.
pub(super) async fn export(
    audit: &ReviewAudit,
    days: Days,
    form: RowForm,
    progress: &Progress,
) -> Result<Reply, CommandError> {
    audit.begin_export().await?;
    progress.say("監査ログを書き出しています").await;
    let mut after = 0;
    let mut count = 0;
    let mut text = match form {
        RowForm::Jsonl => String::new(),
        RowForm::Csv => csv(&EXPORT_HEADINGS.map(str::to_owned)),
    };
    loop {
        let rows = audit.rows(days.range(), after).await?;
        for row in &rows {
            text.push_str(&match form {
                RowForm::Jsonl => json(row)?,
                RowForm::Csv => csv(&cells(row)),
            });
        }
        count += rows.len();
        progress.out(Hidden::new(std::mem::take(&mut text))).await;
        progress.try_say(format!("監査ログを{count}行書き出しました"));
        let Some(last) = rows.last() else { return Ok(Reply::Wrote { rows: count, persons: None }) };
        after = last.seq;
    }
}

/// `audit affected`.
pub(super) async fn affected(
    audit: &ReviewAudit,
    days: Days,
    progress: &Progress,
) -> Result<Reply, CommandError> {
    progress.say("監査ログを読んでいます").await;
    let heard = |rows: i64| progress.try_say(format!("監査ログを{rows}行読みました"));
    let answered = audit.answered(days.range(), &heard).await?;
    progress.say(format!("{}件の結果が該当します。氏名を調べています", answered.len())).await;
    let mut numbers = HashMap::new();
    let (mut rows, mut text) = (0, csv(&AFFECTED_HEADINGS.map(str::to_owned)));
    let mut rest = answered.into_iter().peekable();
    while rest.peek().is_some() {
        let some = rest.by_ref().take(ReviewAudit::at_once()).collect();
        for line in audit.name(some, &mut numbers).await? {
            rows += 1;
            text.push_str(&csv(&affected_cells(&line)));
        }
        progress.out(Hidden::new(std::mem::take(&mut text))).await;
        progress.try_say(format!("{rows}件を書き出しました"));
    }
    progress.out(Hidden::new(text)).await;
    Ok(Reply::Wrote { rows, persons: Some(numbers.len()) })
}

const EXPORT_HEADINGS: [&str; 12] = [
    "seq", "at", "wall", "run", "up_us", "batch", "actor", "action", "source", "terminal", "results",
    "outcome",
];

/// Japanese: the list is for people who must act on it.
const AFFECTED_HEADINGS: [&str; 13] = [
    "結果番号",
    "状態",
    "人番号",
    "氏名",
    "氏名カナ",
    "生年月日",
    "保険者番号",
    "最初の回答",
    "最後の回答",
    "回数",
    "端末",
    "アカウント",
    "操作と接続元",
];

#[derive(Serialize)]
struct JsonRow<'r> {
    seq: i64,
    at: String,
    wall: Option<String>,
    run: i64,
    up_us: i64,
    batch: i64,
    actor: &'r str,
    action: &'r str,
    source: &'r str,
    terminal: Option<&'r str>,
    results: Vec<i64>,
    outcome: &'r str,
}

fn json(row: &AuditRecord) -> Result<String, CommandError> {
    let shown = JsonRow {
        seq: row.seq,
        at: row.at.to_string(),
        wall: row.wall.map(|wall| wall.to_string()),
        run: row.run,
        up_us: row.up_us,
        batch: row.batch,
        actor: &row.actor,
        action: &row.action,
        source: &row.source,
        terminal: row.terminal.as_ref().map(|terminal| terminal.0.as_str()),
        results: row.results.iter().map(|id| id.0).collect(),
        outcome: &row.outcome,
    };
    Ok(serde_json::to_string(&shown).map_err(|_| CommandError::Form)? + "\n")
}

fn cells(row: &AuditRecord) -> [String; 12] {
    [
        row.seq.to_string(),
        row.at.to_string(),
        row.wall.map(|wall| wall.to_string()).unwrap_or_default(),
        row.run.to_string(),
        row.up_us.to_string(),
        row.batch.to_string(),
        row.actor.clone(),
        row.action.clone(),
        row.source.clone(),
        row.terminal.as_ref().map(|terminal| terminal.0.clone()).unwrap_or_default(),
        row.results.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(" "),
        row.outcome.clone(),
    ]
}

fn affected_cells(line: &Affected) -> [String; 13] {
    let answered = &line.answered;
    let joined = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
    let (state, number, fields) = match &line.person {
        Some(person) => ("保存期間内", person.number.to_string(), person.fields.clone()),
        None => ("保存期間を過ぎたため氏名は不明", String::new(), [const { None }; 4]),
    };
    let [name, kana, birth, insurer] =
        fields.map(|field| field.map(|field| field.expose().to_owned()).unwrap_or_default());
    [
        line.result.0.to_string(),
        state.to_owned(),
        number,
        name,
        kana,
        birth,
        insurer,
        local(answered.first),
        local(answered.last),
        answered.times.to_string(),
        joined(&answered.terminals),
        joined(&answered.actors),
        [joined(&answered.actions), joined(&answered.sources)].join(" "),
    ]
}

fn local(at: Timestamp) -> String {
    jst_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A line of CSV (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe in front.
fn csv<const N: usize>(cells: &[String; N]) -> String {
    let quoted = cells.iter().map(|cell| {
        let formula = cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
        let guard = if formula { "'" } else { "" };
        if formula || cell.contains([',', '"', '\n', '\r']) {
            format!("\"{guard}{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_two_cells() {
        for (cell, written) in [
            ("資格 太郎", "資格 太郎"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("=1+1", "\"'=1+1\""),
            (" @SUM(A1)", "\"' @SUM(A1)\""),
            ("＝１", "\"'＝１\""),
            ("-5", "\"'-5\""),
        ] {
            assert_eq!(csv(&[cell.to_owned()]), format!("{written}\r\n"), "{cell}");
        }
    }

    #[test]
    fn a_period_holds_its_last_day() {
        let day = Date::new(2026, 7, 8).ok();
        let range = Days { since: day, until: day }.range();
        assert_eq!(range.since, "2026-07-07T15:00:00Z".parse().ok());
        assert_eq!(range.until, "2026-07-08T15:00:00Z".parse().ok());
    }
}
