//! `shikakud setup`: from nothing to a configuration and a first administrator, asked in Japanese on a terminal or answered by a file.
//!
//! Can be repeated: what is there already stays as it is, and the rest is done. Secrets are named by their files only; the first
//! password goes to the terminal or into a file of its own, never into an argument.

mod answers;
mod needed;
mod questions;
mod sealed;

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use answers::Answers;

use super::new_file::new_private;
use super::progress::Place;
use super::service::{self, ServiceCommand};
use super::{ConfigFile, Failure, ask, runtime, shell};
use crate::config::Config;
use crate::control::client;
use crate::control::{Command as ControlCommand, Reply, RoleName, show};
use crate::start::connected_readers;
use crate::system::{credentials_directory, default_configuration, owned};

/// Some of the files that the operators hand out are missing: nothing is wrong, and nothing runs yet. See [`shell::EXIT_CODES`].
const FILES_MISSING: u8 = 3;

/// How long the readers may take to show themselves.
const READERS_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = shell::EXIT_CODES)]
pub(super) struct Setup {
    /// 設定ファイル（TOML）。すでにあればそのまま使う
    #[arg(long, value_name = "FILE", default_value_os_t = default_configuration())]
    config: PathBuf,
    /// 質問への答えを書いたファイル（TOML）。省略すると端末で質問する
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// 何もせず、何をするかだけを示す
    #[arg(long)]
    check: bool,
}

/// Why nothing was set up; what was done before stays.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("端末ではないので質問できません。--from で答えのファイルを指定してください")]
    NoTerminal,
    #[error("質問の途中で入力が終わりました。何も変更していません")]
    Ended,
    #[error("答えのファイル {0} を読めません: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("答えのファイル {0} が正しくありません: {1}")]
    Form(PathBuf, String),
    #[error("{0} を作れません: {1}")]
    Target(PathBuf, io::Error),
    #[error(
        "鍵束 {keyring} があるのに、封をしたマスター鍵 {sealed} がありません。新しい鍵を作っても、保存済みのデータは読めません。\
         {sealed} の写しがあれば戻してください。機械を替えたときなど、なければ、データのディレクトリを空にしてからもう一度実行し、\
         復旧鍵とバックアップから復元します（RECOVERY.md の 4）"
    )]
    KeyGone { keyring: PathBuf, sealed: PathBuf },
    #[error(
        "管理者 {name} はすでにありますが、最初のパスワードを書くファイル {file} が空です。\n\
         このファイルを消し、パスワードと認証アプリの登録を作り直してください:\n  \
         shikakud account reset-password --config {config} {name}\n  shikakud account reset-totp --config {config} {name}"
    )]
    CredentialsLost { name: String, file: PathBuf, config: PathBuf },
    #[cfg(windows)]
    #[error("マスター鍵を {0} に封印できません: {1}")]
    SealFile(PathBuf, io::Error),
    #[cfg(unix)]
    #[error(
        "systemd-creds でマスター鍵を封印できません。systemd 250以降で実行するか、master_key_file にファイルを指定してください"
    )]
    Seal,
}

pub(super) fn run(asked: &Setup) -> Result<ExitCode, Failure> {
    let mut out = io::stdout();
    let exists = asked.config.exists();
    let answers = match &asked.from {
        Some(file) => Answers::load(file)?,
        None if io::stdin().is_terminal() => {
            questions::ask(&mut io::stdin().lock(), &mut out, &connected_readers(READERS_LIMIT), exists)?
        }
        None => return Err(SetupError::NoTerminal.into()),
    };
    let text = answers.configuration();
    let config = if exists {
        writeln!(out, "設定ファイル {} はすでにあります。そのまま使います。", asked.config.display())?;
        ConfigFile { config: asked.config.clone() }.load()?
    } else {
        Config::from_text(&text, &asked.config, credentials_directory().as_deref())?
    };
    if asked.check {
        show_plan(asked, &answers, exists, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    #[cfg(windows)]
    if owned::is_administrator() && asked.config.starts_with(crate::system::home()) {
        crate::system::prepare_home().map_err(Failure::Home)?;
    }
    if !exists {
        write_configuration(&asked.config, &text)?;
        writeln!(out, "設定ファイル {} を作りました。", asked.config.display())?;
    }
    sealed::make_once(&config, &mut out)?;
    let missing = needed::missing(&config);
    if !missing.is_empty() {
        show_missing(&missing, &mut out)?;
        return Ok(ExitCode::from(FILES_MISSING));
    }
    let by_service = belongs_to_service(&config);
    if by_service {
        #[cfg(unix)]
        show_drop_in(&needed::beyond_the_unit(&config), &mut out)?;
        // One that somebody has started by hand must also come back after the next start of the machine.
        service::run(ServiceCommand::Install)?;
        if !runtime()?.block_on(client::is_served(&config.store.directory)) {
            service::run(ServiceCommand::Start)?;
        }
    }
    first_administrator(asked, &answers, &mut out)?;
    // To root the service's files look like a stranger's.
    let as_service = if cfg!(unix) && by_service { "sudo -u shikaku-bridge " } else { "" };
    let config = asked.config.display();
    writeln!(
        out,
        "次に「{as_service}shikakud config check --config {config}」と「{as_service}shikakud doctor --config {config}」で確かめてください。"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn show_missing(missing: &[&Path], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "次のファイルを置くと始められます（オンライン資格確認等システムの運営から渡されるものなど。所有者だけが読めること）:"
    )?;
    missing.iter().try_for_each(|path| writeln!(out, "  {}", path.display()))?;
    writeln!(out, "置いたら、もう一度同じコマンドを実行してください（続きから行います）。")
}

/// The unit is hardened more than the package can know to be right here; what it may do beyond is the administrator's word.
#[cfg(unix)]
fn show_drop_in(beyond: &[PathBuf], out: &mut dyn Write) -> io::Result<()> {
    if beyond.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "設定には、サービスがそのままでは書けない場所があります。「sudo systemctl edit shikaku-bridge」で次の行を加えてください（加えてあれば\
         不要です）。加えてから、もう一度同じコマンドを実行するか、sudo systemctl restart shikaku-bridge を実行します:\n{}\
         場所がなければ、先に作ります:",
        needed::drop_in(beyond)
    )?;
    beyond.iter().try_for_each(|directory| {
        writeln!(
            out,
            "  sudo install -d -m 700 -o shikaku-bridge -g shikaku-bridge '{}'",
            directory.display()
        )
    })
}

fn show_plan(asked: &Setup, answers: &Answers, exists: bool, out: &mut dyn Write) -> io::Result<()> {
    if !exists {
        writeln!(out, "作る設定ファイル {}:\n", asked.config.display())?;
        writeln!(out, "{}", answers.configuration())?;
    }
    writeln!(out, "作るアカウント（なければ）: {}（管理者）", answers.administrator)?;
    writeln!(out, "何も変更していません。")
}

/// Whether the store may only be opened by its own user or in its own service: then the account is made by the running daemon. Files of
/// root's in the data directory would keep it from starting.
fn belongs_to_service(config: &Config) -> bool {
    let of_another = owned::is_of_another(&config.store.directory);
    let needs_service = config.store.credential().is_some() && credentials_directory().is_none();
    owned::is_administrator() && (of_another || needs_service)
}

/// Whole or not at all, and never over one that is there.
fn write_configuration(path: &Path, text: &str) -> Result<(), SetupError> {
    let target = |error| SetupError::Target(path.to_owned(), error);
    if let Some(directory) = path.parent() {
        owned::create_directories(directory).map_err(target)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let write = || -> io::Result<()> {
        let mut file = owned::private().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Fails where somebody else was faster; a rename would replace theirs.
        owned::share_with_service(&new, path)?;
        let linked = fs::hard_link(&new, path);
        fs::remove_file(&new)?;
        linked
    };
    write().map_err(target)
}

fn first_administrator(asked: &Setup, answers: &Answers, out: &mut dyn Write) -> Result<(), Failure> {
    let file = ConfigFile { config: asked.config.clone() };
    let known = match ask(&file, ControlCommand::AccountList, Place::Nowhere)? {
        Reply::Accounts(accounts) => accounts,
        _ => Vec::new(),
    };
    let name = &answers.administrator;
    let exists = known.iter().any(|account| account.name == *name);
    match &answers.credentials_file {
        // One that is gone was fetched, as it should be; an empty one is what a power loss left.
        Some(path) if exists && fs::metadata(path).is_ok_and(|found| found.len() == 0) => {
            let (name, file, config) = (name.clone(), path.clone(), asked.config.clone());
            Err(SetupError::CredentialsLost { name, file, config }.into())
        }
        _ if exists => Ok(writeln!(out, "アカウント {name} はすでにあります。")?),
        Some(path) => {
            // The place for what is shown only once must be there before it is made.
            let mut target = new_secrets(path)?;
            let made = add(&file, name).and_then(|reply| {
                show::reply(&reply, false, &mut target)?;
                Ok(target.sync_all()?)
            });
            if made.is_err() {
                // Nothing, or not all: it would stand in the way of the next try. What went wrong is told, not that it stays.
                let _ = fs::remove_file(path);
            }
            made?;
            Ok(writeln!(
                out,
                "管理者 {name} の最初のパスワードと認証アプリのURIを {} に書きました。登録したらこのファイルを消してください。",
                path.display()
            )?)
        }
        None => Ok(show::reply(&add(&file, name)?, io::stdout().is_terminal(), out)?),
    }
}

fn add(file: &ConfigFile, name: &str) -> Result<Reply, Failure> {
    let (name, role) = (name.to_owned(), RoleName::Administrator);
    ask(file, ControlCommand::AccountAdd { name, role, password: None }, Place::Nowhere)
}

fn new_secrets(path: &Path) -> Result<File, SetupError> {
    new_private(path).map_err(|error| SetupError::Target(path.to_owned(), error))
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match error {
            unusable @ (SetupError::Form(..) | SetupError::NoTerminal) => Self::Answers(unusable.to_string()),
            other => Self::Setup(other.to_string()),
        }
    }
}
