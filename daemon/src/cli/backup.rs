//! `shikakud recovery-key`, `backup`, `restore`: the arguments and the words.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::new_file::new_private;
use super::progress::{self, Place};
use super::{ConfigFile, Failure, ambient, ask, runtime};
use crate::config::Config;
use crate::control::{Command as ControlCommand, Hidden, show};
use crate::domain::personal::{Secret, without_mark};
use crate::start::{self, StartError, ToRestore};

/// Longer than any recovery key.
const LONGEST_KEY: u64 = 4096;

/// Where to, and with which key.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    #[command(flatten)]
    file: ConfigFile,
    /// 復旧鍵のファイル
    #[arg(long, value_name = "FILE")]
    recovery_key: PathBuf,
    /// 書き込むディレクトリ（別のディスク。shikakud を動かすユーザーが書けること）
    directory: PathBuf,
}

/// From where, and with which key.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    file: ConfigFile,
    /// 復旧鍵のファイル
    #[arg(long, value_name = "FILE")]
    recovery_key: PathBuf,
    /// いまあるデータを脇（quarantine-日時）に移してから復元する
    #[arg(long)]
    set_aside: bool,
    /// バックアップのファイル
    archive: PathBuf,
}

/// Creates a recovery key.
pub(super) fn new_key(path: &Path) -> Result<(), Failure> {
    let (_, random) = ambient();
    let text = start::recovery_key(&*random);
    let write = || -> io::Result<()> {
        let mut file = new_private(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::Target(path.to_owned(), error))?;
    Ok(writeln!(
        io::stdout(),
        "{} に復旧鍵を作りました。紙に写すか別の媒体に移し、この機械とバックアップから離して保管してください。\n\
         復旧鍵がなければ、バックアップは誰にも開けません。",
        path.display()
    )?)
}

/// Writes a backup, through the daemon or here.
pub(super) fn write(asked: &Backup) -> Result<(), Failure> {
    let recovery = read_key(&asked.recovery_key)?;
    // The daemon has another working directory.
    let directory = std::path::absolute(&asked.directory)?;
    let reply = ask(&asked.file, ControlCommand::Backup { directory, recovery }, Place::stderr())?;
    Ok(show::reply(&reply, false, &mut io::stdout())?)
}

/// Restores a backup, while no daemon runs.
pub(super) fn restore(asked: &Restore) -> Result<(), Failure> {
    let config = asked.file.load()?;
    let recovery = Secret::from(&read_key(&asked.recovery_key)?);
    let (clock, random) = ambient();
    let work = progress::watched(Place::stderr(), async |job| {
        job.say("バックアップを復元しています");
        let wanted = ToRestore {
            archive: &asked.archive,
            recovery: &recovery,
            mode: config.mode.word(),
            set_aside: asked.set_aside,
            hears: &|step| job.say(show::step(step)),
        };
        start::restore_backup(&config, wanted, &clock, &random).await
    });
    let restored = runtime()?.block_on(work)?;
    Ok(writeln!(
        io::stdout(),
        "復元しました（結果{}件。バックアップ後に保存期間を過ぎた{}件は復元していません）。\n\
         マスターキーは新しくなりました。全員がもう一度ログインします。回復コードと端末の登録コードは無効になりました。\n\
         バックアップのあとに無効にしたアカウントや外した端末は元に戻っています。shikakud account list と \
         shikakud terminal list で確かめてから、shikakud を起動してください。",
        restored.results,
        restored.left_out
    )?)
}

/// Sets data aside before a start with nothing.
pub(super) fn start_empty(config: &Config) -> Result<(), StartError> {
    let (clock, _) = ambient();
    if let Some(aside) = start::start_empty(config, &*clock)? {
        tracing::warn!(directory = %aside.display(), "the data was set aside; starting with nothing");
    }
    Ok(())
}

fn read_key(path: &Path) -> Result<Hidden, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = File::open(path).and_then(|file| file.take(LONGEST_KEY).read_to_string(&mut text));
    read.map_err(|error| Failure::RecoveryKey(path.to_owned(), error))?;
    Ok(Hidden::new(without_mark(&text).trim().to_owned()))
}
