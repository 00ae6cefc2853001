//! How a command's answer looks to the person at the terminal. Secrets are shown here, once, and nowhere else.

use std::io::{self, Write};

use super::command::{AccountLine, Enrolment, FoldersReport, MachineLine, Reply, RoleName};
use super::retention;
use crate::app::ports::{ArchiveStep, Part};
use crate::qr;

/// Writes an answer. A QR code is drawn only where somebody can hold a phone in front of it.
pub fn reply(reply: &Reply, is_terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    match reply {
        Reply::Done => writeln!(out, "完了しました。"),
        Reply::Enrolled(new) => enrolled(new, is_terminal, out),
        Reply::Accounts(accounts) => accounts.iter().try_for_each(|line| account(line, out)),
        Reply::RecoveryCodes(codes) => {
            writeln!(out, "回復コード（1つにつき1回だけ使えます。二度と表示されません）:")?;
            codes.iter().try_for_each(|code| writeln!(out, "{}", code.expose()))
        }
        Reply::EnrolmentCode { code, expires_at } => {
            writeln!(out, "登録コード: {}", code.expose())?;
            writeln!(out, "{expires_at}（日本時間）まで、1回だけ使えます。")
        }
        Reply::Terminals(terminals) => terminals
            .iter()
            .try_for_each(|line| writeln!(out, "{}\t{}（日本時間）に登録", line.name, line.enrolled_at)),
        Reply::Machines(machines) => machines.iter().try_for_each(|line| {
            let MachineLine { number, account, fingerprint, ends_at } = line;
            writeln!(out, "{number}\t{account}\t{ends_at}（日本時間）まで\tSHA-256 {fingerprint}")
        }),
        Reply::MachineIssued { certificate, fingerprint, ends_at, .. } => {
            writeln!(out, "SHA-256 {fingerprint} {ends_at}（日本時間）まで\n{}", certificate.trim_end())
        }
        // What stands outside the armour is no part of a PEM file: the whole can be redirected into one.
        Reply::Authority { certificate, fingerprint } => {
            writeln!(out, "SHA-256 {fingerprint}\n{}", certificate.trim_end())
        }
        Reply::Folders(report) => folders(report, out),
        Reply::Retention(report) => retention::show(report, out),
        Reply::RetentionRan(ran) => retention::show_run(ran, out),
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

/// How far a backup or its restore is.
pub fn step(step: ArchiveStep) -> String {
    let part =
        |what: &str, part: Part| format!("{what} {} / {} MiB", part.done >> 20, part.whole.div_ceil(1 << 20));
    match step {
        ArchiveStep::Copying => "データを写しています".to_owned(),
        ArchiveStep::Writing(of) => part("バックアップを書いています", of),
        ArchiveStep::ReadingBack(of) => part("書いたものを読み返しています", of),
        ArchiveStep::Opening(of) => part("バックアップを開いています", of),
        ArchiveStep::Checking => "中身を確かめています".to_owned(),
    }
}

/// Writes an answer for a program. Only for answers that hold no secret.
pub fn json(reply: &Reply, is_terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    match reply {
        Reply::Done => writeln!(out, "{{}}"),
        Reply::Retention(report) => line(report, out),
        Reply::RetentionRan(ran) => line(ran, out),
        // For a person's eyes.
        Reply::Enrolled(_)
        | Reply::Accounts(_)
        | Reply::RecoveryCodes(_)
        | Reply::EnrolmentCode { .. }
        | Reply::Terminals(_)
        | Reply::Machines(_)
        | Reply::MachineIssued { .. }
        | Reply::Authority { .. }
        | Reply::Verified(_)
        | Reply::Folders(_)
        | Reply::BackedUp { .. }
        | Reply::Wrote { .. } => self::reply(reply, is_terminal, out),
    }
}

fn line(content: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, content)?;
    writeln!(out)
}

fn enrolled(new: &Enrolment, is_terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "アカウント {} の次の情報は二度と表示されません。", new.account)?;
    if let Some(password) = &new.password {
        writeln!(out, "パスワード: {}", password.expose())?;
    }
    if let Some(otpauth) = &new.otpauth {
        writeln!(out, "認証アプリに登録するURI: {}", otpauth.expose())?;
        if let Some(code) = qr::text(otpauth.expose()).filter(|_| is_terminal) {
            writeln!(out, "{code}")?;
        }
    }
    Ok(())
}

fn folders(report: &FoldersReport, out: &mut dyn Write) -> io::Result<()> {
    if report.folders.is_empty() {
        writeln!(out, "フォルダーは設定されていません（設定ファイルの [[folders]]）。")?;
    }
    for (name, root, accepted) in &report.folders {
        let state = if *accepted {
            "承諾済み"
        } else {
            "承諾していません（何も書かず、何も読みません）"
        };
        writeln!(out, "{name}\t{root}\t{state}")?;
    }
    match &report.accepted {
        Some((by, at)) => writeln!(
            out,
            "{at}（日本時間）に {by} が、フォルダーを読める人に多要素認証を求めないことを承諾しました。"
        ),
        None => Ok(()),
    }
}

fn account(line: &AccountLine, out: &mut dyn Write) -> io::Result<()> {
    let role = match line.role {
        RoleName::Operator => "operator",
        RoleName::ReceiptComputer => "receipt-computer",
        RoleName::Administrator => "administrator",
    };
    let notes =
        [(line.disabled, "無効"), (line.locked, "ロック中"), (line.must_change, "パスワードの変更待ち")];
    let notes: Vec<&str> = notes.iter().filter(|(holds, _)| *holds).map(|(_, note)| *note).collect();
    let state = if notes.is_empty() { "有効".to_owned() } else { notes.join("・") };
    writeln!(out, "{}\t{role}\t{state}\t回復コード{}個", line.name, line.recovery_codes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Hidden;

    fn shown(answer: &Reply, is_terminal: bool) -> String {
        let mut out = Vec::new();
        reply(answer, is_terminal, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_qr_code_is_drawn_for_people_only() {
        let address = "otpauth://totp/Shikaku%20Bridge:hanako?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let new = Reply::Enrolled(Enrolment {
            account: "hanako".to_owned(),
            password: None,
            otpauth: Some(Hidden::new(address.to_owned())),
        });
        assert!(shown(&new, true).contains('█') && shown(&new, true).contains(address));
        assert!(!shown(&new, false).contains('█') && shown(&new, false).contains(address));
        assert!(!format!("{new:?}").contains("GEZDGNBV"));
    }

    #[test]
    fn a_list_says_what_is_special_about_an_account() {
        let line = AccountLine {
            name: "hanako".to_owned(),
            role: RoleName::Operator,
            disabled: false,
            locked: true,
            must_change: true,
            recovery_codes: 9,
        };
        let expected = "hanako\toperator\tロック中・パスワードの変更待ち\t回復コード9個\n";
        assert_eq!(shown(&Reply::Accounts(vec![line]), false), expected);
    }
}
