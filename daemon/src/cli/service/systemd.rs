//! The unit that the package brings along, by systemctl.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::ServiceCommand;
use crate::cli::Failure;
use crate::service_manager;

/// The unit that the package brings along.
const UNIT: &str = "shikaku-bridge.service";

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

pub(in crate::cli) fn run(asked: ServiceCommand) -> Result<(), Failure> {
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
