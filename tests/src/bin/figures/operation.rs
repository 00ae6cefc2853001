//! Operation: what the shipped program takes while nothing happens, and how soon it stops and is ready. Whether anything grows while it
//! works is measured beside this.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use daemon::system::SystemClock;
use harness::clinic::{Credentials, Visitor};
use harness::process::{Running, Site};
use harness::rules::unlinked;
use harness::upstream::{Endpoint, Fault};
use tokio::runtime::Runtime;

use crate::api_speed::site::fill;
use crate::{figure, median, soak};

/// How often the program is stopped in the middle of its work.
const STOPS: usize = 50;
/// What a stop may take, in milliseconds.
const LONGEST_STOP: f64 = 5_000.0;
/// Results of a large clinic.
const RESULTS: i64 = 100_000;

/// Prints every figure of the topic.
pub fn measure(long: bool) {
    let runtime = runtime();
    idle(&runtime, Duration::from_secs(if long { 60 } else { 15 }));
    stops(&runtime);
    ready(&runtime);
    soak::measure(&runtime, Duration::from_secs(if long { 600 } else { 90 }));
    figure("operation.rules_unlinked", unlinked().expect("the guide").len());
}

/// Stops alone; whether all of them were in time.
pub fn stops_in_time() -> bool {
    stops(&runtime()) <= LONGEST_STOP
}

/// A soak of so many hours; whether nothing grew and nothing failed.
pub fn soak_for(hours: f64) -> bool {
    soak::measure(&runtime(), Duration::from_secs_f64(hours * 3600.0)).holds()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A receipt computer that has signed in, and what it signs in with. The program does not run yet.
pub fn visitor(site: &Site, runtime: &Runtime) -> (Visitor, Credentials) {
    let credentials = site.installation.add_account("receipt", "receipt-computer");
    let running = site.run();
    let mut visitor = Visitor::at(site.installation.api, Arc::new(SystemClock));
    runtime.block_on(visitor.sign_in(&credentials));
    // The session outlives the restart.
    assert!(running.stop().success(), "shikakud stops in order");
    (visitor, credentials)
}

/// Prints `operation.rss_idle_mib` and `operation.cpu_idle_percent` (of one processor), with the page and figures on.
fn idle(runtime: &Runtime, over: Duration) {
    let site = runtime.block_on(Site::open("warn"));
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
/// one after another, and a question to a central system that does not answer. Returns the longest.
fn stops(runtime: &Runtime) -> f64 {
    let site = runtime.block_on(Site::open("warn"));
    let (visitor, _) = visitor(&site, runtime);
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
    let longest = took.iter().copied().fold(0.0, f64::max);
    figure("operation.stop_ms_max", format!("{longest:.0}"));
    figure("operation.stop_ms_median", format!("{:.0}", median(took)));
    longest
}

/// Asks until nobody answers any more.
async fn poll(visitor: Visitor) {
    while visitor.try_call("GET", "/v1/results?limit=10", None).await.is_ok() {}
}

/// Prints `operation.ready_ms_100k`: from the start of the process to its first answer that it is ready; the middle of five.
fn ready(runtime: &Runtime) {
    let site = runtime.block_on(Site::open("warn"));
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

/// Resident memory.
pub fn resident_mib(running: &Running) -> f64 {
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
pub fn wait(time: Duration) {
    let (_keep, never) = channel::<()>();
    // Ends by the timeout: nothing is ever sent.
    let _ = never.recv_timeout(time);
}
