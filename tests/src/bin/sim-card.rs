//! `sim-card`: a simulated My Number card in a virtual reader (vpcd) of a real pcscd.
//!
//! Prints one line per event; never a PIN, and of the person only the persona's name.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;
use harness::card::vpcd::{Event, VpcdLink};
use harness::card::{ATR_OPENSC, SimCard};
use harness::personas::Personas;
use harness::pki::CardPki;

/// A simulated My Number card behind pcscd and vpcd.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Print all personas and what they are for.
    #[arg(long)]
    list: bool,
    /// Whose card it is.
    #[arg(long, required_unless_present = "list")]
    persona: Option<String>,
    /// Where vpcd listens, HOST:PORT.
    #[arg(long, default_value = "127.0.0.1:35963")]
    vpcd: String,
    /// Answer to reset in hexadecimal, or `opensc` for the one that OpenSC 0.23 knows.
    #[arg(long)]
    atr: Option<String>,
    /// Refuse extended lengths, as readers do that pass none.
    #[arg(long)]
    short_only: bool,
    /// PIN tries left, instead of the persona's.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    tries: Option<u8>,
}

/// The command line cannot be followed, or the link could not start.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no persona named {0:?}; --list shows them")]
    NoSuchPersona(String),
    #[error("--atr is neither hexadecimal nor `opensc`")]
    Atr,
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "sim-card: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.list {
        return list();
    }
    let card = make_card(&arguments)?;
    let name = card.persona().name.clone();
    say(&format!("card of {name}, ATR {}", data_encoding::HEXUPPER.encode(card.atr())));
    let link = VpcdLink::start(Arc::new(Mutex::new(card)), arguments.vpcd, |event| say(&line(event)))?;
    link.wait();
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates of the simulated card end relative to the real day"
)]
fn make_card(arguments: &Arguments) -> Result<SimCard, Failure> {
    let name = arguments.persona.as_deref().unwrap_or_default();
    let persona = Personas::builtin().by_name(name).ok_or_else(|| Failure::NoSuchPersona(name.to_owned()))?;
    let mut card = SimCard::for_persona(persona, &CardPki::new(), jiff::Timestamp::now());
    match arguments.atr.as_deref() {
        None => {}
        Some("opensc") => card.behaviour.atr = ATR_OPENSC.to_vec(),
        Some(hex) => {
            card.behaviour.atr =
                data_encoding::HEXUPPER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| Failure::Atr)?;
        }
    }
    card.behaviour.extended = !arguments.short_only;
    if let Some(tries) = arguments.tries {
        card.set_tries_left(tries);
    }
    Ok(card)
}

fn list() -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for persona in Personas::builtin() {
        writeln!(out, "{:<24} {}", persona.name, persona.note)?;
    }
    Ok(())
}

fn line(event: Event) -> String {
    match event {
        Event::Inserted => "inserted".to_owned(),
        Event::Removed => "removed".to_owned(),
        Event::PowerOn => "power on".to_owned(),
        Event::PowerOff => "power off".to_owned(),
        Event::Reset => "reset".to_owned(),
        Event::Command(record) => {
            let header = data_encoding::HEXUPPER.encode(&record.header);
            let le = record.le.map_or(String::new(), |le| format!(" Le {le}"));
            format!("{header} Lc {}{le} -> {:04X}", record.lc, record.sw)
        }
    }
}

/// One line; a closed pipe is not worth dying for.
fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
