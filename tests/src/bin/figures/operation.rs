//! Operation: what the shipped program takes while nothing happens, how soon it stops and is ready, and whether anything grows while
//! it works.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use daemon::app::ports::Clock as _;
use daemon::system::{OsRandom, SystemClock};
use harness::clinic::Visitor;
use harness::process::{Installation, Running};
use harness::upstream::{Endpoint, Fault, Options, SimUpstream};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::api_speed::site::fill;
use crate::{figure, median};

/// How often the program is stopped in the middle of its work.
const STOPS: usize = 50;
/// Results of a large clinic.
const RESULTS: i64 = 100_000;

/// Prints every figure of the topic.
pub fn measure(long: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    idle(&runtime, Duration::from_secs(if long { 60 } else { 15 }));
    stops(&runtime);
    ready(&runtime);
    soak(&runtime, Duration::from_secs(if long { 600 } else { 90 }));
}

struct Site {
    upstream: SimUpstream,
    installation: Installation,
    directory: TempDir,
}

impl Site {
    fn open(runtime: &Runtime) -> Self {
        let directory = TempDir::new().expect("a directory");
        let options = Options::new(Arc::new(SystemClock), Arc::new(OsRandom));
        let upstream = runtime.block_on(SimUpstream::start(options)).expect("the central system starts");
        let installation = Installation::write(directory.path(), &upstream, None, "warn");
        Self { upstream, installation, directory }
    }

    fn run(&self) -> Running {
        let mut running = self.installation.run();
        running.wait_ready();
        running
    }

    fn visitor(&self, runtime: &Runtime) -> Visitor {
        let credentials = self.installation.add_account("receipt", "receipt-computer");
        let running = self.run();
        let mut visitor = Visitor::at(self.installation.api, Arc::new(SystemClock));
        runtime.block_on(visitor.sign_in(&credentials));
        // The session outlives the restart.
        assert!(running.stop().success(), "shikakud stops in order");
        visitor
    }
}

/// Prints `operation.rss_idle_mib` and `operation.cpu_idle_percent` (of one processor), with the page and figures on.
fn idle(runtime: &Runtime, over: Duration) {
    let site = Site::open(runtime);
    site.installation.configure("[metrics]\nenabled = true\n[page]\nlisten = \"127.0.0.1:0\"");
    let running = site.run();
    wait(Duration::from_secs(8));
    let before = processor_time(&running);
    wait(over);
    let used = processor_time(&running).saturating_sub(before);
    figure("operation.rss_idle_mib", format!("{:.1}", resident_mib(&running)));
    figure("operation.cpu_idle_percent", format!("{:.3}", 100.0 * used.as_secs_f64() / over.as_secs_f64()));
    assert!(running.stop().success(), "shikakud stops in order");
}

/// Prints `operation.stops` and `operation.stop_ms_max`: from SIGTERM to the end, with a stream of events open, a long poll, polls
/// one after another, and a question to a central system that does not answer.
fn stops(runtime: &Runtime) {
    let site = Site::open(runtime);
    let visitor = site.visitor(runtime);
    site.upstream.break_down(Endpoint::Results, Fault::Hang);
    let mut took = Vec::with_capacity(STOPS);
    for round in 1..=STOPS {
        let running = site.run();
        let asked = site.upstream.requests(Endpoint::Results);
        let polling = runtime.spawn(poll(visitor.clone()));
        let collecting = visitor.clone();
        let collecting = runtime
            .spawn(async move { collecting.try_call("POST", "/v1/results/collect", None).await.is_ok() });
        let stream = runtime.block_on(async {
            let mut stream = visitor.open("/v1/events", &[]).await;
            stream.until("event: ready\n").await.expect("the stream begins");
            site.upstream.asked(Endpoint::Results, asked + 1).await;
            stream
        });
        let (ended, time) = running.stop_in();
        assert!(ended.success(), "round {round}: {ended}");
        took.push(time.as_secs_f64() * 1000.0);
        drop((stream, runtime.block_on(collecting), runtime.block_on(polling)));
        // Its token went with the process; a code works once.
        site.upstream.forget_used_codes();
    }
    figure("operation.stops", took.len());
    figure("operation.stop_ms_max", format!("{:.0}", took.iter().copied().fold(0.0, f64::max)));
    figure("operation.stop_ms_median", format!("{:.0}", median(took)));
}

/// Asks until nobody answers any more.
async fn poll(visitor: Visitor) {
    while visitor.try_call("GET", "/v1/results?limit=10", None).await.is_ok() {}
}

/// Prints `operation.ready_ms_100k`: from the start of the process to its first answer that it is ready; the middle of five.
fn ready(runtime: &Runtime) {
    let site = Site::open(runtime);
    site.installation.add_account("receipt", "receipt-computer");
    runtime.block_on(fill(site.directory.path(), RESULTS));
    let visitor = Visitor::at(site.installation.api, Arc::new(SystemClock));
    let mut took = Vec::new();
    for _ in 0..5 {
        #[expect(clippy::disallowed_methods, reason = "measures a real process")]
        let begun = Instant::now();
        let running = site.run();
        assert_eq!(runtime.block_on(visitor.get("/readyz")).status, 200);
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
        assert!(running.stop().success(), "shikakud stops in order");
    }
    figure("operation.ready_ms_100k", format!("{:.0}", median(took)));
}

/// Prints `operation.soak_rss_slope_mib_h`, the slope of the line through the memory of the soak's second half, and how far descriptors
/// and threads moved meanwhile.
fn soak(runtime: &Runtime, over: Duration) {
    const LOOKS: u32 = 60;
    let site = Site::open(runtime);
    site.installation.configure("[metrics]\nenabled = true");
    let visitor = site.visitor(runtime);
    for person in ["taro", "hanako"] {
        assert!(site.upstream.add_result(person, "PHONE-1", SystemClock.now()), "{person}");
    }
    let running = site.run();
    let working = runtime.spawn(work(visitor));
    let mut looks = Vec::new();
    for look in 0..LOOKS {
        wait(over / LOOKS);
        if look >= LOOKS / 2 {
            looks.push(Look::at(&running, (over / LOOKS * look).as_secs_f64()));
        }
    }
    working.abort();
    figure("operation.soak_s", over.as_secs());
    figure("operation.soak_rss_slope_mib_h", format!("{:.2}", slope(&looks) * 3600.0));
    let range = |of: fn(&Look) -> usize| {
        let (least, most) = (looks.iter().map(of).min(), looks.iter().map(of).max());
        most.unwrap_or_default() - least.unwrap_or_default()
    };
    figure("operation.soak_descriptors_range", range(|look| look.descriptors));
    figure("operation.soak_threads_range", range(|look| look.threads));
    assert!(running.stop().success(), "shikakud stops in order");
}

/// What a receipt computer, a monitor and somebody with a wrong password do all day, as fast as the rate allows.
async fn work(visitor: Visitor) {
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    let (search, wrong) = (
        json!({ "kana": "シカク" }),
        json!({ "institution_code": "1312345678", "account": "nobody", "password": "x", "code": "000000" }),
    );
    for turn in 0_u64.. {
        pace.tick().await;
        // Refusals belong to it.
        match turn % 8 {
            0 | 4 => drop(visitor.get("/v1/results?limit=50").await),
            1 => drop(visitor.post("/v1/results/search", &search).await),
            2 => drop(visitor.get("/metrics").await),
            3 => drop(visitor.get("/v1/health").await),
            5 => drop(visitor.get("/v1/results/export").await),
            6 if turn % 40 == 6 => drop(visitor.call("POST", "/v1/results/collect", None).await),
            7 if turn % 80 == 7 => drop(visitor.post("/v1/sessions", &wrong).await),
            _ => drop(visitor.get("/v1/results/count").await),
        }
    }
}

struct Look {
    at: f64,
    mib: f64,
    descriptors: usize,
    threads: usize,
}

impl Look {
    fn at(running: &Running, at: f64) -> Self {
        let count = |name: &str| {
            let directory = format!("/proc/{}/{name}", running.id());
            fs::read_dir(directory).expect("the process runs").count()
        };
        Self { at, mib: resident_mib(running), descriptors: count("fd"), threads: count("task") }
    }
}

/// MiB a second, by least squares.
fn slope(looks: &[Look]) -> f64 {
    let count = f64::from(u32::try_from(looks.len()).expect("few"));
    let mean = |of: fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count;
    let (time, memory) = (mean(|look| look.at), mean(|look| look.mib));
    let above: f64 = looks.iter().map(|look| (look.at - time) * (look.mib - memory)).sum();
    let below: f64 = looks.iter().map(|look| (look.at - time).powi(2)).sum();
    above / below
}

fn resident_mib(running: &Running) -> f64 {
    let kib = running.memory_kib("VmRSS").expect("/proc tells the memory");
    f64::from(u32::try_from(kib).expect("below 4 TiB")) / 1024.0
}

/// All threads' time on the processors, finer than the hundredths of a second in `/proc/PID/stat`.
fn processor_time(running: &Running) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.id())).expect("the process runs");
    let spent = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// Lets the measured process go on.
fn wait(time: Duration) {
    let (_keep, never) = channel::<()>();
    // Ends by the timeout: nothing is ever sent.
    let _ = never.recv_timeout(time);
}
