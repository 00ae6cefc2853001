//! Looking at the clock: whose word lets something be destroyed, how long it is good for, what is done untold.

use std::sync::Arc;
use std::time::Duration;

use daemon::app::ports::{Clock as _, RetentionStore as _};
use daemon::app::retention::{Retention, RetentionParts};
use daemon::app::tasks::Tasks;
use daemon::domain::clock::{Doubt, Trust};
use daemon::service::JsonForm;
use daemon::store::{Purged, Store};
use harness::ambient::{HeldClock, HeldKernel, SeededRandom};
use jiff::{SignedDuration, Timestamp};

use super::support::{Machine, at, insert, person};

const JUNE: &str = "2026-06-10T00:00:00Z";
/// First instant at which a result of then is gone.
const GONE: &str = "2026-07-31T15:00:00Z";
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A store with its retention, which looks only when told to.
struct Site {
    clock: Arc<HeldClock>,
    kernel: Arc<HeldKernel>,
    store: Arc<Store>,
    retention: Arc<Retention>,
    tasks: Tasks,
    _machine: Machine,
}

impl Site {
    /// Opens it at an instant, with one result of June.
    async fn at(now: Timestamp) -> Self {
        let machine = Machine::at(JUNE);
        let (clock, kernel) = (Arc::new(HeldClock::at(now)), Arc::new(HeldKernel::default()));
        let (tasks, random) = (Tasks::default(), Arc::new(SeededRandom::new(1)));
        let store = Store::open(&machine.config(), clock.clone(), random, Arc::new(JsonForm), &tasks).await;
        let store = Arc::new(store.expect("the store opens"));
        insert(&store, "c1", JUNE, person("資格 太郎", "1")).await;
        let retention = Arc::new(Retention::new(RetentionParts {
            store: store.clone(),
            room: store.clone(),
            clock: clock.clone(),
            kernel: kernel.clone(),
            witness: None,
        }));
        Self { clock, kernel, store, retention, tasks, _machine: machine }
    }

    /// One look: whether the clock is trusted, and what was destroyed.
    async fn look(&self) -> (Result<Trust, Doubt>, Option<Purged>) {
        let run = self.retention.run_if_due().await.expect("the store works");
        (run.clock, run.purged)
    }

    async fn close(self) {
        self.store.close().await;
        self.tasks.finish().await;
    }
}

#[tokio::test]
async fn the_kernel_is_asked_again_before_anything_is_destroyed_however_lately_it_spoke() {
    let site = Site::at(at(GONE) - SECOND * 60).await;
    assert!(!site.retention.is_due());
    site.kernel.say(Some(true));
    assert_eq!(site.look().await, (Ok(Trust::Kernel), None));
    site.kernel.say(Some(false));
    site.clock.advance(SECOND * 59);
    assert_eq!(site.look().await, (Ok(Trust::Kernel), None), "nothing depends on it");
    assert_eq!(site.retention.health().clock, Some(Ok(Trust::Kernel)));

    site.clock.advance(SECOND);
    assert!(site.retention.is_due());
    assert_eq!(site.look().await, (Err(Doubt::Unsynchronised), None));
    site.clock.advance(SECOND * 90);
    let health = site.retention.health();
    assert_eq!((health.lag, health.clock), (Duration::from_secs(90), Some(Err(Doubt::Unsynchronised))));
    assert_eq!(site.store.overdue_since(), Some(at(GONE)));

    site.kernel.say(Some(true));
    assert_eq!(site.look().await, (Ok(Trust::Kernel), Some(Purged { results: 1, months: 1 })));
    assert!(!site.retention.is_due());
    assert_eq!(site.retention.health().lag, Duration::ZERO);
    site.close().await;
}

#[tokio::test]
async fn the_present_is_trusted_from_a_look_with_a_witness_until_the_clock_is_set() {
    let site = Site::at(at(JUNE)).await;
    let trusted = || site.retention.trusted_now();
    assert_eq!(trusted(), None, "nobody has looked");
    assert_eq!(site.look().await, (Err(Doubt::NoWitness), None));
    assert_eq!(trusted(), None, "nobody vouches for it");
    site.kernel.say(Some(true));
    assert_eq!(site.look().await, (Err(Doubt::NoWitness), None), "it was asked a moment ago");
    assert_eq!(site.retention.judge_clock().await, Ok(Trust::Kernel), "who cannot wait has it asked anew");
    assert_eq!(trusted(), Some(at(JUNE)));
    site.clock.advance(SECOND * 3_600);
    assert_eq!(trusted(), Some(at(JUNE) + SECOND * 3_600));

    site.clock.jump(SECOND);
    assert_eq!(trusted(), Some(site.clock.now()), "clocks differ by as much");
    site.clock.jump(SECOND);
    assert_eq!(trusted(), None, "somebody has set it");
    assert_eq!(site.retention.judge_clock().await, Ok(Trust::Kernel));
    assert_eq!(trusted(), Some(site.clock.now()));
    site.kernel.say(Some(false));
    assert_eq!(site.retention.judge_clock().await, Err(Doubt::Unsynchronised));
    assert_eq!(trusted(), None);
    site.close().await;
}
