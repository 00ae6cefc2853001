//! How a command's answer looks to the person at the terminal. Secrets are shown here, once, and nowhere else.

use std::io::{self, Write};

use super::command::{Enrolment, Reply};

/// Writes an answer.
pub fn reply(reply: &Reply, out: &mut dyn Write) -> io::Result<()> {
    match reply {
        Reply::Done => writeln!(out, "完了しました。"),
        Reply::Enrolled(enrolment) => enrolled(enrolment, out),
        Reply::Verified(report) => report.lines.iter().try_for_each(|line| writeln!(out, "{line}")),
        Reply::BackedUp { file, results, results_expire_at } => {
            writeln!(out, "{} に書き、読み返して確かめました（結果{results}件）。", file.display())?;
            match results_expire_at {
                Some(day) => writeln!(out, "中の結果を復元できるのは {day} の前日までです。"),
                None => Ok(()),
            }
        }
        Reply::Wrote { rows, persons: None } => writeln!(out, "{rows}行を書き出しました。"),
        Reply::Wrote { rows, persons: Some(persons) } => {
            writeln!(out, "{rows}件の結果、氏名の分かる{persons}人を書き出しました。")
        }
    }
}

fn enrolled(enrolment: &Enrolment, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "アカウント {} の次の情報は二度と表示されません。", enrolment.account)?;
    if let Some(password) = &enrolment.password {
        writeln!(out, "パスワード: {}", password.expose())?;
    }
    if let Some(otpauth) = &enrolment.otpauth {
        writeln!(out, "認証アプリに登録するURI: {}", otpauth.expose())?;
    }
    Ok(())
}
