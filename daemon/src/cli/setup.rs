//! `shikakud setup`: from nothing to a configuration and a first administrator, asked in Japanese on a terminal or answered by a file.
//!
//! Can be repeated: what is there already stays as it is, and the rest is done. Secrets are named by their files only; the first
//! password goes to the terminal or into a file of its own, never into an argument.

mod answers;
mod questions;
mod sealed;

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use answers::Answers;

use super::new_file::new_private;
use super::progress::Place;
use super::service::{self, ServiceCommand};
use super::{ConfigFile, Failure, ask, runtime};
use crate::config::Config;
use crate::control::client;
use crate::control::{Command as ControlCommand, Reply, RoleName, show};
use crate::start::connected_readers;
use crate::system::{credentials_directory, default_configuration, owned};

/// How long the readers may take to show themselves.
const READERS_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
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
    #[cfg(windows)]
    #[error("マスター鍵を {0} に封印できません: {1}")]
    SealFile(PathBuf, io::Error),
    #[cfg(unix)]
    #[error(
        "systemd-creds でマスター鍵を封印できません。systemd 250以降で実行するか、master_key_file にファイルを指定してください"
    )]
    Seal,
}

pub(super) fn run(asked: &Setup) -> Result<(), Failure> {
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
        return Ok(show_plan(asked, &answers, exists, &mut out)?);
    }
    #[cfg(windows)]
    if owned::is_administrator() && asked.config.starts_with(crate::system::home()) {
        crate::system::prepare_home().map_err(Failure::Home)?;
    }
    if !exists {
        write_configuration(&asked.config, &text)?;
        writeln!(out, "設定ファイル {} を作りました。", asked.config.display())?;
    }
    sealed::make_once(&config.store, &mut out)?;
    if missing_files(&config, &mut out)? {
        return Ok(writeln!(out, "置いたら、もう一度同じコマンドを実行してください（続きから行います）。")?);
    }
    if may_not_open(&config)? {
        service::run(ServiceCommand::Install)?;
        service::run(ServiceCommand::Start)?;
    }
    first_administrator(asked, &answers, &mut out)?;
    Ok(writeln!(
        out,
        "次に「shikakud config check --config {0}」と「shikakud doctor --config {0}」で確かめてください。",
        asked.config.display()
    )?)
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
fn may_not_open(config: &Config) -> Result<bool, Failure> {
    if runtime()?.block_on(client::is_served(&config.store.directory)) {
        return Ok(false);
    }
    let of_another = owned::is_of_another(&config.store.directory);
    let needs_service = config.store.credential().is_some() && credentials_directory().is_none();
    Ok(owned::is_administrator() && (of_another || needs_service))
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
    if known.iter().any(|account| account.name == answers.administrator) {
        return Ok(writeln!(out, "アカウント {} はすでにあります。", answers.administrator)?);
    }
    // The place for what is shown only once must be there before it is made.
    let mut secrets = answers.credentials_file.as_deref().map(new_secrets).transpose()?;
    let command = ControlCommand::AccountAdd {
        name: answers.administrator.clone(),
        role: RoleName::Administrator,
        password: None,
    };
    let reply = ask(&file, command, Place::Nowhere)?;
    match (&mut secrets, &answers.credentials_file) {
        (Some(target), Some(path)) => {
            show::reply(&reply, false, target)?;
            target.sync_all()?;
            writeln!(
                out,
                "管理者 {} の最初のパスワードと認証アプリのURIを {} に書きました。登録したらこのファイルを消してください。",
                answers.administrator,
                path.display()
            )?;
        }
        _ => show::reply(&reply, io::stdout().is_terminal(), out)?,
    }
    Ok(())
}

fn new_secrets(path: &Path) -> Result<File, SetupError> {
    new_private(path).map_err(|error| SetupError::Target(path.to_owned(), error))
}

/// What the operators hand out comes later; until it is there the daemon does not start. Says whether any is missing.
fn missing_files(config: &Config, out: &mut dyn Write) -> io::Result<bool> {
    let upstream = &config.upstream;
    let needed = [
        &upstream.totp_secret_file,
        &upstream.roots_file,
        &upstream.client_certificate_file,
        &upstream.client_key_file,
    ];
    let missing: Vec<_> = needed.into_iter().filter(|path| !path.exists()).collect();
    if !missing.is_empty() {
        writeln!(
            out,
            "次のファイルを置くと始められます（オンライン資格確認等システムの運営から渡されるもの、所有者だけが読めること）:"
        )?;
    }
    missing.iter().try_for_each(|path| writeln!(out, "  {}", path.display()))?;
    Ok(!missing.is_empty())
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match error {
            unusable @ (SetupError::Form(..) | SetupError::NoTerminal) => Self::Answers(unusable.to_string()),
            other => Self::Setup(other.to_string()),
        }
    }
}
