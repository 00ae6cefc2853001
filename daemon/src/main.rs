//! `shikakud`: hardens the process, reads the arguments, and leaves the rest to the library.

use std::process::ExitCode;

use clap::Parser as _;
use daemon::cli::{self, Arguments};

/// Everything the program says is put together from small pieces, on several threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Err(error) = daemon::system::harden_process() {
        use std::io::Write as _;
        // Without a place to write to, the exit code is all there is.
        let _ = writeln!(std::io::stderr(), "shikakud: コアダンプを禁止できません: {error}");
        return ExitCode::FAILURE;
    }
    cli::run(Arguments::parse())
}
