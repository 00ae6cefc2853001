//! Monitor: what the program tells whoever watches it, without a sign-in and about nobody: whether it can work, and its figures.
//!
//! Ready means that the API can do its work: the store answers, reads and writes, and has room. A missing reader or a central
//! system that is away does not make it unready, because results, searches and inquiry numbers go on; the figures and health tell.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::health::{Health, HealthView};
use super::ports::{Clock, Footprint, ProcessUse, ProcessVitals, RetentionStore, StoreError, StoreVitals};
use super::sessions::Sessions;
use super::tally::{Counted, Tally};
use crate::domain::upkeep;

/// How long the store may take to give a sign of life before the program calls itself unready.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Why the program cannot do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// The store does not answer in time, fails, or takes nothing more.
    StoreFails,
    /// There is too little space for anything new.
    StoreFull,
}

/// The certificates whose end somebody must not miss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificateEnds {
    /// Of the one that somebody gave for the page.
    pub page: Option<Timestamp>,
    /// Of the daemon's own authority.
    pub machines_authority: Option<Timestamp>,
}

/// What a monitor is built from.
pub struct MonitorParts {
    /// How the parts are.
    pub health: Arc<Health>,
    /// Who is signed in.
    pub sessions: Arc<Sessions>,
    /// What is kept.
    pub kept: Arc<dyn RetentionStore>,
    /// Signs of life of the store.
    pub store: Arc<dyn StoreVitals>,
    /// What the process takes.
    pub process: Arc<dyn ProcessVitals>,
    /// What has been counted.
    pub tally: Arc<Tally>,
    /// Ends of certificates that do not change while the program runs.
    pub certificates: CertificateEnds,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Whether the figures are told.
    pub tells_figures: bool,
}

/// The figures at one instant.
#[derive(Debug, Clone)]
pub struct Figures {
    /// When the program started.
    pub started_at: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// How the parts are.
    pub health: HealthView,
    /// What has been counted.
    pub counted: Counted,
    /// Live sessions.
    pub sessions: usize,
    /// Stored results that are not hidden; `None` if the store does not say.
    pub results: Option<u64>,
    /// Whether the store's commits succeed.
    pub writes: bool,
    /// What the store takes.
    pub footprint: Footprint,
    /// What the process takes.
    pub process: Option<ProcessUse>,
    /// Whole days until the page's certificate ends.
    pub page_days: Option<i64>,
    /// Whole days until the daemon's own authority ends.
    pub authority_days: Option<i64>,
}

/// Tells whoever watches.
pub struct Monitor {
    parts: MonitorParts,
    started_at: Timestamp,
}

impl Monitor {
    /// A monitor of a program that starts now.
    pub fn new(parts: MonitorParts) -> Self {
        let started_at = parts.clock.now();
        Self { parts, started_at }
    }

    /// What keeps the program from its work; nothing if it is ready.
    pub async fn unready(&self) -> Vec<Unready> {
        let asked = async {
            if !self.parts.store.writer_answers().await {
                return Err(StoreError::Failed("the writer has ended".to_owned()));
            }
            self.parts.store.writes().await?;
            self.parts.health.store_answers().await
        };
        let answered = tokio::time::timeout(PATIENCE, asked).await;
        let fails = match answered {
            Ok(Ok(())) => None,
            Ok(Err(StoreError::DiskFull)) => Some(Unready::StoreFull),
            Ok(Err(StoreError::Failed(_) | StoreError::Corrupt { .. })) | Err(_) => Some(Unready::StoreFails),
        };
        let full = self.parts.health.has_room().is_err().then_some(Unready::StoreFull);
        let mut reasons: Vec<Unready> = fails.into_iter().chain(full).collect();
        reasons.dedup();
        reasons
    }

    /// The figures; `None` where they are not told.
    pub async fn figures(&self) -> Option<Figures> {
        if !self.parts.tells_figures {
            return None;
        }
        let now = self.parts.clock.now();
        let days = |end: Option<Timestamp>| end.map(|end| upkeep::days_left(end, now));
        let stock = self.parts.kept.stock().await.ok();
        let live = stock.map(|stock| {
            let shown = stock.months.iter().filter(|month| month.expires_at > stock.instant);
            shown.map(|month| month.results).sum()
        });
        Some(Figures {
            started_at: self.started_at,
            now,
            health: self.parts.health.see().await,
            counted: self.parts.tally.so_far(),
            sessions: self.parts.sessions.count(),
            results: live,
            writes: matches!(tokio::time::timeout(PATIENCE, self.parts.store.writes()).await, Ok(Ok(()))),
            footprint: self.parts.store.footprint(),
            process: self.parts.process.usage(),
            page_days: days(self.parts.certificates.page),
            authority_days: days(self.parts.certificates.machines_authority),
        })
    }
}
