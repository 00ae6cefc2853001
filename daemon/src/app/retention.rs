//! Retention: sees to it that what has expired is destroyed within a minute, as soon as the clock can be trusted.
//!
//! Hiding is the store's and needs no trust; this decides when destroying may happen, and says why it does not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex as AsyncMutex;

use super::access::{MACHINE, audit};
use super::ports::{
    AuditEntry, AuditSource, Clock, ClockWitness, KernelClock, Purged, RetentionStore, Stock, StoreError,
    StoreRoom,
};
use super::tasks::Tasks;
use crate::domain::clock::{ClockWatch, Doubt, Reading, Trust};
use crate::domain::retention::JstMonth;

/// What retention is built from.
pub struct RetentionParts {
    /// What is kept.
    pub store: Arc<dyn RetentionStore>,
    /// Whether there is space.
    pub room: Arc<dyn StoreRoom>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// What the kernel says of it.
    pub kernel: Arc<dyn KernelClock>,
    /// The central system as a witness of the time, where there is a connection to it.
    pub witness: Option<Arc<dyn ClockWitness>>,
}

/// What one look led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Whether the clock was trusted, and by whose word.
    pub clock: Result<Trust, Doubt>,
    /// What was destroyed, if anything was due and could be.
    pub purged: Option<Purged>,
}

/// How retention is, for health. Asks no disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionHealth {
    /// How long something hidden has been waiting to be destroyed.
    pub lag: Duration,
    /// The last look's judgement of the clock; none before the first.
    pub clock: Option<Result<Trust, Doubt>>,
    /// Why the last attempt to destroy failed.
    pub failed: Option<StoreError>,
    /// Whether there is space for new work.
    pub room: Result<(), StoreError>,
}

/// Everything an administrator is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionView {
    /// What is kept.
    pub stock: Stock,
    /// What the wall clock shows.
    pub now: Timestamp,
    /// Whether it is trusted, and by whose word.
    pub clock: Result<Trust, Doubt>,
    /// Whether something is to be destroyed.
    pub due: bool,
    /// How it is.
    pub health: RetentionHealth,
}

/// Why an administrator's run destroyed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The clock is not trusted, and nobody said that it is right.
    #[error("the clock is not trusted: {0:?}")]
    Clock(Doubt),
    /// The store failed; what it began is finished by the next run.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default)]
struct Watching {
    clock: ClockWatch,
    /// What the kernel said, and when.
    kernel: Option<(Reading, Option<bool>)>,
}

#[derive(Default)]
struct Seen {
    /// The last judgement, and what the clocks showed then.
    clock: Option<(Reading, Result<Trust, Doubt>)>,
    failed: Option<StoreError>,
    /// When, by the steady clock, a purge was first found unfinished: the keys that would tell since when are gone.
    unfinished: Option<Duration>,
}

/// Looks at clock and store, and destroys what is due.
pub struct Retention {
    parts: RetentionParts,
    /// One run at a time.
    watch: AsyncMutex<Watching>,
    seen: Mutex<Seen>,
}

/// Between two looks: a clock that jumps over a boundary, or becomes plausible, is noticed in time for the minute.
const LOOK: Duration = Duration::from_secs(20);

/// How long what the kernel said is good for while nothing depends on it: asking costs a process.
const ASK_AGAIN: Duration = Duration::from_mins(10);

/// How long until the next look: at the next boundary, or before.
pub fn next_look(now: Timestamp) -> Duration {
    let boundary = JstMonth::of(now).next().start();
    let until = boundary.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
    until.map_or(LOOK, |until| until.clamp(Duration::from_millis(1), LOOK))
}

impl Retention {
    /// Has not looked yet.
    pub fn new(parts: RetentionParts) -> Self {
        Self { parts, watch: AsyncMutex::default(), seen: Mutex::default() }
    }

    /// Looks once: under a trusted clock the store's instant is settled and what is due is destroyed.
    ///
    /// # Errors
    /// Settling or destroying failed; the next look tries again.
    pub async fn run_if_due(&self) -> Result<Run, StoreError> {
        let mut watch = self.watch.lock().await;
        let (now, clock) = self.look(&mut watch).await;
        let outcome = match clock {
            Ok(_) => self.apply(now.wall).await,
            Err(_) => Ok(None),
        };
        self.note(now, clock, outcome.as_ref().err());
        outcome.map(|purged| Run { clock, purged })
    }

    /// Looks again and again until the daemon stops.
    pub fn keep_running(self: &Arc<Self>, tasks: &Tasks) {
        let (retention, stopping) = (Arc::clone(self), tasks.stopping());
        tasks.start(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(next_look(retention.parts.clock.now())) => {}
                    () = stopping.cancelled() => return,
                }
                match retention.run_if_due().await {
                    Ok(Run { purged: Some(Purged { results, months }), .. }) => {
                        tracing::info!(results, months, "destroyed what had expired");
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "what has expired could not be destroyed yet"),
                }
            }
        });
    }

    /// Destroys what has expired, for an administrator at the machine. With `clock_is_right` the administrator is the
    /// clock's witness; either is written to the audit log before any key goes.
    pub async fn run_now(&self, clock_is_right: bool) -> Result<Run, RunError> {
        let mut watch = self.watch.lock().await;
        let (now, seen) = self.look(&mut watch).await;
        let (trust, action) = match seen {
            _ if clock_is_right => (Trust::Administrator, "retention.run.clock_is_right"),
            Ok(trust) => (trust, "retention.run"),
            Err(doubt) => {
                self.note(now, seen, None);
                return Err(RunError::Clock(doubt));
            }
        };
        let outcome = self.parts.store.purge(now.wall, &entry(MACHINE, AuditSource::Machine, action)).await;
        self.note(now, seen, outcome.as_ref().err());
        Ok(Run { clock: Ok(trust), purged: Some(outcome?) })
    }

    /// What is kept, what is hidden, what is due.
    pub async fn view(&self) -> Result<RetentionView, StoreError> {
        let mut watch = self.watch.lock().await;
        let (now, clock) = self.look(&mut watch).await;
        let failed = self.seen().failed.clone();
        self.note(now, clock, failed.as_ref());
        let (stock, due) = (self.parts.store.stock().await?, self.parts.store.is_due(now.wall));
        Ok(RetentionView { stock, now: now.wall, clock, due, health: self.health() })
    }

    /// Whether something is to be destroyed now. Asks nobody.
    pub fn is_due(&self) -> bool {
        self.parts.store.is_due(self.parts.clock.now())
    }

    /// Judges the clock for somebody else whose work cannot be taken back; asks every witness anew.
    pub async fn judge_clock(&self) -> Result<Trust, Doubt> {
        let mut watch = self.watch.lock().await;
        watch.kernel = None;
        let (now, clock) = self.look(&mut watch).await;
        let failed = self.seen().failed.clone();
        self.note(now, clock, failed.as_ref());
        clock
    }

    /// The present, if the last look found somebody to vouch for the clock and nobody has set it since: what expires before it
    /// may be destroyed. Asks nobody.
    pub fn trusted_now(&self) -> Option<Timestamp> {
        let (judged, clock) = self.seen().clock?;
        let now = self.reading();
        clock.ok().filter(|_| now.follows(judged)).map(|_| now.wall)
    }

    /// How it is.
    pub fn health(&self) -> RetentionHealth {
        let now = self.reading();
        let since = self.parts.store.overdue_since();
        let lag = since.and_then(|since| Duration::try_from(now.wall.duration_since(since)).ok());
        let seen = self.seen();
        let unfinished = seen.unfinished.map(|since| now.steady.saturating_sub(since));
        RetentionHealth {
            lag: lag.unwrap_or_default().max(unfinished.unwrap_or_default()),
            clock: seen.clock.map(|(_, clock)| clock),
            failed: seen.failed.clone(),
            room: self.parts.room.has_room(),
        }
    }

    async fn apply(&self, now: Timestamp) -> Result<Option<Purged>, StoreError> {
        let store = &self.parts.store;
        if store.is_due(now) {
            return Ok(Some(
                store.purge(now, &entry("daemon", AuditSource::Daemon, "retention.purge")).await?,
            ));
        }
        store.settle(now).await?;
        Ok(None)
    }

    async fn look(&self, watch: &mut Watching) -> (Reading, Result<Trust, Doubt>) {
        let before = self.reading();
        let kernel = self.kernel_says(watch, before).await;
        let central: Option<(Timestamp, SignedDuration)> =
            self.parts.witness.as_ref().and_then(|witness| witness.offset());
        let now = self.reading();
        (now, watch.clock.look(before, kernel, central, now))
    }

    /// Asks anew before anything is destroyed, after the clock was set, and now and then.
    async fn kernel_says(&self, watch: &mut Watching, now: Reading) -> Option<bool> {
        let fresh = watch.kernel.filter(|(at, _)| {
            !self.parts.store.is_due(now.wall)
                && now.follows(*at)
                && now.steady.saturating_sub(at.steady) < ASK_AGAIN
        });
        if let Some((_, said)) = fresh {
            return said;
        }
        let said = self.parts.kernel.is_synchronised().await;
        watch.kernel = Some((now, said));
        said
    }

    fn reading(&self) -> Reading {
        Reading { wall: self.parts.clock.now(), steady: self.parts.clock.steady() }
    }

    fn note(&self, now: Reading, clock: Result<Trust, Doubt>, failed: Option<&StoreError>) {
        let mut seen = self.seen();
        seen.clock = Some((now, clock));
        seen.failed = failed.cloned();
        seen.unfinished = self.parts.store.is_unfinished().then(|| seen.unfinished.unwrap_or(now.steady));
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(actor: &str, source: AuditSource, action: &'static str) -> AuditEntry {
    audit(actor, source, action, "ok".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_is_at_the_boundary_and_never_later_than_twenty_seconds() {
        for (now, seconds) in [
            ("2026-07-08T03:00:00Z", 20),
            ("2026-07-31T14:59:50Z", 10),
            ("2026-07-31T14:59:59Z", 1),
            ("2026-07-31T15:00:00Z", 20),
        ] {
            assert_eq!(next_look(now.parse().unwrap()), Duration::from_secs(seconds), "{now}");
        }
        let last: Timestamp = "2026-07-31T14:59:59.999999Z".parse().unwrap();
        assert_eq!(next_look(last), Duration::from_millis(1), "never in a hurry without end");
    }
}
