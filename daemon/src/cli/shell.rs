//! What shells and manuals need: completions and man pages, out of the command line's own definition.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Arguments, Failure};

/// How a command ended; the program's man page and `--help` say it, and those of the commands with a code of their own.
pub(super) const EXIT_CODES: &str = "終了コード:
  0  成功した（doctor、audit verify、config check では問題がない）
  1  失敗した、または doctor、audit verify で問題が見つかった
  2  設定ファイルが使えない、またはコマンドの書き方が正しくない
  3  置くべきファイルが足りない（setup）。表示されたファイルを置き、もう一度実行すると続きから行う
  4  保存データを人が直すまで始められない（run）。サービスは自動で始め直さない（RECOVERY.md）";

const PROGRAM: &str = "shikakud";

/// Writes a shell's completions to standard output.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    // Into memory, because it panics where it cannot write.
    clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut text);
    to_stdout(&text)
}

/// Writes a man page for the program to standard output, or into a directory that page and one for each command.
pub(super) fn man(directory: Option<&Path>) -> Result<(), Failure> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
        return to_stdout(&page);
    };
    let target = |error| Failure::Target(directory.to_owned(), error);
    fs::create_dir_all(directory).map_err(target)?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(target)
}

/// Whoever reads only the beginning has what they wanted.
fn to_stdout(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
