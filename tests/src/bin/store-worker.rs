//! `store-worker`: writes through the real store in a process of its own, which the harness kills and whose I/O calls it
//! makes fail. Says each success on standard output after its commit.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use harness::durability::work::{self, Work};

/// Writes through the store until it is done or killed
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes through the store in a directory
    Write {
        /// The directory
        directory: PathBuf,
        #[command(flatten)]
        work: Work,
    },
    /// Logs at TRACE as the daemon does, reads a secret from standard input, and panics over it
    Panic,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Write { directory, work } => write(&directory, work),
        Command::Panic => panic_over_a_secret(),
    }
}

fn write(directory: &std::path::Path, work: Work) -> ExitCode {
    // Whoever is to judge what it writes may be killed: nobody would end it then.
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
    {
        return complain(&error.to_string());
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.to_string()),
    };
    match runtime.block_on(work::work(directory, work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string()),
    }
}

fn complain(text: &str) -> ExitCode {
    // The exit code tells as well.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}

fn panic_over_a_secret() -> ExitCode {
    daemon::system::quiet_panics();
    let filter = tracing_subscriber::EnvFilter::new("trace");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let mut secret = String::new();
    if let Err(error) = io::stdin().read_to_string(&mut secret) {
        return complain(&error.to_string());
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.to_string()),
    };
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { panic!("over {secret}") });
        while tasks.join_next().await.is_some() {}
    });
    ExitCode::SUCCESS
}
