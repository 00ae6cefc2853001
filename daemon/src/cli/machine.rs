//! `shikakud machine`: the arguments, the files and the words.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::new_file::new_private;
use super::progress::Place;
use super::{ConfigFile, Failure, Named, ask, control};
use crate::control::{Command as ControlCommand, Reply, show};
use crate::start;

#[derive(Debug, Subcommand)]
pub(super) enum MachineCommand {
    /// レセコンのアカウントに、証明書の登録コードを発行する（1時間、1回だけ使える）
    EnrolCode(Named),
    /// 別のパソコンのレセコンに渡す証明書を発行し、ディレクトリに書き出す
    Issue {
        #[command(flatten)]
        file: ConfigFile,
        /// レセコンが作った証明書署名要求（PEM）。省略すると鍵もここで作り、いっしょに書き出す
        #[arg(long, value_name = "FILE")]
        csr: Option<PathBuf>,
        /// 書き出すディレクトリ（すでにあるファイルには書かない）
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// アカウント名
        name: String,
    },
    /// 発行した証明書を表示する
    List(ConfigFile),
    /// 証明書を取り消し、そのセッションを終わらせる
    Revoke {
        #[command(flatten)]
        file: ConfigFile,
        /// 一覧の番号
        number: i64,
    },
    /// レセコンが信頼する認証局の証明書（PEM）を表示する
    Ca(ConfigFile),
}

pub(super) fn run(asked: MachineCommand) -> Result<(), Failure> {
    match asked {
        MachineCommand::EnrolCode(Named { file, name }) => {
            control(&file, ControlCommand::MachineOffer { name })
        }
        MachineCommand::Issue { file, csr, out, name } => issue(&file, csr.as_deref(), &out, name),
        MachineCommand::List(file) => control(&file, ControlCommand::MachineList),
        MachineCommand::Revoke { file, number } => control(&file, ControlCommand::MachineRevoke { number }),
        MachineCommand::Ca(file) => control(&file, ControlCommand::MachineAuthority),
    }
}

/// Nothing is issued before it is certain that the files can be written, and no file stays if nothing was issued.
fn issue(file: &ConfigFile, csr: Option<&Path>, out: &Path, name: String) -> Result<(), Failure> {
    let (key, csr) = if let Some(path) = csr {
        let read = std::fs::read_to_string(path);
        (None, read.map_err(|error| Failure::Request(path.to_owned(), error))?)
    } else {
        let (key, csr) = start::new_machine_key(&name)?;
        (Some(key), csr)
    };
    let mut certificate_file = NewFile::create(out, "machine.pem")?;
    let mut authority_file = NewFile::create(out, "shikaku-ca.pem")?;
    let mut key_file = key.as_ref().map(|_| NewFile::create(out, "machine-key.pem")).transpose()?;
    let reply = ask(file, ControlCommand::MachineIssue { name, csr }, Place::stderr())?;
    if let Reply::MachineIssued { certificate, authority, .. } = &reply {
        certificate_file.write(certificate)?;
        authority_file.write(authority)?;
        if let (Some(file), Some(key)) = (&mut key_file, &key) {
            file.write(key)?;
        }
    }
    show::reply(&reply, false, &mut io::stdout())?;
    let words = if key.is_some() {
        "machine.pem、machine-key.pem、shikaku-ca.pem を書きました。machine-key.pem は秘密の鍵です。\
         レセコンに移したら、ここと途中の媒体から消してください。"
    } else {
        "machine.pem と shikaku-ca.pem を書きました。レセコンに移してください。"
    };
    Ok(writeln!(io::stderr(), "{words}")?)
}

/// A file of the owner's alone that is gone again unless it was written.
struct NewFile {
    file: File,
    path: PathBuf,
    is_written: bool,
}

impl NewFile {
    fn create(directory: &Path, name: &str) -> Result<Self, Failure> {
        let path = directory.join(name);
        match new_private(&path) {
            Ok(file) => Ok(Self { file, path, is_written: false }),
            Err(error) => Err(Failure::Target(path, error)),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| Failure::Target(self.path.clone(), error))?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_written {
            // An empty file is in nobody's way but that of the next attempt, which says so.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
