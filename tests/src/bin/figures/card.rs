//! Card: commands at the card, OpenSC beside it, and how soon a desk serves again after a tear, a flap, or a restart of
//! pcscd, with nothing left behind.

use std::fs;
use std::process::Command;
use std::time::Instant;

use daemon::app::ports::{CardDesk as _, CardError, CardEvent};
use harness::card::ifd::IfdLink;
use harness::card::{ATR_OPENSC, Faults, SimCard};
use harness::front_desk::{
    FrontDesk, assert_signed_by, card_of, descriptors_and_threads, nothing_is_left_behind,
};
use harness::lane::{self, Lane};

use crate::{figure, schedules};

/// Readers of our own driver, which tells pcscd of changes at once.
const TOLD: &str = "figures-card";
/// vpcd's reader, which pcscd asks every 400 ms.
const POLLED: &str = "figures-card-polled";

const READER: &str = "Desk A 00 00";

/// More desks than card sessions are held at once.
const DESKS: [&str; 4] = ["Desk A", "Desk B", "Desk C", "Desk D"];

/// How often each thing is done.
struct Rounds {
    tears: usize,
    flaps: usize,
    polled_flaps: usize,
    restarts: usize,
}

const SHORT: Rounds = Rounds { tears: 5, flaps: 50, polled_flaps: 10, restarts: 5 };
const LONG: Rounds = Rounds { tears: 200, flaps: 1_000, polled_flaps: 100, restarts: 100 };

/// Measures everything, each kind of reader in a lane of its own, in another process of this program.
pub fn measure(long: bool) {
    let rounds = if long { LONG } else { SHORT };
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match lane::inside().as_deref() {
        Some(TOLD) => return runtime().block_on(told(&mut Lane::with_readers(&DESKS), &rounds)),
        Some(POLLED) => return runtime().block_on(polled(&Lane::start(), &rounds)),
        _ => {}
    }
    let program = std::env::current_exe().expect("this program has a path");
    for mark in [TOLD, POLLED] {
        let mut inside = lane::command(&program, mark);
        inside.args(["--only", "card"]).args(long.then_some("--long"));
        let status = inside.status().expect("unshare starts");
        assert!(status.success(), "the part {mark}: {status}");
    }
    schedules::measure(long);
}

async fn told(lane: &mut Lane, rounds: &Rounds) {
    let desk = FrontDesk::open();
    let mut card = card_of("taro");
    card.behaviour.atr = ATR_OPENSC.to_vec();
    let link = lane.insert_into("Desk A", card);
    let mut here = desk.serves(READER, None, "taro").await;
    commands(&desk, &link, &here).await;
    let before = descriptors_and_threads();
    let mut verifies = 0;
    figure("card.tear_ready_ms_max", tears(&desk, &link, &mut here, rounds.tears, &mut verifies).await);
    figure("card.verify_per_entry_max", verifies);
    figure(
        "card.flap_ready_ms_max",
        flaps(&desk, READER, || link.remove(), || link.insert(), &mut here, rounds.flaps).await,
    );
    figure("card.pcscd_restart_ready_ms_max", restarts(&desk, lane, &mut here, rounds.restarts).await);
    nothing_is_left_behind(before).await;
    all_desks_at_once(&desk, lane, &here).await;
    figure("card.contexts_max", desk.contexts.high_water());
    desk.desk.stop().await.expect("the card threads end");
}

async fn polled(lane: &Lane, rounds: &Rounds) {
    let reader = lane::READER.to_str().expect("a name");
    let desk = FrontDesk::open();
    let link = lane.insert(card_of("taro"));
    let mut here = desk.serves(reader, None, "taro").await;
    let before = descriptors_and_threads();
    let ready =
        flaps(&desk, reader, || link.remove(), || link.insert(), &mut here, rounds.polled_flaps).await;
    figure("card.flap_polled_ready_ms_max", ready);
    nothing_is_left_behind(before).await;
    desk.desk.stop().await.expect("the card threads end");
}

fn on<T>(link: &IfdLink, act: impl FnOnce(&mut SimCard) -> T) -> T {
    act(&mut link.card().lock().expect("the card"))
}

async fn commands(desk: &FrontDesk, link: &IfdLink, here: &CardEvent) {
    let sign = async || {
        on(link, SimCard::clear_log);
        assert_signed_by(desk.sign(here, "1234").await, "taro");
        on(link, |card| card.apdu_count())
    };
    let extended = sign().await;
    figure("card.apdus_pin_extended", extended);
    on(link, SimCard::clear_log);
    desk.desk.read_certificate(here).await.expect("a certificate");
    figure("card.apdus_visual_extended", on(link, |card| card.apdu_count()));
    on(link, SimCard::clear_log);
    opensc_signs();
    let opensc = on(link, |card| card.apdu_count());
    figure("card.apdus_opensc", opensc);
    figure("card.opensc_ratio", format!("{:.1}", ratio(opensc, extended)));
    on(link, |card| card.behaviour.extended = false);
    // At first contact the reader is found not to pass extended lengths.
    sign().await;
    figure("card.apdus_pin_short", sign().await);
    on(link, |card| card.behaviour.extended = true);
}

fn ratio(one: usize, other: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(one) / number(other)
}

/// OpenSC makes the card sign, as the daemon did before.
fn opensc_signs() {
    fs::write("/run/message", b"challenge").expect("the lane's own /run");
    let arguments = ["--login", "--pin", "1234", "--sign", "--id", "01", "-m", "SHA256-RSA-PKCS"];
    let output = Command::new("pkcs11-tool")
        .args(arguments)
        .args(["-i", "/run/message", "-o", "/run/signature"])
        .output()
        .expect("OpenSC is installed (Debian package opensc)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read("/run/signature").expect("it wrote the signature").len(), 256);
}

/// The longest time in milliseconds from a tear at any command to the end of the next check.
#[expect(clippy::disallowed_methods, reason = "measures")]
async fn tears(
    desk: &FrontDesk,
    link: &IfdLink,
    here: &mut CardEvent,
    rounds: usize,
    verifies: &mut usize,
) -> u128 {
    let mut longest = 0;
    let commands = {
        on(link, SimCard::clear_log);
        assert_signed_by(desk.sign(here, "1234").await, "taro");
        on(link, |card| card.apdu_count())
    };
    for round in 0..rounds {
        for index in 0..commands {
            on(link, |card| {
                card.clear_log();
                let tear_executes = round % 2 == 1;
                card.set_faults(Faults { tear_after: Some(index), tear_executes, ..Faults::default() });
            });
            assert_eq!(desk.sign(here, "1234").await.err(), Some(CardError::Removed), "torn out at {index}");
            *verifies = (*verifies).max(on(link, |card| card.verify_count()));
            let torn = Instant::now();
            on(link, SimCard::clear_log);
            link.insert();
            *here = desk.serves(READER, Some(here), "taro").await;
            longest = longest.max(torn.elapsed().as_millis());
            *verifies = (*verifies).max(on(link, |card| card.verify_count()));
        }
    }
    longest
}

/// The longest time in milliseconds from taking a card away and putting it back to the end of the next check.
#[expect(clippy::disallowed_methods, reason = "measures")]
async fn flaps(
    desk: &FrontDesk,
    reader: &str,
    remove: impl Fn(),
    insert: impl Fn(),
    here: &mut CardEvent,
    rounds: usize,
) -> u128 {
    let mut longest = 0;
    for _ in 0..rounds {
        let flapped = Instant::now();
        remove();
        insert();
        *here = desk.serves(reader, Some(here), "taro").await;
        longest = longest.max(flapped.elapsed().as_millis());
    }
    longest
}

/// Sessions at every desk at once, so that as many contexts are open as ever can be.
async fn all_desks_at_once(desk: &FrontDesk, lane: &Lane, first: &CardEvent) {
    let _links = ["Desk B", "Desk C", "Desk D"].map(|reader| lane.insert_into(reader, card_of("taro")));
    let (second, third, fourth) = tokio::join!(
        desk.card("Desk B 01 00", None),
        desk.card("Desk C 02 00", None),
        desk.card("Desk D 03 00", None),
    );
    for _ in 0..20 {
        let signed = tokio::join!(
            desk.sign(first, "1234"),
            desk.sign(&second, "1234"),
            desk.sign(&third, "1234"),
            desk.sign(&fourth, "1234"),
        );
        for signed in [signed.0, signed.1, signed.2, signed.3] {
            assert_signed_by(signed, "taro");
        }
    }
}

/// The longest time in milliseconds from starting pcscd again to the end of the next check.
#[expect(clippy::disallowed_methods, reason = "measures")]
async fn restarts(desk: &FrontDesk, lane: &mut Lane, here: &mut CardEvent, rounds: usize) -> u128 {
    let mut longest = 0;
    for round in 0..rounds {
        if round % 2 == 0 {
            lane.stop_pcscd();
        } else {
            lane.terminate_pcscd();
        }
        desk.shows(|view| !view.service_available()).await;
        let started = Instant::now();
        lane.start_pcscd();
        *here = desk.serves(READER, Some(here), "taro").await;
        longest = longest.max(started.elapsed().as_millis());
    }
    longest
}
