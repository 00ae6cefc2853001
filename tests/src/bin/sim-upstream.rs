//! `sim-upstream`: the simulated central system as a program, for vendors who build against the daemon.
//!
//! Writes what a daemon needs to reach it into a directory, prints where, and stays up until it is interrupted. Makes
//! new certificates and secrets on every start. Reads commands from standard input; tests/SIMULATOR.md is the manual.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use daemon::system::{OsRandom, SystemClock};
use harness::upstream::pki::ServerCertificate;
use harness::upstream::{Options, SimUpstream};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[derive(Parser)]
#[command(
    about = "Simulated central system (オンライン資格確認等システムの模擬サーバー): mutual TLS, invented people, no real data"
)]
struct Arguments {
    /// Directory for certificates, secrets and upstream.toml; created if missing
    #[arg(long)]
    dir: PathBuf,
    /// Address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The certificate that the server shows; every one but `good` must be refused by the daemon
    #[arg(long, value_enum, default_value = "good")]
    certificate: ServerCertificate,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::new(Arc::new(SystemClock), Arc::new(OsRandom));
    options.listen = arguments.listen;
    options.server_certificate = arguments.certificate;
    std::fs::create_dir_all(&arguments.dir)?;
    let directory = arguments.dir.canonicalize()?;
    let sim = SimUpstream::start(options).await?;
    let files = sim.write_files(&directory)?;
    let mut out = io::stdout();
    writeln!(out, "simulated central system: https://{}", sim.address())?;
    writeln!(out, "institution code:         {}", sim.facility().institution_code)?;
    writeln!(out, "account:                  {}", sim.facility().account)?;
    writeln!(out, "client certificate:       {}", files.client_certificate.display())?;
    writeln!(out, "daemon configuration:     {}", files.configuration.display())?;
    writeln!(out, "ready")?;
    out.flush()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut listening = true;
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
            line = lines.next_line(), if listening => match line? {
                None => listening = false,
                Some(line) if line.trim() == "quit" => break,
                Some(line) => match sim.command(&line) {
                    Ok(said) => writeln!(out, "{said}")?,
                    Err(error) => writeln!(out, "? {error}")?,
                },
            },
        }
        out.flush()?;
    }
    sim.stop().await;
    Ok(())
}
