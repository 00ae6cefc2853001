//! A soak: what a receipt computer, a monitor and somebody with a wrong password do all day, for a minute and a half or for days, and
//! whether the program grows or slows down meanwhile.

use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daemon::app::ports::Clock as _;
use daemon::system::SystemClock;
use harness::clinic::{Credentials, Visitor};
use harness::process::Running;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::operation::{Site, resident_mib, wait};
use crate::{figure, median};

/// What memory may grow by, in MiB an hour.
const MOST_SLOPE: f64 = 1.0;
/// What memory may grow by in a soak that is too short to tell a slope from a page or two, in MiB.
const UNTOLD: f64 = 0.25;
/// How often a long soak says how it is.
const WORD_EVERY: Duration = Duration::from_mins(10);

/// What a soak found.
pub struct Soak {
    /// MiB an hour: how memory went in the second half.
    slope: f64,
    /// MiB: what that is over the second half.
    grown: f64,
    /// How much more there were at most in the last quarter than in the one before it.
    more_descriptors: usize,
    more_threads: usize,
    /// Milliseconds.
    slowest: f64,
    answers: u64,
    failures: u64,
}

impl Soak {
    /// Whether nothing grew and nothing failed.
    pub fn holds(&self) -> bool {
        let level = self.slope < MOST_SLOPE || self.grown < UNTOLD;
        level && self.more_descriptors + self.more_threads == 0 && self.failures == 0
    }
}

/// Prints `operation.soak_*`.
pub fn measure(runtime: &Runtime, over: Duration) -> Soak {
    let soak = run(runtime, over);
    figure("operation.soak_s", over.as_secs());
    figure("operation.soak_answers", soak.answers);
    figure("operation.soak_failures", soak.failures);
    figure("operation.soak_rss_slope_mib_h", format!("{:.2}", soak.slope));
    figure("operation.soak_rss_grown_mib", format!("{:.3}", soak.grown));
    figure("operation.soak_descriptors_more", soak.more_descriptors);
    figure("operation.soak_threads_more", soak.more_threads);
    figure("operation.soak_latency_ms_max", format!("{:.0}", soak.slowest));
    soak
}

fn run(runtime: &Runtime, over: Duration) -> Soak {
    // A look a minute, and never fewer than a line can be laid through.
    let count = u32::try_from((over.as_secs() / 60).max(60)).expect("less than a lifetime");
    let is_long = over > Duration::from_hours(1);
    let site = Site::open(runtime);
    site.installation.configure("[metrics]\nenabled = true");
    let (visitor, credentials) = site.visitor(runtime);
    for person in ["taro", "hanako"] {
        assert!(site.upstream.add_result(person, "PHONE-1", SystemClock.now()), "{person}");
    }
    let running = site.run();
    let tally = Arc::new(Tally::default());
    // In a long soak fewer a second: what they leave in the audit log must fit on the disk.
    let pace = Duration::from_millis(if is_long { 200 } else { 40 });
    let working = runtime.spawn(work(visitor, credentials, pace, Arc::clone(&tally)));
    #[expect(clippy::disallowed_methods, reason = "measures a real process")]
    let begun = Instant::now();
    let (mut looks, mut said) = (Vec::new(), Duration::ZERO);
    for look in 1..=count {
        wait((over / count * look).saturating_sub(begun.elapsed()));
        // Between two requests, so that no connection is open that will be closed.
        let quiet = runtime.block_on(tally.one_at_a_time.lock());
        wait(Duration::from_millis(20));
        let seen = Look::at(&running, begun.elapsed());
        drop(quiet);
        if is_long && begun.elapsed().saturating_sub(said) >= WORD_EVERY {
            said = begun.elapsed();
            tell(&seen, &tally).expect("standard error");
        }
        looks.push(seen);
    }
    assert!(!working.is_finished(), "nobody works any more");
    working.abort();
    assert!(running.stop().success(), "shikakud stops in order");
    let (third, last) = looks[looks.len() / 2..].split_at(looks.len() / 4);
    let more = |of: fn(&Look) -> usize| {
        let most = |looks: &[Look]| looks.iter().map(of).max().unwrap_or_default();
        most(last).saturating_sub(most(third))
    };
    let slope = slope(&looks[looks.len() / 2..]);
    Soak {
        slope: slope * 3600.0,
        grown: slope * over.as_secs_f64() / 2.0,
        more_descriptors: more(|look| look.descriptors),
        more_threads: more(|look| look.threads),
        slowest: Duration::from_micros(tally.slowest_us.load(Ordering::Relaxed)).as_secs_f64() * 1000.0,
        answers: tally.answers.load(Ordering::Relaxed),
        failures: tally.failures.load(Ordering::Relaxed),
    }
}

/// How it went so far.
#[derive(Default)]
struct Tally {
    /// Held while a request is on its way.
    one_at_a_time: Mutex<()>,
    answers: AtomicU64,
    /// Answers that tell of a fault of the daemon's, connections that broke, sign-ins that were refused.
    failures: AtomicU64,
    /// The slowest answer, its check against the contract included.
    slowest_us: AtomicU64,
}

fn tell(seen: &Look, tally: &Tally) -> io::Result<()> {
    let Look { at, mib, descriptors, threads } = seen;
    let (answers, failures) = (tally.answers.load(Ordering::Relaxed), tally.failures.load(Ordering::Relaxed));
    let slowest = tally.slowest_us.load(Ordering::Relaxed) / 1000;
    writeln!(
        io::stderr(),
        "{:.2} h: {mib:.1} MiB, {descriptors} descriptors, {threads} threads, {answers} answers, {failures} \
         failures, the slowest {slowest} ms",
        at / 3600.0
    )
}

/// Asks one question after another, and signs in again when the session has come to its end.
async fn work(mut visitor: Visitor, credentials: Credentials, pace: Duration, tally: Arc<Tally>) {
    let mut pace = tokio::time::interval(pace);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (search, wrong) = (
        json!({ "kana": "シカク" }),
        json!({ "institution_code": "1312345678", "account": "nobody", "password": "x", "code": "000000" }),
    );
    for turn in 0_u64.. {
        pace.tick().await;
        let (method, target, body) = match turn % 8 {
            0 | 4 => ("GET", "/v1/results?limit=50", None),
            1 => ("POST", "/v1/results/search", Some(&search)),
            2 => ("GET", "/metrics", None),
            3 => ("GET", "/v1/health", None),
            5 => ("GET", "/v1/results/export", None),
            6 if turn % 40 == 6 => ("POST", "/v1/results/collect", None),
            7 if turn % 80 == 7 => ("POST", "/v1/sessions", Some(&wrong)),
            _ => ("GET", "/v1/results/count", None),
        };
        let _in_turn = tally.one_at_a_time.lock().await;
        #[expect(clippy::disallowed_methods, reason = "measures a real process")]
        let begun = Instant::now();
        let reply = visitor.try_call(method, target, body).await;
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        tally.slowest_us.fetch_max(took, Ordering::Relaxed);
        tally.answers.fetch_add(1, Ordering::Relaxed);
        // Other refusals belong to it.
        let failed = match reply.map(|reply| reply.status) {
            Ok(401) if body != Some(&wrong) => !visitor.try_sign_in(&credentials).await,
            Ok(status) => status >= 500,
            Err(_) => true,
        };
        tally.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
    }
}

struct Look {
    /// Seconds since the beginning.
    at: f64,
    mib: f64,
    descriptors: usize,
    threads: usize,
}

impl Look {
    fn at(running: &Running, at: Duration) -> Self {
        let count = |name: &str| {
            let directory = format!("/proc/{}/{name}", running.id());
            fs::read_dir(directory).expect("the process runs").count()
        };
        Self {
            at: at.as_secs_f64(),
            mib: resident_mib(running),
            descriptors: count("fd"),
            threads: count("task"),
        }
    }
}

/// MiB a second: the middle of the slopes between any two looks (Theil and Sen). A sign-in takes a block of memory that is given
/// back some time later; a line through all looks would take such a step for growth.
fn slope(looks: &[Look]) -> f64 {
    let between = |(one, other): (&Look, &Look)| (other.mib - one.mib) / (other.at - one.at);
    let pairs = looks
        .iter()
        .enumerate()
        .flat_map(|(place, one)| looks[place + 1..].iter().map(move |other| (one, other)));
    median(pairs.map(between).collect())
}
