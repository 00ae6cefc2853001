//! Clocks that jump by up to ten years, restarts, witnesses that come and go: what is served late, destroyed early, or
//! kept hidden although the clock is right again.

use std::ops::AddAssign;
use std::path::Path;

use daemon::app::ports::{ResultStore as _, RetentionStore as _};
use daemon::domain::check::ResultId;
use daemon::domain::retention::expiry;
use daemon::store::Room;
use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use tempfile::TempDir;

use super::site::{Open, Site, store};

/// What was seen; everything but `cases`, `looks` and `purges` must be zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Jumps {
    /// Sequences of jumps, waits, restarts and looks.
    pub cases: u64,
    /// Looks at the clock.
    pub looks: u64,
    /// Looks that destroyed something.
    pub purges: u64,
    /// Results served at or after their true expiry.
    pub served_late: u64,
    /// Results that were gone from the disk before their true expiry.
    pub destroyed_early: u64,
    /// Results that were hidden before their true expiry although the clock was trusted again.
    pub kept_hidden: u64,
    /// Results still on the disk after a look with a trusted clock after their true expiry.
    pub kept_late: u64,
}

impl AddAssign for Jumps {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.looks += other.looks;
        self.purges += other.purges;
        self.served_late += other.served_late;
        self.destroyed_early += other.destroyed_early;
        self.kept_hidden += other.kept_hidden;
        self.kept_late += other.kept_late;
    }
}

const STEPS: u32 = 24;
const TEN_YEARS: i64 = 10 * 366 * 86_400;

/// The true time, which nobody in the store knows, and how far the clock is off.
struct Case {
    site: Site,
    chance: ChaCha20Rng,
    truth: Timestamp,
    off: SignedDuration,
    stored: Vec<(ResultId, Timestamp)>,
    seen: Jumps,
}

/// Plays `cases` cases from a seed, each in a directory of its own below `directory`.
pub async fn clock_jumps(directory: &Path, cases: u64, seed: u64) -> Jumps {
    let mut all = Jumps::default();
    for number in 0..cases {
        let place = TempDir::new_in(directory).expect("a directory");
        all += Case::new(place.path(), seed.wrapping_add(number)).play().await;
    }
    all
}

impl Case {
    fn new(directory: &Path, seed: u64) -> Self {
        let truth: Timestamp = "2026-06-10T03:00:00Z".parse().expect("an instant");
        Self {
            site: Site::new(directory, truth, Room { ballast: 0, low_water: 0 }),
            chance: ChaCha20Rng::seed_from_u64(seed),
            truth,
            off: SignedDuration::ZERO,
            stored: Vec::new(),
            seen: Jumps { cases: 1, ..Jumps::default() },
        }
    }

    fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.chance.next_u64() % limit.unsigned_abs()).unwrap_or_default()
    }

    async fn play(mut self) -> Jumps {
        let mut open = self.site.open().await;
        for step in 0..STEPS {
            match self.below(10) {
                0..=2 => self.wait(),
                3 => self.jump(),
                4 => self.correct(),
                5 => {
                    open.stop().await;
                    open = self.site.open().await;
                }
                6 => self.site.witness.hear(self.site.now(), -self.off),
                7 | 8 => self.check(&open, step).await,
                _ => self.look(&open).await,
            }
            self.observe(&open).await;
        }
        self.correct();
        self.look(&open).await;
        self.observe(&open).await;
        open.stop().await;
        self.seen
    }

    fn wait(&mut self) {
        let passed = SignedDuration::from_secs(match self.below(4) {
            0 => self.below(60),
            1 => self.below(86_400),
            _ => self.below(45 * 86_400),
        });
        self.truth += passed;
        self.site.clock.advance(passed);
    }

    /// A hand sets the clock; the kernel notices that.
    fn jump(&mut self) {
        let size = 121
            + match self.below(3) {
                0 => self.below(3_600),
                1 => self.below(60 * 86_400),
                _ => self.below(TEN_YEARS),
            };
        let to = SignedDuration::from_secs(if self.below(2) == 0 { size } else { -size });
        self.site.clock.jump(to - self.off);
        self.off = to;
        let says = if self.below(2) == 0 { None } else { Some(false) };
        self.site.kernel.say(says);
    }

    /// The time service sets it right.
    fn correct(&mut self) {
        self.site.clock.jump(-self.off);
        self.off = SignedDuration::ZERO;
        self.site.kernel.say(Some(true));
    }

    /// A check, stamped by the central system, whose time is the true one.
    async fn check(&mut self, open: &Open, step: u32) {
        let id = store(&open.store, &format!("c{step}"), self.truth).await.expect("stored");
        self.stored.push((id, self.truth));
    }

    async fn look(&mut self, open: &Open) {
        let run = open.retention.run_if_due().await.expect("the store works");
        self.seen.looks += 1;
        self.seen.purges += u64::from(run.purged.is_some());
        if run.clock.is_err() {
            return;
        }
        for (id, checked) in self.stored.clone() {
            let served = open.store.get(id).await.expect("readable").is_some();
            self.seen.kept_hidden += u64::from(!served && self.truth < expiry(checked));
        }
        let months = open.store.stock().await.expect("readable").months;
        let late = months.iter().filter(|kept| kept.expires_at <= self.truth);
        self.seen.kept_late += late.map(|kept| kept.results).sum::<u64>();
    }

    async fn observe(&mut self, open: &Open) {
        for (id, checked) in self.stored.clone() {
            let served = open.store.get(id).await.expect("readable").is_some();
            self.seen.served_late += u64::from(served && self.truth >= expiry(checked));
        }
        let on_disk = self.on_disk(open).await;
        let unexpired = self.stored.iter().filter(|(_, checked)| self.truth < expiry(*checked)).count();
        self.seen.destroyed_early += u64::try_from(unexpired).unwrap_or_default().saturating_sub(on_disk);
    }

    /// Results on the disk that are not past their true expiry.
    async fn on_disk(&self, open: &Open) -> u64 {
        let months = open.store.stock().await.expect("readable").months;
        months.iter().filter(|kept| kept.expires_at > self.truth).map(|kept| kept.results).sum()
    }
}
