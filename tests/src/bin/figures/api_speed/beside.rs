//! Pages beside something else: over TLS, while people sign in, while numbers are written, among many more results.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::load::{self, Connection, Measured, quantile_ms};
use super::site::{Site, request};
use super::watch::{self, CLIENT, SERVER, pin_myself};
use super::{READERS, in_turns, ratio};

const PAGES: usize = 400;

/// Prints what a page costs over TLS with a client certificate ÷ plain, over kept connections.
pub fn over_tls(site: &Site, rounds: usize) {
    let pages = |target| (0..PAGES).map(|turn| site.page(target, turn)).collect::<Vec<_>>();
    let (plain, tls) = (pages(&site.target), pages(&site.lan));
    let run = |target, pages: &[Vec<u8>]| load::run(target, pages, READERS, &[200]);
    let measured = in_turns(rounds, || run(&site.lan, &tls), || run(&site.target, &plain));
    ratio("page_tls_vs_plain", measured.iter().map(|(tls, plain)| tls.cpu_us / plain.cpu_us).collect());
}

/// Prints the p99 of a page while four sign-ins run all the time ÷ alone, both processors for the daemon.
pub fn while_signing_in(site: &Site, rounds: usize) {
    watch::pin(site.target.process, &[SERVER, CLIENT]);
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let sign_in = |connection: &mut Connection| {
        // A name that is nobody's costs the same, and each has tries of its own.
        let mut body = site.credentials[0].body("000000");
        body["account"] = format!("nobody-{}", turn.fetch_add(1, Ordering::Relaxed)).into();
        let body = body.to_string();
        let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        connection.timed(&request(site.target.address, "POST", "/v1/sessions", &length, &body), &[401]);
    };
    let p99 = |measured: &Measured| quantile_ms(&measured.delays, 0.99);
    let measured =
        in_turns(rounds, || beside(site, PAGES, 4, Duration::ZERO, sign_in), || pages(site, PAGES));
    ratio("page_p99_while_signing_in", measured.iter().map(|(with, alone)| p99(with) / p99(alone)).collect());
    watch::pin(site.target.process, &[SERVER]);
}

/// Prints how long a page takes while a thousand inquiry numbers a second are written ÷ alone.
pub fn while_writing(site: &Site, rows: i64) {
    const WRITERS: u32 = 8;
    // Few, because no more than ten thousand numbers may wait for the central system.
    let (pages, rounds) = (200, 3);
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let write = |connection: &mut Connection| {
        let write = site.write(turn.fetch_add(1, Ordering::Relaxed), rows, "W");
        connection.timed(&write, &[202]);
    };
    let every = Duration::from_millis(1) * WRITERS;
    let p50 = |measured: &Measured| quantile_ms(&measured.delays, 0.5);
    let measured =
        in_turns(rounds, || beside(site, pages, WRITERS, every, write), || self::pages(site, pages));
    ratio("page_while_writing", measured.iter().map(|(with, alone)| p50(with) / p50(alone)).collect());
}

/// Prints what a page costs here ÷ among few results, from a second daemon in the same run.
pub fn among_few(site: &Site, rows: i64, rounds: usize) {
    let few = Site::open(rows);
    watch::pin(few.target.process, &[SERVER]);
    let measured = in_turns(rounds, || pages(site, PAGES), || pages(&few, PAGES));
    ratio("page_among_many", measured.iter().map(|(many, few)| many.cpu_us / few.cpu_us).collect());
    few.close();
}

fn pages(site: &Site, count: usize) -> Measured {
    let pages: Vec<_> = (0..count).map(|turn| site.page(&site.target, turn)).collect();
    load::run(&site.target, &pages, 4, &[200])
}

/// Pages while others do something again and again, each at most once in so long a time.
#[expect(clippy::disallowed_methods, reason = "measures with threads of its own")]
fn beside(
    site: &Site,
    count: usize,
    others: u32,
    every: Duration,
    act: impl Fn(&mut Connection) + Sync,
) -> Measured {
    let over = AtomicBool::new(false);
    let again_and_again = || {
        pin_myself(CLIENT);
        let (mut connection, mut next) = (Connection::open(&site.target), Instant::now());
        while !over.load(Ordering::Relaxed) {
            act(&mut connection);
            next += every;
            thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
    };
    thread::scope(|scope| {
        for _ in 0..others {
            scope.spawn(again_and_again);
        }
        let measured = pages(site, count);
        over.store(true, Ordering::Relaxed);
        measured
    })
}
