//! Runs a command with the use cases. The daemon and a command without a daemon both come through here.

use tokio::sync::mpsc;

use super::command::{Command, Enrolment, Hidden, Reply};
use super::review;
use crate::app::accounts::{AccountsError, ManageAccounts, NewCredentials};
use crate::app::audit::ReviewAudit;
use crate::app::backup::KeepBackups;
use crate::app::ports::{BackupError, StoreError};
use crate::domain::personal::Secret;
use crate::domain::retention::jst_datetime;

/// The use cases that commands may call.
pub struct Office {
    /// Accounts.
    pub accounts: ManageAccounts,
    /// The audit log.
    pub audit: ReviewAudit,
    /// Backups.
    pub backups: KeepBackups,
}

/// What a command says before it ends.
#[derive(Debug)]
pub enum Note {
    /// How far it is, in Japanese, for people.
    Say(String),
    /// A portion of what it writes out; can name persons.
    Out(Hidden),
}

/// Where a long command says how far it is, and hands over what it writes out.
#[derive(Debug, Clone)]
pub struct Progress(mpsc::Sender<Note>);

impl Progress {
    /// What is said arrives at the receiver.
    pub fn new() -> (Self, mpsc::Receiver<Note>) {
        let (sender, receiver) = mpsc::channel(16);
        (Self(sender), receiver)
    }

    /// Says, in Japanese, how far the command is. Whoever asked may have gone away: the command goes on.
    pub async fn say(&self, line: impl Into<String>) {
        self.0.send(Note::Say(line.into())).await.ok();
    }

    /// Says how far the command is, unless nobody keeps up with listening.
    pub fn try_say(&self, line: impl Into<String>) {
        self.0.try_send(Note::Say(line.into())).ok();
    }

    /// Hands over a portion of what is written out, at most half a megabyte.
    pub async fn out(&self, text: Hidden) {
        self.0.send(Note::Out(text)).await.ok();
    }
}

/// Why a command did not succeed; the text goes to the person at the machine.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Accounts.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
    /// Backups.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A row could not be written as text.
    #[error("行を書き出せません")]
    Form,
}

/// Runs one command to its end.
pub async fn execute(office: &Office, command: Command, progress: &Progress) -> Result<Reply, CommandError> {
    let accounts = &office.accounts;
    match command {
        Command::AccountAdd { name, role, password } => {
            progress.say("アカウントを作成しています").await;
            let password = password.as_ref().map(Secret::from);
            Ok(enrolled(name.clone(), &accounts.add(&name, role.into(), password).await?))
        }
        Command::AccountUnlock { name } => Ok(done(accounts.unlock(&name).await?)),
        Command::AuditVerify { accept } => {
            let reply = review::verify(&office.audit, progress).await?;
            if accept {
                office.audit.accept().await?;
            }
            Ok(reply)
        }
        Command::Backup { directory, recovery } => {
            progress.say("バックアップを書いています").await;
            let made = office.backups.back_up(&directory, &Secret::from(&recovery)).await?;
            let results_expire_at = made.results_expire_at.map(|at| jst_datetime(at).date().to_string());
            Ok(Reply::BackedUp { file: made.file, results: made.results, results_expire_at })
        }
        Command::AuditExport { days, form } => review::export(&office.audit, days, form, progress).await,
        Command::AuditAffected { days } => review::affected(&office.audit, days, progress).await,
    }
}

fn done((): ()) -> Reply {
    Reply::Done
}

fn enrolled(account: String, new: &NewCredentials) -> Reply {
    Reply::Enrolled(Enrolment {
        account,
        password: new.password.as_ref().map(Into::into),
        otpauth: new.otpauth.as_ref().map(Into::into),
    })
}
