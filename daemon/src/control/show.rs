//! How a command's answer looks to the person at the terminal. Secrets are shown here, once, and nowhere else.

use std::io::{self, Write};

use super::command::{Enrolment, Reply};

/// Writes an answer.
pub fn reply(reply: &Reply, out: &mut dyn Write) -> io::Result<()> {
    match reply {
        Reply::Done => writeln!(out, "完了しました。"),
        Reply::Enrolled(enrolment) => enrolled(enrolment, out),
        Reply::Verified(report) => report.lines.iter().try_for_each(|line| writeln!(out, "{line}")),
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
