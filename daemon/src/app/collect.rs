//! Collecting: what other terminals and phones of the facility confirmed reaches the store, and so the receipt computer.
//!
//! A run reads announcements and the results of a period and merges them; it may be repeated at any time. One runs at a
//! time; whoever asks meanwhile waits for that one. In an announced closure of the central system the schedule asks for
//! announcements alone: a closure that was announced by mistake is taken back there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::access::{Action, Actor, Forbidden, audit};
use super::maintenance::MaintenanceCalendar;
use super::ports::{
    Announcements, AuditEntry, AuditLog, AuditSource, Batch, Clock, CollectedResults, Origin, Random,
    ReceiptLink, StoreError, UpstreamError, random_bytes,
};
use super::results::request_id;
use super::tasks::Tasks;
use crate::domain::announcement::{Announcement, Closure, Scope, closures};
use crate::domain::clock::has_come;
use crate::domain::collection::{Period, Progress, longest_pause, pause, period};
use crate::domain::maintenance::Window;

/// The action of results that were brought in; nobody is shown anything by it.
pub(super) const COLLECTED: &str = "results.collected";
/// Results of one transaction: short enough that a check that ends meanwhile does not wait for long.
const BATCH: usize = 100;
/// The first run comes this long after the start at the latest, so that a power cut does not end in a rush.
const START_WITHIN: SignedDuration = SignedDuration::from_secs(15);
/// Runs are spread over this part of the schedule's interval.
const JITTER_PART: i32 = 10;
/// The schedule looks at the clock at least this often, because clocks are set.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Who asks for a run waits this long for its end; shorter than the API's own limit.
const PATIENCE: Duration = Duration::from_secs(25);

/// Why a run did not come to its end. What was merged stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The central system did not answer as hoped.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunError {
    /// A stable word, one of the API's codes.
    fn code(&self) -> &'static str {
        match self {
            Self::Upstream(UpstreamError::Unreachable) => "upstream_unreachable",
            Self::Upstream(UpstreamError::Timeout) => "upstream_timeout",
            Self::Upstream(UpstreamError::Refused { .. } | UpstreamError::SignInRefused { .. }) => {
                "upstream_refused"
            }
            Self::Upstream(UpstreamError::Renegotiation) => "upstream_renegotiation",
            Self::Upstream(UpstreamError::ClientCertificate) => "upstream_certificate",
            Self::Upstream(UpstreamError::Malformed) => "upstream_malformed",
            Self::Upstream(UpstreamError::Maintenance) => "upstream_maintenance",
            Self::Store(StoreError::DiskFull) => "store_full",
            Self::Store(StoreError::Failed(_) | StoreError::Corrupt { .. }) => "internal",
        }
    }
}

/// Why nothing was collected on demand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<Forbidden> for CollectError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

/// What a run brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub period: Period,
    /// New results.
    pub added: u64,
    /// Results that got another inquiry number.
    pub updated: u64,
    /// Results that were stored already.
    pub known: u64,
}

/// How the collection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectView {
    /// Whether it runs by itself.
    pub scheduled: bool,
    /// Until when it pauses because everything is closed.
    pub paused_until: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
    /// The closure that is on, one of everything first.
    pub closed: Option<Closure>,
    /// The next closure.
    pub next: Option<Closure>,
}

impl CollectView {
    /// Whether an announced closure of everything is on.
    pub fn is_everything_closed(&self) -> bool {
        self.closed.is_some_and(|closure| closure.scope == Scope::Everything)
    }
}

/// What the collection is built from.
pub struct CollectParts {
    /// The receipt computer link.
    pub link: Arc<dyn ReceiptLink>,
    /// Where results and progress are kept.
    pub results: Arc<dyn CollectedResults>,
    /// Where announcements are kept.
    pub announcements: Arc<dyn Announcements>,
    /// Learns the announced closures.
    pub calendar: MaintenanceCalendar,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for request ids and for spreading the runs.
    pub random: Arc<dyn Random>,
    /// Background tasks.
    pub tasks: Tasks,
    /// How often to collect; `None`: only on demand.
    pub every: Option<SignedDuration>,
    /// Real or sandbox.
    pub origin: Origin,
}

type Ended = Option<Result<Report, RunError>>;

#[derive(Default)]
struct State {
    running: Option<watch::Receiver<Ended>>,
    progress: Progress,
    due: Timestamp,
    closures: Vec<Closure>,
}

/// Collects results and announcements; a clone is the same collection.
#[derive(Clone)]
pub struct Collect {
    parts: Arc<CollectParts>,
    state: Arc<Mutex<State>>,
    announced: Arc<watch::Sender<Vec<Announcement>>>,
}

impl Collect {
    /// Takes over what earlier runs left; asks nobody.
    pub async fn open(parts: CollectParts) -> Result<Self, StoreError> {
        let progress = parts.results.progress().await?;
        let kept = parts.announcements.announcements().await?;
        let state = Mutex::new(State { progress, ..State::default() });
        let announced = Arc::new(watch::Sender::new(Vec::new()));
        let collect = Self { parts: Arc::new(parts), state: Arc::new(state), announced };
        collect.learn(&kept.into_iter().map(|kept| kept.content).collect::<Vec<_>>());
        let soon = collect.parts.clock.now().saturating_add(collect.part_of(START_WITHIN));
        collect.state().due = soon.unwrap_or(Timestamp::MAX);
        Ok(collect)
    }

    /// The announcements that are kept; changes when they do.
    pub fn announced(&self) -> watch::Receiver<Vec<Announcement>> {
        self.announced.subscribe()
    }

    /// Runs on schedule until the process is to stop; does nothing where there is no schedule.
    pub fn start(&self) {
        if self.parts.every.is_none() {
            return;
        }
        let collect = self.clone();
        let stopping = self.parts.tasks.stopping();
        self.parts.tasks.start(async move {
            loop {
                let now = collect.parts.clock.now();
                let wait = collect.state().due.duration_since(now).max(SignedDuration::from_secs(1));
                let wait = Duration::try_from(wait).unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stopping.cancelled() => return,
                }
                tokio::select! {
                    _ = collect.collect_if_due(collect.parts.clock.now()) => {}
                    () = stopping.cancelled() => return,
                }
            }
        });
    }

    /// Collects if the schedule says so at this instant, and waits for the end of the run; `None` if it does not.
    pub async fn collect_if_due(&self, now: Timestamp) -> Option<Result<Report, RunError>> {
        let every = self.parts.every?;
        let is_closed = {
            let mut state = self.state();
            // A clock that was set back must not stop the collection for the difference.
            let longest = longest_pause(every);
            let longest = longest.saturating_add(longest / JITTER_PART);
            let set_back = state.progress.last_run.is_some_and(|last| last > now);
            if !has_come(state.due, now, longest) && !set_back {
                return None;
            }
            let window = closed(&state.closures, now);
            // Only the next look decides whether the closure still stands: its end may be far away, or mistyped.
            if let Some(window) = window {
                let over = window.until.saturating_add(self.part_of(START_WITHIN)).unwrap_or(window.until);
                state.due = over.min(self.after_pause(now, every));
            }
            window.is_some()
        };
        if is_closed && self.is_still_closed(now).await {
            return None;
        }
        let ended = self.join_or_begin(&mut self.state());
        finished(ended).await
    }

    /// Asks for the announcements alone; `true` if everything is closed by what is known then.
    async fn is_still_closed(&self, now: Timestamp) -> bool {
        if let Err(error) = self.fetch_announcements().await {
            tracing::warn!(%error, "announcements could not be stored");
        }
        closed(&self.state().closures, now).is_some()
    }

    /// Collects now, or waits for the run that is on; `None` if that takes longer than anybody waits: it goes on. Asks
    /// the central system also in an announced closure, because closures end early.
    pub async fn collect_now(&self, actor: &Actor) -> Result<Option<Report>, CollectError> {
        actor.may(Action::CollectResults)?;
        let ended = {
            let mut state = self.state();
            self.join_or_begin(&mut state)
        };
        let outcome = tokio::time::timeout(PATIENCE, finished(ended)).await.unwrap_or(None);
        let word = match &outcome {
            Some(Ok(_)) => "ok",
            Some(Err(error)) => error.code(),
            None => "running",
        };
        let entry = AuditEntry { outcome: word.to_owned(), ..actor.entry("results.collect") };
        self.parts.audit.append(&entry).await.map_err(RunError::from)?;
        Ok(outcome.transpose()?)
    }

    /// How the collection is.
    pub fn view(&self) -> CollectView {
        let now = self.parts.clock.now();
        let state = self.state();
        let mut on: Vec<_> = state.closures.iter().filter(|closure| closure.window.contains(now)).collect();
        on.sort_by_key(|closure| (closure.scope == Scope::Registration, closure.window.until));
        let ahead = state.closures.iter().filter(|closure| closure.window.from > now);
        let scheduled = self.parts.every.is_some();
        CollectView {
            scheduled,
            paused_until: closed(&state.closures, now).filter(|_| scheduled).map(|window| window.until),
            progress: state.progress.clone(),
            closed: on.first().copied().copied(),
            next: ahead.min_by_key(|closure| closure.window.from).copied(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A random part of a duration.
    fn part_of(&self, whole: SignedDuration) -> SignedDuration {
        let [dice] = random_bytes::<1>(&*self.parts.random);
        whole.checked_mul(i32::from(dice)).unwrap_or_default() / 255
    }

    /// The end of the run that is on, or of one that begins now in a task of its own: whoever waits may go away.
    fn join_or_begin(&self, state: &mut State) -> watch::Receiver<Ended> {
        if let Some(running) = &state.running {
            return running.clone();
        }
        let (end, ended) = watch::channel(None);
        state.running = Some(ended.clone());
        let collect = self.clone();
        let stopping = self.parts.tasks.stopping();
        self.parts.tasks.start(async move {
            let outcome = tokio::select! {
                outcome = collect.run() => Some(outcome),
                () = stopping.cancelled() => None,
            };
            collect.state().running = None;
            // Nobody may be waiting; those who are see the channel end where the process stops.
            end.send(outcome).ok();
        });
        ended
    }

    async fn run(&self) -> Result<Report, RunError> {
        let begun = self.parts.clock.now();
        let asked = period(begun, &self.state().progress);
        let outcome = self.fetch(begun, asked).await;
        let ended = self.parts.clock.now();
        let mut progress = self.state().progress.clone();
        progress.last_run = Some(ended);
        match &outcome {
            Ok(report) => {
                progress.last_complete = Some(begun);
                progress.last_whole = if asked.whole { Some(begun) } else { progress.last_whole };
                (progress.failure, progress.failures) = (None, 0);
                progress.added = report.added;
                let Report { added, updated, known, .. } = report;
                tracing::info!(added, updated, known, from = %asked.from, to = %asked.to, "results collected");
            }
            Err(error) => {
                progress.failure = Some(error.code().to_owned());
                progress.failures = progress.failures.saturating_add(1);
                tracing::warn!(%error, failures = progress.failures, "results could not be collected");
            }
        }
        self.state().progress = progress.clone();
        self.plan(ended, progress.failures);
        let kept = self.parts.results.set_progress(&progress).await;
        let report = outcome?;
        kept?;
        Ok(report)
    }

    fn plan(&self, ended: Timestamp, failures: u32) {
        let Some(every) = self.parts.every else { return };
        let due = self.after_pause(ended, pause(every, failures));
        self.state().due = due;
    }

    fn after_pause(&self, from: Timestamp, wait: SignedDuration) -> Timestamp {
        let wait = wait.saturating_add(self.part_of(wait / JITTER_PART));
        from.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    async fn fetch(&self, begun: Timestamp, asked: Period) -> Result<Report, RunError> {
        self.fetch_announcements().await?;
        let parts = &self.parts;
        let results = parts.link.results(&request_id(&*parts.random), asked.from, asked.to).await?;
        let mut report = Report { period: asked, added: 0, updated: 0, known: 0 };
        for results in results.chunks(BATCH) {
            let batch = Batch { results: results.to_vec(), origin: parts.origin, asked_at: begun };
            let merged = parts.results.merge(batch, &collected()).await?;
            report.added += merged.added.len() as u64;
            report.updated += merged.updated.len() as u64;
            report.known += merged.known;
        }
        Ok(report)
    }

    /// Results matter more than news: if these cannot be fetched, what is kept goes on showing.
    async fn fetch_announcements(&self) -> Result<(), StoreError> {
        let parts = &self.parts;
        match parts.link.announcements(&request_id(&*parts.random)).await {
            Ok(announcements) => {
                parts.announcements.replace_announcements(&announcements).await?;
                self.learn(&announcements);
            }
            Err(error) => tracing::warn!(%error, "announcements could not be fetched"),
        }
        Ok(())
    }

    /// Lets everybody know the announced closures.
    fn learn(&self, announcements: &[Announcement]) {
        self.state().closures = announcements.iter().filter_map(|announced| announced.closure).collect();
        self.parts.calendar.set(closures(announcements, Scope::Registration));
        self.parts.calendar.set_everything(closures(announcements, Scope::Everything));
        let mut sorted = announcements.to_vec();
        sorted.sort_by(|one, other| one.id.cmp(&other.id));
        self.announced.send_if_modified(|known| {
            let changed = *known != sorted;
            *known = sorted;
            changed
        });
    }
}

fn collected() -> AuditEntry {
    audit("daemon", AuditSource::Daemon, COLLECTED, "ok".to_owned())
}

/// The closure of everything that is on and ends last.
fn closed(closures: &[Closure], now: Timestamp) -> Option<Window> {
    let all = closures.iter().filter(|closure| closure.scope == Scope::Everything);
    let on = all.map(|closure| closure.window).filter(|window| window.contains(now));
    on.max_by_key(|window| window.until)
}

/// Waits for the end of a run; `None` if the process stops before.
async fn finished(mut ended: watch::Receiver<Ended>) -> Ended {
    ended.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
}
