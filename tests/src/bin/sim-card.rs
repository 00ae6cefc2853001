//! `sim-card`: a simulated My Number card in a virtual reader (vpcd) of a real pcscd.
//!
//! Prints one line per event; never a PIN, and of the person only the persona's name.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use harness::card::vpcd::{Event, VpcdLink};
use harness::card::{Faults, SimCard, atr_by_name};
use harness::personas::Personas;
use harness::pki::CardPki;

/// A simulated My Number card behind pcscd and vpcd.
#[derive(Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "a command line is made of switches")]
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
    /// Answer to reset: hexadecimal, or the name of one seen on real cards (current, opensc, contact-2 to contact-4,
    /// contactless, contactless-2 to contactless-4).
    #[arg(long)]
    atr: Option<String>,
    /// Refuse extended lengths, as readers do that pass none.
    #[arg(long)]
    short_only: bool,
    /// PIN tries left, instead of the persona's.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    tries: Option<u8>,
    /// Bytes of filler behind the certificates in their files.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=16_384))]
    filler: u16,
    /// Milliseconds that every command takes besides its own work.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=60_000))]
    delay_ms: u16,
    /// Tear the card out after this many answered commands, for good.
    #[arg(long, value_name = "COUNT")]
    tear_after: Option<usize>,
    /// The command that is torn is still executed: a VERIFY costs its try.
    #[arg(long, requires = "tear_after")]
    tear_executes: bool,
    /// Answer the command with this index, counted from 0, with a status word instead of executing it, for example
    /// 0=6F00. May be given several times.
    #[arg(long, value_name = "INDEX=SW", value_parser = scripted_status)]
    status: Vec<(usize, u16)>,
    /// Selecting the JPKI application again forgets a verified PIN.
    #[arg(long)]
    reselect_clears: bool,
    /// A warm reset forgets a verified PIN and the selection.
    #[arg(long)]
    warm_reset_clears: bool,
}

/// `INDEX=SW`: a decimal index and four hexadecimal digits.
fn scripted_status(text: &str) -> Result<(usize, u16), &'static str> {
    let wrong = "must be INDEX=SW, for example 0=6F00";
    let (index, status) = text.split_once('=').ok_or(wrong)?;
    let status = u16::from_str_radix(status, 16).ok().filter(|_| status.len() == 4);
    Ok((index.parse().map_err(|_| wrong)?, status.ok_or(wrong)?))
}

/// The command line cannot be followed, or the link could not start.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no persona named {0:?}; --list shows them")]
    NoSuchPersona(String),
    #[error("--atr is neither hexadecimal nor a known name; --help lists the names")]
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
    let behaviour = &mut card.behaviour;
    if let Some(atr) = arguments.atr.as_deref() {
        behaviour.atr = match atr_by_name(atr) {
            Some(bytes) => bytes.to_vec(),
            None => data_encoding::HEXUPPER_PERMISSIVE.decode(atr.as_bytes()).map_err(|_| Failure::Atr)?,
        };
    }
    behaviour.extended = !arguments.short_only;
    behaviour.filler = arguments.filler.into();
    behaviour.reselect_clears = arguments.reselect_clears;
    behaviour.warm_reset_clears = arguments.warm_reset_clears;
    card.set_faults(Faults {
        tear_after: arguments.tear_after,
        tear_executes: arguments.tear_executes,
        status: arguments.status.iter().copied().collect(),
        delay: Duration::from_millis(arguments.delay_ms.into()),
        ..Faults::default()
    });
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
