//! `shikakud service`: the service of this program, by the service manager of the machine.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use clap::Subcommand;

use super::Failure;
use crate::service_manager;

/// The unit that the package brings along.
const UNIT: &str = "shikaku-bridge.service";

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum ServiceCommand {
    /// パソコンの起動時に自動で始まるようにする
    Install,
    /// 始める
    Start,
    /// 止める
    Stop,
    /// 止めて、自動で始まらないようにする（データと設定は残る）
    Remove,
}

impl ServiceCommand {
    fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Install => &["enable", UNIT],
            Self::Start => &["start", UNIT],
            Self::Stop => &["stop", UNIT],
            Self::Remove => &["disable", "--now", UNIT],
        }
    }
}

pub(super) fn run(asked: ServiceCommand) -> Result<(), Failure> {
    if !service_manager::is_systemd() {
        return Err(Failure::NoServiceManager);
    }
    let known =
        Command::new("systemctl").args(["cat", UNIT]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !known.success() {
        return Err(Failure::NoUnit(UNIT));
    }
    // What systemctl says to the person stays as it is.
    if !Command::new("systemctl").args(asked.steps()).status()?.success() {
        return Err(Failure::ServiceManager);
    }
    Ok(writeln!(io::stdout(), "完了しました。")?)
}
