//! What shells and manuals need: completions and man pages, out of the command line's own definition.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Arguments, Failure};

/// How a command ended; every man page and `--help` says it.
pub(super) const EXIT_CODES: &str = "終了コード:
  0  成功した（doctor、audit verify、config check では問題がない）
  1  失敗した、または doctor、audit verify で問題が見つかった
  2  設定ファイルが使えない、またはコマンドの書き方が正しくない";

const PROGRAM: &str = "shikakud";

/// Writes a shell's completions to standard output.
pub(super) fn completions(shell: Shell) {
    clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut io::stdout());
}

/// Writes a man page for the program and one for each command.
pub(super) fn man(directory: &Path) -> Result<(), Failure> {
    let target = |error| Failure::Target(directory.to_owned(), error);
    fs::create_dir_all(directory).map_err(target)?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(target)
}
