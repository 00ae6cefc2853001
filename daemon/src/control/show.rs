//! How a command's answer looks to the person at the terminal. Secrets are shown here, once, and nowhere else.

use std::io::{self, Write};

use super::command::{Enrolment, Reply};
use super::retention;

/// Writes an answer.
pub fn reply(reply: &Reply, out: &mut dyn Write) -> io::Result<()> {
    match reply {
        Reply::Done => writeln!(out, "完了しました。"),
        Reply::Enrolled(enrolment) => enrolled(enrolment, out),
        Reply::Retention(report) => retention::show(report, out),
        Reply::RetentionRan(ran) => retention::show_run(ran, out),
    }
}

/// Writes an answer for a program. Only for answers that hold no secret.
pub fn json(reply: &Reply, out: &mut dyn Write) -> io::Result<()> {
    match reply {
        Reply::Done => writeln!(out, "{{}}"),
        // Credentials are for a person's eyes.
        Reply::Enrolled(enrolment) => enrolled(enrolment, out),
        Reply::Retention(report) => line(report, out),
        Reply::RetentionRan(ran) => line(ran, out),
    }
}

fn line(content: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, content)?;
    writeln!(out)
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
