//! Runs a command with the use cases. The daemon and a command without a daemon both come through here.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::command::{
    AccountAct, AccountLine, Command, Enrolment, FoldersReport, Hidden, MachineLine, Reply, TerminalLine,
};
use super::retention::clock_words;
use super::{review, show};
use crate::app::access::Authority;
use crate::app::accounts::{AccountsError, ManageAccounts, NewCredentials};
use crate::app::audit::ReviewAudit;
use crate::app::backup::KeepBackups;
use crate::app::endings::Endings;
use crate::app::folders::{AcceptanceError, AcceptanceView, ConfiguredFolder, FolderAcceptance};
use crate::app::machines::{Machines, MachinesError};
use crate::app::ports::{BackupError, Machine, StoreError};
use crate::app::retention::{Retention, RunError};
use crate::app::terminals::{Terminals, TerminalsError};
use crate::domain::clock::Doubt;
use crate::domain::lockout::LOCK_AFTER;
use crate::domain::personal::Secret;
use crate::domain::retention::jst_datetime;

/// The use cases that commands may call.
pub struct Office {
    /// Accounts.
    pub accounts: Arc<ManageAccounts>,
    /// Enrolled terminals.
    pub terminals: Arc<Terminals>,
    /// Receipt computers with a certificate.
    pub machines: Arc<Machines>,
    /// The administrator's word about the OQS folders.
    pub folders: Arc<FolderAcceptance>,
    /// What takes access away.
    pub endings: Endings,
    /// Destroying what has expired.
    pub retention: Arc<Retention>,
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
    /// Terminals.
    #[error(transparent)]
    Terminals(#[from] TerminalsError),
    /// Receipt computers with a certificate.
    #[error(transparent)]
    Machines(#[from] MachinesError),
    /// OQS folders.
    #[error(transparent)]
    Folders(#[from] AcceptanceError),
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
    /// Backups.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A row could not be written as text.
    #[error("行を書き出せません")]
    Form,
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

/// Runs one command to its end.
pub async fn execute(office: &Office, command: Command, progress: &Progress) -> Result<Reply, CommandError> {
    let by = Authority::machine();
    match command {
        Command::AccountAdd { name, role, password } => {
            progress.say("アカウントを作成しています").await;
            let password = password.as_ref().map(Secret::from);
            let new = office.accounts.add(&by, &name, role.into(), password).await?;
            Ok(enrolled(name, &new))
        }
        Command::AccountList => Ok(Reply::Accounts(list(office, &by).await?)),
        Command::Account { name, act } => account(&office.accounts, &by, name, act).await,
        Command::TerminalOffer { name } => {
            let offered = office.terminals.offer(&by, &name).await?;
            let (code, expires_at) = (Hidden::from(&offered.code), jst(offered.expires_at));
            Ok(Reply::EnrolmentCode { code, expires_at })
        }
        Command::TerminalList => {
            let terminals = office.terminals.list().await?.into_iter();
            let line = |terminal: crate::app::ports::EnrolledTerminal| TerminalLine {
                name: terminal.name,
                enrolled_at: jst(terminal.enrolled_at),
            };
            Ok(Reply::Terminals(terminals.map(line).collect()))
        }
        Command::TerminalRemove { name } => {
            office.endings.remove_terminal(&by, &name).await?;
            Ok(Reply::Done)
        }
        Command::MachineOffer { name } => {
            let offered = office.machines.offer(&by, &name).await?;
            let (code, expires_at) = (Hidden::from(&offered.code), jst(offered.expires_at));
            Ok(Reply::EnrolmentCode { code, expires_at })
        }
        Command::MachineIssue { name, csr } => {
            let new = office.machines.issue(&by, &name, &csr).await?;
            Ok(Reply::MachineIssued {
                fingerprint: data_encoding::HEXLOWER.encode(&new.issued.fingerprint),
                ends_at: jst(new.issued.ends_at),
                certificate: new.issued.certificate,
                authority: new.authority,
            })
        }
        Command::MachineList => {
            Ok(Reply::Machines(office.machines.list().await?.into_iter().map(machine).collect()))
        }
        Command::MachineRevoke { number } => {
            office.endings.revoke_machine(&by, number).await?;
            Ok(Reply::Done)
        }
        Command::MachineAuthority => {
            let authority = office.machines.authority().await?;
            let fingerprint = data_encoding::HEXLOWER.encode(&authority.fingerprint);
            Ok(Reply::Authority { certificate: authority.certificate, fingerprint })
        }
        Command::FoldersShow => Ok(Reply::Folders(folders(&office.folders.view(&by)))),
        Command::FoldersAccept { accept } => {
            if accept {
                office.folders.accept(&by).await?;
            } else {
                office.folders.withdraw(&by).await?;
            }
            Ok(Reply::Folders(folders(&office.folders.view(&by))))
        }
        Command::RetentionStatus => Ok(Reply::Retention((&office.retention.view().await?).into())),
        Command::RetentionRun { clock_is_right } => {
            progress.say("保存期間の過ぎたデータを消去しています").await;
            Ok(Reply::RetentionRan(office.retention.run_now(clock_is_right).await?.into()))
        }
        Command::AuditVerify { accept } => {
            let reply = review::verify(&office.audit, progress).await?;
            if accept {
                office.audit.accept().await?;
            }
            Ok(reply)
        }
        Command::Backup { directory, recovery } => {
            progress.say("バックアップを書いています").await;
            let told = progress.clone();
            let hears = Arc::new(move |step| told.try_say(show::step(step)));
            let made = office.backups.back_up(&directory, &Secret::from(&recovery), hears).await?;
            let results_expire_at = made.results_expire_at.map(|at| jst_datetime(at).date().to_string());
            Ok(Reply::BackedUp { file: made.file, results: made.results, results_expire_at })
        }
        Command::AuditExport { days, form } => review::export(&office.audit, days, form, progress).await,
        Command::AuditAffected { days } => review::affected(&office.audit, days, progress).await,
    }
}

fn folders(view: &AcceptanceView) -> FoldersReport {
    let folder = |folder: &ConfiguredFolder| (folder.name.clone(), folder.root.clone(), folder.accepted);
    FoldersReport {
        folders: view.folders.iter().map(folder).collect(),
        accepted: view.record.as_ref().map(|record| (record.by.clone(), jst(record.at))),
    }
}

fn machine(machine: Machine) -> MachineLine {
    MachineLine {
        number: machine.id,
        account: machine.account_name,
        fingerprint: data_encoding::HEXLOWER.encode(&machine.fingerprint),
        ends_at: jst(machine.ends_at),
    }
}

async fn account(
    accounts: &ManageAccounts,
    by: &Authority,
    name: String,
    act: AccountAct,
) -> Result<Reply, CommandError> {
    match act {
        AccountAct::Unlock => accounts.unlock(by, &name).await?,
        AccountAct::Disable => accounts.disable(by, &name).await?,
        AccountAct::Enable => accounts.enable(by, &name).await?,
        AccountAct::Remove => accounts.remove(by, &name).await?,
        AccountAct::ResetPassword => {
            let new = accounts.reset_password(by, &name).await?;
            return Ok(enrolled(name, &new));
        }
        AccountAct::ResetTotp => {
            let new = accounts.reset_totp(by, &name).await?;
            return Ok(enrolled(name, &new));
        }
        AccountAct::RecoveryCodes => {
            let codes = accounts.recovery_codes(by, &name).await?;
            return Ok(Reply::RecoveryCodes(codes.iter().map(Into::into).collect()));
        }
    }
    Ok(Reply::Done)
}

async fn list(office: &Office, by: &Authority) -> Result<Vec<AccountLine>, CommandError> {
    let accounts = office.accounts.list(by).await?.into_iter();
    let line = |account: crate::app::ports::AccountSummary| AccountLine {
        name: account.name,
        role: account.role.into(),
        disabled: account.disabled,
        locked: account.failures >= LOCK_AFTER,
        must_change: account.must_change,
        recovery_codes: account.recovery_codes,
    };
    Ok(accounts.map(line).collect())
}

/// An instant in Japan time, to the second.
fn jst(at: Timestamp) -> String {
    jst_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn enrolled(account: String, new: &NewCredentials) -> Reply {
    Reply::Enrolled(Enrolment {
        account,
        password: new.password.as_ref().map(Into::into),
        otpauth: new.otpauth.as_ref().map(Into::into),
    })
}
