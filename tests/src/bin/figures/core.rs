//! Core: the card session through a real pcscd, commands counted at the card, OpenSC, and the daemon's start and memory.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use daemon::app::ports::{CardDesk, CardEvent, Clock as _, ReaderName, ReaderState, Signing};
use daemon::card::desk::Desk;
use daemon::card::pcsc::PcscReaders;
use daemon::domain::personal::Pin;
use daemon::system::SystemClock;
use harness::card::SimCard;
use harness::card::vpcd::VpcdLink;
use harness::lane::{self, Lane, READER};
use harness::personas::Personas;
use harness::pki::CardPki;
use harness::process::Site;

use crate::{figure, median};

const MARK: &str = "figures-core";

/// Measures everything; the part with pcscd in a lane of its own, in a second process of this program.
pub fn measure(rounds: usize) {
    if lane::inside().as_deref() == Some(MARK) {
        return in_lane(rounds);
    }
    let program = std::env::current_exe().expect("this program has a path");
    let mut inside = lane::command(program, MARK);
    inside.args(["--only", "core"]);
    if rounds > 50 {
        inside.arg("--long");
    }
    let status = inside.status().expect("unshare starts");
    assert!(status.success(), "the part with pcscd: {status}");
    start_and_memory();
}

fn in_lane(rounds: usize) {
    let lane = Lane::start();
    let link = lane.insert(taro());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let desk = Desk::start(Box::new(PcscReaders::new().expect("a thread"))).expect("a thread");
        let card = wait_for_card(&desk).await;
        let extended = sessions(&desk, &card, &link, rounds).await;
        figure(
            "core.check_ms",
            format!("{:.2}", median(extended.iter().map(|session| session.ms).collect())),
        );
        figure("core.apdus_extended", extended.iter().map(|session| session.apdus).max().unwrap_or(0));
        link.card().lock().expect("the card").behaviour.extended = false;
        let short = sessions(&desk, &card, &link, rounds).await;
        figure("core.apdus_short", short.iter().skip(1).map(|session| session.apdus).max().unwrap_or(0));
        figure("core.apdus_short_first_contact", short.first().map_or(0, |session| session.apdus));
        desk.stop().await.expect("the card thread ends");
    });
    drop(link);
    // pcscd notices a removal at its next look; before that it would take the next card for this one.
    lane.wait_for(pcsc::State::EMPTY);
    figure("core.opensc_ok", u8::from(opensc_works(&lane)));
}

fn taro() -> SimCard {
    let taro = Personas::builtin().by_name("taro").expect("a built-in persona");
    SimCard::for_persona(taro, &CardPki::new(), SystemClock.now())
}

async fn wait_for_card(desk: &Desk) -> CardEvent {
    let reader = ReaderName(READER.to_str().expect("a name").to_owned());
    let mut view = desk.watch();
    let seen = view.wait_for(|view| matches!(view.state(&reader), Some(ReaderState::Card(_)))).await;
    match seen.expect("the desk lives").state(&reader) {
        Some(ReaderState::Card(card)) => card.clone(),
        other => unreachable!("just seen as a card: {other:?}"),
    }
}

struct Session {
    ms: f64,
    apdus: usize,
}

/// Whole card sessions as a check has them (connect to power-off), without the simulated card's RSA.
#[expect(clippy::disallowed_methods, reason = "measures")]
async fn sessions(desk: &Desk, card: &CardEvent, link: &VpcdLink, rounds: usize) -> Vec<Session> {
    let mut measured = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let rsa_before = {
            let card = link.card();
            let mut card = card.lock().expect("the card");
            card.clear_log();
            card.rsa_time()
        };
        let pin = Pin::parse("1234").expect("four digits");
        let challenge = [u8::try_from(round % 256).unwrap_or(0); 32];
        let begun = Instant::now();
        let signed = desk.sign(card, pin, &challenge, false).await;
        let elapsed = begun.elapsed();
        assert!(matches!(signed, Ok(Signing::Signed(_))), "round {round}: {signed:?}");
        let card = link.card();
        let card = card.lock().expect("the card");
        let own = elapsed.saturating_sub(card.rsa_time().saturating_sub(rsa_before));
        measured.push(Session { ms: own.as_secs_f64() * 1000.0, apdus: card.apdu_count() });
    }
    measured
}

/// OpenSC lists the certificate of `sim-card` and makes it sign, and the signature verifies.
fn opensc_works(lane: &Lane) -> bool {
    let program = std::env::current_exe().expect("a path").with_file_name("sim-card");
    let mut sim = Command::new(program)
        .args(["--persona", "taro", "--vpcd", lane::VPCD, "--atr", "opensc"])
        .stdout(Stdio::null())
        .spawn()
        .expect("sim-card is built beside this program");
    lane.wait_for(pcsc::State::PRESENT);
    fs::write("/run/message", b"challenge").expect("the lane's own /run");
    let listed = succeeds("pkcs15-tool", &["--list-certificates"]);
    let sign = ["--login", "--pin", "1234", "--sign", "--id", "01", "-m", "SHA256-RSA-PKCS"];
    let signed =
        succeeds("pkcs11-tool", &[&sign[..], &["-i", "/run/message", "-o", "/run/signature"]].concat());
    // Fails only if it has ended.
    let _ = sim.kill();
    let _ = sim.wait();
    let pki = CardPki::new();
    let taro = Personas::builtin().by_name("taro").expect("a built-in persona");
    let identity = pki.identity(taro, SystemClock.now());
    let signature = fs::read("/run/signature").unwrap_or_default();
    listed && signed && pki.verify(&identity.certificate_der, b"challenge", &signature).is_ok()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.expect("OpenSC is installed (Debian package opensc)").status.success()
}

/// `shikakud` as shipped: from exec to the first answer, and resident memory once it idles.
fn start_and_memory() {
    const STARTS: usize = 11;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let site = runtime.block_on(Site::open("warn"));
    site.installation.add_account("receipt", "receipt-computer");
    let mut first_answers = Vec::new();
    let mut memory = Vec::new();
    for start in 0..STARTS {
        let mut running = site.installation.run();
        first_answers.push(running.wait_ready().as_secs_f64() * 1000.0);
        if start % 5 == 0 {
            idle_for(Duration::from_secs(2));
            let resident = running.memory_kib("VmRSS").expect("/proc tells the memory");
            memory.push(f64::from(u32::try_from(resident).expect("below 4 TiB")) / 1024.0);
        }
        assert!(running.stop().success(), "shikakud stops in order");
    }
    figure("core.rss_idle_mib", format!("{:.1}", median(memory)));
    figure("core.first_answer_ms", format!("{:.1}", median(first_answers)));
}

/// Lets the measured process settle.
fn idle_for(time: Duration) {
    let (_keep, never) = channel::<()>();
    // Ends by the timeout: nothing is ever sent.
    let _ = never.recv_timeout(time);
}
