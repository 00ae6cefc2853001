//! The command line of `shikakud`: reads arguments, calls one function, turns errors into exit codes.

mod audit;
mod backup;
mod folders;
mod logs;
mod machine;
mod new_file;
mod progress;
mod run;
mod service;
mod setup;
mod shell;
mod support;

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use progress::Place;

use crate::app::ports::{Clock, Random};
use crate::config::{Config, ConfigError};
use crate::control::client::{self, ClientError};
use crate::control::{
    AccountAct, Command as ControlCommand, Hidden, Note, Reply as ControlReply, RoleName, show,
};
use crate::doctor;
use crate::domain::personal::without_mark;
use crate::service_manager;
use crate::start::{StartError, Surroundings, review_page};
use crate::system::{OsRandom, SystemClock, credentials_directory};

/// 資格ブリッジ：カードリーダーとオンライン資格確認等システムをレセコンにつなぐデーモン
#[derive(Debug, Parser)]
#[command(name = "shikakud", version, arg_required_else_help = true, after_help = shell::EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// デーモンを動かす（SIGTERMまたはCtrl-Cで終了）
    #[command(after_help = shell::EXIT_CODES)]
    Run {
        #[command(flatten)]
        file: ConfigFile,
        /// いまあるデータを脇（quarantine-日時）に移し、空の状態から始める
        #[arg(long)]
        start_empty: bool,
    },
    /// リーダー、PC/SC、カード、証明書、時計、ディスク、中央システム、受付ページを調べ、直し方を示す（デーモンが動いていてもよい）
    Doctor {
        #[command(flatten)]
        file: ConfigFile,
        /// 機械が読む形（JSON）で出す
        #[arg(long)]
        json: bool,
        /// カードに触れない（受付中はこれを付ける）
        #[arg(long)]
        no_card: bool,
    },
    /// アカウントを管理する（デーモンが動いていてもよい）
    #[command(subcommand)]
    Account(AccountCommand),
    /// 端末の登録を管理する（デーモンが動いていてもよい）
    #[command(subcommand)]
    Terminal(TerminalCommand),
    /// 無人で動くレセコンの証明書を管理する（デーモンが動いていてもよい）
    #[command(subcommand)]
    Machine(machine::MachineCommand),
    /// OQSフォルダーを使うことの承諾（デーモンが動いていてもよい）
    #[command(subcommand)]
    Folders(folders::FoldersCommand),
    /// 受付ページ（ブラウザの画面）の準備（デーモンが動いていてもよい）
    #[command(subcommand)]
    Page(PageCommand),
    /// 保存期間の過ぎたデータの消去（デーモンが動いていてもよい）
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// バックアップ用の復旧鍵を作る
    RecoveryKey {
        /// 作るファイル
        file: PathBuf,
    },
    /// 暗号化したバックアップを書き、読み返して確かめる（デーモンが動いていてもよい）
    Backup(backup::Backup),
    /// バックアップを復元する（デーモンを止めてから）
    Restore(backup::Restore),
    /// 監査ログを調べる、書き出す（デーモンが動いていてもよい）
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// 設定ファイルを調べる
    #[command(subcommand)]
    Config(ConfigCommand),
    /// はじめの設定をする：質問に答えて（または答えのファイルから）設定ファイルと最初の管理者を作る。何度実行してもよい
    Setup(setup::Setup),
    /// サービスとして登録する、始める、止める
    #[command(subcommand)]
    Service(service::ServiceCommand),
    /// 問い合わせのための情報を1つのファイルにまとめる（患者の情報、アカウント名、パスワードは含まない）
    SupportBundle(support::SupportBundle),
    /// シェルの補完を標準出力に出す
    Completions {
        /// シェル
        shell: clap_complete::Shell,
    },
    /// マニュアルページを書き出す
    Man {
        /// すべてのページを書き出すディレクトリ（省略すると shikakud のページだけを標準出力に出す）
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum PageCommand {
    /// ブラウザが信頼する認証局の指紋（SHA-256）と証明書（PEM）を表示する。受付ページの /trust の値と照らし合わせる
    Ca(ConfigFile),
}

#[derive(Debug, Subcommand)]
enum RetentionCommand {
    /// 何が保存され、何が期限切れで、日時が確認できているかを示す
    Status {
        #[command(flatten)]
        file: ConfigFile,
        /// 機械が読む形（JSON）で出す
        #[arg(long)]
        json: bool,
    },
    /// 保存期間の過ぎたデータを今すぐ消去する
    Run {
        #[command(flatten)]
        file: ConfigFile,
        /// 機械が読む形（JSON）で出す
        #[arg(long)]
        json: bool,
        /// パソコンの日時が正しいことを管理者が確かめた（監査ログに残る）
        #[arg(long)]
        clock_is_right: bool,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// 設定ファイル（TOML）
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, credentials_directory().as_deref())
    }
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// アカウントを作り、認証アプリに登録するURIを一度だけ表示する
    Add {
        #[command(flatten)]
        file: ConfigFile,
        /// 役割
        #[arg(long)]
        role: RoleName,
        /// パスワードを書いたファイル（省略すると自動で作り、一度だけ表示する）
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// アカウント名
        name: String,
    },
    /// アカウントの一覧を表示する
    List(ConfigFile),
    /// 失敗の回数とロックを消す
    Unlock(Named),
    /// ログインできないようにし、セッションを終わらせる
    Disable(Named),
    /// 再びログインできるようにする
    Enable(Named),
    /// アカウントを削除する
    Remove(Named),
    /// パスワードを作り直し、一度だけ表示する
    ResetPassword(Named),
    /// 認証アプリの登録をやり直す
    ResetTotp(Named),
    /// 回復コードを10個発行する（以前のものは使えなくなる）
    RecoveryCodes(Named),
}

#[derive(Debug, Subcommand)]
enum TerminalCommand {
    /// 端末の登録コードを発行する（1時間、1回だけ使える）
    EnrolCode(Named),
    /// 登録されている端末を表示する
    List(ConfigFile),
    /// 端末の登録を取り消す
    Remove(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    file: ConfigFile,
    /// 名前
    name: String,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// 設定ファイルと、そこに書かれたファイルを調べる
    Check(ConfigFile),
}

/// Everything that can go wrong at the top.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("パスワードのファイルを読めません: {0}")]
    PasswordFile(std::io::Error),
    #[error("OSの資源を使えません: {0}")]
    System(#[from] std::io::Error),
    #[error("復旧鍵のファイル {0} を読めません: {1}")]
    RecoveryKey(PathBuf, std::io::Error),
    #[error("証明書署名要求（CSR）のファイル {0} を読めません: {1}")]
    Request(PathBuf, std::io::Error),
    #[error("{0} に書き出せません: {1}（すでにあるファイルには書きません）")]
    Target(PathBuf, std::io::Error),
    #[error("ログのファイルに書けません: {0}")]
    Log(std::io::Error),
    #[error("{0}")]
    Answers(String),
    #[error("{0}")]
    Setup(String),
    #[cfg(unix)]
    #[error(
        "このパソコンではsystemdが動いていないため、サービスを扱えません。shikakud run を、お使いの方法で常に動かしてください"
    )]
    NoServiceManager,
    #[cfg(unix)]
    #[error("サービス {0} がありません。Debianパッケージをインストールしてください")]
    NoUnit(&'static str),
    #[cfg(unix)]
    #[error("systemctl が失敗しました。上の表示を確認してください")]
    ServiceManager,
    #[cfg(windows)]
    #[error(
        "サービスが始まらないか、止まりません。イベントビューアーの「Windows ログ > Application」で ShikakuBridge の記録を確認してください"
    )]
    ServiceManager,
    #[cfg(windows)]
    #[error("サービスを扱えません: {}（管理者のコマンドプロンプトで実行してください）", in_words(.0))]
    WindowsService(#[from] windows_service::Error),
    #[cfg(windows)]
    #[error(
        "設定とデータのフォルダー %ProgramData%\\Shikaku を使えません: {0}（管理者のコマンドプロンプトで実行してください）"
    )]
    Home(std::io::Error),
    #[error("APIの待ち受けが終わりました。ログを確認してください")]
    Ended,
}

/// Only a person can end it: started again, it would fail again. See [`shell::EXIT_CODES`].
const NEEDS_A_PERSON: u8 = 4;

impl Failure {
    /// What [`shell::EXIT_CODES`] says.
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(&self) -> u8 {
        let must_be_corrected = matches!(
            self,
            Self::Config(_)
                | Self::Answers(_)
                | Self::Start(StartError::Config(_) | StartError::Upstream(_))
                | Self::Client(ClientError::Start(StartError::Config(_)))
        );
        let in_vain = matches!(self, Self::Start(error) if error.needs_a_person());
        match (must_be_corrected, in_vain) {
            (true, _) => 2,
            (false, true) => NEEDS_A_PERSON,
            (false, false) => 1,
        }
    }
}

/// `ERROR_SERVICE_MARKED_FOR_DELETE`: it goes when nobody looks at it any more.
#[cfg(windows)]
const MARKED_FOR_DELETION: i32 = 1072;

/// What Windows says, not what the library says about it.
#[cfg(windows)]
fn in_words(error: &windows_service::Error) -> String {
    match error {
        windows_service::Error::Winapi(error) if error.raw_os_error() == Some(MARKED_FOR_DELETION) => {
            "サービスは削除の途中です。サービスの画面（services.msc）とタスクマネージャーを閉じて、もう一度実行してください"
                .to_owned()
        }
        windows_service::Error::Winapi(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Runs the command; the exit code says how it went.
pub fn run(arguments: Arguments) -> ExitCode {
    match dispatch(arguments) {
        Ok(code) => code,
        // Whoever closed what we write to wants no more, and no complaint.
        Err(Failure::System(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(failure) => {
            // If even this cannot be written, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "shikakud: {failure}");
            failure.exit_code()
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let done: Result<(), Failure> = match arguments.command {
        Command::Doctor { file, json, no_card } => return examine(&file, json, !no_card),
        Command::Run { file, start_empty } => {
            // Before any other thread runs.
            let sockets = service_manager::take_sockets()?;
            let config = file.load()?;
            logs::start(&config.log).map_err(Failure::Log)?;
            if start_empty {
                backup::start_empty(&config)?;
            }
            run::daemon(&config, sockets)
        }
        Command::Account(asked) => account(asked),
        Command::Audit(asked) => return audit::run(asked),
        Command::RecoveryKey { file } => backup::new_key(&file),
        Command::Backup(asked) => backup::write(&asked),
        Command::Restore(asked) => backup::restore(&asked),
        Command::Terminal(asked) => terminal(asked),
        Command::Machine(asked) => machine::run(asked),
        Command::Folders(asked) => folders::run(&asked),
        Command::Page(PageCommand::Ca(file)) => control(&file, ControlCommand::MachineAuthority),
        Command::Retention(RetentionCommand::Status { file, json }) => {
            control_as(&file, ControlCommand::RetentionStatus, Place::unless(json), form(json))
        }
        Command::Retention(RetentionCommand::Run { file, json, clock_is_right }) => {
            let command = ControlCommand::RetentionRun { clock_is_right };
            control_as(&file, command, Place::unless(json), form(json))
        }
        Command::Setup(asked) => return setup::run(&asked),
        Command::Service(asked) => service::run(asked),
        Command::SupportBundle(asked) => support::run(&asked),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { directory } => shell::man(directory.as_deref()),
        Command::Config(ConfigCommand::Check(file)) => return check_config(&file.load()?),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn account(asked: AccountCommand) -> Result<(), Failure> {
    match asked {
        AccountCommand::Add { file, role, password_file, name } => {
            let password = password_file.as_deref().map(read_password).transpose()?;
            control(&file, ControlCommand::AccountAdd { name, role, password })
        }
        AccountCommand::List(file) => control(&file, ControlCommand::AccountList),
        AccountCommand::Unlock(named) => about_account(named, AccountAct::Unlock),
        AccountCommand::Disable(named) => about_account(named, AccountAct::Disable),
        AccountCommand::Enable(named) => about_account(named, AccountAct::Enable),
        AccountCommand::Remove(named) => about_account(named, AccountAct::Remove),
        AccountCommand::ResetPassword(named) => about_account(named, AccountAct::ResetPassword),
        AccountCommand::ResetTotp(named) => about_account(named, AccountAct::ResetTotp),
        AccountCommand::RecoveryCodes(named) => about_account(named, AccountAct::RecoveryCodes),
    }
}

fn about_account(Named { file, name }: Named, act: AccountAct) -> Result<(), Failure> {
    control(&file, ControlCommand::Account { name, act })
}

fn terminal(asked: TerminalCommand) -> Result<(), Failure> {
    match asked {
        TerminalCommand::EnrolCode(Named { file, name }) => {
            control(&file, ControlCommand::TerminalOffer { name })
        }
        TerminalCommand::List(file) => control(&file, ControlCommand::TerminalList),
        TerminalCommand::Remove(Named { file, name }) => {
            control(&file, ControlCommand::TerminalRemove { name })
        }
    }
}

fn control(file: &ConfigFile, command: ControlCommand) -> Result<(), Failure> {
    control_as(file, command, Place::stderr(), show::reply)
}

/// How an answer is written.
type Form = fn(&ControlReply, bool, &mut dyn Write) -> std::io::Result<()>;

fn form(json: bool) -> Form {
    if json { show::json } else { show::reply }
}

/// Carries a command out, through the daemon or here, and shows the answer. How far it is goes to standard error.
fn control_as(file: &ConfigFile, command: ControlCommand, place: Place, form: Form) -> Result<(), Failure> {
    let reply = ask(file, command, place)?;
    let mut out = std::io::stdout();
    Ok(form(&reply, out.is_terminal(), &mut out)?)
}

/// Carries a command out, through the daemon or here, and says how far it is.
fn ask(file: &ConfigFile, command: ControlCommand, place: Place) -> Result<ControlReply, Failure> {
    // What it writes out goes nowhere, never to a terminal's scrollback by accident.
    ask_for(file, command, place, &mut |_| {})
}

/// As [`ask`]; `out` takes what the command writes out.
fn ask_for(
    file: &ConfigFile,
    command: ControlCommand,
    place: Place,
    out: &mut (dyn FnMut(Hidden) + Send),
) -> Result<ControlReply, Failure> {
    let config = file.load()?;
    let (clock, random) = ambient();
    let work = progress::watched(place, async |job| {
        let mut note = |note: Note| match note {
            Note::Say(text) => job.say(text),
            Note::Out(text) => out(text),
        };
        client::run(&config, &clock, &random, command, &mut note).await
    });
    Ok(runtime()?.block_on(work)?)
}

/// Never from the command line itself: arguments are seen by every user of the machine.
fn read_password(path: &Path) -> Result<Hidden, Failure> {
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(Failure::PasswordFile)?);
    Ok(Hidden::new(without_mark(&text).trim_end_matches(['\r', '\n']).to_owned()))
}

/// Every line to standard output; 2 if anything must be corrected.
fn check_config(config: &Config) -> Result<ExitCode, Failure> {
    let (clock, _) = ambient();
    let mut out = std::io::stdout();
    let upstream = crate::upstream::review(&config.upstream, &clock);
    let upstream = upstream.into_iter().map(|line| (line.what, line.outcome));
    let page = config.page.iter().flat_map(|section| review_page(section, &clock));
    let lines: Vec<_> = upstream.chain(page).collect();
    for (what, outcome) in &lines {
        match outcome {
            Ok(remark) => writeln!(out, "OK    {what}  {remark}")?,
            Err(problem) => writeln!(out, "問題  {what}  {problem}")?,
        }
    }
    if lines.iter().any(|(_, outcome)| outcome.is_err()) {
        return Ok(ExitCode::from(2));
    }
    writeln!(out, "設定は正しく読めました")?;
    Ok(ExitCode::SUCCESS)
}

/// The report goes to standard output even if the configuration is unusable: it says so.
fn examine(file: &ConfigFile, json: bool, touch_card: bool) -> Result<ExitCode, Failure> {
    let credentials = credentials_directory();
    let asked =
        doctor::Asked { configuration: &file.config, credentials: credentials.as_deref(), touch_card };
    let report = look(&asked, Place::unless(json))?;
    let form = if json { doctor::Form::Json } else { doctor::Form::Text };
    report.show(form, &mut std::io::stdout())?;
    Ok(ExitCode::from(report.exit_code()))
}

/// What the doctor sees.
fn look(asked: &doctor::Asked<'_>, place: Place) -> Result<doctor::Report, std::io::Error> {
    let around = Surroundings::of_this_machine()?;
    runtime()?.block_on(progress::watched(place, async |job| {
        job.say("調べています");
        Ok(doctor::examine(asked, around).await)
    }))
}

fn ambient() -> (Arc<dyn Clock>, Arc<dyn Random>) {
    (Arc::new(SystemClock), Arc::new(OsRandom))
}

fn runtime() -> Result<tokio::runtime::Runtime, std::io::Error> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
