//! A soak: what a receipt computer, a monitor and somebody with a wrong password do all day, for a minute and a half or for days, and
//! whether the program grows or slows down meanwhile.

use std::fs;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use daemon::app::ports::Clock as _;
use daemon::system::SystemClock;
use harness::clinic::{Credentials, Visitor};
use harness::process::{Running, Site};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::operation::{resident_mib, visitor, wait};
use crate::{figure, median};

/// What memory may grow by, in MiB an hour.
const MOST_SLOPE: f64 = 1.0;
/// What memory may grow by in a soak that is too short to tell a slope from a page or two, in MiB.
const UNTOLD: f64 = 0.25;
/// What memory may grow by in the second half of a soak of more than an hour, in MiB: a small slope goes far in days.
const MOST_GROWN: f64 = 4.0;
/// How many times as long the middle answer may take in the last quarter as in the first.
const MOST_SLOWER: f64 = 2.0;
/// A soak of more than this is judged by how its answers slow down: on a busy machine a shorter one tells of its neighbours.
const TELLING: Duration = Duration::from_mins(10);
/// A soak of more than this is a long one.
const LONG: Duration = Duration::from_hours(1);
/// How often a long soak says how it is.
const WORD_EVERY: Duration = Duration::from_mins(10);

/// What a soak found.
pub struct Soak {
    over: Duration,
    /// How many answers there would be if each took no time.
    planned: u64,
    /// Milliseconds: the middle answer of the first and of the last quarter.
    quarters: (f64, f64),
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
    /// Whether nothing grew, slowed down or failed, and the program was asked at all.
    pub fn holds(&self) -> bool {
        let level = self.slope < MOST_SLOPE || self.grown < UNTOLD;
        let small = self.over <= LONG || self.grown < MOST_GROWN;
        let (first, last) = self.quarters;
        let steady = self.over <= TELLING || last <= first * MOST_SLOWER;
        let asked = self.answers >= self.planned / 2;
        let more = self.more_descriptors + self.more_threads;
        level && small && steady && asked && more == 0 && self.failures == 0
    }

    /// What the looks at the program and the tally of its answers say.
    fn judged(over: Duration, pace: Duration, looks: &[Look], tally: &Tally) -> Self {
        let (third, last) = looks[looks.len() / 2..].split_at(looks.len() / 4);
        let more = |of: fn(&Look) -> usize| {
            let most = |looks: &[Look]| looks.iter().map(of).max().unwrap_or_default();
            most(last).saturating_sub(most(third))
        };
        let slope = slope(&looks[looks.len() / 2..]);
        let took = tally.took_us.lock().unwrap_or_else(PoisonError::into_inner);
        let quarter = took.len() / 4;
        let middle = |part: &[u32]| median(part.iter().map(|us| f64::from(*us) / 1000.0).collect());
        Self {
            over,
            planned: u64::try_from(over.as_millis() / pace.as_millis()).expect("less than a lifetime"),
            quarters: (middle(&took[..quarter]), middle(&took[took.len() - quarter..])),
            slope: slope * 3600.0,
            grown: slope * over.as_secs_f64() / 2.0,
            more_descriptors: more(|look| look.descriptors),
            more_threads: more(|look| look.threads),
            slowest: took.iter().max().map_or(0.0, |us| f64::from(*us) / 1000.0),
            answers: u64::try_from(took.len()).unwrap_or(u64::MAX),
            failures: tally.failures.load(Ordering::Relaxed),
        }
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
    figure("operation.soak_latency_ms_first_quarter", format!("{:.1}", soak.quarters.0));
    figure("operation.soak_latency_ms_last_quarter", format!("{:.1}", soak.quarters.1));
    figure("operation.soak_answers_planned", soak.planned);
    soak
}

fn run(runtime: &Runtime, over: Duration) -> Soak {
    // A look a minute, and never fewer than a line can be laid through.
    let count = u32::try_from((over.as_secs() / 60).max(60)).expect("less than a lifetime");
    let is_long = over > LONG;
    let site = runtime.block_on(Site::open("warn"));
    site.installation.configure("[metrics]\nenabled = true");
    let (visitor, credentials) = visitor(&site, runtime);
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
    Soak::judged(over, pace, &looks, &tally)
}

/// How it went so far.
#[derive(Default)]
struct Tally {
    /// Held while a request is on its way.
    one_at_a_time: Mutex<()>,
    /// How long each answer took, its check against the contract included, in microseconds and in order.
    took_us: std::sync::Mutex<Vec<u32>>,
    /// Answers with another status than their question is there for, connections that broke, sign-ins that were refused.
    failures: AtomicU64,
}

impl Tally {
    fn note(&self, took: Duration, failed: bool) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.took_us.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        self.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
    }
}

/// Whether an answer is what its question is there for.
fn is_expected(question: &Question<'_>, status: u16) -> bool {
    match question {
        // A wrong password is refused, and slowed down when it comes again.
        ("POST", "/v1/sessions", _) => matches!(status, 401 | 429),
        // It goes on if the central system takes its time.
        ("POST", "/v1/results/collect", _) => matches!(status, 200 | 202),
        _ => status == 200,
    }
}

/// Method, target and body.
type Question<'a> = (&'static str, &'static str, Option<&'a Value>);

fn tell(seen: &Look, tally: &Tally) -> io::Result<()> {
    let Look { at, mib, descriptors, threads } = seen;
    let failures = tally.failures.load(Ordering::Relaxed);
    let took = tally.took_us.lock().unwrap_or_else(PoisonError::into_inner);
    let (answers, slowest) = (took.len(), took.iter().max().copied().unwrap_or_default() / 1000);
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
        let question @ (method, target, body): Question<'_> = match turn % 8 {
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
        let took = begun.elapsed();
        let failed = match reply.map(|reply| reply.status) {
            // Its session has come to its end.
            Ok(401) if body != Some(&wrong) => !visitor.try_sign_in(&credentials).await,
            Ok(status) => !is_expected(&question, status),
            Err(_) => true,
        };
        tally.note(took, failed);
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS_72: Duration = Duration::from_hours(72);
    const PACE: Duration = Duration::from_millis(200);

    /// Looks at a program that grows by so many MiB an hour.
    fn looks(over: Duration, growth: f64) -> Vec<Look> {
        let at = |number: u32| (over * number / 120).as_secs_f64();
        let look = |at: f64| Look { at, mib: 20.0 + growth * at / 3600.0, descriptors: 30, threads: 12 };
        (1..=120).map(|number| look(at(number))).collect()
    }

    /// Answers at this pace with this status, each a little slower than the one before if `slows`.
    fn answered(over: Duration, pace: Duration, status: u16, slows: bool) -> Tally {
        let tally = Tally::default();
        let count = u64::try_from(over.as_millis() / pace.as_millis()).expect("a number");
        for number in 0..count {
            let took = if slows { 1_000 + 4_000 * number / count } else { 1_000 };
            let failed = !is_expected(&("GET", "/v1/health", None), status);
            tally.note(Duration::from_micros(took), failed);
        }
        tally
    }

    #[test]
    fn a_program_that_stays_as_it_is_holds() {
        let soak = Soak::judged(HOURS_72, PACE, &looks(HOURS_72, 0.0), &answered(HOURS_72, PACE, 200, false));
        assert!(soak.holds());
    }

    #[test]
    fn one_that_grows_a_little_every_hour_for_three_days_does_not() {
        let soak = Soak::judged(HOURS_72, PACE, &looks(HOURS_72, 0.9), &answered(HOURS_72, PACE, 200, false));
        assert!(soak.slope < MOST_SLOPE && !soak.holds(), "{} MiB", soak.grown);
    }

    #[test]
    fn one_that_refuses_everything_answers_too_seldom_or_slows_down_does_not() {
        let level = looks(HOURS_72, 0.0);
        let held = |tally: &Tally| Soak::judged(HOURS_72, PACE, &level, tally).holds();
        assert!(!held(&answered(HOURS_72, PACE, 429, false)), "refused");
        assert!(!held(&answered(HOURS_72, PACE * 3, 200, false)), "seldom");
        assert!(!held(&answered(HOURS_72, PACE, 200, true)), "slower and slower");
        let short = Duration::from_mins(5);
        let slower = answered(short, PACE, 200, true);
        assert!(Soak::judged(short, PACE, &looks(short, 0.0), &slower).holds(), "a busy machine");
    }

    #[test]
    fn a_wrong_password_is_to_be_refused() {
        let knock = ("POST", "/v1/sessions", None);
        assert!(is_expected(&knock, 401) && is_expected(&knock, 429) && !is_expected(&knock, 201));
    }
}
