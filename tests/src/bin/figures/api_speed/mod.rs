//! The REST API: what reading and writing cost against the bare limit of the same machine in the same run, and against
//! plain programs that others would write.
//!
//! Each ratio is ours ÷ the other's, so lower is better. Ours is the shipped daemon with everything on: sign-in, guard,
//! encryption, audit. The two sides take turns, so that a neighbour's noise meets both; the middle of the rounds counts.

mod beside;
mod charset;
mod events;
mod limit;
mod load;
mod peers;
pub mod site;
mod watch;

use std::path::PathBuf;

use limit::Limit;
use load::{Measured, as_f64};
use site::{PAGE, Site, request};
use watch::{CLIENT, SERVER};

use crate::{figure, median, progress};

/// Connections that read at the same time, and that write.
const READERS: usize = 8;
const WRITERS: usize = 16;
/// Results of a clinic, and of a large group.
const FEW: i64 = 30_000;
const MANY: i64 = 1_000_000;

/// Measures everything; `with_peers`: also against the plain programs that `tests/tools/peers/install.sh` installs.
pub fn measure(long: bool, with_peers: bool) {
    let (rows, rounds) = if long { (MANY, 9) } else { (FEW, 5) };
    figure("api.rows", rows);
    let site = Site::open(rows);
    watch::pin(site.target.process, &[SERVER]);
    let page = site.ask(PAGE);
    let row_bytes = page.last().split("\r\n\r\n").nth(1).map_or(0, str::len) / 100;
    figure("api.row_bytes", row_bytes);
    let tag = page.header("etag").expect("a page has a tag");
    let limit = Limit::start(rows, row_bytes);

    let all = Requests::new(&site, &limit, rows, &tag);
    let pair = |name, status, ours, limit| Pair { name, status, ours, limit };
    pair("point", 200, &all.points, &all.limit_points).measure(&site, &limit, rounds);
    let page_us = pair("page", 200, &all.pages, &all.limit_pages).measure(&site, &limit, rounds);
    pair("poll304", 304, &all.polls, &all.hellos).measure(&site, &limit, rounds);
    let export_seconds = export(&site, &limit, rows, rounds.min(5));
    beside::over_tls(&site, rounds);
    beside::while_signing_in(&site, rounds);
    if long {
        beside::among_few(&site, FEW, rounds);
    }
    site.cut_off_upstream();
    write(&site, rows);
    beside::while_writing(&site, rows);
    drop(limit);
    site.close();
    if with_peers {
        peers::measure(rows, row_bytes, &peers::Ours { page_us, export_seconds });
    }
    events::measure(rounds);
    charset::measure();
}

/// Prebuilt requests: each round sends all of them.
struct Requests {
    points: Vec<Vec<u8>>,
    limit_points: Vec<Vec<u8>>,
    pages: Vec<Vec<u8>>,
    limit_pages: Vec<Vec<u8>>,
    polls: Vec<Vec<u8>>,
    hellos: Vec<Vec<u8>>,
}

impl Requests {
    fn new(site: &Site, limit: &Limit, rows: i64, tag: &str) -> Self {
        // Spread over the table by a step that has no common divisor with it.
        let ids = |count: i64| (0..count).map(move |turn| 1 + (turn * 7_919) % rows);
        let ours = |turn: usize, path: &str, headers: &str| site.request(turn, "GET", path, headers, "");
        let bare = |path: &str| request(limit.target.address, "GET", path, "", "");
        let none_match = format!("If-None-Match: {tag}\r\n");
        Self {
            points: ids(4_000)
                .enumerate()
                .map(|(turn, id)| ours(turn, &format!("/v1/results/{id}"), ""))
                .collect(),
            limit_points: ids(4_000).map(|id| bare(&format!("/point/{id}"))).collect(),
            pages: (0..1_000).map(|turn| ours(turn, PAGE, "")).collect(),
            limit_pages: (0..1_000).map(|_| bare("/page")).collect(),
            polls: (0..6_000).map(|turn| ours(turn, PAGE, &none_match)).collect(),
            hellos: (0..6_000).map(|_| bare("/hello")).collect(),
        }
    }
}

/// The same question to both.
struct Pair<'a> {
    name: &'a str,
    status: u16,
    ours: &'a [Vec<u8>],
    limit: &'a [Vec<u8>],
}

impl Pair<'_> {
    /// Takes turns; returns what a request costs us.
    fn measure(&self, site: &Site, limit: &Limit, rounds: usize) -> f64 {
        let ours = || load::run(&site.target, self.ours, READERS, &[self.status]);
        let bare = || load::run(&limit.target, self.limit, READERS, &[200]);
        let measured = in_turns(rounds, ours, bare);
        let name = self.name;
        compare(name, measured.iter().map(|(ours, limit)| ours.cpu_us / limit.cpu_us).collect());
        let middle = |of: fn(&(Measured, Measured)) -> f64| median(measured.iter().map(of).collect());
        let cpu_us = middle(|(ours, _)| ours.cpu_us);
        figure(&format!("api.{name}_us"), format!("{cpu_us:.1}"));
        figure(&format!("api.{name}_limit_us"), format!("{:.1}", middle(|(_, limit)| limit.cpu_us)));
        figure(&format!("api.{name}_per_second"), format!("{:.0}", middle(|(ours, _)| ours.rate)));
        cpu_us
    }
}

/// Both once for what they do only once, then in turns, the order changing.
fn in_turns<T>(rounds: usize, one: impl Fn() -> T, other: impl Fn() -> T) -> Vec<(T, T)> {
    one();
    other();
    let turn = |round| {
        if round % 2 == 0 {
            let first = one();
            (first, other())
        } else {
            let first = other();
            (one(), first)
        }
    };
    (0..rounds).map(turn).collect()
}

/// Prints the middle of the ratios to the limit.
fn compare(name: &str, ratios: Vec<f64>) {
    ratio(&format!("{name}_vs_limit"), ratios);
}

/// Prints the middle of the ratios, and on standard error how far they lie apart.
fn ratio(name: &str, ratios: Vec<f64>) {
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    progress(format_args!("api.{name} between {least:.2} and {most:.2}"));
    figure(&format!("api.{name}"), format!("{:.2}", median(ratios)));
}

/// The whole period as JSON against reading ready-made rows in process; returns our seconds.
fn export(site: &Site, limit: &Limit, rows: i64, rounds: usize) -> f64 {
    let path = "/v1/results/export?format=json";
    let ask =
        |turn| load::download(&site.target, &site.request(turn, "GET", path, "Connection: close\r\n", ""));
    // Reading, sealing and sending share the processors, as they do in a clinic.
    watch::pin(site.target.process, &[SERVER, CLIENT]);
    let idle = watch::memory_mib(site.target.process, "VmRSS");
    watch::forget_peak(site.target.process).expect("our own child");
    let first = ask(0);
    let all = format!(r#""summary":{{"results":{rows},"#);
    assert!(first.end.contains(&all), "not all results: {}", first.end);
    limit.read_all();
    let (mut ratios, mut cpu_ratios) = (vec![], vec![]);
    let (mut seconds, mut first_bytes) = (vec![], vec![]);
    for round in 0..rounds {
        let ours = ask(round + 1);
        let limit = limit.read_all();
        ratios.push(ours.seconds / limit);
        cpu_ratios.push(ours.cpu_seconds / limit);
        seconds.push(ours.seconds);
        first_bytes.push(ours.first_byte_ms);
    }
    let peak = watch::memory_mib(site.target.process, "VmHWM");
    watch::pin(site.target.process, &[SERVER]);
    let ours = median(seconds);
    compare("export", ratios);
    compare("export_cpu", cpu_ratios);
    figure("api.export_seconds", format!("{ours:.3}"));
    figure("api.export_first_byte_ms", format!("{:.1}", median(first_bytes)));
    figure("api.export_rss_growth_mib", format!("{:.1}", peak - idle));
    ours
}

/// Inquiry numbers that are on disk when they are answered, against the disk alone.
fn write(site: &Site, rows: i64) {
    // Together with what is written later, fewer than the numbers that may wait for the central system.
    const WRITES: usize = 800;
    let rounds = 5;
    let data: PathBuf = site.directory.path().join("data");
    // What takes requests and what writes share the processors, as they do in a clinic.
    watch::pin(site.target.process, &[SERVER, CLIENT]);
    let (mut ratios, mut rates, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let writes: Vec<_> = (0..WRITES).map(|turn| site.write(round * WRITES + turn, rows, "K")).collect();
        let before = watch::appends_per_second(&data);
        let ours = load::run(&site.target, &writes, WRITERS, &[202]);
        let disk = f64::midpoint(before, watch::appends_per_second(&data));
        ratios.push(disk / ours.rate);
        rates.push(ours.rate);
        cpu.push(ours.cpu_us);
    }
    watch::pin(site.target.process, &[SERVER]);
    compare("write", ratios);
    figure("api.write_us", format!("{:.1}", median(cpu)));
    figure("api.write_per_second", format!("{:.0}", median(rates)));
    figure("api.writes", as_f64(WRITES * rounds));
}
