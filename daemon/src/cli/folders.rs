//! `shikakud folders`: the arguments and the words.

use clap::Subcommand;

use super::{ConfigFile, Failure, control};
use crate::control::Command as ControlCommand;

#[derive(Debug, Subcommand)]
pub(super) enum FoldersCommand {
    /// 設定されているフォルダーと、承諾の記録を表示する
    Show(ConfigFile),
    /// フォルダーを読める人に多要素認証を求めないことを承諾する（監査ログに残る）。承諾するまでフォルダーは使わない
    Accept(ConfigFile),
    /// 承諾を取り消し、フォルダーの使用をやめる（監査ログに残る）
    Withdraw(ConfigFile),
}

pub(super) fn run(asked: &FoldersCommand) -> Result<(), Failure> {
    match asked {
        FoldersCommand::Show(file) => control(file, ControlCommand::FoldersShow),
        FoldersCommand::Accept(file) => control(file, ControlCommand::FoldersAccept { accept: true }),
        FoldersCommand::Withdraw(file) => control(file, ControlCommand::FoldersAccept { accept: false }),
    }
}
