//! What `shikakud retention` answers: the form on the socket (also that of `--json`) and how a person reads it.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::app::ports::{MonthStock, Purged};
use crate::app::retention::{RetentionView, Run};
use crate::domain::clock::{Doubt, Trust};
use crate::domain::retention::jst_datetime;

/// What is kept of one month.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Month {
    /// The month of the checks, `YYYYMM` in Japan time.
    pub month: i32,
    /// Stored results.
    pub results: u64,
    /// First instant at which they are gone, RFC 3339.
    pub expires_at: String,
    /// Whether they are hidden already and wait to be destroyed.
    pub hidden: bool,
}

/// What was destroyed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Destroyed {
    /// Deleted results.
    pub results: u64,
    /// Months whose keys were destroyed.
    pub months: u64,
}

impl From<Purged> for Destroyed {
    fn from(purged: Purged) -> Self {
        let Purged { results, months } = purged;
        Self { results, months }
    }
}

/// How retention is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the form of an answer: each is a question of its own")]
pub struct RetentionReport {
    /// What the wall clock shows, RFC 3339.
    pub now: String,
    /// Whether it is trusted.
    pub clock_plausible: bool,
    /// By whose word, or why not, in Japanese.
    pub clock: String,
    /// What is kept of each month, the oldest first.
    pub months: Vec<Month>,
    /// Whether something is to be destroyed.
    pub due: bool,
    /// Since when, in seconds; 0 if nothing waits.
    pub lag_seconds: u64,
    /// Whether a purge began and has not ended.
    pub unfinished: bool,
    /// When the last purge ended, RFC 3339.
    pub last_purge_at: Option<String>,
    /// What it destroyed.
    pub last_purge: Option<Destroyed>,
    /// Why the last attempt failed.
    pub failed: Option<String>,
    /// Whether the space kept back for purging on a full disk is there.
    pub ballast: bool,
    /// Whether there is space for new checks.
    pub room: bool,
}

fn jst(at: Timestamp) -> String {
    format!("{}+09:00", jst_datetime(at).strftime("%Y-%m-%dT%H:%M:%S"))
}

impl From<&RetentionView> for RetentionReport {
    fn from(view: &RetentionView) -> Self {
        let stock = &view.stock;
        let month = |kept: &MonthStock| Month {
            month: kept.month.number(),
            results: kept.results,
            expires_at: jst(kept.expires_at),
            hidden: kept.expires_at <= stock.instant,
        };
        Self {
            now: jst(view.now),
            clock_plausible: view.clock.is_ok(),
            clock: clock_words(view.clock),
            months: stock.months.iter().map(month).collect(),
            due: view.due,
            lag_seconds: view.health.lag.as_secs(),
            unfinished: stock.unfinished,
            last_purge_at: stock.last.map(|last| jst(last.at)),
            last_purge: stock.last.map(|last| last.purged.into()),
            failed: view.health.failed.as_ref().map(ToString::to_string),
            ballast: stock.ballast,
            room: view.health.room.is_ok(),
        }
    }
}

/// What an administrator's run did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RetentionRan {
    /// By whose word the clock was trusted, in Japanese.
    pub clock: String,
    /// What was destroyed.
    pub destroyed: Destroyed,
}

impl From<Run> for RetentionRan {
    fn from(run: Run) -> Self {
        let nothing = Purged { results: 0, months: 0 };
        Self { clock: clock_words(run.clock), destroyed: run.purged.unwrap_or(nothing).into() }
    }
}

/// By whose word the clock is trusted, or why it is not.
pub fn clock_words(clock: Result<Trust, Doubt>) -> String {
    let fixed = match clock {
        Ok(Trust::Kernel) => "OSの時刻同期で確認しました",
        Ok(Trust::CentralSystem) => "オンライン資格確認等システムの時刻と一致しています",
        Ok(Trust::Administrator) => "管理者が正しいことを確認しました",
        Err(Doubt::NoWitness) => {
            "まだ確認できていません（OSの時刻同期がなく、中央システムの時刻もありません）"
        }
        Err(Doubt::Unsynchronised) => "OSの時刻同期ができていません",
        Err(Doubt::JustSet) => "確認している間に日時が変更されました",
        Err(Doubt::CentralDisagrees { ahead }) => {
            let (seconds, side) =
                (ahead.as_secs().abs(), if ahead.is_negative() { "進んで" } else { "遅れて" });
            return format!("オンライン資格確認等システムの時刻より {seconds} 秒{side}います");
        }
    };
    fixed.to_owned()
}

/// Shows how retention is.
pub(super) fn show(report: &RetentionReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "現在の日時: {}", report.now)?;
    let plausible = if report.clock_plausible { "確認済み" } else { "未確認" };
    writeln!(out, "日時の確認: {plausible}。{}", report.clock)?;
    if report.months.is_empty() {
        writeln!(out, "保存中の結果: ありません")?;
    }
    for Month { month, results, expires_at, hidden } in &report.months {
        let stand =
            if *hidden { "期限切れ（表示されません。消去待ち）" } else { "保存中" };
        let (year, month) = (month / 100, month % 100);
        writeln!(out, "{year}年{month}月の結果: {results}件、期限 {expires_at}、{stand}")?;
    }
    match (report.due, report.lag_seconds) {
        (false, _) => writeln!(out, "消去: 今すべきものはありません")?,
        (true, lag) => writeln!(out, "消去: 待っています（{lag}秒）")?,
    }
    if report.unfinished {
        writeln!(out, "前回の消去は途中で止まりました。自動で続けます")?;
    }
    if let (Some(at), Some(last)) = (&report.last_purge_at, report.last_purge) {
        writeln!(out, "前回の消去: {at}、結果 {}件、{}か月分の鍵", last.results, last.months)?;
    }
    if let Some(failed) = &report.failed {
        writeln!(out, "前回の消去の失敗: {failed}")?;
    }
    if !report.ballast {
        writeln!(
            out,
            "満杯のディスクでも消去するための予備の空きを確保できていません。空きを増やしてください"
        )?;
    }
    if !report.room {
        writeln!(
            out,
            "ディスクの空きが足りないため、新しい資格確認を受け付けていません。空きを増やしてください"
        )?;
    }
    if report.due && !report.clock_plausible {
        writeln!(
            out,
            "OSの時刻同期を有効にするか、日時が正しいことを確かめて \
             `shikakud retention run --clock-is-right` を実行してください"
        )?;
    }
    Ok(())
}

/// Shows what a run did.
pub(super) fn show_run(ran: &RetentionRan, out: &mut dyn Write) -> io::Result<()> {
    let RetentionRan { clock, destroyed: Destroyed { results, months } } = ran;
    writeln!(out, "日時: {clock}")?;
    writeln!(out, "消去しました: 結果 {results}件、{months}か月分の鍵")
}
