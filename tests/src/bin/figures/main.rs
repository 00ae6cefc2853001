//! Figures: measures what the product promises and prints one line each, `figure <name> <value>`.
//!
//! Run on release builds through `make figures`. Speed stands against a limit or a peer of the same run, never in a test.

#![expect(clippy::expect_used, reason = "a figure that cannot be measured ends with the reason")]

mod api_hostile;
mod api_speed;
mod card;
mod core;
mod folders;
mod operation;
mod retention;
mod schedules;
mod soak;
mod store;
mod store_accounts;
mod upstream;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Prints the measured figures of a topic
#[derive(Parser)]
struct Arguments {
    /// The topic
    #[arg(long, value_enum, default_value_t = Topic::Core)]
    only: Topic,
    /// More rounds
    #[arg(long)]
    long: bool,
    /// The REST API against programs that others would write, too
    #[arg(long)]
    peers: bool,
    /// Only fifty stops in the middle of work; exit code 1 if one took too long
    #[arg(long, conflicts_with = "soak")]
    stops: bool,
    /// Only a soak of the program for so many hours; exit code 1 if anything grew or failed
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    soak: Option<f64>,
}

/// From half a minute to a year.
fn hours(text: &str) -> Result<f64, String> {
    let hours = text.parse().ok().filter(|hours: &f64| (0.008..=8_784.0).contains(hours));
    hours.ok_or_else(|| "a number of hours, 0.008 to 8784".to_owned())
}

#[derive(Clone, Copy, ValueEnum)]
enum Topic {
    /// A check through pcscd, commands to the card, start and memory of the daemon, OpenSC
    Core,
    /// Commands per check, OpenSC beside it, how soon a desk is ready after a tear, a flap, a restart of pcscd; random fault
    /// schedules; fuzzing
    Card,
    /// The store under kill -9, failing I/O calls and power loss; retention, purge, secrets, forged audit logs
    Store,
    /// The REST API under hostile clients: malformed requests, the matrix of refusals, slow connections; what it costs against
    /// the bare limit of the machine
    Api,
    /// The connection to the central system: random schedules of questions and answers, bad certificates, overhead of a
    /// check, everyone from tap to download, outages
    Upstream,
    /// The program as a service: idle, stopped under load, started with many results, a soak
    Operation,
    /// OQS folders: a storm of kills and lost folders, how soon results are there, what watching costs, hostile files
    Folders,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let judged = |holds| if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if arguments.stops {
        return judged(operation::stops_in_time());
    }
    if let Some(hours) = arguments.soak {
        return judged(operation::soak_for(hours));
    }
    match arguments.only {
        Topic::Core => core::measure(if arguments.long { 300 } else { 50 }),
        Topic::Card => card::measure(arguments.long),
        Topic::Store => match harness::lane::inside().as_deref() {
            Some(store::MARK) => store::in_lane(),
            Some(retention::MARK) => retention::on_a_full_disk(),
            _ => {
                store::measure(arguments.long);
                retention::measure(arguments.long);
            }
        },
        Topic::Api => {
            api_speed::measure(arguments.long, arguments.peers);
            api_hostile::measure(arguments.long);
        }
        Topic::Upstream => upstream::measure(arguments.long),
        Topic::Operation => operation::measure(arguments.long),
        Topic::Folders => folders::measure(arguments.long),
    }
    ExitCode::SUCCESS
}

/// Prints one figure.
fn figure(name: &str, value: impl Display) {
    writeln!(io::stdout(), "figure {name} {value}").expect("standard output");
}

/// Says on standard error what is done, for whoever waits.
fn progress(doing: impl Display) {
    // A run whose standard error is gone goes on.
    let _ = writeln!(io::stderr(), "{doing}");
}

/// The middle of the measured values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
