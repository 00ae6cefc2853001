//! What whoever watches the program is told: readiness, and its figures in the text format of Prometheus (0.0.4).
//!
//! Labels are fixed words and stable codes, never a name of an account, a terminal, a reader or a patient.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use api::codes::Code;
use api::service::{Answer, MonitorService};
use api::wire as w;
use async_trait::async_trait;

use super::{UseCases, health};
use crate::app::monitor::{Figures, Unready};
use crate::app::ports::{DeskView, ProcessUse, ReaderState};
use crate::app::tally::{BOUNDS, Spread, Step};
use crate::domain::check::Method;

#[async_trait]
impl MonitorService for UseCases {
    async fn readiness(&self) -> Answer<w::Readiness> {
        let reasons: Vec<w::UnreadyReason> = self
            .monitor
            .unready()
            .await
            .into_iter()
            .map(|reason| w::UnreadyReason::of(code(reason)))
            .collect();
        Ok(w::Readiness { ready: reasons.is_empty(), reasons })
    }

    async fn metrics(&self) -> Answer<String> {
        let figures = self.monitor.figures().await.ok_or(Code::NotFound)?;
        Ok(text(&figures))
    }
}

fn code(reason: Unready) -> Code {
    match reason {
        Unready::StoreFails => Code::Internal,
        Unready::StoreFull => Code::StoreFull,
    }
}

fn text(figures: &Figures) -> String {
    let mut text = Text(String::with_capacity(8 * 1024));
    program(&mut text, figures);
    checks(&mut text, figures);
    desk(&mut text, &figures.health.desk);
    upstream(&mut text, figures);
    store(&mut text, figures);
    troubles(&mut text, figures);
    people(&mut text, figures);
    certificates(&mut text, figures);
    if let Some(process) = &figures.process {
        self::process(&mut text, process);
    }
    text.0
}

fn program(text: &mut Text, figures: &Figures) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    text.gauge("shikaku_build_info", "The version that runs.", &[(&version, 1)]);
    let started = figures.started_at.as_second();
    text.gauge("shikaku_start_time_seconds", "When it started, Unix time.", &[(&[], started)]);
}

fn checks(text: &mut Text, figures: &Figures) {
    let counted = &figures.counted;
    text.family(
        "shikaku_checks_total",
        "counter",
        "Ended checks by method and outcome (ok or the stable code).",
    );
    for ((method, outcome), count) in &counted.checks {
        text.sample("shikaku_checks_total", &[("method", word(*method)), ("outcome", outcome)], count);
    }
    let help = "Time of a check's steps: card session, question to the central system, commit.";
    text.family("shikaku_check_step_seconds", "histogram", help);
    let never = Spread::default();
    for (step, name) in [(Step::Card, "card"), (Step::Upstream, "upstream"), (Step::Store, "store")] {
        text.histogram(
            "shikaku_check_step_seconds",
            ("step", name),
            counted.steps.get(&step).unwrap_or(&never),
        );
    }
}

fn desk(text: &mut Text, view: &DeskView) {
    let usable = view.readers.iter().filter(|reader| reader.state != ReaderState::Unavailable).count();
    let up = u8::from(view.service_available());
    text.gauge("shikaku_reader_service_up", "Whether the PC/SC service answers.", &[(&[], up)]);
    text.gauge("shikaku_readers", "Readers that PC/SC names.", &[(&[], view.readers.len())]);
    text.gauge("shikaku_readers_usable", "Readers that answer.", &[(&[], usable)]);
}

fn upstream(text: &mut Text, figures: &Figures) {
    let view = &figures.health.upstream;
    let up = view.answering.map(u8::from);
    text.maybe("shikaku_upstream_up", "Whether the central system answered the last question.", up);
    let last = view.last_success.map(jiff::Timestamp::as_second);
    let help = "When the central system last answered, Unix time.";
    text.maybe("shikaku_upstream_last_answer_timestamp_seconds", help, last);
    let collect = &figures.health.collect;
    // Where nothing collects by itself, an old failure of somebody's own attempt stays for ever and means nothing.
    let failures = if collect.scheduled { collect.progress.failures } else { 0 };
    let help = "Scheduled collections that failed since the last complete one.";
    text.gauge("shikaku_collect_failures", help, &[(&[], failures)]);
    let complete = collect.progress.last_complete.map(jiff::Timestamp::as_second);
    let help = "When the last complete collection began, Unix time.";
    text.maybe("shikaku_collect_last_complete_timestamp_seconds", help, complete);
    let help = "Whether an announced closure of everything is on.";
    text.gauge("shikaku_upstream_closed", help, &[(&[], u8::from(collect.is_everything_closed()))]);
    let (queue, numbers) = (&figures.health.queue, [("queue", "inquiry_numbers")]);
    text.gauge("shikaku_queue_depth", "What waits to be sent.", &[(&numbers, queue.depth)]);
    let oldest = queue.oldest.map_or(0, |taken| figures.now.duration_since(taken).as_secs().max(0));
    text.gauge("shikaku_queue_oldest_seconds", "Age of what waits longest.", &[(&numbers, oldest)]);
}

fn store(text: &mut Text, figures: &Figures) {
    let footprint = &figures.footprint;
    let help = "Size of the database and of its write-ahead log.";
    text.family("shikaku_store_bytes", "gauge", help);
    for (part, bytes) in [("database", footprint.database), ("log", footprint.log)] {
        if let Some(bytes) = bytes {
            text.sample("shikaku_store_bytes", &[("part", part)], bytes);
        }
    }
    let help = "Whether the last commit succeeded, the audit log's anchor included.";
    text.gauge("shikaku_store_writes", help, &[(&[], u8::from(figures.writes))]);
    text.maybe("shikaku_store_free_bytes", "Free space on the store's disk.", footprint.free);
    text.maybe("shikaku_results", "Stored results that have not expired.", figures.results);
    let retention = &figures.health.retention;
    let lag = retention.lag.as_secs();
    let help = "For how long something expired has waited to be destroyed.";
    text.gauge("shikaku_retention_lag_seconds", help, &[(&[], lag)]);
    let plausible = u8::from(matches!(retention.clock, Some(Ok(_))));
    text.gauge("shikaku_clock_plausible", "Whether somebody vouches for the clock.", &[(&[], plausible)]);
}

/// The same judgement as `/v1/health`, so that no trouble is known there and to nobody else.
fn troubles(text: &mut Text, figures: &Figures) {
    let name = "shikaku_health_troubled";
    text.family(name, "gauge", "Whether a part is degraded or failed in the words of /v1/health.");
    for (part, state) in health::parts(&figures.health, figures.now) {
        let troubled = matches!(state, w::HealthState::Degraded | w::HealthState::Failed);
        text.sample(name, &[("part", part)], u8::from(troubled));
    }
}

fn people(text: &mut Text, figures: &Figures) {
    text.family("shikaku_sign_in_failures_total", "counter", "Refused sign-ins by the audit log's word.");
    for (kind, count) in &figures.counted.sign_in_failures {
        text.sample("shikaku_sign_in_failures_total", &[("kind", kind)], count);
    }
    text.gauge("shikaku_sessions", "Live sessions.", &[(&[], figures.sessions)]);
}

fn certificates(text: &mut Text, figures: &Figures) {
    let name = "shikaku_certificate_days_left";
    text.family(name, "gauge", "Whole days until a certificate ends; negative afterwards.");
    let known = [
        ("client", figures.health.certificate_days_left),
        ("page", figures.page_days),
        ("machines_ca", figures.authority_days),
    ];
    for (certificate, days) in known {
        if let Some(days) = days {
            text.sample(name, &[("certificate", certificate)], days);
        }
    }
}

fn process(text: &mut Text, process: &ProcessUse) {
    text.gauge("process_resident_memory_bytes", "Memory in RAM.", &[(&[], process.resident)]);
    text.gauge("process_open_fds", "Open file descriptors.", &[(&[], process.open_files)]);
    text.gauge("process_threads", "Threads.", &[(&[], process.threads)]);
    let name = "process_cpu_seconds_total";
    text.family(name, "counter", "Processor time, user and system.");
    text.sample(name, &[], process.processor.as_secs_f64());
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Visual => "visual",
        Method::CardPin => "card_pin",
        Method::Iphone => "iphone",
        Method::AndroidPin => "android_pin",
    }
}

type Labels<'a> = &'a [(&'a str, &'a str)];

/// Lines of the text format.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, impl Display)]) {
        self.family(name, "gauge", help);
        for (labels, value) in samples {
            self.sample(name, labels, value);
        }
    }

    /// A gauge that may be unknown: then it is not there.
    fn maybe(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.gauge(name, help, &[(&[], value)]);
        }
    }

    /// Values of labels are words of this program: nothing in them needs escaping.
    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        for (index, (label, word)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{word}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    fn histogram(&mut self, name: &str, label: (&str, &str), spread: &Spread) {
        let bounds = BOUNDS.map(seconds).into_iter().chain(["+Inf".to_owned()]);
        let mut so_far = 0;
        for (bound, count) in bounds.zip(spread.classes) {
            so_far += count;
            self.sample(&format!("{name}_bucket"), &[label, ("le", &bound)], so_far);
        }
        self.sample(&format!("{name}_sum"), &[label], seconds(spread.sum));
        self.sample(&format!("{name}_count"), &[label], spread.count());
    }
}

fn seconds(time: Duration) -> String {
    time.as_secs_f64().to_string()
}
