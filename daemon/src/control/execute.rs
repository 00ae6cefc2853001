//! Runs a command with the use cases. The daemon and a command without a daemon both come through here.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::command::{Command, Enrolment, Reply};
use super::retention::clock_words;
use crate::app::accounts::{AccountsError, ManageAccounts, NewCredentials};
use crate::app::ports::StoreError;
use crate::app::retention::{Retention, RunError};
use crate::domain::clock::Doubt;
use crate::domain::personal::Secret;

/// The use cases that commands may call.
pub struct Office {
    /// Accounts.
    pub accounts: ManageAccounts,
    /// Destroying what has expired.
    pub retention: Arc<Retention>,
}

/// Where a long command says how far it is.
#[derive(Debug, Clone)]
pub struct Progress(mpsc::Sender<String>);

impl Progress {
    /// What is said arrives at the receiver.
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (sender, receiver) = mpsc::channel(16);
        (Self(sender), receiver)
    }

    /// Says, in Japanese, how far the command is. Whoever asked may have gone away: the command goes on.
    pub async fn say(&self, line: impl Into<String>) {
        self.0.send(line.into()).await.ok();
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
    /// The clock is not trusted.
    #[error(
        "消去していません。日時: {}。OSの時刻同期を有効にするか、日時が正しいことを確かめて \
         `shikakud retention run --clock-is-right` を実行してください",
        clock_words(Err(*.0))
    )]
    Clock(Doubt),
}

impl From<RunError> for CommandError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Clock(doubt) => Self::Clock(doubt),
            RunError::Store(error) => Self::Store(error),
        }
    }
}

/// Whoever may log on to this machine as the daemon's user; in the audit log.
const AT_THE_MACHINE: &str = "command-line";

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
        Command::RetentionStatus => Ok(Reply::Retention((&office.retention.view().await?).into())),
        Command::RetentionRun { clock_is_right } => {
            progress.say("保存期間の過ぎたデータを消去しています").await;
            Ok(Reply::RetentionRan(office.retention.run_now(AT_THE_MACHINE, clock_is_right).await?.into()))
        }
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
