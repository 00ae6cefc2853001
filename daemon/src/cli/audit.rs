//! `shikakud audit …`: the arguments, and where rows are written to.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::civil::Date;

use super::new_file::new_private;
use super::progress::Place;
use super::{ConfigFile, Failure, ask, ask_for};
use crate::control::{Command as ControlCommand, Days, Reply, RowForm, show};

/// What can be asked of the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// 監査ログの連鎖とアンカーを調べる（書き換えがあれば終了コード1）
    Verify {
        #[command(flatten)]
        file: ConfigFile,
        /// 過去の起動時に見つかった異常を、調べ終えたものとして記録する
        #[arg(long)]
        accept: bool,
    },
    /// 監査ログを書き出す（個人情報は入っていない）
    Export {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        days: Period,
        /// 形式
        #[arg(long, value_enum, default_value = "jsonl")]
        format: RowForm,
        /// 書き出すファイル（省略すると標準出力）
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// 漏えい時の対象者の一覧：期間内に結果が回答された人を、氏名付きで書き出す（この操作も監査ログに残る）
    Affected {
        #[command(flatten)]
        file: ConfigFile,
        /// この日から（日本時間、YYYY-MM-DD）
        #[arg(long)]
        since: Date,
        /// この日まで（日本時間、YYYY-MM-DD）
        #[arg(long)]
        until: Option<Date>,
        /// 書き出す新しいファイル（本人だけが読める形で作る）
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// A period of the log.
#[derive(Debug, clap::Args)]
pub(super) struct Period {
    /// この日から（日本時間、YYYY-MM-DD）
    #[arg(long)]
    since: Option<Date>,
    /// この日まで（日本時間、YYYY-MM-DD）
    #[arg(long)]
    until: Option<Date>,
}

/// Carries it out.
pub(super) fn run(asked: AuditCommand) -> Result<ExitCode, Failure> {
    match asked {
        AuditCommand::Verify { file, accept } => {
            let reply = ask(&file, ControlCommand::AuditVerify { accept }, Place::stderr())?;
            show::reply(&reply, false, &mut io::stdout())?;
            let intact = matches!(reply, Reply::Verified(report) if report.intact);
            Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        AuditCommand::Export { file, days, format, out } => {
            let days = Days { since: days.since, until: days.until };
            write_out(&file, ControlCommand::AuditExport { days, form: format }, out.as_deref())
        }
        AuditCommand::Affected { file, since, until, out } => {
            let days = Days { since: Some(since), until };
            write_out(&file, ControlCommand::AuditAffected { days }, Some(&out))
        }
    }
}

/// Portions go to the file or to standard output, everything else to standard error. A file that was begun and not
/// finished is removed: half a list of persons looks like a whole one.
fn write_out(file: &ConfigFile, command: ControlCommand, out: Option<&Path>) -> Result<ExitCode, Failure> {
    let mut target: Box<dyn io::Write + Send> = match out {
        Some(path) => Box::new(new_private(path).map_err(|error| Failure::Target(path.to_owned(), error))?),
        None => Box::new(io::stdout()),
    };
    let mut written = Ok(());
    // Rows that run over a terminal are no place for a line that is written over.
    let place = Place::unless(out.is_none() && io::stdout().is_terminal());
    let asked = ask_for(file, command, place, &mut |text| {
        if written.is_ok() {
            written = target.write_all(text.expose().as_bytes());
        }
    });
    let finished = asked.and_then(|reply| {
        written?;
        target.flush()?;
        Ok(reply)
    });
    match finished {
        Ok(reply) => {
            show::reply(&reply, false, &mut io::stderr())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            if let Some(path) = out {
                std::fs::remove_file(path).ok();
            }
            Err(failure)
        }
    }
}
