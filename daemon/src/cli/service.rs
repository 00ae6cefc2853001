//! `shikakud service`: the service of this program, by the service manager of the machine.

#[cfg(unix)]
mod systemd;
#[cfg(windows)]
mod windows;

use clap::Subcommand;

#[cfg(unix)]
pub(super) use systemd::run;
#[cfg(windows)]
pub(super) use windows::run;

#[derive(Debug, Subcommand)]
#[cfg_attr(unix, derive(Clone, Copy))]
pub(super) enum ServiceCommand {
    /// パソコンの起動時に自動で始まるようにする
    Install,
    /// 始める
    Start,
    /// 止める
    Stop,
    /// 止めて、自動で始まらないようにする（データと設定は残る）
    Remove,
    /// サービスとして動く（Windows が呼び出す）
    #[cfg(windows)]
    #[command(hide = true)]
    Main {
        /// 設定ファイル（TOML）
        #[arg(long, value_name = "FILE", default_value_os_t = crate::system::default_configuration())]
        config: std::path::PathBuf,
    },
}
